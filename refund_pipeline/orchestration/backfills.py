"""Backfills of many landing days: when one has ended, one report says what became of its days."""

from collections.abc import Collection
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

from refund_pipeline.orchestration.failures import BACKFILL_TAG
from refund_pipeline.orchestration.jobs import SYNC_REFUNDS
from refund_pipeline.orchestration.partitions import day_of
from refund_pipeline.orchestration.report import MAKE_REPORT, REFUND_REPORT

if TYPE_CHECKING:
    from dagster._core.execution.backfill import PartitionBackfill

_INTERVAL = 30
_LOOKED_AT = 20
_ENDED = frozenset({"COMPLETED", "COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED", "CANCELED"})
_DAY_TAGS = (
    "dagster/partition",
    "dagster/asset_partition_range_start",
    "dagster/asset_partition_range_end",
)


@dg.sensor(
    name="backfill_report_sensor",
    job_name=MAKE_REPORT,
    minimum_interval_seconds=_INTERVAL,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Makes one refund report over the days of a backfill once it has ended.",
)
def backfill_report_sensor(
    context: dg.SensorEvaluationContext,
) -> dg.SensorResult | dg.SkipReason:
    """Request a report for each backfill that ended; Dagster remembers which had one."""
    requests = []
    for backfill in context.instance.get_backfills(limit=_LOOKED_AT):
        if backfill.status.value in _ENDED:
            days = _landing_days(context.instance, backfill)
            if days:
                requests.append(_report_of(backfill.backfill_id, days))
    if not requests:
        return dg.SkipReason("no backfill of landing days has ended")
    return dg.SensorResult(run_requests=requests)


def _landing_days(instance: dg.DagsterInstance, backfill: "PartitionBackfill") -> set[date]:
    """Return the landing days a backfill ran; none if it was about something else."""
    runs = instance.get_runs(dg.RunsFilter(tags={BACKFILL_TAG: backfill.backfill_id}))
    keys = {
        run.tags.get(tag)
        for run in runs
        if run.job_name == SYNC_REFUNDS or run.asset_selection
        for tag in _DAY_TAGS
    }
    return {day_of(key) for key in keys if key is not None and "|" not in key}


def _report_of(backfill_id: str, days: Collection[date]) -> dg.RunRequest:
    config = {"first_day": min(days).isoformat(), "last_day": max(days).isoformat()}
    return dg.RunRequest(
        run_key=f"backfill:{backfill_id}",
        run_config={"ops": {REFUND_REPORT: {"config": config}}},
        tags={"refund_pipeline/reports_on_backfill": backfill_id},
    )
