"""The receiver as an ASGI app: `refund_pipeline.receiver.app:app`, for uvicorn or any other host.

POST /events answers 200 once the event is in the landing bucket, and 500 while it is not, so that
NewStore sends it again. Every well-formed event is 200, of whatever kind: any other answer can stop
the retailer's whole stream (contract newstore 1.2). GET /healthz and /readyz are for the operator,
/metrics, where it is switched on, for Prometheus.
"""

import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Literal, Protocol, get_args

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.gateways.landing_writer import LandingWriter
from refund_pipeline.receiver.access_log import AccessLog
from refund_pipeline.receiver.allowance import Allowance, Share
from refund_pipeline.receiver.batches import Batches, Outcome
from refund_pipeline.receiver.envelopes import Malformed, read_envelope
from refund_pipeline.receiver.readiness import Readiness
from refund_pipeline.receiver.reading import (
    Refusal,
    read_body,
    refused_by_headers,
    refused_by_key,
)
from refund_pipeline.receiver.settings import ReceiverSettings, settings_from_environment

if TYPE_CHECKING:
    from refund_pipeline.receiver.metrics import Metrics

EVENTS, HEALTH, READY, METRICS = "/events", "/healthz", "/readyz", "/metrics"
_PROMETHEUS = "text/plain; version=1.0.0"
_log = logging.getLogger(__name__)
_Counted = Literal["stored", "not_stored", "refused", "failed"]


class Writer(Protocol):
    """Where files of events go; its methods are called by several threads."""

    def write(self, lines: Sequence[bytes]) -> str:
        """Write one file and return its key; raises when it may not be there."""

    def check(self) -> None:
        """Raise when the bucket cannot be reached."""

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""


def create_app(settings: ReceiverSettings, *, writer: Writer | None = None) -> ASGIApp:
    """Return the app; `writer` is the settings' landing bucket while it is None."""
    chosen = writer or LandingWriter(settings.landing_url, tenant=settings.tenant)
    receiver = _Receiver(settings, chosen)
    numbers = (METRICS,) if settings.metrics_key is not None else ()
    app = Starlette(
        routes=[
            Route(EVENTS, receiver.event, methods=["POST"]),
            Route(HEALTH, receiver.health),
            Route(READY, receiver.ready),
            *(Route(path, receiver.numbers) for path in numbers),
        ],
        middleware=[Middleware(AccessLog, paths=(EVENTS, HEALTH, READY, *numbers))],
        exception_handlers={HTTPException: _http_error},
        lifespan=receiver.lifespan,
    )
    app.router.redirect_slashes = False  # a client that does not follow would lose the event
    return app


class AppFromEnvironment:
    """The app of the environment's settings; they are read when a host first calls it.

    Some hosts send lifespan events and some, such as AWS Lambda's, only requests.
    """

    def __init__(self) -> None:
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand over to the app, or refuse to start with the sentence of what is wrong."""
        if self._app is None:
            try:
                self._app = create_app(settings_from_environment())
            except Misconfigured as error:
                await _refuse_to_start(str(error), scope, receive, send)
                return
        await self._app(scope, receive, send)


class _Receiver:
    def __init__(self, settings: ReceiverSettings, writer: Writer) -> None:
        self._settings = settings
        self._writer = writer
        self._allowance = Allowance(settings.limits.in_hand)
        self._readiness = Readiness(writer.check)
        self._batches = Batches(
            writer.write,
            interval=settings.interval,
            limits=settings.limits,
            allowance=self._allowance,
        )
        self._counts: Counter[_Counted] = Counter()
        self._metrics: Metrics | None = None

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """Open the bucket before the first event, and write what was accepted before the end."""
        await self._readiness.is_ready()
        try:
            yield
        finally:
            await self._batches.close()
            self._writer.close()
            if self._metrics is not None:
                self._metrics.close()

    async def event(self, request: Request) -> Response:
        """Answer one webhook."""
        settings = self._settings
        refusal = refused_by_headers(request, keys=settings.keys, limits=settings.limits)
        if refusal is not None:
            return self._refused(refusal)
        with Share(self._allowance) as share:
            body = await read_body(request, share=share, limits=settings.limits)
            if isinstance(body, Refusal):
                return self._refused(body)
            envelope = read_envelope(body)
            if isinstance(envelope, Malformed):
                return self._refused(Refusal(400, envelope.problem))
            if not settings.stores(envelope.name):
                return self._answered("not_stored", 200, "not stored: an event of another kind")
            outcome = await self._batches.store(envelope.line)
        if outcome is Outcome.STORED:
            return self._answered("stored", 200, outcome.value)
        return self._answered("failed", 500, outcome.value)

    async def health(self, _request: Request) -> Response:
        """Say that the process lives, and what became of the events it was sent."""
        return JSONResponse({"detail": "alive", "events": dict(self._counts)})

    async def ready(self, _request: Request) -> Response:
        """Say whether the bucket can be reached."""
        if await self._readiness.is_ready():
            return _answer(200, "ready")
        return _answer(503, "the landing bucket cannot be reached")

    async def numbers(self, request: Request) -> Response:
        """Answer Prometheus; the key is another one than that of the events."""
        keys = [key for key in (self._settings.metrics_key,) if key is not None]
        refusal = refused_by_key(request, keys=keys)
        if refusal is not None:
            return _answer(refusal.status, refusal.sentence)
        if self._metrics is None:
            # Loaded by the first who asks: a receiver nobody asks needs neither of its libraries.
            from refund_pipeline.receiver.metrics import LedgerNumbers, Metrics

            url = self._settings.ledger_url
            self._metrics = Metrics(self._events, ledger=LedgerNumbers(url) if url else None)
        return Response(await self._metrics.text(), media_type=_PROMETHEUS)

    def _events(self) -> dict[str, int]:
        return {kind: self._counts[kind] for kind in get_args(_Counted)}

    def _refused(self, refusal: Refusal) -> Response:
        kind: _Counted = "failed" if refusal.status == 500 else "refused"  # noqa: PLR2004
        return self._answered(kind, refusal.status, refusal.sentence)

    def _answered(self, kind: _Counted, status: int, sentence: str) -> Response:
        self._counts[kind] += 1
        return _answer(status, sentence)


def _answer(status: int, sentence: str) -> Response:
    headers = {401: {"WWW-Authenticate": "Bearer"}, 413: {"Connection": "close"}}.get(status)
    return JSONResponse({"detail": sentence}, status_code=status, headers=headers)


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    return JSONResponse({"detail": error.detail}, error.status_code, headers=error.headers)


async def _refuse_to_start(sentence: str, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.failed", "message": sentence})
        return
    _log.error("%s", sentence)
    await _answer(500, "the receiver is not configured; its log says why")(scope, receive, send)


app = AppFromEnvironment()
