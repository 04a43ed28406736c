"""A server on a raw socket that answers whatever a test writes, byte by byte and without end."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

WAIT = 0.02
"""Seconds between two drops of an answer that drips: far below the time-outs of the tests."""


class Peer:
    """The connection of one request; `drip` and `pour` end when the client has gone."""

    def __init__(self, connection: socket.socket, stopped: threading.Event) -> None:
        self._connection = connection
        self._stopped = stopped

    def say(self, *content: bytes) -> None:
        self._connection.sendall(b"".join(content))

    def pour(self, content: bytes) -> None:
        """Say it again and again."""
        while not self._stopped.is_set():
            self._connection.sendall(content)

    def drip(self, content: bytes) -> None:
        """Say it again and again, slowly."""
        while not self._stopped.wait(WAIT):
            self._connection.sendall(content)


Answer = Callable[[Peer], None]


@dataclass(slots=True)
class HostileServer:
    """Gives every request the same answer and keeps the requests."""

    url: str
    answer: Answer = lambda peer: peer.say(b"")
    requests: list[bytes] = field(default_factory=list)


@contextlib.contextmanager
def hostile_server() -> Iterator[HostileServer]:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(WAIT)
    stopped = threading.Event()
    server = HostileServer(f"http://127.0.0.1:{listener.getsockname()[1]}")
    threads: list[threading.Thread] = []

    def _accept() -> None:
        while not stopped.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = listener.accept()
                threads.append(threading.Thread(target=_talk, args=(connection,)))
                threads[-1].start()

    def _talk(connection: socket.socket) -> None:
        connection.settimeout(10)
        with connection, contextlib.suppress(OSError):
            while request := _request(connection):
                server.requests.append(request)
                server.answer(Peer(connection, stopped))
                if b"\r\nconnection: close" in request.lower():
                    return
                connection.shutdown(socket.SHUT_WR)
                return

    accepting = threading.Thread(target=_accept)
    accepting.start()
    try:
        yield server
    finally:
        stopped.set()
        accepting.join()
        for thread in threads:
            thread.join()
        listener.close()


def _request(connection: socket.socket) -> bytes:
    request = b""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        head, end, body = request.partition(b"\r\n\r\n")
        if end and len(body) >= _length(head):
            return request
        piece = connection.recv(65536)
        if not piece:
            return b""
        request += piece
    return request


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value)
    return 0
