"""Answers in NewStore's shapes: exact JSON, the older APIs' errors, and pages that are not JSON."""

import uuid

from starlette.responses import HTMLResponse, JSONResponse, Response

from refund_pipeline.sandbox.exact_json import JsonValue, json_text


def exact(body: JsonValue, status: int = 200) -> Response:
    """Answer with JSON whose numbers are exact."""
    return Response(json_text(body), status_code=status, media_type="application/json")


def refusal(status: int, code: str, *messages: str) -> JSONResponse:
    """Answer with an error of the older APIs (contract 3.3)."""
    body = {"messages": list(messages), "request_id": str(uuid.uuid4()), "error_code": code}
    return JSONResponse(body, status_code=status)


def page(status: int, title: str) -> HTMLResponse:
    """Answer with a page as a proxy in front of the APIs does: no JSON."""
    return HTMLResponse(f"<!DOCTYPE html><html><body>{title}</body></html>", status_code=status)
