"""What the sandbox saw, for assertions: every request, concurrency, second payouts, risky writes.

Paths come without their query, and of the headers only those that say how a request was meant:
no secret, no name and no body ends up here.
"""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

NO_ANSWER = 0
_HEADERS = frozenset(
    {
        *("accept", "content-type", "prefer", "x-netsuite-idempotency-key"),
        *("x-netsuite-propertynamevalidation", "x-netsuite-propertyvaluevalidation"),
    }
)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One request. `status` is `NO_ANSWER` when the connection was reset.

    `parameters` are the names of its query parameters, `latency` the seconds it would have taken
    in a real account, `in_flight` how many requests were under way when it came, itself included.
    """

    method: str
    path: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)
    parameters: tuple[str, ...] = field(default=(), compare=False, repr=False)
    started: datetime | None = field(default=None, compare=False)
    latency: float = field(default=0.0, compare=False)
    in_flight: int = field(default=0, compare=False)


def safe_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that hold no secret."""
    return {name: value for name, value in headers.items() if name in _HEADERS}


class Audit:
    """The record of one sandbox; safe to read from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[AuditEntry] = []
        self._in_flight = 0
        self._peak_in_flight = 0
        self._second_payouts = 0
        self._unchecked_writes = 0
        self._without_replace: Counter[str] = Counter()
        self._flags: list[str] = []

    @property
    def requests(self) -> list[AuditEntry]:
        """Every request that has been answered or dropped, in the order they ended."""
        with self._lock:
            return list(self._requests)

    @property
    def counts(self) -> dict[str, int]:
        """Requests by method and kind of path: `POST cashRefund`, `POST suiteql`, `POST token`."""
        return dict(Counter(f"{entry.method} {_kind(entry.path)}" for entry in self.requests))

    @property
    def posts(self) -> int:
        """How many POSTs of a cash refund were sent, refused ones included."""
        return self.counts.get("POST cashRefund", 0)

    @property
    def peak_in_flight(self) -> int:
        """The most requests ever under way at once, 429s included, token requests not."""
        with self._lock:
            return self._peak_in_flight

    @property
    def second_payouts(self) -> int:
        """How often NetSuite would have paid the customer again."""
        with self._lock:
            return self._second_payouts

    @property
    def unchecked_writes(self) -> int:
        """How many writes did not ask for unknown properties to be refused (contract 2.3)."""
        with self._lock:
            return self._unchecked_writes

    @property
    def without_replace(self) -> dict[str, int]:
        """How many PUT, PATCH and transform requests left the lines that were there."""
        with self._lock:
            return dict(self._without_replace)

    @property
    def flags(self) -> list[str]:
        """What was accepted although a careful client would not send it (point 29)."""
        with self._lock:
            return list(self._flags)

    def enter(self) -> int:
        """Count a request in and return how many are under way."""
        with self._lock:
            self._in_flight += 1
            self._peak_in_flight = max(self._peak_in_flight, self._in_flight)
            return self._in_flight

    def leave(self) -> None:
        """Count a request out."""
        with self._lock:
            self._in_flight -= 1

    def note(self, entry: AuditEntry) -> None:
        """Record a finished request."""
        with self._lock:
            self._requests.append(entry)

    def note_second_payout(self) -> None:
        """Record that a posted refund would pay the customer a second time."""
        with self._lock:
            self._second_payouts += 1

    def note_unchecked_write(self) -> None:
        """Record a write that would lose a misspelled property in silence."""
        with self._lock:
            self._unchecked_writes += 1

    def note_without_replace(self, what: str) -> None:
        """Record a PUT, a PATCH or a transform that keeps the lines that are there."""
        with self._lock:
            self._without_replace[what] += 1

    def note_flag(self, text: str) -> None:
        """Record something accepted yet dubious."""
        with self._lock:
            self._flags.append(text)


_KINDS = {"cashrefund": "cashRefund", "cashsale": "cashSale", "salesorder": "salesOrder"}


def _kind(path: str) -> str:
    parts = [part for part in path.split("/") if part]
    lowered = [part.lower() for part in parts]
    if "metadata-catalog" in lowered:
        return "metadata"
    if "!transform" in lowered:
        return "transform"
    if lowered[2:4] == ["async", "v1"]:
        return "job"
    if lowered[2:4] == ["record", "v1"] and len(parts) > 4:  # noqa: PLR2004 - services/rest/record/v1/<type>
        return _KINDS.get(lowered[4], lowered[4])
    return lowered[-1] if lowered else "/"
