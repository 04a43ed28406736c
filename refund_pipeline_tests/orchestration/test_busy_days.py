"""Days that have a run, or will have one in a moment, are not asked for."""

import time
from collections.abc import Iterator
from datetime import date

import dagster as dg
import pytest

from refund_pipeline.orchestration.sensors import busy_days
from refund_pipeline_tests.orchestration import failing_jobs

DAY = "2026-11-20"


@pytest.fixture
def in_zone(monkeypatch) -> Iterator:
    def set_zone(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield set_zone
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_a_day_whose_run_is_about_to_be_retried_is_busy_wherever_the_machine_is(
    in_zone, monkeypatch, tmp_path, zone
) -> None:
    (tmp_path / "plan").write_text("outage")
    monkeypatch.setenv(failing_jobs.PLAN, str(tmp_path / "plan"))
    in_zone(zone)
    with dg.DagsterInstance.ephemeral(settings={"run_retries": {"enabled": True}}) as instance:
        failing_jobs.sync_refunds.execute_in_process(
            instance=instance, tags={"dagster/partition": DAY}, raise_on_error=False
        )
        assert busy_days(instance) == {date.fromisoformat(DAY)}
        (run,) = instance.get_runs()
        instance.add_run_tags(run.run_id, {"dagster/auto_retry_run_id": "x"})
        assert busy_days(instance) == set()
