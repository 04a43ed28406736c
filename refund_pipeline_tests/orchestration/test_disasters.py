"""The campaigns of `make chaos` about disasters and dates, in short."""

from pathlib import Path

from refund_pipeline_tests.chaos.calendar import SPECIAL, special_days_of
from refund_pipeline_tests.chaos.disasters import Case, ledger_deleted_in


def test_a_deleted_ledger_is_rebuilt_by_the_job_without_a_new_record(tmp_path: Path) -> None:
    row = ledger_deleted_in((Case(1),), 7, tmp_path, per_day=12, length=1)
    assert (row.lost, row.twice, row.refunds) == (0, 0, 12)


def test_the_records_of_special_days_bear_the_stores_dates(tmp_path: Path) -> None:
    row = special_days_of(SPECIAL[1::9], 7, tmp_path)
    assert (row.lost, row.twice, row.cases) == (0, 0, 4)
