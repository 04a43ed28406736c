"""What the sandbox saw, for assertions: every request with its status, concurrency, second payouts.

Paths come without their query, and no header or body is kept, so that no secret ends up here.
"""

import threading
from collections import Counter
from dataclasses import dataclass

NO_ANSWER = 0


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One request. `status` is `NO_ANSWER` when the connection was reset."""

    method: str
    path: str
    status: int


class Audit:
    """The record of one sandbox; safe to read from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[AuditEntry] = []
        self._in_flight = 0
        self._peak_in_flight = 0
        self._second_payouts = 0
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

    def note(self, method: str, path: str, status: int) -> None:
        """Record a finished request."""
        with self._lock:
            self._requests.append(AuditEntry(method, path, status))

    def note_second_payout(self) -> None:
        """Record that a posted refund would pay the customer a second time."""
        with self._lock:
            self._second_payouts += 1

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
    if lowered[2:4] == ["record", "v1"] and len(parts) > 4:  # noqa: PLR2004 - services/rest/record/v1/<type>
        return _KINDS.get(lowered[4], lowered[4])
    return lowered[-1] if lowered else "/"
