"""What can go wrong on purpose at NewStore, and what the sandbox saw.

A fault counts down by one each time it strikes. The audit keeps no header, no query and no body.
"""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

NO_ANSWER = 0


class Fault(Enum):
    """One kind of counted fault."""

    TOO_MANY_REQUESTS = "too_many_requests"
    BLOCKED_ADDRESS = "blocked_address"
    FAILED_QUERY = "failed_query"
    LOST_ANSWER = "lost_answer"
    SERVER_ERROR = "server_error"


class Faults:
    """Switches for tests and demos; safe to use from any thread."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._left: dict[Fault, int] = {}
        self._down = False
        self._no_tokens = False
        self._down_until: datetime | None = None
        self.retry_after = 1

    def too_many_requests(self, times: int, *, retry_after: int = 1) -> None:
        """Answer the next `times` API requests with 429 and `Retry-After`; tokens are spared."""
        self.retry_after = retry_after
        self._arm(Fault.TOO_MANY_REQUESTS, times)

    def block_address(self, times: int) -> None:
        """Answer the next `times` API requests with the 403 of a blocked address: no JSON."""
        self._arm(Fault.BLOCKED_ADDRESS, times)

    def fail_queries(self, times: int) -> None:
        """Answer the next `times` GraphQL requests with HTTP 200, `errors` and `data: null`."""
        self._arm(Fault.FAILED_QUERY, times)

    def lose_answers(self, times: int) -> None:
        """Reset the connection of the next `times` API requests."""
        self._arm(Fault.LOST_ANSWER, times)

    def fail_requests(self, times: int) -> None:
        """Answer the next `times` API requests with 500 and an HTML page."""
        self._arm(Fault.SERVER_ERROR, times)

    def start_outage(self, *, tokens_only: bool = False) -> None:
        """Answer 503 with an HTML page to everything, or to the token endpoint alone."""
        with self._lock:
            self._down = not tokens_only
            self._no_tokens = tokens_only

    def end_outage(self) -> None:
        """End any outage."""
        with self._lock:
            self._down = self._no_tokens = False
            self._down_until = None

    def outage_for(self, seconds: float) -> None:
        """Start an outage that ends by itself, measured with the sandbox's clock."""
        with self._lock:
            self._down_until = self._clock() + timedelta(seconds=seconds)

    @property
    def token_outage(self) -> bool:
        """Whether an outage of the token endpoint is on."""
        with self._lock:
            return self._no_tokens

    @property
    def outage(self) -> bool:
        """Whether an outage of everything is on."""
        with self._lock:
            until = self._down_until
            return self._down or (until is not None and self._clock() < until)

    def strikes(self, fault: Fault) -> bool:
        """Say whether this fault strikes now, and count it down."""
        with self._lock:
            left = self._left.get(fault, 0)
            if left:
                self._left[fault] = left - 1
            return bool(left)

    def _arm(self, fault: Fault, times: int) -> None:
        with self._lock:
            self._left[fault] = times


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One request; `status` may be `NO_ANSWER`, `orders` counts those asked for in GraphQL."""

    kind: str
    method: str
    path: str
    status: int
    orders: int = 0
    address: str = ""
    """The client's, without its port."""
    blocked: bool = False
    """Whether the address was blocked already when it called (`RateLimits.older`)."""


class Audit:
    """Every request, in the order they ended; safe to read from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[AuditEntry] = []

    @property
    def entries(self) -> list[AuditEntry]:
        """Every request so far."""
        with self._lock:
            return list(self._entries)

    @property
    def counts(self) -> Counter[str]:
        """Requests by kind, answered or not.

        `token`, `graphql`, `payment_account`, `refunds`, `integrations`, `published_events`,
        `unknown`.
        """
        return Counter(entry.kind for entry in self.entries)

    @property
    def while_blocked(self) -> int:
        """Requests that came although their address was blocked: a client that hammers."""
        return sum(entry.blocked for entry in self.entries)

    def note(self, entry: AuditEntry) -> None:
        """Record a finished request."""
        with self._lock:
            self._entries.append(entry)
