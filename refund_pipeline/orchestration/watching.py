"""The dead-man check: a schedule of its own looks every ten minutes and tells people what is news.

The tick itself looks, since a run would be a new process each time (docs/architecture.md has the
figures); the job does the same for a person who asks. From outside, `refund-pipeline watch` does.
"""

import logging
from typing import TYPE_CHECKING

import dagster as dg

from refund_pipeline.orchestration.failures import MAX_RETRIES_TAG
from refund_pipeline.orchestration.resources import (
    Clock,
    LandingBucketResource,
    LedgerResource,
    dagster_home,
    start_date,
)
from refund_pipeline.orchestration.watch_resource import WatchResource

if TYPE_CHECKING:
    from refund_pipeline.steps.watching import Look

WATCH_REFUNDS = "watch_refunds"


@dg.op(name="look", description="Looks at everything people must know of, and tells what is news.")
def look_once(
    context: dg.OpExecutionContext,
    clock: Clock,
    ledger: LedgerResource,
    landing_bucket: LandingBucketResource,
    watch: WatchResource,
) -> None:
    """Look, and show what was seen."""
    looked = _look(context.instance, clock, ledger, landing_bucket, watch)
    _log(context.log, looked)
    context.add_output_metadata(
        {
            "situations": len(looked.situations),
            "seen": dg.MetadataValue.md(
                "\n".join(f"- {one.title} (`{one.key}`)" for one in looked.situations) or "nothing"
            ),
            "told": len(looked.told.notices),
            "heartbeat": looked.heartbeat,
        }
    )


@dg.job(
    name=WATCH_REFUNDS,
    description="Looks once, as the schedule does every ten minutes without a run.",
    executor_def=dg.in_process_executor,
    tags={MAX_RETRIES_TAG: "0"},
)
def watch_refunds() -> None:
    """Run the one op."""
    look_once()


@dg.schedule(
    name="watch_refunds_schedule",
    job=watch_refunds,
    cron_schedule="3-59/10 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description=(
        "Every ten minutes: does the landing sensor tick, do files land, is anything outstanding "
        "too long, held, rejected, different in the ERP, or failed? Tells people, without a run."
    ),
)
def watch_refunds_schedule(
    context: dg.ScheduleEvaluationContext,
    clock: Clock,
    ledger: LedgerResource,
    landing_bucket: LandingBucketResource,
    watch: WatchResource,
) -> dg.SkipReason:
    """Look, and request no run."""
    looked = _look(context.instance, clock, ledger, landing_bucket, watch)
    _log(context.log, looked)
    return dg.SkipReason(_summary(looked, has_channels=bool(watch.alerts.strip())))


def _look(
    instance: dg.DagsterInstance,
    clock: Clock,
    ledger: LedgerResource,
    landing_bucket: LandingBucketResource,
    watch: WatchResource,
) -> "Look":
    from refund_pipeline.orchestration.dagster_view import InstanceView
    from refund_pipeline.steps.watching import look

    view = InstanceView.of(instance, location=watch.code_location.strip(), clock=clock.now)
    with watch.opened(
        ledger=ledger.open(),
        bucket=landing_bucket.open(),
        dagster=view,
        start=start_date(),
        home=dagster_home(),
        clock=clock.now,
    ) as opened:
        return look(opened)


def _log(log: logging.Logger, looked: "Look") -> None:
    for situation in looked.situations:
        log.warning("%s: %s %s", situation.key, situation.title, situation.text)
    for channel, problem in looked.told.undelivered:
        log.error("%s was not told: %s", channel, problem)


def _summary(looked: "Look", *, has_channels: bool) -> str:
    parts = [f"{one.key}: {one.title}" for one in looked.situations] or ["all is well"]
    if looked.situations and not has_channels:
        parts.append("REFUNDS_ALERTS is not set, so nobody is told")
    parts += [f"{name} was not told: {problem}" for name, problem in looked.told.undelivered]
    if looked.heartbeat not in {"sent", "not set"}:
        parts.append(f"heartbeat: {looked.heartbeat}")
    return "; ".join(parts)
