"""Serve an ASGI app on a free loopback port; the app can drop a connection without an answer."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_TICK = 0.1


class _AbortableProtocol(H11Protocol):
    """Gives the app `scope["extensions"]["sandbox.abort"]`, which resets the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app = self.app

        async def with_abort(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})["sandbox.abort"] = transport.abort
            await app(scope, receive, send)

        self.app = with_abort


class _PromptServer(uvicorn.Server):
    """Ends as soon as it is asked to; uvicorn itself looks every tenth of a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._asked = threading.Event()
        self._wake: Callable[[], object] = lambda: None

    async def main_loop(self) -> None:
        """Serve until stopped; ticks keep the Date header right."""
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._wake = lambda: loop.call_soon_threadsafe(stopping.set)
        ticks = 0
        while not (self._asked.is_set() or await self.on_tick(ticks)):
            ticks += 1
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(stopping.wait(), _TICK)

    def stop(self) -> None:
        """Ask it to end."""
        self.should_exit = True
        self._asked.set()
        with contextlib.suppress(RuntimeError):  # its loop has ended already
            self._wake()


async def drop_connection(scope: Scope) -> None:
    """Reset the connection of this request; the client sees no answer at all."""
    abort: Callable[[], None] = scope["extensions"]["sandbox.abort"]
    abort()
    await asyncio.sleep(0.05)  # lets the server notice that the client is gone, so it sends nothing


class LoopbackServer:
    """One ASGI app on `http://127.0.0.1:<free port>`."""

    def __init__(self, app: ASGIApp, *, port: int = 0) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        config = uvicorn.Config(
            app, http=_AbortableProtocol, log_level="warning", access_log=False, lifespan="off"
        )
        self._server = _PromptServer(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    @property
    def url(self) -> str:
        """Scheme, host and port, no trailing slash."""
        host, port = self._socket.getsockname()
        return f"http://{host}:{port}"

    def start(self) -> None:
        """Start serving; the socket is already bound and queues connections until the loop runs."""
        self._socket.listen(2048)
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and wait for the thread."""
        self._server.stop()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self._socket.close()


@contextlib.contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Serve `app` for the length of a `with` block and yield its URL."""
    server = LoopbackServer(app)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()
