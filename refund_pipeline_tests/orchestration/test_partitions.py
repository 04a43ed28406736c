"""Which landing days there are, and which may run."""

from datetime import date, datetime

import pytest

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.orchestration.partitions import landing_day, landing_days

START = date(2026, 11, 1)


@pytest.mark.parametrize("start", [START, None])
def test_a_day_from_the_start_on_is_ours(start) -> None:
    assert landing_day("2026-11-01", start=start) == START


@pytest.mark.parametrize(
    ("key", "says"),
    [("2026-10-31", "before REFUNDS_START_DATE 2026-11-01"), ("31.10.2026", "not a landing day")],
)
def test_any_other_day_is_refused_with_a_sentence(key: str, says: str) -> None:
    with pytest.raises(Misconfigured, match=says):
        landing_day(key, start=START)


@pytest.mark.parametrize(
    ("moment", "newest"),
    [
        ("2028-02-28T23:59:59.999999+00:00", "2028-02-28"),
        ("2028-02-29T00:00:00+00:00", "2028-02-29"),
        ("2028-02-29T23:59:59.999999+00:00", "2028-02-29"),
        ("2028-03-01T00:00:00+00:00", "2028-03-01"),
    ],
)
def test_a_day_can_run_from_its_first_moment_on_and_february_may_have_29(
    moment: str, newest: str
) -> None:
    days = landing_days(date(2028, 2, 27))
    keys = days.get_partition_keys(current_time=datetime.fromisoformat(moment))
    assert keys[-1] == newest
    assert len(keys) == len(set(keys)) == (date.fromisoformat(newest) - date(2028, 2, 26)).days
