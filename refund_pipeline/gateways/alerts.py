"""Telling people: one interface, and its channels by URL: webhook, Slack, mail.

A channel is named by its kind and host: its URL is a secret. A message may arrive twice (it is sent
again when no answer came), never half. Mail is `alert_mail.py`.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from urllib.parse import SplitResult, urlsplit

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.gateways.alert_mail import MailServer, mail_servers
from refund_pipeline.gateways.alert_texts import (
    Message,
    json_document,
    mail_text,
    slack_document,
    subject,
)
from refund_pipeline.gateways.http import LOOPBACK, Http, RetryPolicy

SETTING = "REFUNDS_ALERTS"
_SLACK_HOSTS = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
_BETWEEN = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")
"""Recipients of mail are separated by commas too: a new channel begins with its scheme."""
_POLICY = RetryPolicy(attempts=2, seconds=12.0, first_pause=1.0, longest_pause=4.0)
"""Within a tick of Dagster, which lasts 60 s at most; the next look tries again."""
_READ_SECONDS = 8.0


class Alerts(ABC):
    """One channel."""

    name: str
    """Kind and host, for people and logs; no secret."""

    @abstractmethod
    def send(self, message: Message) -> None:
        """Tell.

        Raises:
            Unavailable, Misconfigured: it was not told, as far as is known.
        """

    @abstractmethod
    def close(self) -> None:
        """Close what is open."""


class HttpAlerts(Alerts):
    """A message is one POST of JSON; anything but 2xx is a refusal."""

    def __init__(self, name: str, url: str, write: Callable[[Message], bytes]) -> None:
        self.name = name
        self._url = url
        self._write = write
        self._http = Http(name, connections=1, read_seconds=_READ_SECONDS, policy=_POLICY)

    def send(self, message: Message) -> None:
        """Post it; no answer, 429 and 5xx are tried once more, so it may arrive twice."""
        answer = self._http.read(
            "telling people",
            "POST",
            self._url,
            body=self._write(message),
            headers={"Content-Type": "application/json"},
        )
        if not 200 <= answer.status < 300:  # noqa: PLR2004  (HTTP's success)
            raise Misconfigured(
                f"{self.name} answered {answer.status}; correct its URL in {SETTING}"
            )

    def close(self) -> None:
        """Close the connection."""
        self._http.close()


class MailAlerts(Alerts):
    """A message is one mail to one recipient."""

    def __init__(self, name: str, server: MailServer) -> None:
        self.name = name
        self._server = server

    def send(self, message: Message) -> None:
        """Send it."""
        self._server.send(subject(message), mail_text(message), at=message.sent_at)

    def close(self) -> None:
        """Do nothing: a connection lasts for one mail."""


class UnusableAlerts(Alerts):
    """A setting that names no channel. It must not keep the other channels from being told."""

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        self.problem = problem

    def send(self, message: Message) -> None:
        """Say what is wrong."""
        del message
        raise Misconfigured(self.problem)

    def close(self) -> None:
        """Do nothing."""


class Heartbeat:
    """A URL that is asked after every good look, for a service that alerts when it is silent."""

    def __init__(self, url: str) -> None:
        self._url = url.strip()
        self._http = Http(
            "the heartbeat's host", connections=1, read_seconds=_READ_SECONDS, policy=_POLICY
        )

    def beat(self) -> None:
        """Ask it.

        Raises:
            Unavailable, Misconfigured: it did not take it.
        """
        _checked(self._url, "REFUNDS_HEARTBEAT_URL")
        answer = self._http.read("the heartbeat", "GET", self._url)
        if not 200 <= answer.status < 300:  # noqa: PLR2004  (HTTP's success)
            raise Misconfigured(
                f"the heartbeat answered {answer.status}; correct REFUNDS_HEARTBEAT_URL"
            )

    def close(self) -> None:
        """Close the connection."""
        self._http.close()


def channels(setting: str) -> tuple[Alerts, ...]:
    """Return the channels of `REFUNDS_ALERTS`; what names none becomes `UnusableAlerts`."""
    urls = [url for url in _BETWEEN.split(setting.strip(" \t\r\n,")) if url]
    opened = list[Alerts]()
    for number, url in enumerate(urls, start=1):
        found: Sequence[Alerts]
        try:
            found = _opened(url.strip(" \t\r\n,"), f"{SETTING}, entry {number},")
        except Misconfigured as error:
            found = [UnusableAlerts(f"entry {number} of {SETTING}", str(error))]
        for channel in found:
            channel.name = next(_free_names(channel.name, {one.name for one in opened}))
            opened.append(channel)
    return tuple(opened)


def _opened(url: str, setting: str) -> Sequence[Alerts]:
    scheme = url.partition("://")[0].lower()
    if scheme in {"smtp", "smtps"}:
        servers = mail_servers(url, name=setting)
        return [MailAlerts(f"mail {server.host}", server) for server in servers]
    if scheme in {"slack+https", "slack+http"}:
        plain = url[len("slack+") :]
        return [HttpAlerts(f"slack {_checked(plain, setting).hostname}", plain, slack_document)]
    host = _checked(url, setting).hostname
    if host in _SLACK_HOSTS:
        return [HttpAlerts(f"slack {host}", url, slack_document)]
    return [HttpAlerts(f"webhook {host}", url, json_document)]


def _checked(url: str, name: str) -> SplitResult:
    """Return the parts of a URL that may hold a token in path or query, and nothing else odd."""
    url = url.strip()
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise Misconfigured(f"{name} is no URL") from None
    plain_loopback = parts.scheme == "http" and parts.hostname in LOOPBACK
    if not parts.hostname or not (parts.scheme == "https" or plain_loopback):
        raise Misconfigured(
            f"{name} must be https:// (http:// is for loopback only)"
            + (", slack+https://, smtp:// or smtps://" if SETTING in name else "")
        )
    if not url.isascii() or not url.isprintable() or set(url) & set(" \\#") or "@" in parts.netloc:
        raise Misconfigured(f"{name} cannot have credentials before its host, spaces or a fragment")
    return parts


def _free_names(name: str, taken: set[str]) -> Iterator[str]:
    for number in count(1):
        numbered = name if number == 1 else f"{name} ({number})"
        if numbered not in taken:
            yield numbered
