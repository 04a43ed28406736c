"""An S3 server that fails one write in twenty, before or after it has taken the object in."""

from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_ERROR = b"<?xml version='1.0'?><Error><Code>InternalError</Code><Message>no</Message></Error>"
_BURST, _OF = 4, 80
"""Failures come in bursts, so that some outlast the client's own second try."""


class FlakyBucket:
    """The ASGI app; `objects` is what was taken in, whatever was answered."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.failures = 0
        self._writes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        response = self._put(unquote(request.url.path), body) if request.method == "PUT" else None
        await (response or Response(status_code=200))(scope, receive, send)

    def _put(self, path: str, body: bytes) -> Response:
        self._writes += 1
        fails = self._writes % _OF < _BURST
        if not fails or self._writes % 2:
            self.objects[path.removeprefix("/bucket/")] = body
        if fails:
            self.failures += 1
            return Response(_ERROR, status_code=500, media_type="application/xml")
        return Response(status_code=200, headers={"ETag": '"x"'})
