"""The session below `http.py`: an answer that must end, redirects that are not looked at, no netrc.

A socket's time-out starts anew with every byte, so it alone would wait for ever for a status line,
headers or trailers that drip in.
"""

import http.client
import io
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from refund_pipeline.domain.errors import Misconfigured

if TYPE_CHECKING:
    import socket

_WHOLE = 2.0
"""An answer may take so many times its read time-out, from its first byte to its last."""
_SECONDS = 60.0
_BUFFER = 64 * 1024


def new_session(*, connections: int) -> requests.Session:
    """Return a session of so many pooled connections per host, which repeats nothing by itself."""
    session = _Session()
    session.auth = _unchanged  # else a ~/.netrc entry would replace Authorization
    adapter = _EndingAdapter(pool_maxsize=connections, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class _Session(requests.Session):
    def __init__(self) -> None:
        super().__init__()
        self._of_host: dict[tuple[str, str], Any] = {}

    def merge_environment_settings(self, url: Any, *settings: Any) -> Any:
        """Ask the environment for a host's proxies once, not with every request.

        All requests of this session have the same settings of their own.
        """
        host = urlsplit(url)[:2]
        if host not in self._of_host:
            self._of_host[host] = super().merge_environment_settings(url, *settings)
        return self._of_host[host]

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Find none: requests would read the whole body to prepare a request nobody sends."""


class _Ending(io.RawIOBase):
    """The bytes of one answer, until its time is up."""

    def __init__(self, raw: io.RawIOBase, *, seconds: float) -> None:
        self._raw = raw
        self._end = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int | None:  # type: ignore[override]
        if time.monotonic() > self._end:
            raise TimeoutError("the answer does not end")
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _EndingResponse(http.client.HTTPResponse):
    def __init__(self, sock: "socket.socket", *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        seconds = _WHOLE * (sock.gettimeout() or _SECONDS)
        self.fp = io.BufferedReader(_Ending(self.fp.detach(), seconds=seconds), _BUFFER)


class _Connection(HTTPConnection):
    response_class = _EndingResponse


class _SecureConnection(HTTPSConnection):
    response_class = _EndingResponse


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _EndingAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def cert_verify(self, *args: Any, **options: Any) -> None:
        try:
            super().cert_verify(*args, **options)  # type: ignore[no-untyped-call]
        except OSError:
            raise Misconfigured(
                "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names no file of certificates; correct it,"
                " or remove it to trust the usual authorities"
            ) from None

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
        return manager


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
