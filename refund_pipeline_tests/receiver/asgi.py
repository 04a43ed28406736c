"""Drives an ASGI app in process, without TCP; and a bucket that keeps the files it is given."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message

from refund_pipeline.domain.errors import Unavailable
from refund_pipeline.receiver.settings import ReceiverSettings

KEY = "k" * 32
SETTINGS = ReceiverSettings("s3://bucket/events", "demo", (KEY.encode(),), interval=0.0)
HEADERS = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
NOBODY: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def detail(self) -> str:
        return str(json.loads(self.body)["detail"])


@dataclass
class KeptFiles:
    """A bucket in memory. It fails `failures` times, and a closed `gate` holds every write up."""

    files: list[list[bytes]] = field(default_factory=list)
    failures: int = 0
    is_down: bool = False
    checks: int = 0
    is_closed: bool = False
    gate: threading.Event = field(default_factory=threading.Event)
    error: Exception = field(default_factory=lambda: Unavailable("the bucket is down"))

    def __post_init__(self) -> None:
        self.gate.set()

    def write(self, lines: Sequence[bytes]) -> str:
        assert self.gate.wait(60)
        if self.failures:
            self.failures -= 1
            raise self.error
        self.files.append(list(lines))
        return f"file-{len(self.files)}"

    def check(self) -> None:
        self.checks += 1
        assert self.gate.wait(60)
        if self.is_down:
            raise self.error

    def close(self) -> None:
        self.is_closed = True

    @property
    def lines(self) -> list[bytes]:
        return [line for file in self.files for line in file]


async def request(
    app: ASGIApp,
    body: bytes | Sequence[bytes] = b"",
    *,
    method: str = "POST",
    path: str = "/events",
    headers: Mapping[str, str] | Sequence[tuple[bytes, bytes]] = HEADERS,
    query: bytes = b"",
    stays: bool = True,
) -> Answer:
    """Send one request and return its answer; who does not stay breaks off before the end."""
    chunks = [body] if isinstance(body, bytes) else list(body)
    to_send: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": number < len(chunks) or not stays}
        for number, chunk in enumerate(chunks, 1)
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return to_send.pop(0) if to_send else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope(method=method, path=path, headers=headers, query=query), receive, send)
    start, *rest = sent
    names = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], names, b"".join(message["body"] for message in rest))


def scope(
    *,
    method: str = "POST",
    path: str = "/events",
    headers: Mapping[str, str] | Sequence[tuple[bytes, bytes]] = HEADERS,
    query: bytes = b"",
) -> dict[str, Any]:
    """Make what a server tells the app of a request."""
    if isinstance(headers, Mapping):
        headers = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "replace"),
        "query_string": query,
        "headers": list(headers),
        "server": ("testserver", 80),
        "client": ("127.0.0.1", 1),
    }


@contextlib.asynccontextmanager
async def lifespan(app: ASGIApp) -> AsyncIterator[None]:
    """Start the app as a server does, and stop it."""
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    outbox: asyncio.Queue[Message] = asyncio.Queue()
    task = asyncio.ensure_future(app({"type": "lifespan", "state": {}}, inbox.get, outbox.put))
    await inbox.put({"type": "lifespan.startup"})
    assert await outbox.get() == {"type": "lifespan.startup.complete"}
    try:
        yield
    finally:
        await inbox.put({"type": "lifespan.shutdown"})
        assert await outbox.get() == {"type": "lifespan.shutdown.complete"}
        await task
