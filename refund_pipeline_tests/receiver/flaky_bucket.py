"""A bucket behind HTTP that fails one write in twenty, before or after it took the object in."""

import hashlib
import random
from collections.abc import Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from refund_pipeline.sandbox.serving import drop_connection

_ERROR = b"<?xml version='1.0'?><Error><Code>InternalError</Code><Message>no</Message></Error>"
_FAILURES = ("refused", "taken in and refused", "dropped", "taken in and dropped")


class FlakyBucket:
    """The ASGI app. `objects` is what was taken in, whatever was answered.

    Args:
        seed: Decides which writes fail, and how.
        failing: The part of the writes that fails.
    """

    def __init__(self, *, seed: int = 0, failing: float = 0.0) -> None:
        self.objects: dict[str, bytes] = {}
        self.writes = 0
        self.failures = 0
        self.before: dict[int, Callable[[], object]] = {}
        """What is done before the write of this number, from 0, is taken in."""
        self.after: dict[int, Callable[[], object]] = {}
        """What is done after it was taken in, before it is answered."""
        self._chance = random.Random(seed)
        self._failing = failing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        if request.method == "PUT":
            await self._put(request.url.path.removeprefix("/bucket/"), body, scope, receive, send)
        else:
            await Response()(scope, receive, send)

    async def _put(self, key: str, body: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        number, self.writes = self.writes, self.writes + 1
        fails = self._chance.random() < self._failing
        failure = self._chance.choice(_FAILURES) if fails else ""
        self.failures += fails
        self.before.get(number, _nothing)()
        if not fails or failure.startswith("taken in"):
            self.objects[key] = body
        self.after.get(number, _nothing)()
        if failure.endswith("dropped"):
            await drop_connection(scope)
            return
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        response = Response(headers={"ETag": f'"{etag}"'})
        if fails:
            response = Response(_ERROR, status_code=500, media_type="application/xml")
        await response(scope, receive, send)


def _nothing() -> None:
    pass
