"""`refund_report` under Dagster: what the UI shows, and which days it is about."""

from datetime import date, datetime, timezone
from pathlib import Path

import dagster as dg
import pytest

from refund_pipeline.orchestration.report import (
    ReportOptions,
    morning_report,
    refund_report,
    report_range,
)
from refund_pipeline.orchestration.resources import Clock, LedgerResource, ReportPlace
from refund_pipeline_tests.fakes import DAY, FakeClock, ready_ledger

TODAY = date(2026, 11, 23)


def test_the_asset_shows_sums_charts_and_where_its_files_are(tmp_path: Path) -> None:
    ready_ledger(tmp_path, 2, FakeClock())
    result = dg.materialize(
        [refund_report],
        resources={
            "clock": Clock(),
            "ledger": LedgerResource(url=f"sqlite:///{tmp_path / 'ledger.db'}"),
            "report_place": ReportPlace(location=str(tmp_path / "reports")),
        },
        run_config={
            "ops": {"refund_report": {"config": {"first_day": str(DAY), "last_day": str(DAY)}}}
        },
    )
    (shown,) = result.asset_materializations_for_node("refund_report")
    files = Path(shown.metadata["files"].value)
    assert (files / "refunds.xlsx").exists()
    assert "| USD | 2 |" in shown.metadata["totals"].value
    assert "![Refunds per landing day](data:image/png;base64," in shown.metadata["charts"].value


def test_without_dates_it_is_about_the_last_35_days() -> None:
    assert report_range(ReportOptions(), today=TODAY) == (date(2026, 10, 20), TODAY)


@pytest.mark.parametrize(
    "options", [{"first_day": "yesterday"}, {"first_day": "2026-12-01", "last_day": "2026-11-01"}]
)
def test_dates_that_make_no_sense_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(dg.Failure):
        report_range(ReportOptions(**options), today=TODAY)


def test_the_morning_report_ends_with_yesterday() -> None:
    moment = datetime(2026, 11, 23, 5, tzinfo=timezone.utc)
    context = dg.build_schedule_context(scheduled_execution_time=moment)
    request = morning_report(context)
    config = request.run_config["ops"]["refund_report"]["config"]
    assert config == {"last_day": "2026-11-22"}
