"""Concurrent events share files; each waits for its own, and memory stays bounded."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from refund_pipeline.domain.errors import Unavailable
from refund_pipeline.receiver.allowance import Allowance
from refund_pipeline.receiver.batches import Batches, Outcome
from refund_pipeline.receiver.settings import Limits
from refund_pipeline_tests.receiver.asgi import KeptFiles

LINES = [f"line {number:04d}".encode() for number in range(500)]
PATIENT = Limits(answer_seconds=60.0)


class Bench:
    """Batches over a bucket in memory."""

    def __init__(
        self, *, interval: float = 0.0, limits: Limits = PATIENT, **options: Callable[[], float]
    ) -> None:
        self.bucket = KeptFiles()
        self.allowance = Allowance(limits.in_hand)
        self.batches = Batches(
            self.bucket.write,
            interval=interval,
            limits=limits,
            allowance=self.allowance,
            **options,
        )

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        async def closed() -> Any:
            try:
                return await work
            finally:
                await self.batches.close()

        return asyncio.run(closed())

    async def store_all(self, lines: list[bytes]) -> list[Outcome]:
        return await asyncio.gather(*(self.batches.store(line) for line in lines))


def test_what_comes_at_once_shares_a_file() -> None:
    bench = Bench()
    assert set(bench.run(bench.store_all(LINES))) == {Outcome.STORED}
    assert bench.bucket.files == [LINES]
    assert bench.allowance.taken == 0


def test_a_file_that_is_large_does_not_wait_for_its_interval() -> None:
    bench = Bench(interval=3600.0, limits=Limits(file=90, answer_seconds=60.0))
    assert set(bench.run(bench.store_all(LINES))) == {Outcome.STORED}
    assert sorted(bench.bucket.lines) == LINES
    assert [len(file) for file in bench.bucket.files] == [10] * 50


def test_the_timer_of_a_file_that_was_sent_does_not_send_the_next_one() -> None:
    bench = Bench(limits=Limits(file=90, answer_seconds=60.0))
    assert set(bench.run(bench.store_all(LINES[:15]))) == {Outcome.STORED}
    assert sorted(len(file) for file in bench.bucket.files) == [5, 10]


@pytest.mark.parametrize("error", [Unavailable("down"), ValueError("a defect")])
def test_a_file_that_was_not_written_fails_those_who_wait_for_it_and_no_others(
    error: Exception,
) -> None:
    bench = Bench()
    bench.bucket.error = error
    bench.bucket.failures = 1
    first = bench.run(bench.store_all(LINES[:3]))
    second = bench.run(bench.store_all(LINES[3:6]))
    assert first == [Outcome.NOT_WRITTEN] * 3
    assert second == [Outcome.STORED] * 3
    assert bench.bucket.files == [LINES[3:6]]
    assert bench.allowance.taken == 0


def test_who_waited_too_long_is_told_so_and_the_file_stays_in_hand_until_it_is_written() -> None:
    bench = Bench(limits=Limits(answer_seconds=0.01))
    bench.bucket.gate.clear()

    async def late() -> tuple[Outcome, int]:
        outcome = await bench.batches.store(LINES[0])
        in_hand = bench.allowance.taken
        bench.bucket.gate.set()
        return outcome, in_hand

    assert bench.run(late()) == (Outcome.NOT_IN_TIME, len(LINES[0]))
    assert bench.bucket.files == [[LINES[0]]]
    assert bench.allowance.taken == 0


def test_a_file_nobody_waits_for_any_longer_is_not_written() -> None:
    times = itertools.chain([0.0], itertools.repeat(60.1))
    bench = Bench(clock=lambda: next(times))
    assert bench.run(bench.store_all(LINES[:1])) == [Outcome.NOT_WRITTEN]
    assert bench.bucket.files == []
    assert bench.allowance.taken == 0


def test_more_than_may_be_in_hand_is_turned_away_at_once() -> None:
    bench = Bench(limits=Limits(in_hand=4 * len(LINES[0]), answer_seconds=60.0))
    outcomes = bench.run(bench.store_all(LINES[:10]))
    assert outcomes == [Outcome.STORED] * 4 + [Outcome.TOO_MUCH_IN_HAND] * 6
    assert bench.bucket.files == [LINES[:4]]


def test_closing_writes_what_was_collected_without_waiting_for_the_interval() -> None:
    bench = Bench(interval=3600.0)

    async def closed_meanwhile() -> list[Outcome]:
        waiting = [asyncio.ensure_future(bench.batches.store(line)) for line in LINES]
        await asyncio.sleep(0)
        await bench.batches.close()
        return await asyncio.gather(*waiting)

    assert set(bench.run(closed_meanwhile())) == {Outcome.STORED}
    assert bench.bucket.files == [LINES]


def test_closing_waits_for_what_is_being_written() -> None:
    bench = Bench(limits=Limits(answer_seconds=0.01))
    bench.bucket.gate.clear()

    async def closing_while_it_is_written() -> bool:
        assert await bench.batches.store(LINES[0]) is Outcome.NOT_IN_TIME
        closing = asyncio.ensure_future(bench.batches.close())
        done, _ = await asyncio.wait({closing}, timeout=0.01)
        bench.bucket.gate.set()
        await closing
        return bool(done)

    assert not bench.run(closing_while_it_is_written())
    assert bench.bucket.files == [[LINES[0]]]


def test_who_gives_up_takes_nobody_else_along() -> None:
    bench = Bench(interval=3600.0)

    async def one_cancelled() -> Outcome:
        leaving, staying = (asyncio.ensure_future(bench.batches.store(line)) for line in LINES[:2])
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.sleep(0)
        await bench.batches.close()
        return await staying

    assert bench.run(one_cancelled()) is Outcome.STORED
    assert bench.bucket.files == [LINES[:2]]
