"""Two runs of one day: one sleeps between its intent and its write, the other takes it for dead."""

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from refund_pipeline.domain.outcomes import Busy, ErpRecord, PostOutcome
from refund_pipeline.domain.transactions import RefundTransaction
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import Intent
from refund_pipeline.steps.posting import PostingSummary, Surroundings, post_refunds
from refund_pipeline_tests.fakes import (
    DAY,
    FakeClock,
    FakeErp,
    ready_ledger,
    record_of,
    refund_id,
    transaction,
)


class TakesTwo(FakeErp):
    """An ERP that takes a refund as often as it is told: its uniqueness must not be what saves us.

    Its index shows nothing yet.
    """

    def find(self, external_ids: Sequence[str]) -> Mapping[str, ErpRecord]:
        return {}

    def post(self, transaction: RefundTransaction) -> PostOutcome:
        self.records.pop(transaction.external_id, None)
        return super().post(transaction)


class Slow:
    """A ledger after whose nth recorded intent its run sleeps: `asleep` happens, and it goes on."""

    def __init__(self, inner: Ledger, asleep: Callable[[], object], *, nth: int = 1) -> None:
        self._inner = inner
        self._asleep = asleep
        self._intents_left = nth

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def begin_posting(self, *args: object, **kwargs: object) -> Intent | None:
        return self._recorded(self._inner.begin_posting(*args, **kwargs))

    def confirm_posting(self, *args: object, **kwargs: object) -> Intent | None:
        return self._recorded(self._inner.confirm_posting(*args, **kwargs))

    def _recorded(self, intent: Intent | None) -> Intent | None:
        self._intents_left -= 1
        if self._intents_left == 0:
            self._asleep()
        return intent


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def post(ledger: Ledger, erp: FakeErp, clock: FakeClock) -> PostingSummary:
    around = Surroundings(clock.now, clock.sleep, random.Random(1), lambda _: None)
    return post_refunds(DAY, ledger=ledger, erp=erp, concurrency=1, surroundings=around)


@pytest.mark.parametrize("nth", [1, 2])
def test_a_run_that_slept_before_its_write_leaves_it_to_the_one_that_took_over(
    tmp_path: Path, clock: FakeClock, nth: int
) -> None:
    ledger, erp = ready_ledger(tmp_path, 1, clock), TakesTwo()

    def another_run() -> None:
        clock.sleep(60)
        post(ledger, erp, clock)

    def half_a_minute() -> None:
        clock.sleep(30)

    slow = Slow(ledger, another_run, nth=nth)
    if nth > 1:  # it sleeps again, after it confirmed
        slow = Slow(slow, half_a_minute)
    summary = post(slow, erp, clock)
    assert summary.results == {"left to another run": 1}
    assert erp.created == [refund_id(0)]
    assert ledger.refund(refund_id(0)).status == "posted"


def test_a_run_that_confirms_while_another_settles_its_write_keeps_it(
    tmp_path: Path, clock: FakeClock
) -> None:
    """The other one looks up, pauses; in the pause the first one wakes and writes."""
    ledger, erp = ready_ledger(tmp_path, 1, clock), TakesTwo()
    (work,) = ledger.refunds_to_post(DAY)
    mine = ledger.begin_posting(work.transaction, seen=work.intent)
    clock.sleep(60)
    pause = clock.sleep

    def wakes_in_the_pause(seconds: float) -> None:
        pause(seconds / 2)
        assert ledger.confirm_posting(work.transaction, mine)  # and its POST is under way
        pause(seconds / 2)

    around = Surroundings(clock.now, wakes_in_the_pause, random.Random(1), lambda _: None)
    summary = post_refunds(DAY, ledger=ledger, erp=erp, concurrency=1, surroundings=around)
    assert summary.results == {"left to another run": 1}
    assert erp.posts == 0


def test_a_write_just_begun_is_given_the_time_a_write_takes(
    tmp_path: Path, clock: FakeClock
) -> None:
    """What another run began a moment ago may be under way for as long as the ERP is slow."""
    ledger, erp = ready_ledger(tmp_path, 1, clock), TakesTwo()
    (work,) = ledger.refunds_to_post(DAY)
    ledger.begin_posting(work.transaction, seen=work.intent)
    began, pause = clock.now(), clock.sleep

    def arrives_late(seconds: float) -> None:
        pause(seconds)
        if (clock.now() - began).total_seconds() >= 8:  # NetSuite's slowest in a hundred
            erp.records.setdefault(
                work.transaction.external_id, record_of(transaction(0), erp_id="900")
            )

    around = Surroundings(clock.now, arrives_late, random.Random(1), lambda _: None)
    summary = post_refunds(DAY, ledger=ledger, erp=erp, concurrency=1, surroundings=around)
    assert summary.results == {"already posted": 1}
    assert erp.posts == 0


def test_a_write_is_confirmed_after_each_wait_for_a_busy_erp(
    tmp_path: Path, clock: FakeClock
) -> None:
    ledger, erp = ready_ledger(tmp_path, 1, clock), TakesTwo([Busy(retry_after=30.0)])
    inner, others = erp.post, list[int]()

    def taken_over(item: RefundTransaction) -> PostOutcome:
        outcome = inner(item)
        if not others:  # while the first run waits, another one settles its write and writes
            others.append(1)
            clock.sleep(20)
            assert post(ledger, erp, clock).results == {"posted": 1}
        return outcome

    erp.post = taken_over
    assert post(ledger, erp, clock).results == {"left to another run": 1}
    assert erp.created == [refund_id(0)]


def test_a_slow_run_does_not_undo_what_another_has_begun(tmp_path: Path, clock: FakeClock) -> None:
    """It was refused as busy; the other's write has no answer: looked up, not written again."""
    ledger, erp = ready_ledger(tmp_path, 1, clock), TakesTwo([Busy()] * 6)
    inner, posts = erp.post, list[int]()

    def overtaken_in_the_last_try(item: RefundTransaction) -> PostOutcome:
        outcome = inner(item)
        posts.append(1)
        if len(posts) == 6:
            clock.sleep(60)
            (work,) = ledger.refunds_to_post(DAY)
            assert ledger.begin_posting(work.transaction, seen=work.intent)
        return outcome

    erp.post = overtaken_in_the_last_try
    post(ledger, erp, clock)
    (work,) = ledger.refunds_to_post(DAY)
    assert (work.state, work.intent.attempts) == ("intended", 2)
