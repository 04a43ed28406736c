"""How long no file may land before it is unusual, at this hour of the week.

Shops sleep, so no fixed number is right. Past weeks tell: the longest pause around the same moment
of each. Pure; times are UTC, in which every week has the same length.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

WEEKS = 8
WEEK = timedelta(weeks=1)
AROUND = timedelta(hours=2)
"""Pauses within this time of the same moment count: shops do not open to the minute, and summer
time moves their hours by one."""
SHORTEST_LIMIT = timedelta(hours=1)
LIMIT_WITHOUT_HISTORY = timedelta(hours=48)
"""As long as fewer than two weeks can be compared with: over a closed Sunday."""
_FACTOR = 2
_ENOUGH_WEEKS = 2
_WEEKS_WITH_AN_ODD_ONE = 4


def windows(now: datetime) -> list[tuple[datetime, datetime]]:
    """Return the stretches of past weeks to compare with, the latest first."""
    return [(now - WEEK * n - AROUND, now - WEEK * n + AROUND) for n in range(1, WEEKS + 1)]


def longest_pause(
    landed: Sequence[datetime], window: tuple[datetime, datetime]
) -> timedelta | None:
    """Return the longest pause that touches the window; None if the history begins within it.

    `landed` holds, in order, the last file before the window, those within it and the first after
    it. A window whose last pause has not ended counts it up to the window's end.
    """
    begin, end = window
    if not landed or landed[0] > begin:
        return None
    marks = [*landed, end] if landed[-1] < end else list(landed)
    return max(
        (after - before for before, after in pairwise(marks)),
        default=timedelta(0),
    )


def usual_limit(pauses: Sequence[timedelta]) -> timedelta:
    """Return how long a silence may be, from the longest pauses of the weeks that have one.

    Twice the longest, and an hour at least. With four weeks or more the longest of
    all is left out: one outage, or one holiday, must not hide the next for two months.
    """
    if len(pauses) < _ENOUGH_WEEKS:
        return max([LIMIT_WITHOUT_HISTORY, *(pause * _FACTOR for pause in pauses)])
    ordered = sorted(pauses, reverse=True)
    usual = ordered[1] if len(ordered) >= _WEEKS_WITH_AN_ODD_ONE else ordered[0]
    return max(SHORTEST_LIMIT, usual * _FACTOR)
