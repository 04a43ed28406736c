"""How long no file may land before it is unusual: from past weeks at the same hour."""

import bisect
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refund_pipeline.domain.landing_silence import (
    AROUND,
    LIMIT_WITHOUT_HISTORY,
    SHORTEST_LIMIT,
    WEEK,
    longest_pause,
    usual_limit,
    windows,
)

MONDAY = datetime(2026, 11, 16, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)


def shop_files(weeks: int, *, opens: int = 9, closes: int = 20) -> list[datetime]:
    """Every five minutes from Monday to Saturday, for so many weeks before MONDAY + one week."""
    start = MONDAY - WEEK * weeks
    slots = (start + timedelta(minutes=5) * n for n in range((weeks + 1) * 7 * 24 * 12))
    return [at for at in slots if opens <= at.hour < closes and at.weekday() < 6]


def limit_at(now: datetime, files: list[datetime]) -> timedelta:
    pauses = []
    for begin, end in windows(now):
        first = max(bisect.bisect_left(files, begin) - 1, 0)
        around = files[first : bisect.bisect_right(files, end) + 1]
        pause = longest_pause(around, (begin, end))
        if pause is not None:
            pauses.append(pause)
    return usual_limit(pauses)


FILES = shop_files(9)


@pytest.mark.parametrize(
    ("moment", "limit"),
    [
        (timedelta(days=1, hours=14), SHORTEST_LIMIT),  # Tuesday afternoon: files every 5 minutes
        (timedelta(days=1, hours=3), timedelta(hours=26, minutes=10)),  # twice a closed night
        (timedelta(days=6, hours=12), timedelta(hours=74, minutes=10)),  # twice a closed Sunday
        (timedelta(days=1, hours=10, minutes=30), timedelta(hours=26, minutes=10)),  # just opened
        (timedelta(days=1, hours=11, minutes=30), SHORTEST_LIMIT),
    ],
)
def test_the_limit_follows_the_shops_hours(moment, limit) -> None:
    assert limit_at(MONDAY + moment, FILES) == limit


def test_a_usual_week_is_never_unusual() -> None:
    for step in range(7 * 24 * 6):
        now = MONDAY + timedelta(minutes=10) * step
        last = FILES[bisect.bisect_right(FILES, now) - 1]
        assert now - last <= limit_at(now, FILES)


def test_shops_that_open_an_hour_later_in_utc_after_summer_time_are_not_unusual() -> None:
    before = [at for at in shop_files(9, opens=8, closes=19) if at < MONDAY]
    this_week = [at for at in FILES if at >= MONDAY]
    files = before + this_week
    for step in range(7 * 24 * 6):
        now = MONDAY + timedelta(minutes=10) * step
        last = files[bisect.bisect_right(files, now) - 1]
        assert now - last <= limit_at(now, files)


def test_a_silence_during_opening_hours_is_noticed_after_an_hour() -> None:
    noon = MONDAY + timedelta(days=2, hours=12)
    stopped = [at for at in FILES if at <= noon]
    assert limit_at(noon + HOUR, stopped) == HOUR


def test_one_outage_in_two_months_does_not_hide_the_next() -> None:
    begin = MONDAY - WEEK * 3 + timedelta(days=1)
    files = [at for at in FILES if not begin <= at < begin + timedelta(days=2)]
    assert limit_at(MONDAY + timedelta(days=1, hours=14), files) == SHORTEST_LIMIT


def test_with_less_than_two_weeks_to_compare_with_the_limit_is_two_days() -> None:
    files = shop_files(1)
    now = MONDAY + timedelta(days=1, hours=14)
    assert limit_at(now, files) == LIMIT_WITHOUT_HISTORY
    assert limit_at(now, []) == LIMIT_WITHOUT_HISTORY


def test_a_history_that_begins_within_a_window_says_nothing_of_it() -> None:
    window = (MONDAY, MONDAY + AROUND)
    assert longest_pause([MONDAY + HOUR], window) is None
    assert longest_pause([], window) is None


def test_a_pause_counts_whole_wherever_it_began_and_ended() -> None:
    window = (MONDAY, MONDAY + AROUND)
    landed = [MONDAY - HOUR * 9, MONDAY + HOUR, MONDAY + HOUR * 4]
    assert longest_pause(landed, window) == HOUR * 10
    assert longest_pause(landed[:2], window) == HOUR * 10
    assert longest_pause(landed[:1], window) == HOUR * 11


@given(st.lists(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=30)), max_size=8))
def test_the_limit_is_never_under_an_hour_nor_over_twice_the_longest_pause(pauses) -> None:
    limit = usual_limit(pauses)
    assert limit >= SHORTEST_LIMIT
    assert limit <= max([LIMIT_WITHOUT_HISTORY, *(pause * 2 for pause in pauses)])


@given(
    st.lists(
        st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=30)), min_size=2, max_size=8
    ),
    st.integers(min_value=0, max_value=7),
    st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=30)),
)
def test_a_longer_pause_in_any_week_never_lowers_the_limit(pauses, index, more) -> None:
    longer = list(pauses)
    longer[index % len(pauses)] += more
    assert usual_limit(longer) >= usual_limit(pauses)


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=9000)))
def test_every_window_is_at_the_same_moment_of_its_week(later) -> None:
    now = MONDAY + later
    for begin, end in windows(now):
        middle = begin + (end - begin) / 2
        assert (middle.weekday(), middle.time()) == (now.weekday(), now.time())
        assert end < now
