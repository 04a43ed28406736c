"""`close_landing_day`: yesterday once more after midnight UTC, and all of it compared."""

from datetime import datetime, timezone

import dagster as dg
import pytest

from refund_pipeline.definitions import build_definitions
from refund_pipeline.orchestration.schedules import close_landing_day

AFTER_MIDNIGHT = datetime(2026, 11, 21, 0, 20, tzinfo=timezone.utc)


def evaluate():
    context = dg.build_schedule_context(scheduled_execution_time=AFTER_MIDNIGHT)
    return close_landing_day(context)


def test_yesterday_is_requested_with_everything_compared(monkeypatch) -> None:
    monkeypatch.setenv("REFUNDS_START_DATE", "2026-11-01")
    request = evaluate()
    assert request.partition_key == "2026-11-20"
    assert request.run_config == {
        "resources": {"options": {"config": {"reconcile_everything": True}}}
    }


@pytest.mark.parametrize("start", ["", "2026-11-21"])
def test_a_day_that_is_not_ours_is_not_requested(monkeypatch, start) -> None:
    monkeypatch.setenv("REFUNDS_START_DATE", start)
    assert isinstance(evaluate(), dg.SkipReason)


def test_sensors_and_schedules_run_by_themselves() -> None:
    repository = build_definitions().get_repository_def()
    sensors = {sensor.name: sensor.default_status for sensor in repository.sensor_defs}
    assert sensors == {
        "backfill_report_sensor": dg.DefaultSensorStatus.RUNNING,
        "landed_history_sensor": dg.DefaultSensorStatus.RUNNING,
        "landing_bucket_sensor": dg.DefaultSensorStatus.RUNNING,
        "lost_runs_sensor": dg.DefaultSensorStatus.RUNNING,
        "outstanding_refunds_sensor": dg.DefaultSensorStatus.RUNNING,
    }
    schedules = {schedule.name: schedule.default_status for schedule in repository.schedule_defs}
    assert schedules == {
        "close_landing_day": dg.DefaultScheduleStatus.RUNNING,
        "morning_report": dg.DefaultScheduleStatus.RUNNING,
        "watch_subscription_hourly": dg.DefaultScheduleStatus.RUNNING,
        "watch_refunds_schedule": dg.DefaultScheduleStatus.RUNNING,
    }


def test_the_job_is_retried_from_its_start_in_one_process() -> None:
    job = build_definitions().resolve_job_def("sync_refunds")
    assert job.tags["dagster/max_retries"] == "3"
    assert job.tags["dagster/retry_strategy"] == "ALL_STEPS"
    assert job.executor_def.name == "in_process"
    assert {hook.name for hook in job.hook_defs} == {"stop_run_retries"}


def test_one_step_at_a_time_writes_to_the_erp() -> None:
    job = build_definitions().resolve_job_def("sync_refunds")
    assert {node.name: node.definition.pool for node in job.nodes if node.definition.pool} == {
        "erp_postings": "netsuite"
    }


def test_a_resource_can_be_replaced_by_name_and_by_no_other() -> None:
    with pytest.raises(TypeError, match="no such resource: eprom"):
        build_definitions(eprom=object())
