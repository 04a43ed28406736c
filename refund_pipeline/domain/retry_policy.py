"""When an outstanding refund is tried again, and when waiting fails the run (design 7)."""

import random
from datetime import datetime, timedelta

FAST_ATTEMPTS = 4
"""The first try and three run retries, which Dagster makes about 10 s apart."""
_FIRST_DELAY = timedelta(minutes=1)
_LONGEST_DELAY = timedelta(hours=1)
_JITTER = 0.1
WAITING_TOO_LONG = timedelta(hours=24)
"""A refund that is outstanding for so long is worth a person's look."""
LONGEST_WAIT: timedelta = _LONGEST_DELAY * (1 + _JITTER)
"""Nothing waits longer; a later time was written by a clock that ran ahead, and is due."""


def next_attempt(attempts: int, *, now: datetime, random_source: random.Random) -> datetime:
    """Return when to try again after `attempts` tries: 1 min doubling to 1 h, ± 10 %."""
    doublings = min(max(attempts - FAST_ATTEMPTS, 0), 10)
    delay: timedelta = min(_FIRST_DELAY * 2**doublings, _LONGEST_DELAY)
    return now + delay * (1 + _JITTER * (2 * random_source.random() - 1))


def fails_the_run(attempts: int) -> bool:
    """Whether a refund still waiting after `attempts` tries is worth a run retry."""
    return attempts < FAST_ATTEMPTS
