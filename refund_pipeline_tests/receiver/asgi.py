"""Drive an ASGI app in process, and a writer that keeps what it is given."""

import asyncio
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message

from refund_pipeline.domain.errors import Unavailable
from refund_pipeline.receiver.settings import ReceiverSettings

KEY = "k" * 32
SETTINGS = ReceiverSettings("s3://bucket/events", "demo", (KEY,), interval=0.0)
HEADERS = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass
class KeptFiles:
    """A writer in memory; it fails `failures` times, and may be held up at a gate."""

    files: list[list[bytes]] = field(default_factory=list)
    failures: int = 0
    is_down: bool = False
    closed: bool = False
    gate: threading.Event | None = None

    def write(self, lines: Sequence[bytes]) -> str:
        if self.gate is not None:
            self.gate.wait(30)
        if self.failures:
            self.failures -= 1
            raise Unavailable("the bucket is down")
        self.files.append(list(lines))
        return "key"

    def check(self) -> None:
        if self.is_down:
            raise Unavailable("the bucket is down")

    def close(self) -> None:
        self.closed = True

    @property
    def lines(self) -> list[bytes]:
        return [line for file in self.files for line in file]


async def request(
    app: ASGIApp,
    body: bytes | Sequence[bytes] = b"",
    *,
    method: str = "POST",
    path: str = "/events",
    headers: dict[str, str] | None = None,
    query: bytes = b"",
) -> Answer:
    """Send one request and return its answer."""
    chunks = [body] if isinstance(body, bytes) else list(body)
    to_send: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": number < len(chunks)}
        for number, chunk in enumerate(chunks, 1)
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return to_send.pop(0) if to_send else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    chosen = HEADERS if headers is None else headers
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in chosen.items()],
        "server": ("testserver", 80),
        "client": ("127.0.0.1", 1),
    }
    await app(scope, receive, send)
    start = next(message for message in sent if message["type"] == "http.response.start")
    content = b"".join(message.get("body", b"") for message in sent)
    names = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], names, content)


async def with_lifespan(app: ASGIApp, work: Any) -> Any:
    """Start the app as a server would, do `work`, and stop it."""
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    outbox: asyncio.Queue[Message] = asyncio.Queue()
    task = asyncio.ensure_future(app({"type": "lifespan", "state": {}}, inbox.get, outbox.put))
    await inbox.put({"type": "lifespan.startup"})
    assert (await outbox.get())["type"] == "lifespan.startup.complete"
    try:
        return await work()
    finally:
        await inbox.put({"type": "lifespan.shutdown"})
        assert (await outbox.get())["type"] == "lifespan.shutdown.complete"
        await task
