"""The receiver as an ASGI app: `refund_pipeline.receiver.app:app` for uvicorn or any other host.

POST /events answers 200 once the event is in the landing bucket, 500 when it is not (NewStore then
sends it again), and 200 for every well-formed event of another kind: any other answer can stop the
retailer's whole stream (contract newstore 1.2). GET /healthz and /readyz are for whoever runs it.
"""

import asyncio
import contextlib
import hmac
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Protocol

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from refund_pipeline.domain.errors import PipelineError
from refund_pipeline.gateways.landing_writer import THREADS, LandingWriter
from refund_pipeline.receiver.batches import Batches, NotDurable
from refund_pipeline.receiver.envelopes import Envelope, Malformed, read_envelope
from refund_pipeline.receiver.settings import ReceiverSettings, read_settings

EVENTS, HEALTH, READY = "/events", "/healthz", "/readyz"
LARGEST_BODY = 1024 * 1024
_READY_FOR = 5.0
"""Seconds during which an answer about the bucket is good."""

access_log = logging.getLogger("refund_pipeline.receiver.access")


class Writer(Protocol):
    """Where events go; `gateways/landing_writer.py` says how."""

    def write(self, lines: Sequence[bytes]) -> str:
        """Write one file."""

    def check(self) -> None:
        """Raise when nothing could be written now."""

    def close(self) -> None:
        """Close the connections."""


def new_writer(settings: ReceiverSettings) -> Writer:
    """Return the writer of the settings' landing bucket."""
    return LandingWriter(settings.landing_url, tenant=settings.tenant)


def create_app(
    settings: Callable[[], ReceiverSettings],
    *,
    writer: Callable[[ReceiverSettings], Writer] = new_writer,
) -> ASGIApp:
    """Return the app; settings are read when it starts, or with its first request."""
    receiver = _Receiver(settings, writer)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await receiver.start()
        yield
        await receiver.stop()

    routes = [
        Route(EVENTS, receiver.events, methods=["POST"]),
        Route(HEALTH, receiver.health, methods=["GET"]),
        Route(READY, receiver.ready, methods=["GET"]),
    ]
    return _AccessLog(Starlette(routes=routes, lifespan=lifespan))


class _Receiver:
    def __init__(
        self,
        settings: Callable[[], ReceiverSettings],
        writer: Callable[[ReceiverSettings], Writer],
    ) -> None:
        self._read_settings = settings
        self._new_writer = writer
        self._starting = asyncio.Lock()
        self._started: tuple[ReceiverSettings, Writer, Batches] | None = None
        self._checked_at = float("-inf")
        self._is_ready = False

    async def start(self) -> None:
        """Read the settings and open the bucket's client."""
        await self._running()

    async def stop(self) -> None:
        """Write what is still waiting, and close."""
        if self._started is not None:
            _, writer, batches = self._started
            await batches.drain()
            writer.close()

    async def _running(self) -> tuple[ReceiverSettings, Writer, Batches]:
        """Return what the app works with; hosts without a lifespan start it by a request."""
        async with self._starting:
            if self._started is None:
                settings = self._read_settings()
                writer = await asyncio.to_thread(self._new_writer, settings)
                batches = Batches(writer.write, interval=settings.interval, threads=THREADS)
                self._started = (settings, writer, batches)
            return self._started

    async def events(self, request: Request) -> Response:
        settings, _, batches = self._started or await self._running()
        envelope = await _envelope(request, settings)
        if isinstance(envelope, Response):
            return envelope
        if not settings.stores(envelope.name):
            return JSONResponse({"result": "not stored: events of this name are not asked for"})
        try:
            await batches.put(envelope.line)
        except NotDurable as error:
            return _problem(500, f"{error}; send the event again")
        return JSONResponse({"result": "stored"})

    async def health(self, _request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(self, _request: Request) -> Response:
        _, writer, _ = self._started or await self._running()
        if time.monotonic() - self._checked_at >= _READY_FOR:
            self._checked_at = time.monotonic()
            try:
                await asyncio.to_thread(writer.check)
                self._is_ready = True
            except PipelineError as error:
                logging.getLogger(__name__).warning("not ready: %s", error)
                self._is_ready = False
        if self._is_ready:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "the landing bucket cannot be used"}, status_code=503)


class _AccessLog:
    """Logs method, path, status, milliseconds and bytes received; no query, header or body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, received, status = time.monotonic(), 0, 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def noted(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, counted, noted)
        except ClientDisconnect:
            pass  # nobody is there to be answered
        finally:
            path = scope["path"] if scope["path"] in {EVENTS, HEALTH, READY} else "(another path)"
            access_log.info(
                "%s %s %d %.1f ms %d bytes",
                scope["method"],
                path,
                status,
                (time.monotonic() - started) * 1000,
                received,
            )


async def _envelope(request: Request, settings: ReceiverSettings) -> Envelope | Response:
    """Read the event, or say why it is refused."""
    if not _is_authorised(request.headers, settings.keys):
        return _problem(401, "the Authorization header bears no valid key", bearer=True)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        return _problem(415, "Content-Type must be application/json")
    body = await _body(request)
    if body is None:
        return _problem(413, f"the body is larger than {LARGEST_BODY} bytes")
    envelope = read_envelope(body)
    return _problem(400, envelope.problem) if isinstance(envelope, Malformed) else envelope


async def _body(request: Request) -> bytes | None:
    """Read the body; None as soon as it is too large."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > LARGEST_BODY:
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            return None
    return bytes(body)


def _is_authorised(headers: Mapping[str, str], keys: Sequence[str]) -> bool:
    """Compare with every key, each in constant time."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    key = given.strip().encode("utf-8", "surrogateescape")
    equal = [hmac.compare_digest(key, known.encode()) for known in keys]
    return scheme.lower() == "bearer" and any(equal)


def _problem(status: int, sentence: str, *, bearer: bool = False) -> JSONResponse:
    headers = {"WWW-Authenticate": "Bearer"} if bearer else None
    return JSONResponse({"error": sentence}, status_code=status, headers=headers)


app = create_app(lambda: read_settings(os.environ))
