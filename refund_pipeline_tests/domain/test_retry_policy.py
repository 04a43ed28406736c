"""When an outstanding refund is tried again, and when waiting fails the run."""

import random
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refund_pipeline.domain.retry_policy import FAST_ATTEMPTS, fails_the_run, next_attempt

NOW = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)


class NoJitter(random.Random):
    def random(self) -> float:
        return 0.5


@pytest.mark.parametrize(
    ("attempts", "minutes"),
    [(1, 1), (4, 1), (5, 2), (6, 4), (7, 8), (9, 32), (10, 60), (11, 60), (10**9, 60)],
)
def test_pauses_double_from_a_minute_to_an_hour(attempts: int, minutes: int) -> None:
    found = next_attempt(attempts, now=NOW, random_source=NoJitter())
    assert found == NOW + timedelta(minutes=minutes)


@given(st.integers(1, 200), st.randoms(use_true_random=False))
def test_the_jitter_is_at_most_a_tenth(attempts: int, source: random.Random) -> None:
    plain = next_attempt(attempts, now=NOW, random_source=NoJitter()) - NOW
    found = next_attempt(attempts, now=NOW, random_source=source) - NOW
    assert plain * 0.9 <= found <= plain * 1.1


def test_the_first_try_and_the_run_retries_fail_the_run_and_later_ones_do_not() -> None:
    assert [fails_the_run(attempts) for attempts in range(1, 7)] == [True] * 3 + [False] * 3
    assert FAST_ATTEMPTS == 4
