"""One HTTP request to NewStore: timeouts, retries of what may be repeated, JSON with exact numbers.

All of NewStore's requests here read, the token and GraphQL's POST too, so all of them are retried.
What a status means is `newstore_api.py`.
"""

import json as json_text
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypedDict
from urllib.parse import urlsplit

import requests
import stamina
from requests.adapters import HTTPAdapter

from refund_pipeline.domain.errors import Misconfigured, Unavailable

_RETRIED = frozenset({429, 500, 502, 503, 504})
_ATTEMPTS = 5
_TOTAL_SECONDS = 60.0
_LONGEST_WAIT = 30.0
_TIMEOUTS = (5.0, 30.0)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body of an answer; `document` is None where the body is not JSON."""

    status: int
    document: object = field(repr=False)
    is_json: bool


class Sent(TypedDict, total=False):
    """What a request may carry."""

    json: Mapping[str, object]
    data: Mapping[str, str]
    headers: Mapping[str, str]


class _TryAgainError(Exception):
    def __init__(self, what: str, *, retry_after: float | None = None) -> None:
        super().__init__(what)
        self.retry_after = retry_after


def checked_url(url: str, *, name: str) -> str:
    """Return `url` without a slash at its end; plain HTTP is for loopback only.

    Raises:
        Misconfigured: it is not such a URL; `name` is the setting to correct.
    """
    text = url.strip().rstrip("/")
    parts = urlsplit(text)
    if parts.scheme == "https" and parts.hostname:
        return text
    if parts.scheme == "http" and parts.hostname in _LOOPBACK:
        return text
    raise Misconfigured(f"{name} is not an https:// URL; http:// is accepted for loopback only")


class Transport:
    """A session with retries, used by several threads."""

    def __init__(self, *, concurrency: int) -> None:
        self._session = requests.Session()
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=concurrency))
        self._lock = threading.Lock()
        self.requests_made = 0

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def read(self, doing: str, method: str, url: str, sent: Sent) -> Answer:
        """Send one request until it is answered.

        Raises:
            Unavailable: no answer, 429 or 5xx, after about a minute of trying.
        """
        try:
            for attempt in stamina.retry_context(
                on=_worth_another, attempts=_ATTEMPTS, timeout=_TOTAL_SECONDS, wait_initial=0.3
            ):
                with attempt:
                    return self._once(method, url, sent)
        except _TryAgainError as error:
            raise Unavailable(f"{doing}: NewStore {error}; the next run tries again") from None
        raise AssertionError("unreachable: the last failure is raised")

    def _once(self, method: str, url: str, sent: Sent) -> Answer:
        with self._lock:
            self.requests_made += 1
        try:
            response = self._session.request(
                method, url, timeout=_TIMEOUTS, allow_redirects=False, **sent
            )
        except requests.RequestException as error:
            raise _TryAgainError(f"gave no answer ({type(error).__name__})") from None
        if response.status_code in _RETRIED:
            after = response.headers.get("Retry-After", "").strip()
            raise _TryAgainError(
                f"answered {response.status_code}",
                retry_after=float(after) if after.isascii() and after.isdigit() else None,
            )
        try:
            document = json_text.loads(response.content, parse_float=Decimal)
        except (ValueError, RecursionError):
            return Answer(response.status_code, None, is_json=False)
        return Answer(response.status_code, document, is_json=True)


def _worth_another(error: Exception) -> bool | float:
    if not isinstance(error, _TryAgainError):
        return False
    return True if error.retry_after is None else min(error.retry_after, _LONGEST_WAIT)
