"""What can go wrong on purpose: outages, refusals, answers that are lost or lie about a write.

A fault counts down by one each time it strikes. Write faults aim at requests that change a record.
"""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum


class Fault(Enum):
    """One kind of counted fault."""

    TOO_MANY_REQUESTS = "too_many_requests"
    DROP_BEFORE_COMMIT = "drop_before_commit"
    LOSE_ANSWER = "lose_answer"
    FAIL_AFTER_COMMIT = "fail_after_commit"
    REFUSE_BUT_CREATE = "refuse_but_create"


class Faults:
    """Switches for the tests; safe to use from any thread."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._left: dict[Fault, int] = {}
        self._down = False
        self._down_until: datetime | None = None

    def lose_answers(self, times: int) -> None:
        """Commit the next `times` writes, then reset the connection instead of answering."""
        self._arm(Fault.LOSE_ANSWER, times)

    def drop_before_commit(self, times: int) -> None:
        """Reset the connection of the next `times` writes before anything is done."""
        self._arm(Fault.DROP_BEFORE_COMMIT, times)

    def fail_after_commit(self, times: int) -> None:
        """Commit the next `times` writes, then answer 500."""
        self._arm(Fault.FAIL_AFTER_COMMIT, times)

    def refuse_but_create(self, times: int) -> None:
        """Commit the next `times` writes, then answer 400 USER_ERROR (SuiteQL contract, 6)."""
        self._arm(Fault.REFUSE_BUT_CREATE, times)

    def too_many_requests(self, times: int) -> None:
        """Answer the next `times` requests with 429 and do nothing; token requests are spared."""
        self._arm(Fault.TOO_MANY_REQUESTS, times)

    def start_outage(self) -> None:
        """Answer 503 with an HTML page to everything, the token endpoint included."""
        with self._lock:
            self._down = True

    def end_outage(self) -> None:
        """End any outage."""
        with self._lock:
            self._down = False
            self._down_until = None

    def outage_for(self, seconds: float) -> None:
        """Start an outage that ends by itself, measured with the sandbox's clock."""
        with self._lock:
            self._down_until = self._clock() + timedelta(seconds=seconds)

    @property
    def outage(self) -> bool:
        """Whether an outage is on."""
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
