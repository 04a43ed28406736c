"""NewStore's two rate-limit regimes (contract 3.3), on the sandbox's clock; both are off at first.

Only the counting is here; the answers are `newstore_front.py`'s. Inferences: a refused call of the
newer regime does not count, the end of a block forgets everything, and calls during a block do not
make it longer.
"""

import math
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

_SECOND = timedelta(seconds=1)
_FIVE_MINUTES = timedelta(minutes=5)


class Passage(Enum):
    """What becomes of a request under the older regime."""

    FREE = "free"
    BLOCKS = "blocks"
    """It is the one too many: refused, and the address is blocked from now on."""
    BLOCKED = "blocked"
    """It came although the address was blocked."""


@dataclass(slots=True)
class _Address:
    """What is known of one address of a client."""

    seen: deque[datetime] = field(default_factory=deque)
    over_since: datetime | None = None
    blocked_until: datetime | None = None


class RateLimits:
    """Switches for tests and demos; safe to use from any thread."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._calls_per_second: int | None = None
        self._calls: deque[datetime] = deque()
        self._requests: int | None = None
        self._lag = timedelta(0)
        self._addresses: dict[str, _Address] = defaultdict(_Address)

    def newer(self, calls_per_second: int = 200) -> None:
        """Limit the tenant's API calls: more within a second get 429 and `Retry-After`.

        Tokens are spared: they are another host's.
        """
        if calls_per_second < 1:
            raise ValueError("calls_per_second is at least 1")
        with self._lock:
            self._calls_per_second = calls_per_second

    def older(self, requests: int = 30_000, *, lag: timedelta = timedelta(0)) -> None:
        """Limit each address: more requests within five minutes block it for five minutes.

        Everything is blocked, tokens too.

        Args:
            requests: How many are allowed.
            lag: How long more than that may pass before the block sets in.
        """
        if requests < 1:
            raise ValueError("requests is at least 1")
        with self._lock:
            self._requests, self._lag = requests, lag

    def off(self) -> None:
        """Limit nothing, and forget every count and every block."""
        with self._lock:
            self._calls_per_second = self._requests = None
            self._calls.clear()
            self._addresses.clear()

    def passage(self, address: str) -> Passage:
        """Count a request of an address, and say what becomes of it."""
        with self._lock:
            if self._requests is None:
                return Passage.FREE
            now, known = self._clock(), self._addresses[address]
            if known.blocked_until is not None and now < known.blocked_until:
                return Passage.BLOCKED
            if known.blocked_until is not None:
                self._addresses[address] = known = _Address()
            _forget(known.seen, before=now - _FIVE_MINUTES)
            known.seen.append(now)
            if len(known.seen) <= self._requests:
                known.over_since = None
                return Passage.FREE
            known.over_since = known.over_since or now
            if now < known.over_since + self._lag:
                return Passage.FREE
            known.blocked_until = now + _FIVE_MINUTES
            return Passage.BLOCKS

    def retry_after(self) -> int | None:
        """Count an API call, or return the whole seconds to wait if it is one too many."""
        with self._lock:
            if self._calls_per_second is None:
                return None
            now = self._clock()
            _forget(self._calls, before=now - _SECOND)
            if len(self._calls) < self._calls_per_second:
                self._calls.append(now)
                return None
            return math.ceil((self._calls[0] + _SECOND - now).total_seconds())


def _forget(times: deque[datetime], *, before: datetime) -> None:
    while times and times[0] <= before:
        times.popleft()
