"""HTTP for the gateways: sessions, time-outs, retries of reads, exact JSON; nothing of one API.

A message says what was being done, the host and the status; never a body, a query string or a
token. Redirects are not followed, so that credentials never leave for another host.
"""

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import TypeAlias, cast
from urllib.parse import urlsplit

import requests
import stamina
import urllib3

from refund_pipeline.domain.errors import Misconfigured, PipelineError, Unavailable
from refund_pipeline.gateways.http_session import new_session

CONNECT_SECONDS = 5.0
_RETRIED = frozenset({429, 500, 502, 503, 504})
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_LARGEST_BODY = 64 * 1024 * 1024
_LONGEST_PAUSE = 30.0
_USER_AGENT = "refund-pipeline"

Sign: TypeAlias = Callable[[str, str], Mapping[str, str]]
"""Returns the headers that authorise one attempt, from its method and its URL as it is sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer; `document` is its JSON with exact decimals, None without `is_json`."""

    status: int
    headers: Mapping[str, str]
    document: object
    is_json: bool


class NoAnswer(PipelineError):
    """A request without an answer; `sent` tells whether it may have reached the other side."""

    def __init__(self, what: str, *, sent: bool) -> None:
        super().__init__(what)
        self.sent = sent


class _TryAgainError(Exception):
    def __init__(self, what: str, pause: float | None = None) -> None:
        super().__init__(what)
        self.pause = pause


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a read is tried, and for how many seconds in all; pauses grow and are jittered."""

    attempts: int = 5
    seconds: float = 60.0
    first_pause: float = 0.5
    longest_pause: float = 15.0


class Http:
    """A pooled session that counts its requests. Safe to use from several threads."""

    def __init__(
        self,
        system: str,
        *,
        connections: int = 10,
        read_seconds: float = 30.0,
        policy: RetryPolicy | None = None,
    ) -> None:
        self._system = system
        self._read_seconds = read_seconds
        self._policy = policy or RetryPolicy()
        self._session = new_session(connections=connections)
        self._session.headers["User-Agent"] = _USER_AGENT
        self._lock = threading.Lock()
        self._requests_made = 0

    @property
    def requests_made(self) -> int:
        """How many requests were sent."""
        return self._requests_made

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()

    def send(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        form: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        sign: Sign | None = None,
    ) -> Answer:
        """Send one request, once.

        Raises:
            NoAnswer: no complete answer arrived.
            Misconfigured: the certificates to check the other side with cannot be read.
        """
        with self._lock:
            self._requests_made += 1
        try:
            with self._session.request(
                method,
                url,
                data=form if body is None else body,
                params=params,
                headers=headers,
                auth=_signed_by(sign) if sign else None,
                timeout=(CONNECT_SECONDS, self._read_seconds),
                allow_redirects=False,
                stream=True,
            ) as response:
                return _answer(response.status_code, response.headers, _content(response))
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            what = f"{self._system} gave no answer ({type(error).__name__})"
            raise NoAnswer(what, sent=not _never_sent(error)) from None

    def read(
        self,
        doing: str,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        form: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        sign: Sign | None = None,
    ) -> Answer:
        """Send a request that is safe to repeat; no answer, 429 and 5xx are tried again.

        Each attempt is signed anew.

        Raises:
            Unavailable: it stayed without a usable answer.
        """

        def once() -> Answer:
            try:
                answer = self.send(
                    method, url, body=body, form=form, params=params, headers=headers, sign=sign
                )
            except NoAnswer as error:
                raise _TryAgainError(str(error)) from None
            if answer.status in _RETRIED:
                what = f"{self._system} answered {answer.status}"
                raise _TryAgainError(what, retry_after(answer))
            return answer

        policy = self._policy
        try:
            for attempt in stamina.retry_context(
                on=_pause,
                attempts=policy.attempts,
                timeout=policy.seconds,
                wait_initial=policy.first_pause,
                wait_max=policy.longest_pause,
                wait_jitter=policy.first_pause,
            ):
                with attempt:
                    return once()
        except _TryAgainError as error:
            raise Unavailable(f"{doing}: {error}; a later run tries again") from None
        raise AssertionError("stamina ends by returning or raising")


def checked_base_url(url: str, *, name: str) -> str:
    """Return `url` without a trailing slash; `name` is the setting it came from.

    Raises:
        Misconfigured: it is no URL, bears credentials, or is plain http to another machine.
    """
    url = url.strip()
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise Misconfigured(f"{name} is no URL") from None
    plain_loopback = parts.scheme == "http" and parts.hostname in LOOPBACK
    if not parts.hostname or not (parts.scheme == "https" or plain_loopback):
        raise Misconfigured(f"{name} must be an https:// URL (http:// is for loopback only)")
    if not url.isprintable() or set(url).intersection(" @?#\\"):
        raise Misconfigured(f"{name} must be a plain URL, without credentials, query or fragment")
    return url.rstrip("/")


def retry_after(answer: Answer) -> float | None:
    """Return the seconds the other side asked to wait, capped; None if it did not say.

    It says seconds or a date (RFC 9110); a date counts from that of the answer, so that no two
    clocks are compared.
    """
    value = answer.headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return min(float(value), _LONGEST_PAUSE)
    until, answered = http_date(value), http_date(answer.headers.get("Date", ""))
    if until is None or answered is None:
        return None
    return min(max((until - answered).total_seconds(), 0.0), _LONGEST_PAUSE)


def http_date(text: str) -> datetime | None:
    """Return the moment of a header like `Date`, or None for what is no date."""
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def exact_json(value: object, *, indent: str = "") -> str:
    """Write JSON in which a `Decimal` is the number with exactly its digits.

    `indent` is the line break to begin with, such as a newline, or empty for one line.
    """
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("an amount is a finite number")
        return format(value, "f")
    if isinstance(value, float):
        raise TypeError("a float never becomes an amount")
    inner = f"{indent}  " if indent else ""
    separator = f",{inner}" if indent else ", "
    if isinstance(value, Mapping):
        members = cast("Mapping[str, object]", value).items()
        parts = [f"{json.dumps(k)}: {exact_json(v, indent=inner)}" for k, v in members]
        return "{" + inner + separator.join(parts) + indent + "}"
    if isinstance(value, (list, tuple)):
        parts = [exact_json(item, indent=inner) for item in cast("list[object]", value)]
        return "[" + inner + separator.join(parts) + indent + "]"
    return json.dumps(value)


def _pause(error: Exception) -> bool | float:
    if not isinstance(error, _TryAgainError):
        return False
    return error.pause if error.pause is not None else True


def _signed_by(
    sign: Sign,
) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    def _authorise(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(sign(str(request.method), str(request.url)))
        return request

    return _authorise


def _content(response: requests.Response) -> bytes:
    content = bytearray()
    while chunk := response.raw.read1(256 * 1024, decode_content=True):
        content += chunk
        if len(content) > _LARGEST_BODY:
            raise requests.exceptions.ChunkedEncodingError("the answer does not end")
    return bytes(content)


def _answer(status: int, headers: Mapping[str, str], content: bytes) -> Answer:
    try:
        document = json.loads(content, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, ArithmeticError, RecursionError):
        return Answer(status, headers, None, is_json=False)
    return Answer(status, headers, document, is_json=True)


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is no JSON")  # Python would read a float


def _never_sent(error: Exception) -> bool:
    """Whether the connection was never made, so that nothing can have been executed."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(reason, urllib3.exceptions.SSLError):
        # Other TLS failures can come after the request was sent.
        return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in reason.args)
    return isinstance(reason, urllib3.exceptions.NewConnectionError)
