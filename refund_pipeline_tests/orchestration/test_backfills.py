"""Backfills: one report when one has ended, and none before."""

import time

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from refund_pipeline.orchestration.backfills import backfill_report_sensor


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def backfill(instance, status: BulkActionStatus, *days: str, job: str = "sync_refunds") -> None:
    instance.add_backfill(
        PartitionBackfill(
            backfill_id="bbbb",
            status=status,
            from_failure=False,
            tags={},
            backfill_timestamp=time.time(),
        )
    )
    for day in days:
        tags = {"dagster/backfill": "bbbb", "dagster/partition": day}
        instance.create_run_for_job(dg.GraphDefinition(name=job).to_job(), tags=tags)


def tick(instance) -> list[dg.RunRequest]:
    context = dg.build_sensor_context(instance=instance)
    result = backfill_report_sensor(context)
    return list(result.run_requests) if isinstance(result, dg.SensorResult) else []


@pytest.mark.parametrize("ended", ["COMPLETED_SUCCESS", "COMPLETED_FAILED", "CANCELED", "FAILED"])
def test_an_ended_backfill_gets_one_report_over_its_days(instance, ended: str) -> None:
    backfill(instance, BulkActionStatus[ended], "2026-10-03", "2026-10-01", "2026-10-02")
    (request,) = tick(instance)
    assert request.run_config["ops"]["refund_report"]["config"] == {
        "first_day": "2026-10-01",
        "last_day": "2026-10-03",
    }
    assert request.run_key == tick(instance)[0].run_key, "Dagster makes no second run of a key"


def test_a_backfill_that_runs_still_has_none(instance) -> None:
    backfill(instance, BulkActionStatus.REQUESTED, "2026-10-01")
    assert tick(instance) == []


def test_a_backfill_of_something_else_has_none(instance) -> None:
    backfill(instance, BulkActionStatus.COMPLETED_SUCCESS, "2026-10-01", job="another")
    assert tick(instance) == []
