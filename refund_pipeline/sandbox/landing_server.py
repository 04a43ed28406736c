"""moto's S3 server on a free loopback port, behind a door that counts requests and can be shut.

moto keeps the buckets of all servers of a process together; what is in them is `landing.py`.
"""

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from werkzeug.serving import BaseWSGIServer

_UNAVAILABLE = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b"<Error><Code>ServiceUnavailable</Code><Message>Reduce your request rate.</Message></Error>"
)


class _Door:
    """Passes requests on while it is open; answers 503 as S3 does while it is shut."""

    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app
        self._lock = threading.Lock()
        self.requests = 0
        self.is_shut = False

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        with self._lock:
            self.requests += 1
        if not self.is_shut:
            return self._app(environ, start_response)
        headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(_UNAVAILABLE)))]
        start_response("503 Service Unavailable", headers)
        return [_UNAVAILABLE]


class LandingServer:
    """One server, from `start` to `stop`."""

    def __init__(self) -> None:
        from moto.moto_server.werkzeug_app import (
            DomainDispatcherApplication,
            MotoRequestHandler,
            create_backend_app,
        )
        from werkzeug.serving import make_server

        self.door = _Door(DomainDispatcherApplication(create_backend_app))
        self._server: BaseWSGIServer = make_server(
            "127.0.0.1", 0, self.door, threaded=True, request_handler=MotoRequestHandler
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self._server.port}"

    def start(self) -> None:
        """Start answering."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and wait for the thread."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
