"""Readiness: the bucket is asked seldom, and never for long."""

import asyncio

import pytest

from refund_pipeline.receiver import readiness
from refund_pipeline.receiver.readiness import Readiness
from refund_pipeline_tests.receiver.asgi import KeptFiles


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_answer_of_the_bucket_counts_for_a_few_seconds() -> None:
    bucket, clock = KeptFiles(), Clock()
    ready = Readiness(bucket.check, clock=clock)
    assert asyncio.run(ready.is_ready())
    bucket.is_down = True
    clock.now = 4.9
    assert asyncio.run(ready.is_ready())
    assert bucket.checks == 1
    clock.now = 5.0
    assert not asyncio.run(ready.is_ready())
    bucket.is_down = False
    assert not asyncio.run(ready.is_ready())
    clock.now = 10.0
    assert asyncio.run(ready.is_ready())
    assert bucket.checks == 3


def test_a_defect_is_not_ready_and_not_a_crash() -> None:
    bucket = KeptFiles(is_down=True, error=ValueError("Invalid endpoint"))
    assert not asyncio.run(Readiness(bucket.check).is_ready())


def test_many_probes_at_once_ask_once() -> None:
    bucket = KeptFiles()

    async def probes() -> list[bool]:
        ready = Readiness(bucket.check, clock=Clock())
        return await asyncio.gather(*(ready.is_ready() for _ in range(50)))

    assert asyncio.run(probes()) == [True] + [False] * 49  # not known yet is not ready
    assert bucket.checks == 1


def test_a_bucket_that_does_not_answer_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_PATIENCE", 0.01)
    bucket = KeptFiles()
    bucket.gate.clear()

    async def impatient() -> bool:
        found = await Readiness(bucket.check).is_ready()
        bucket.gate.set()
        return found

    assert not asyncio.run(impatient())
