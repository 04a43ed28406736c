"""Asks a server for nothing, without credentials: does it answer at all, and what time is it there?

Whatever it answers will do. So a name that does not resolve, a firewall or a clock that is wrong is
told apart from credentials that are refused, and costs no login.
"""

from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from refund_pipeline.gateways.http import Http

_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Greeting:
    """An answer; `date` is aware UTC, to the second, None where the server did not say."""

    status: int
    date: datetime | None


def greet(system: str, address: str) -> Greeting:
    """Send one GET to a server's address.

    Raises:
        NoAnswer: there is none.
    """
    http = Http(system, connections=1, read_seconds=_SECONDS)
    try:
        answer = http.send("GET", f"{address}/")
    finally:
        http.close()
    return Greeting(answer.status, _moment(answer.headers.get("Date", "")))


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return moment.astimezone(timezone.utc) if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
