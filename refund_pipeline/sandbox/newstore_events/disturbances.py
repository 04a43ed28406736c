"""What a delivery may suffer on its way: duplicates, delay, bursts, another order (contract 1.2).

Everything follows from a seed, the integration and the event's number, so that the same events meet
the same fate whatever the threads do.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

_SLA_SECONDS = 900.0
"""At most 15 minutes from event to delivery."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Disturbances:
    """Shares are of all events, from 0 to 1; seconds are NewStore's, shortened by `time_scale`."""

    seed: int = 7
    duplicated_at_once: float = 0.0
    """Share of events that are delivered twice in a row."""
    duplicated_later: float = 0.0
    """Share of events that come again within `longest_delay`."""
    delayed: float = 0.0
    """Share of events that come late, by up to `longest_delay`."""
    longest_delay: float = _SLA_SECONDS
    burst: int = 1
    """Events are held back until so many are together, but no longer than a minute."""
    reordered: bool = False
    """Whether each burst comes in an order that is not its own."""

    def __post_init__(self) -> None:
        shares = (self.duplicated_at_once, self.duplicated_later, self.delayed)
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError("a share is between 0 and 1")
        if not 0 < self.longest_delay <= _SLA_SECONDS:
            raise ValueError("longest_delay is at most 900 seconds: NewStore's service level")
        if self.burst < (2 if self.reordered else 1):
            raise ValueError("burst is at least 1; to reorder, at least 2 events must be together")

    def pauses(self, integration_id: str, event_number: int) -> tuple[float, ...]:
        """Return for every copy of an event how many seconds it is held up, first copy first."""
        chance = random.Random(f"{self.seed}/{integration_id}/{event_number}")
        late = chance.random() < self.delayed
        first = chance.uniform(1, self.longest_delay) if late else 0.0
        copies = [first]
        if chance.random() < self.duplicated_at_once:
            copies.append(first)
        if chance.random() < self.duplicated_later:
            copies.append(chance.uniform(first, self.longest_delay))
        return tuple(copies)

    def arranged(self, burst: Sequence[T], integration_id: str, event_number: int) -> list[T]:
        """Return a burst in the order it is sent; reordered, it is never the order it came in."""
        arranged = list(burst)
        if not self.reordered or len(arranged) == 1:
            return arranged
        chance = random.Random(f"{self.seed}/{integration_id}/{event_number}/order")
        places = list(range(len(arranged)))
        while places == sorted(places):
            chance.shuffle(places)
        return [arranged[place] for place in places]
