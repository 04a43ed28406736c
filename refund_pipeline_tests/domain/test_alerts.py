"""Which situations are news: told once, again every day while they last, and once when over."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refund_pipeline.domain.alerts import (
    CLAIM,
    GIVE_UP_AFTER,
    Remembered,
    Situation,
    after_telling,
    length,
    settle,
)

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
LOOK = timedelta(minutes=10)


def situation(key="held:overpaid", **changes):
    values = {
        "key": key,
        "title": f"title of {key}",
        "text": "text",
        "severity": "error",
        "since": NOW - timedelta(hours=1),
        "what_to_do": "look",
        "runbook": "held-refunds",
    }
    return Situation(**{**values, **changes})


class Memory:
    """Plays the looks: remembers, and notes what each channel was told."""

    def __init__(self, *channels: str) -> None:
        self.rows: dict[str, Remembered] = {}
        self.channels = channels
        self.broken: set[str] = set()
        self.told: list[tuple[datetime, str, str, str]] = []

    def look(self, now, *seen, looked_at=("held", "gate")) -> list[tuple[str, str, str]]:
        settled = self.claim(now, *seen, looked_at=looked_at)
        return self.tell(settled, now)

    def claim(self, now, *seen, looked_at=("held", "gate")):
        settled = settle(
            self.rows.values(), seen, looked_at=looked_at, channels=self.channels, now=now
        )
        self.rows.update({row.key: row for row in settled.rows})
        return settled

    def tell(self, settled, now) -> list[tuple[str, str, str]]:
        told = [
            (channel, notice.news, notice.situation.key)
            for notice in settled.notices
            for channel in notice.channels
            if channel not in self.broken
        ]
        for notice in settled.notices:
            took = [name for name in notice.channels if name not in self.broken]
            key = notice.situation.key
            self.rows[key] = after_telling(self.rows[key], took, now)
        return told


def test_a_situation_is_told_once_repeated_daily_and_told_to_be_over() -> None:
    memory = Memory("a")
    told = {}
    for step in range(6 * 24 * 2 + 12):
        now = NOW + LOOK * step
        seen = [situation()] if step < 6 * 24 * 2 + 6 else []
        for _, news, _key in memory.look(now, *seen):
            told[now] = news
    assert list(told.values()) == ["new", "repeated", "repeated", "over"]
    first, second, third, over = told
    assert first == NOW
    assert second - first == third - second == timedelta(days=1)
    assert over - third == timedelta(hours=1)
    assert memory.look(NOW + timedelta(days=9)) == []


def test_what_comes_back_is_new_again() -> None:
    memory = Memory("a")
    memory.look(NOW, situation())
    memory.look(NOW + LOOK)
    assert memory.look(NOW + LOOK * 2, situation()) == [("a", "new", "held:overpaid")]
    assert memory.rows["held:overpaid"].first_seen_at == NOW + LOOK * 2


def test_each_situation_of_a_kind_goes_its_own_way() -> None:
    memory = Memory("a")
    memory.look(NOW, situation("held:overpaid"))
    told = memory.look(NOW + LOOK, situation("held:overpaid"), situation("held:closed_period"))
    assert told == [("a", "new", "held:closed_period")]
    assert memory.look(NOW + LOOK * 2, situation("held:closed_period")) == [
        ("a", "over", "held:overpaid")
    ]


def test_what_was_not_looked_at_is_not_over() -> None:
    memory = Memory("a")
    memory.look(NOW, situation("run_failed:x:y"), looked_at=("run_failed",))
    assert memory.look(NOW + LOOK, looked_at=("held",)) == []
    assert memory.look(NOW + LOOK * 2, looked_at=("run_failed",)) == [
        ("a", "over", "run_failed:x:y")
    ]


def test_a_channel_out_of_order_is_told_at_the_next_look_and_the_others_not_twice() -> None:
    memory = Memory("a", "b")
    memory.broken = {"b"}
    assert memory.look(NOW, situation()) == [("a", "new", "held:overpaid")]
    assert memory.look(NOW + LOOK, situation()) == []
    memory.broken = set()
    assert memory.look(NOW + LOOK * 2, situation()) == [("b", "new", "held:overpaid")]
    assert memory.look(NOW + LOOK * 3, situation()) == []


def test_news_nobody_took_stays_news_until_somebody_does() -> None:
    memory = Memory("a")
    memory.broken = {"a"}
    for step in range(300):
        assert memory.look(NOW + LOOK * step, situation()) == []
    memory.broken = set()
    assert memory.look(NOW + LOOK * 300, situation()) == [("a", "new", "held:overpaid")]


def test_that_it_is_over_reaches_a_late_channel_for_a_day() -> None:
    memory = Memory("a", "b")
    memory.look(NOW, situation())
    memory.broken = {"b"}
    assert memory.look(NOW + LOOK) == [("a", "over", "held:overpaid")]
    memory.broken = set()
    late = Memory("a", "b")
    late.rows = dict(memory.rows)
    assert late.look(NOW + LOOK * 2) == [("b", "over", "held:overpaid")]
    assert memory.look(NOW + LOOK + GIVE_UP_AFTER) == []
    assert memory.rows["held:overpaid"].pending == ()


def test_without_a_channel_all_is_remembered_and_told_once_there_is_one() -> None:
    memory = Memory()
    assert memory.look(NOW, situation()) == []
    assert memory.rows["held:overpaid"].first_seen_at == NOW
    memory.channels = ("a",)
    assert memory.look(NOW + LOOK, situation()) == [("a", "new", "held:overpaid")]


def test_what_came_and_went_without_a_channel_is_not_told_to_be_over() -> None:
    memory = Memory()
    memory.look(NOW, situation())
    memory.channels = ("a",)
    assert memory.look(NOW + LOOK) == []


def test_a_channel_taken_away_is_forgotten_with_the_next_round() -> None:
    memory = Memory("a", "b")
    memory.broken = {"b"}
    memory.look(NOW, situation())
    memory.channels = ("a",)
    assert memory.look(NOW + LOOK, situation()) == []
    assert memory.rows["held:overpaid"].claimed_until is None
    memory.look(NOW + timedelta(days=1), situation())
    assert memory.rows["held:overpaid"].pending == ()


def test_a_look_that_does_not_have_a_channel_leaves_it_what_it_is_owed() -> None:
    memory = Memory("a", "b")
    memory.broken = {"b"}
    memory.look(NOW, situation())
    memory.channels = ()
    memory.look(NOW + LOOK, situation())
    memory.channels, memory.broken = ("a", "b"), set()
    assert memory.look(NOW + LOOK * 2, situation()) == [("b", "new", "held:overpaid")]


def test_a_look_leaves_alone_what_another_one_is_telling() -> None:
    memory = Memory("a")
    first = memory.claim(NOW, situation())
    assert memory.look(NOW + timedelta(seconds=1), situation()) == []
    assert memory.tell(first, NOW + timedelta(seconds=2)) == [("a", "new", "held:overpaid")]
    assert memory.look(NOW + LOOK, situation()) == []


def test_what_a_look_that_died_was_telling_is_told_by_a_later_one() -> None:
    memory = Memory("a")
    memory.claim(NOW, situation())
    assert memory.look(NOW + CLAIM - timedelta(seconds=1), situation()) == []
    assert memory.look(NOW + CLAIM, situation()) == [("a", "new", "held:overpaid")]


def test_over_says_since_when_it_had_been_so() -> None:
    memory = Memory("a")
    memory.look(NOW, situation(since=NOW - timedelta(hours=2)))
    memory.look(NOW + LOOK, situation(since=NOW))
    (notice,) = memory.claim(NOW + LOOK * 2).notices
    assert notice.situation.title == "title of held:overpaid"
    assert "since 2026-11-20 10:00 UTC, for 2 h 20 min" in notice.situation.text


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(seconds=-5), "0 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(minutes=60), "1 h 0 min"),
        (timedelta(hours=23, minutes=59), "23 h 59 min"),
        (timedelta(days=3, hours=4, minutes=5), "3 d 4 h"),
    ],
)
def test_lengths_are_written_in_their_two_largest_units(span, words) -> None:
    assert length(span) == words


@given(
    st.lists(
        st.tuples(
            st.integers(min_value=1, max_value=2000),
            st.sets(st.sampled_from(["held:a", "held:b"])),
            st.sets(st.sampled_from(["x", "y"])),
        ),
        max_size=25,
    )
)
def test_whatever_happens_a_working_channel_knows_what_lasts_and_is_told_nothing_twice(
    steps,
) -> None:
    """No alert is doubled while no look dies, and none is lost."""
    memory, now = Memory("x", "y"), NOW
    heard: dict[tuple[str, str], list[str]] = {}
    before: set[str] = set()
    for minutes, keys, broken in steps:
        now += timedelta(minutes=minutes)
        for key in keys - before:
            heard.update({(channel, key): [] for channel in "xy"})
        memory.broken = broken
        for channel, news, key in memory.look(now, *(situation(key) for key in sorted(keys))):
            heard[channel, key].append(news)
            assert (news == "over") == (key not in keys)
        for (channel, key), told in heard.items():
            assert max(told.count("new"), told.count("over")) <= 1
            if key in keys and channel not in broken:
                assert told
        before = keys


def test_a_row_is_only_rewritten_when_something_changed() -> None:
    memory = Memory("a")
    memory.look(NOW, situation())
    row = memory.rows["held:overpaid"]
    unseen = settle([row], [], looked_at=(), channels=("a",), now=NOW + LOOK)
    assert unseen.rows == ()
    again = settle([row], [situation()], looked_at=(), channels=("a",), now=NOW)
    assert again.rows == ()
