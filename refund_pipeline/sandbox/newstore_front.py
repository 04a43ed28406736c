"""Where HTTP meets the NewStore sandbox: blocks, outages, tokens, faults, limits, routes, audit.

Everything runs on the server's event loop, so two requests never interleave inside one.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from refund_pipeline.sandbox.newstore_answers import exact, page, refusal
from refund_pipeline.sandbox.newstore_events.api import (
    PUBLISHED_PATH,
    answer_integrations,
    answer_published,
)
from refund_pipeline.sandbox.newstore_events.stream import EventStream
from refund_pipeline.sandbox.newstore_faults import NO_ANSWER, Audit, AuditEntry, Fault, Faults
from refund_pipeline.sandbox.newstore_graphql import Asked, GraphQl, failed_query
from refund_pipeline.sandbox.newstore_limits import Passage, RateLimits
from refund_pipeline.sandbox.newstore_model import SandboxOrder
from refund_pipeline.sandbox.newstore_money import MoneySpelling, MoneyWriter
from refund_pipeline.sandbox.newstore_payments import account_body, refund_body
from refund_pipeline.sandbox.newstore_tokens import TokenService
from refund_pipeline.sandbox.serving import drop_connection

GRAPHQL_PATH = "/api/v1/org/data/query"
_EXACT_PATHS = {GRAPHQL_PATH: "graphql", PUBLISHED_PATH: "published_events"}


@dataclass(slots=True)
class Front:
    """The ASGI app of one tenant."""

    tenant: str
    tokens: TokenService
    graphql: GraphQl
    faults: Faults
    audit: Audit
    orders: Mapping[str, SandboxOrder]
    clock: Callable[[], datetime]
    stream: EventStream
    limits: RateLimits
    page_size: int = 100
    graphql_lag: timedelta = timedelta(0)
    money_spelling: MoneySpelling = "as_kept"
    forbidden: frozenset[str] = frozenset()
    """Kinds of requests, as the audit names them, the API client has no permission for."""

    @property
    def token_path(self) -> str:
        """The path of the token endpoint."""
        return f"/auth/realms/{self.tenant}/protocol/openid-connect/token"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or reset its connection."""
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        request = Request(scope, receive)
        try:
            await request.body()
        except ClientDisconnect:
            return
        path = request.url.path
        kind, address = self._kind(path), request.client.host if request.client else ""
        asked = Asked(
            now=self.clock() - (self.graphql_lag if kind == "graphql" else timedelta(0)),
            tenant=self.tenant,
            orders=self.orders,
            page_size=self.page_size,
            render_zone="force-render-timezone" in request.headers,
            money=MoneyWriter(self.money_spelling),
        )
        passage = self.limits.passage(address)
        response = (
            await self._answer(request, kind, asked)
            if passage is Passage.FREE
            else page(403, "Request blocked")
        )
        self.audit.note(
            AuditEntry(
                kind=kind,
                method=request.method,
                path=path,
                status=response.status_code if response else NO_ANSWER,
                orders=asked.orders_asked,
                address=address,
                blocked=passage is Passage.BLOCKED,
            )
        )
        if response is None:
            await drop_connection(scope)
        else:
            await response(scope, receive, send)

    def _kind(self, path: str) -> str:
        match path.split("/"):
            case ["", "auth", "realms", *_]:
                return "token"
            case ["", "v0", "c", "payments", "accounts", _]:
                return "payment_account"
            case ["", "v0", "d", "orders", _, "refunds", *rest] if len(rest) <= 1:
                return "refunds"
            case ["", "api", "v1", "org", "integrations", "eventstream", *_]:
                return "integrations"
            case _:
                return _EXACT_PATHS.get(path, "unknown")

    async def _answer(self, request: Request, kind: str, asked: Asked) -> Response | None:
        if self.faults.outage:
            return page(503, "Service Unavailable")
        if kind == "token":
            if self.faults.token_outage:
                return page(503, "Service Unavailable")
            return await self._token(request)
        if self.faults.strikes(Fault.LOST_ANSWER):
            return None
        refused = self._fault() or self._too_many() or self.tokens.refusal(request)
        if refused is not None:
            return refused
        return await self._let_in(request, kind, asked)

    async def _let_in(self, request: Request, kind: str, asked: Asked) -> Response:
        if kind in self.forbidden:
            return refusal(403, "forbidden", "The API client lacks the permission")
        match kind:
            case "graphql":
                return await self._query(request, asked)
            case "integrations":
                body = await request.body()
                return answer_integrations(self.stream.integrations, request, body)
            case "published_events":
                return answer_published(self.stream, request)
            case _:
                return self._read(request, kind, asked)

    async def _token(self, request: Request) -> Response:
        if request.url.path != self.token_path:
            return JSONResponse({"error": "Realm does not exist"}, status_code=404)
        return await self.tokens.issue(request)

    def _fault(self) -> Response | None:
        if self.faults.strikes(Fault.BLOCKED_ADDRESS):
            return page(403, "Request blocked")
        if self.faults.strikes(Fault.TOO_MANY_REQUESTS):
            return _too_many(self.faults.retry_after)
        if self.faults.strikes(Fault.SERVER_ERROR):
            return page(500, "Internal Server Error")
        return None

    def _too_many(self) -> Response | None:
        after = self.limits.retry_after()
        return None if after is None else _too_many(after)

    async def _query(self, request: Request, asked: Asked) -> Response:
        if request.method != "POST":
            return refusal(405, "method_not_allowed", "POST is the only method")
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            return refusal(415, "unsupported_media_type", "Content-Type must be application/json")
        if self.faults.strikes(Fault.FAILED_QUERY):
            return JSONResponse(failed_query())
        return self._executed(await request.body(), asked)

    def _executed(self, text: bytes, asked: Asked) -> Response:
        try:
            body: Any = json.loads(text)
        except ValueError:
            body = None
        if not isinstance(body, dict) or not isinstance(body.get("query"), str):
            return JSONResponse({"errors": [{"message": "Must provide a query."}]}, status_code=400)
        variables = body.get("variables")
        if not isinstance(variables, dict | None):
            message = "Variables must be an object."
            return JSONResponse({"errors": [{"message": message}]}, status_code=400)
        operation = body.get("operationName")
        status, answer = self.graphql.execute(body["query"], variables, operation, asked)
        if self.money_spelling == "number":
            return exact(answer, status)
        return JSONResponse(answer, status_code=status)

    def _read(self, request: Request, kind: str, asked: Asked) -> Response:
        if request.method != "GET":
            return refusal(405, "method_not_allowed", "GET is the only method")
        match request.url.path.split("/"):
            case ["", "v0", "c", "payments", "accounts", order_id]:
                order = self._own(order_id)
                if order is None or not order.account_visible(asked.now):
                    return refusal(404, "not_found", f"No payment account {order_id}")
                return exact(account_body(order, asked.now))
            case ["", "v0", "d", "orders", order_id, "refunds", *rest] if kind == "refunds":
                return self._refunds(order_id, rest, asked.now)
            case _:
                return refusal(404, "resource_not_found", "No such resource")

    def _refunds(self, order_id: str, rest: list[str], now: datetime) -> Response:
        order = self._own(order_id)
        if order is None:
            return refusal(404, "not_found", f"No order {order_id}")
        bodies = [refund_body(order, one, now) for one in order.refunds if one.visible(now)]
        if not rest:
            return exact({"refunds": bodies})
        for body in bodies:
            if body["id"] == rest[0]:
                return exact({"refund": body})
        return refusal(404, "not_found", f"No refund {rest[0]}")

    def _own(self, order_id: str) -> SandboxOrder | None:
        order = self.orders.get(order_id)
        return order if order and order.tenant in {None, self.tenant} else None


def _too_many(retry_after: int) -> Response:
    headers = {"Retry-After": str(retry_after)}
    return JSONResponse({"message": "Too many requests"}, status_code=429, headers=headers)
