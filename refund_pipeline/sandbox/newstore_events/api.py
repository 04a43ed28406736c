"""The REST surface of the Event Stream: integrations and published events (contract 1.1, 1.4).

What the contract leaves open is answered at its strictest, and is an inference: 201, 200 and 204
for what was made, changed and deleted, 409 for an id that is taken and for starting what runs, 400
for the 26th integration, unknown parameters refused.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from refund_pipeline.sandbox.newstore_answers import refusal
from refund_pipeline.sandbox.newstore_events.integrations import (
    BadBody,
    read_change,
    read_integration,
    read_moment,
)
from refund_pipeline.sandbox.newstore_events.publications import Publication
from refund_pipeline.sandbox.newstore_events.registry import Refused, Registry
from refund_pipeline.sandbox.newstore_events.stream import EventStream

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

INTEGRATIONS_PATH = "/api/v1/org/integrations/eventstream"
PUBLISHED_PATH = "/api/v1/org/integrations/published-events"

_STATUSES = {"resource_not_found": 404, "limit_reached": 400}
"""Every other refusal is a conflict."""
_TEXT_FILTERS: dict[str, Callable[[Publication], str]] = {
    "integration_id": lambda one: one.integration_id,
    "event_name": lambda one: one.event.name,
    "status": lambda one: one.outcome,
    "domain_entity_id": lambda one: one.event.domain_entity_id,
    "domain_entity_type": lambda one: one.event.domain_entity_type,
}


def answer_integrations(registry: Registry, request: Request, body: bytes) -> Response:
    """Answer a request for the integrations; `body` is the request's."""
    try:
        return _integrations(registry, request, body)
    except Refused as refused:
        return refusal(_STATUSES.get(refused.code, 409), refused.code, str(refused))
    except BadBody as bad:
        return refusal(400, "invalid_request", *bad.problems)


def answer_published(stream: EventStream, request: Request) -> Response:
    """Answer a request for the publications: an array, oldest first."""
    if request.method != "GET":
        return refusal(405, "method_not_allowed", "GET is the only method")
    try:
        wanted = _wanted(request.query_params)
    except ValueError as error:
        return refusal(400, "invalid_request", str(error))
    found = [one for one in stream.publications() if wanted(one)]
    found.sort(key=lambda one: one.attempted_at)
    return JSONResponse([one.view() for one in found])


def _integrations(registry: Registry, request: Request, body: bytes) -> Response:
    match request.url.path.removeprefix(INTEGRATIONS_PATH).split("/")[1:]:
        case []:
            return _all(registry, request, body)
        case [name]:
            return _one(registry, name, request, body)
        case [name, "_start" | "_stop" as action] if request.method == "POST":
            if body.strip() not in {b"", b"{}"}:
                raise BadBody([f"{action} takes no body"])
            (registry.start if action == "_start" else registry.stop)(name)
            return JSONResponse({})
        case [_, "_start" | "_stop"]:
            return _other_method(request)
        case _:
            return refusal(404, "not_found", "no such path")


def _all(registry: Registry, request: Request, body: bytes) -> Response:
    match request.method:
        case "GET":
            shown = [one.view(status) for one, status in registry.all()]
            return JSONResponse({"integrations": shown})
        case "POST":
            _require_json(request)
            integration = read_integration(body)
            registry.register(integration)
            return _shown(registry, integration.id, status=201)
        case _:
            return _other_method(request)


def _one(registry: Registry, name: str, request: Request, body: bytes) -> Response:
    match request.method:
        case "GET":
            return _shown(registry, name)
        case "PATCH":
            _require_json(request)
            registry.change(read_change(body, registry.one(name)[0]))
            return _shown(registry, name)
        case "DELETE":
            registry.delete(name)
            return Response(status_code=204)
        case _:
            return _other_method(request)


def _other_method(request: Request) -> Response:
    return refusal(405, "method_not_allowed", f"{request.method} is not a method of this")


def _shown(registry: Registry, name: str, *, status: int = 200) -> Response:
    integration, state = registry.one(name)
    return JSONResponse(integration.view(state), status_code=status)


def _require_json(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise BadBody(["Content-Type must be application/json"])


def _wanted(query: "QueryParams") -> Callable[[Publication], bool]:
    """Read the filters; all that are given must hold, and `from` and `to` exclude themselves."""
    unknown = sorted(set(query) - {"from", "to", *_TEXT_FILTERS})
    if unknown:
        raise ValueError(f"unknown parameters: {', '.join(unknown)}")
    if query.get("status") not in {None, "success", "failure"}:
        raise ValueError("status: is neither success nor failure")
    after, before = _moment(query, "from"), _moment(query, "to")
    texts = {name: query[name] for name in query if name in _TEXT_FILTERS}

    def wanted(one: Publication) -> bool:
        return (
            (after is None or one.attempted_at > after)
            and (before is None or one.attempted_at < before)
            and all(_TEXT_FILTERS[name](one) == text for name, text in texts.items())
        )

    return wanted


def _moment(query: "QueryParams", name: str) -> datetime | None:
    if name not in query:
        return None
    try:
        return read_moment(query[name])
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
