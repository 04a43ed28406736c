"""One line of the log per request; never a body, a header, a query or a key."""

import logging
import time
from collections.abc import Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_log = logging.getLogger(__name__)


class AccessLog:
    """ASGI middleware: method, path, status, milliseconds, bytes received.

    Of a path or method that is not served nothing is repeated: it is whatever somebody sent.
    """

    def __init__(self, app: ASGIApp, *, paths: Collection[str]) -> None:
        self._app = app
        self._paths = frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and log it once it is answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        received, status = 0, 500

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
        finally:
            _log.info(
                "%s %s %d %.0f ms %d bytes",
                scope["method"] if scope["method"] in _METHODS else "(another method)",
                scope["path"] if scope["path"] in self._paths else "(another path)",
                status,
                (time.monotonic() - began) * 1000,
                received,
            )
