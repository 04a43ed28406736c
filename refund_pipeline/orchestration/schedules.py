"""`close_landing_day`: after midnight UTC, finish yesterday and compare all of it with the ERP."""

import dagster as dg

from refund_pipeline.orchestration.jobs import SYNC_REFUNDS
from refund_pipeline.orchestration.partitions import yesterday
from refund_pipeline.orchestration.resources import start_date


@dg.schedule(
    name="close_landing_day",
    job_name=SYNC_REFUNDS,
    cron_schedule="20 0 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description=(
        "Reruns yesterday after midnight UTC: reads files that landed late and reads every posted "
        "refund of the day back from the ERP."
    ),
)
def close_landing_day(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Request yesterday's run, with the whole day compared."""
    day = yesterday(context.scheduled_execution_time)
    start = start_date()
    if start is None:
        return dg.SkipReason("REFUNDS_START_DATE is not set")
    if day < start:
        return dg.SkipReason(f"{day} is before REFUNDS_START_DATE {start}")
    return dg.RunRequest(
        run_key=f"close:{day}",
        partition_key=day.isoformat(),
        run_config={"resources": {"options": {"config": {"reconcile_everything": True}}}},
    )
