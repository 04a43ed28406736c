"""Where HTTP meets the services: outages, authentication, governance, latency, faults, audit.

The services are synchronous and run on the event loop, so requests never interleave inside one.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import ClientDisconnect
from starlette.requests import Request as StarletteRequest
from starlette.types import Receive, Scope, Send

from refund_pipeline.sandbox.netsuite import damage
from refund_pipeline.sandbox.netsuite.audit import NO_ANSWER, Audit, AuditEntry, safe_headers
from refund_pipeline.sandbox.netsuite.auth import TOKEN_PATH, TokenService
from refund_pipeline.sandbox.netsuite.exchange import Answer, Refusal, Request, refuse
from refund_pipeline.sandbox.netsuite.faults import AFTER_COMMIT, BEFORE_COMMIT, Fault, Faults
from refund_pipeline.sandbox.netsuite.governance import Governance
from refund_pipeline.sandbox.netsuite.latency import Latency
from refund_pipeline.sandbox.netsuite.logins import invalid_login
from refund_pipeline.sandbox.netsuite.messages import translated
from refund_pipeline.sandbox.netsuite.preferences import Preferences
from refund_pipeline.sandbox.netsuite.services import Services, is_query, is_write
from refund_pipeline.sandbox.netsuite.tba import TokenLogins
from refund_pipeline.sandbox.netsuite.user_events import UserEvents
from refund_pipeline.sandbox.serving import drop_connection

_PIECES = 100
_CHALLENGE = ("WWW-Authenticate", 'Bearer error="invalid_token"')


@dataclass(slots=True)
class _Passage:
    """What is learnt of a request on its way."""

    started: datetime
    in_flight: int = 0
    latency: float = 0.0
    is_late: bool = False


class Front:
    """The ASGI app of one account. `services` and `base_url` are set once the port is known.

    `base_url` is what clients take the account's scheme and host to be.
    """

    services: Services
    base_url: str

    def __init__(
        self,
        *,
        tokens: TokenService,
        token_logins: TokenLogins,
        faults: Faults,
        audit: Audit,
        governance: Governance,
        latency: Latency,
        scripts: UserEvents,
        preferences: Preferences,
        clock: Callable[[], datetime],
    ) -> None:
        self._tokens = tokens
        self._token_logins = token_logins
        self._faults = faults
        self._audit = audit
        self._governance = governance
        self._latency = latency
        self._scripts = scripts
        self._preferences = preferences
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or reset its connection."""
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        try:
            request = await _read(scope, receive)
        except ClientDisconnect:
            return
        passage = _Passage(self._clock())
        answer = await self._answer(request, passage)
        self._audit.note(
            AuditEntry(
                request.method,
                request.path,
                answer.status if answer else NO_ANSWER,
                headers=safe_headers(request.headers),
                parameters=tuple(name for name, _ in request.query),
                started=passage.started,
                latency=passage.latency,
                in_flight=passage.in_flight,
            )
        )
        if answer is None:
            await drop_connection(scope)
            return
        if passage.is_late:  # done, and no longer in flight: its answer is on the way
            await _sleep(self._faults.late_seconds)
        await self._send(answer, receive, send, whole=request.path == TOKEN_PATH)

    async def _answer(self, request: Request, passage: _Passage) -> Answer | None:
        if self._faults.maintenance:
            return damage.maintenance()
        if self._faults.outage:
            return damage.outage()
        try:
            self._check_address(request)
            if request.path == TOKEN_PATH:
                if self._faults.token_outage:
                    return damage.outage()
                return self._tokens.issue(request, audience=self.base_url + TOKEN_PATH)
            self._require_login(request)
        except Refusal as refusal:
            return self._refused(refusal)
        passage.in_flight = self._audit.enter()
        try:
            return await self._governed(request, passage)
        finally:
            self._audit.leave()

    def _check_address(self, request: Request) -> None:
        if not request.path.startswith("/services/rest/"):
            raise refuse(404, "NONEXISTENT_ID", "The requested resource was not found.")
        if request.headers.get("host", "") != urlsplit(self.base_url).netloc:
            raise refuse(401, "INVALID_LOGIN", "Invalid login attempt: not a host of this account.")

    def _require_login(self, request: Request) -> None:
        if self._faults.strikes(Fault.REFUSE_LOGIN):
            raise invalid_login((_CHALLENGE,))
        if request.headers.get("authorization", "").lower().startswith("oauth"):
            self._token_logins.require_signature(request, base_url=self.base_url)
        else:
            self._tokens.require_bearer(request)

    async def _governed(self, request: Request, passage: _Passage) -> Answer | None:
        writes = is_write(request)
        drawn = self._faults.next_for_write() if writes else None
        blocked = self._faults.first_of([Fault.TOO_MANY_REQUESTS], drawn)
        if blocked or not self._governance.admits(passage.in_flight):
            return self._governance.refusal()
        passage.latency = self._latency.draw(writes=writes)
        if writes:
            passage.latency += self._scripts.seconds
        pause = self._latency.here(passage.latency) / 2  # a record is there before its answer is
        await _sleep(pause)
        fault = self._before(request, drawn, writes=writes)
        if fault is not None:
            return damage.before_commit(fault)
        try:
            answer = self.services.answer(request)
        except Refusal as refusal:
            return self._refused(refusal)
        finally:
            await _sleep(pause)
        if not answer.committed:
            return answer
        fault = self._faults.first_of(AFTER_COMMIT, drawn)
        passage.is_late = fault is Fault.ANSWER_LATE
        return damage.after_commit(fault, answer)

    def _before(self, request: Request, drawn: Fault | None, *, writes: bool) -> Fault | None:
        if writes:
            return self._faults.first_of(BEFORE_COMMIT, drawn)
        return self._faults.first_of([Fault.FAIL_QUERY], None) if is_query(request) else None

    def _refused(self, refusal: Refusal) -> Answer:
        return translated(refusal, self._preferences.language).answer()

    async def _send(self, answer: Answer, receive: Receive, send: Send, *, whole: bool) -> None:
        drips = False
        if answer.body and not whole:
            fault = self._faults.first_of([Fault.TRUNCATE, Fault.EMPTY, Fault.DRIP], None)
            answer, drips = damage.spoiled(fault, answer), fault is Fault.DRIP
        headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers]
        if answer.status != 204:  # noqa: PLR2004 - No Content
            headers.append((b"content-length", str(len(answer.body)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if drips:
            await self._drip(answer.body, receive, send)
        else:
            await send({"type": "http.response.body", "body": answer.body})

    async def _drip(self, body: bytes, receive: Receive, send: Send) -> None:
        """Send a body in pieces until it is whole or the client has gone."""
        gone = asyncio.ensure_future(receive())
        size = max(len(body) // _PIECES, 1)
        for start in range(0, len(body), size):
            piece = body[start : start + size]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            done, _ = await asyncio.wait({gone}, timeout=self._faults.drip_seconds)
            if done:
                return
        gone.cancel()
        await send({"type": "http.response.body", "body": b""})


async def _sleep(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)


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
