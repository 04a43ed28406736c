"""Where HTTP meets the services: outages, authentication, governance, routing, faults, audit.

The services are synchronous and run on the event loop, so requests never interleave inside one.
"""

import asyncio
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import ClientDisconnect
from starlette.requests import Request as StarletteRequest
from starlette.types import Receive, Scope, Send

from refund_pipeline.sandbox.netsuite.audit import NO_ANSWER, Audit
from refund_pipeline.sandbox.netsuite.auth import TOKEN_PATH, TokenService
from refund_pipeline.sandbox.netsuite.exchange import (
    Answer,
    ErrorDetail,
    Refusal,
    Request,
    error_answer,
    refuse,
)
from refund_pipeline.sandbox.netsuite.faults import Fault, Faults
from refund_pipeline.sandbox.netsuite.record_service import RecordService
from refund_pipeline.sandbox.netsuite.suiteql import SuiteQlService
from refund_pipeline.sandbox.netsuite.tba import TokenLogins
from refund_pipeline.sandbox.serving import drop_connection

_WRITES = ("POST", "PUT", "PATCH", "DELETE")
_OUTAGE_PAGE = b"<!DOCTYPE html><html><body><h1>Service Unavailable</h1></body></html>"


class Front:
    """The ASGI app of one account. `records` and `base_url` are set once the port is known.

    `base_url` is what clients take the account's scheme and host to be.
    """

    records: RecordService
    base_url: str

    def __init__(
        self,
        *,
        tokens: TokenService,
        token_logins: TokenLogins,
        faults: Faults,
        audit: Audit,
        suiteql: SuiteQlService,
        concurrency_limit: int,
        latency: float,
    ) -> None:
        self._tokens = tokens
        self._token_logins = token_logins
        self._faults = faults
        self._audit = audit
        self._suiteql = suiteql
        self._concurrency_limit = concurrency_limit
        self._latency = latency

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or reset its connection."""
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        try:
            request = await _read(scope, receive)
        except ClientDisconnect:
            return
        answer = await self._answer(request)
        self._audit.note(request.method, request.path, answer.status if answer else NO_ANSWER)
        if answer is None:
            await drop_connection(scope)
            return
        headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers]
        if answer.status != 204:  # noqa: PLR2004 - No Content
            headers.append((b"content-length", str(len(answer.body)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, request: Request) -> Answer | None:
        if self._faults.outage:
            return Answer(503, _OUTAGE_PAGE, (("Content-Type", "text/html"),))
        try:
            self._check_address(request)
            if request.path == TOKEN_PATH:
                return self._tokens.issue(request, audience=self.base_url + TOKEN_PATH)
            self._require_login(request)
        except Refusal as refusal:
            return refusal.answer()
        in_flight = self._audit.enter()
        try:
            return await self._governed(request, in_flight)
        finally:
            self._audit.leave()

    def _check_address(self, request: Request) -> None:
        if not request.path.startswith("/services/rest/"):
            raise refuse(404, "NONEXISTENT_ID", "The requested resource was not found.")
        if request.headers.get("host", "") != urlsplit(self.base_url).netloc:
            raise refuse(401, "INVALID_LOGIN", "Invalid login attempt: not a host of this account.")

    def _require_login(self, request: Request) -> None:
        if request.headers.get("authorization", "").lower().startswith("oauth"):
            self._token_logins.require_signature(request, base_url=self.base_url)
        else:
            self._tokens.require_bearer(request)

    async def _governed(self, request: Request, in_flight: int) -> Answer | None:
        if in_flight > self._concurrency_limit or self._faults.strikes(Fault.TOO_MANY_REQUESTS):
            detail = ErrorDetail(
                "Concurrent request limit exceeded. Request blocked.", "CONCURRENCY_LIMIT_EXCEEDED"
            )
            return error_answer(429, [detail])
        if self._latency:
            await asyncio.sleep(self._latency)
        parts = request.path.removeprefix("/services/rest/").split("/")
        writes = parts[:2] == ["record", "v1"] and request.method in _WRITES
        if writes and self._faults.strikes(Fault.DROP_BEFORE_COMMIT):
            return None
        try:
            answer = self._route(request, parts)
        except Refusal as refusal:
            return refusal.answer()
        return self._spoil(answer) if answer.committed else answer

    def _route(self, request: Request, parts: list[str]) -> Answer:
        match parts:
            case ["record", "v1", *rest]:
                return self.records.handle(request, rest)
            case ["query", "v1", "suiteql"]:
                return self._suiteql.handle(request, address=f"{self.base_url}{request.path}")
            case _:
                raise refuse(404, "NONEXISTENT_ID", "The requested resource was not found.")

    def _spoil(self, answer: Answer) -> Answer | None:
        if self._faults.strikes(Fault.LOSE_ANSWER):
            return None
        if self._faults.strikes(Fault.FAIL_AFTER_COMMIT):
            detail = ErrorDetail(
                "An unexpected error occurred. Error ID: m1k2s3a4n5d6b7o8x9", "UNEXPECTED_ERROR"
            )
            return error_answer(500, [detail])
        if self._faults.strikes(Fault.REFUSE_BUT_CREATE):
            detail = ErrorDetail(
                "Error while accessing a resource. An error occurred in a later step.", "USER_ERROR"
            )
            return error_answer(400, [detail])
        return answer


async def _read(scope: Scope, receive: Receive) -> Request:
    incoming = StarletteRequest(scope, receive)
    body = await incoming.body()
    query = tuple(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    return Request(
        method=scope["method"],
        path=scope["path"],
        query=query,
        headers={name.lower(): value for name, value in incoming.headers.items()},
        body=body,
        raw_path=scope["raw_path"].decode("ascii"),
    )
