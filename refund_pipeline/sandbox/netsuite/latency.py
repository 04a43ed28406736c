"""How long requests take (contract 5.5): log-normal, on a scaled clock, with rare stalls.

Times are seconds of a real account; `scale` says how long they last here.
"""

import math
import random
import threading
from dataclasses import dataclass

_P99 = 2.3263478740408408
"""The 99th percentile of the standard normal distribution."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A log-normal distribution of seconds, by its median and 99th percentile."""

    median: float
    p99: float

    def draw(self, source: random.Random) -> float:
        """Return one value."""
        spread = math.log(self.p99 / self.median) / _P99
        return source.lognormvariate(math.log(self.median), spread)


READ = Profile(median=0.45, p99=2.5)
WRITE = Profile(median=1.5, p99=8.0)
STALL = (30.0, 60.0)


class Latency:
    """The latency of one account; safe to use from any thread.

    Without a `scale` every request takes `constant` seconds of this machine's time and no more.
    Of the writes a share of `stalls` takes 30 to 60 seconds more.
    """

    def __init__(self, *, constant: float = 0.0, scale: float | None = None, seed: int = 7) -> None:
        self.constant = constant
        self.scale = scale
        self.read = READ
        self.write = WRITE
        self.stalls = 0.0
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    def draw(self, *, writes: bool) -> float:
        """Return how long a request takes in a real account, in seconds."""
        if self.scale is None:
            return self.constant
        with self._lock:
            seconds = (self.write if writes else self.read).draw(self._random)
            if writes and self._random.random() < self.stalls:
                seconds += self._random.uniform(*STALL)
        return seconds

    def here(self, seconds: float) -> float:
        """Return how long that lasts here."""
        return seconds if self.scale is None else seconds * self.scale
