"""A server that says what it is told, and keeps what it was asked."""

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from refund_pipeline.sandbox.serving import drop_connection, serving


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `dropped` resets the connection instead."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    dropped: bool = False


DROPPED = Reply(dropped=True)


def json_reply(document: object, status: int = 200, **headers: str) -> Reply:
    return Reply(status, json.dumps(document).encode(), headers)


def error_reply(status: int, code: str, detail: str = "", path: str = "") -> Reply:
    error = {"detail": detail, "o:errorCode": code}
    if path:
        error["o:errorPath"] = path
    return json_reply({"title": "Bad Request", "status": status, "o:errorDetails": [error]}, status)


@dataclass(frozen=True, slots=True)
class Seen:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


class ScriptedServer:
    """The ASGI app: gives its replies in order; the last one for ever."""

    def __init__(self, *replies: Reply) -> None:
        self.url = ""
        self.say(*replies)

    def say(self, *replies: Reply) -> None:
        """Forget what was asked and give these replies from now on."""
        self.replies = list(replies)
        self.seen: list[Seen] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        seen = Seen(
            request.method,
            request.url.path,
            dict(request.query_params),
            dict(request.headers),
            body,
        )
        self.seen.append(seen)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if reply.dropped:
            await drop_connection(scope)
            return
        headers = [
            (name.encode(), value.encode("latin-1")) for name, value in reply.headers.items()
        ]
        if reply.status != 204:
            headers.append((b"content-length", str(len(reply.body)).encode()))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send(
            {"type": "http.response.body", "body": b"" if reply.status == 204 else reply.body}
        )


@contextmanager
def scripted_server() -> Iterator[ScriptedServer]:
    """Serve one; a module shares it, since each start and stop costs 0.2 s."""
    server = ScriptedServer(Reply())
    with serving(server) as server.url:
        yield server


def closed_port() -> str:
    """Return the URL of a port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"
