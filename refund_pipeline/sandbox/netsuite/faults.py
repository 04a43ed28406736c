"""What can go wrong on purpose: outages, refusals, answers that are lost or lie about a write.

A counted fault counts down by one each time it strikes; a script or a chance gives each write one
fault at most. Write faults aim at requests that change a record. How one looks is `damage.py`.
"""

import random
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from enum import Enum


class Fault(Enum):
    """One kind of fault."""

    # before anything is done
    TOO_MANY_REQUESTS = "too_many_requests"
    DROP_BEFORE_COMMIT = "drop_before_commit"
    FAIL_BEFORE_COMMIT = "fail_before_commit"
    CHANGED_MEANWHILE = "changed_meanwhile"
    GATEWAY_PAGE = "gateway_page"
    REFUSE_LOGIN = "refuse_login"
    # after the write was done
    LOSE_ANSWER = "lose_answer"
    FAIL_AFTER_COMMIT = "fail_after_commit"
    GATEWAY_PAGE_AFTER_COMMIT = "gateway_page_after_commit"
    REFUSE_BUT_CREATE = "refuse_but_create"
    ANSWER_LATE = "answer_late"
    # to an answer with a body
    TRUNCATE = "truncate"
    EMPTY = "empty"
    DRIP = "drip"
    # to a query
    FAIL_QUERY = "fail_query"


AFTER_COMMIT = (
    Fault.LOSE_ANSWER,
    Fault.FAIL_AFTER_COMMIT,
    Fault.GATEWAY_PAGE_AFTER_COMMIT,
    Fault.REFUSE_BUT_CREATE,
    Fault.ANSWER_LATE,
)
BEFORE_COMMIT = (
    Fault.TOO_MANY_REQUESTS,
    Fault.DROP_BEFORE_COMMIT,
    Fault.FAIL_BEFORE_COMMIT,
    Fault.CHANGED_MEANWHILE,
    Fault.GATEWAY_PAGE,
)


class Faults:
    """Switches for the tests; safe to use from any thread.

    `late_seconds` and `drip_seconds` are of this machine's time.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.late_seconds = 0.2
        self.drip_seconds = 0.05
        self._clock = clock
        self._lock = threading.Lock()
        self._left: dict[Fault, int] = {}
        self._script: deque[Fault | None] = deque()
        self._chances: dict[Fault, float] = {}
        self._random = random.Random(0)
        self._down = False
        self._no_tokens = False
        self._down_until: datetime | None = None
        self._windows: list[tuple[datetime, datetime]] = []

    def lose_answers(self, times: int) -> None:
        """Commit the next `times` writes, then reset the connection instead of answering."""
        self._arm(Fault.LOSE_ANSWER, times)

    def drop_before_commit(self, times: int) -> None:
        """Reset the connection of the next `times` writes before anything is done."""
        self._arm(Fault.DROP_BEFORE_COMMIT, times)

    def fail_before_commit(self, times: int) -> None:
        """Answer the next `times` writes with 500 and do nothing."""
        self._arm(Fault.FAIL_BEFORE_COMMIT, times)

    def fail_after_commit(self, times: int) -> None:
        """Commit the next `times` writes, then answer 500."""
        self._arm(Fault.FAIL_AFTER_COMMIT, times)

    def refuse_but_create(self, times: int) -> None:
        """Commit the next `times` writes, then answer 400 USER_ERROR (SuiteQL contract, 6)."""
        self._arm(Fault.REFUSE_BUT_CREATE, times)

    def change_meanwhile(self, times: int) -> None:
        """Refuse the next `times` writes because the record was changed meanwhile."""
        self._arm(Fault.CHANGED_MEANWHILE, times)

    def too_many_requests(self, times: int) -> None:
        """Answer the next `times` requests with 429 and do nothing; token requests are spared."""
        self._arm(Fault.TOO_MANY_REQUESTS, times)

    def gateway_pages(self, times: int, *, after_commit: bool = False) -> None:
        """Answer the next `times` writes with an HTML page and 502, done or not."""
        after, before = Fault.GATEWAY_PAGE_AFTER_COMMIT, Fault.GATEWAY_PAGE
        self._arm(after if after_commit else before, times)

    def answer_late(self, times: int, *, seconds: float) -> None:
        """Commit the next `times` writes, and answer them only after so many seconds."""
        self.late_seconds = seconds
        self._arm(Fault.ANSWER_LATE, times)

    def truncate_answers(self, times: int) -> None:
        """Cut the next `times` bodies in the middle."""
        self._arm(Fault.TRUNCATE, times)

    def empty_answers(self, times: int) -> None:
        """Send the next `times` answers that have a body without it."""
        self._arm(Fault.EMPTY, times)

    def drip_answers(self, times: int, *, seconds: float) -> None:
        """Send the next `times` bodies in a hundred pieces, so many seconds apart."""
        self.drip_seconds = seconds
        self._arm(Fault.DRIP, times)

    def refuse_logins(self, times: int) -> None:
        """Answer the next `times` requests with 401, whoever asks; token requests are spared."""
        self._arm(Fault.REFUSE_LOGIN, times)

    def fail_queries(self, times: int) -> None:
        """Answer the next `times` SuiteQL queries with 500."""
        self._arm(Fault.FAIL_QUERY, times)

    def script(self, faults: Iterable[Fault | None]) -> None:
        """Give the next writes these faults in turn; None lets one pass."""
        with self._lock:
            self._script = deque(faults)

    def at_random(self, chances: Mapping[Fault, float], *, seed: int = 7) -> None:
        """Give every write from now on one of these faults, each with its own chance."""
        with self._lock:
            self._chances = dict(chances)
            self._random = random.Random(seed)

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

    def schedule_maintenance(self, start: datetime, end: datetime) -> None:
        """Be in maintenance from `start` until `end`, by the sandbox's clock."""
        with self._lock:
            self._windows.append((start, end))

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

    @property
    def maintenance(self) -> bool:
        """Whether a maintenance window is on."""
        now = self._clock()
        with self._lock:
            return any(start <= now < end for start, end in self._windows)

    def next_for_write(self) -> Fault | None:
        """Return the fault the script or chance has for this write."""
        with self._lock:
            if self._script:
                return self._script.popleft()
            drawn = self._random.random() if self._chances else 1.0
            for fault, chance in self._chances.items():
                if drawn < chance:
                    return fault
                drawn -= chance
            return None

    def strikes(self, fault: Fault) -> bool:
        """Say whether this fault strikes now, and count it down."""
        with self._lock:
            left = self._left.get(fault, 0)
            if left:
                self._left[fault] = left - 1
            return bool(left)

    def first_of(self, kinds: Iterable[Fault], drawn: Fault | None) -> Fault | None:
        """Return the first of these kinds that was drawn for the request, or strikes now."""
        for fault in kinds:
            if fault is drawn or self.strikes(fault):
                return fault
        return None

    def _arm(self, fault: Fault, times: int) -> None:
        with self._lock:
            self._left[fault] = times
