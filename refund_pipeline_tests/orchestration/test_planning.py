"""The sensors' decisions: which days deserve a run now."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refund_pipeline.orchestration.planning import (
    LONGEST_BACKOFF,
    OVERLAP,
    REPEAT_AFTER,
    DueDay,
    UnreadFile,
    plan_landing,
    plan_outstanding,
)

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
TODAY = NOW.date()


def unread(name: str = "a", *, at: datetime = NOW, etag: str = "1") -> UnreadFile:
    return UnreadFile(name, etag, at.date(), at)


def landing(files, *, now=NOW, newest=NOW, listed_from=NOW - timedelta(days=30), busy=()):
    return plan_landing(files, newest_seen=newest, listed_from=listed_from, busy_days=busy, now=now)


def test_each_day_with_unread_files_is_requested_once() -> None:
    before = NOW - timedelta(days=1)
    plan = landing([unread("a", at=before), unread("b"), unread("c")])
    assert [request.day for request in plan.requests] == [before.date(), TODAY]


def test_a_day_with_a_run_under_way_is_not_requested() -> None:
    assert landing([unread()], busy=[TODAY]).requests == ()


def test_the_same_files_keep_their_run_key_for_a_while_and_then_get_another() -> None:
    first = landing([unread("a"), unread("b")]).requests
    assert landing([unread("b"), unread("a")], now=NOW + timedelta(seconds=1)).requests == first
    assert landing([unread("a"), unread("b")], now=NOW + REPEAT_AFTER).requests != first


def test_a_rewritten_file_changes_the_run_key() -> None:
    assert landing([unread(etag="1")]).requests != landing([unread(etag="2")]).requests


def test_a_day_that_has_not_begun_waits_inside_the_next_listing() -> None:
    tomorrow = unread(at=NOW + timedelta(days=1))
    plan = landing([tomorrow])
    assert plan.requests == ()
    assert plan.resume_at <= NOW


def test_a_file_whose_run_failed_is_listed_again_however_old_it_is() -> None:
    old = NOW - timedelta(hours=7)
    assert landing([unread(at=old), unread("b")]).resume_at == old


def test_the_next_listing_starts_an_overlap_before_the_newest_file() -> None:
    assert landing([]).resume_at == NOW - OVERLAP


@given(
    ages=st.lists(st.integers(0, 10_000), max_size=5),
    newest_age=st.integers(0, 10_000),
    from_age=st.integers(0, 10_000),
)
def test_an_unread_file_stays_inside_the_next_listing(ages, newest_age, from_age) -> None:
    listed_from = NOW - timedelta(minutes=max([from_age, newest_age, *ages]))
    files = [unread(str(age), at=NOW - timedelta(minutes=age)) for age in ages]
    plan = landing(files, newest=NOW - timedelta(minutes=newest_age), listed_from=listed_from)
    assert all(plan.resume_at <= file.landed_at for file in files)
    assert plan.resume_at >= listed_from


def outstanding(days, *, backoffs=None, busy=(), now=NOW):
    return plan_outstanding(days, backoffs=backoffs or {}, busy_days=busy, now=now)


def test_a_day_with_due_refunds_is_requested() -> None:
    assert [r.day for r in outstanding([DueDay(TODAY, 1, 0)]).requests] == [TODAY]


def test_a_day_with_nothing_due_is_left_alone() -> None:
    assert outstanding([DueDay(TODAY, 0, 0)]).requests == ()


def test_a_busy_day_is_left_alone_however_much_is_due() -> None:
    assert outstanding([DueDay(TODAY, 5, 5)], busy=[TODAY]).requests == ()


@pytest.mark.parametrize("day", [DueDay(TODAY, 0, 3), DueDay(TODAY, 3, 0), DueDay(TODAY, 1, 1)])
def test_what_is_still_due_after_a_run_is_requested_with_growing_pauses(day) -> None:
    backoffs, now, pauses = {}, NOW, []
    for _ in range(9):
        plan = outstanding([day], backoffs=backoffs, now=now)
        assert len(plan.requests) == 1
        backoffs = plan.backoffs
        pauses.append(backoffs[TODAY].not_before - now)
        assert outstanding([day], backoffs=backoffs, now=now).requests == ()
        now = backoffs[TODAY].not_before
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_BACKOFF


def test_the_pause_is_forgotten_once_the_day_is_clean() -> None:
    backoffs = outstanding([DueDay(TODAY, 0, 3)]).backoffs
    assert outstanding([DueDay(TODAY, 0, 0)], backoffs=backoffs).backoffs == {}


def test_a_pause_set_by_a_clock_that_ran_ahead_is_over() -> None:
    backoffs = outstanding([DueDay(TODAY, 0, 3)], now=NOW + timedelta(days=1)).backoffs
    assert len(outstanding([DueDay(TODAY, 0, 3)], backoffs=backoffs).requests) == 1


def test_the_pause_of_one_day_does_not_delay_another() -> None:
    yesterday = TODAY - timedelta(days=1)
    backoffs = outstanding([DueDay(yesterday, 1, 3)]).backoffs
    plan = outstanding([DueDay(yesterday, 1, 3), DueDay(TODAY, 1, 0)], backoffs=backoffs)
    assert [request.day for request in plan.requests] == [TODAY]
