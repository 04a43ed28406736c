"""The hourly watch: our event stream integration runs, or a run fails and says what to do.

NewStore stops streams in practice (contract newstore 1.1). A run that had to start it again fails
too, so that the alert on failed runs tells people to replay the gap.
"""

from datetime import datetime, timezone

import dagster as dg

from refund_pipeline.domain.standing import WATCH_SUBSCRIPTION
from refund_pipeline.orchestration.failures import (
    MAX_RETRIES_TAG,
    PermanentFailure,
    stop_run_retries,
    systemic_failures,
)
from refund_pipeline.orchestration.resources import Clock, SubscriptionResource, integration_id

_NOT_SET = "NEWSTORE_INTEGRATION_ID is not set; no subscription is watched"


@dg.op(
    name="subscription_runs",
    description="Starts our event stream integration if it was stopped, and fails then.",
)
def subscription_runs(
    context: dg.OpExecutionContext, clock: Clock, subscription: SubscriptionResource
) -> None:
    """Fail unless our integration ran and delivers refunds."""
    from refund_pipeline.steps.subscription import Runs, alert, ensure_running

    ours = subscription.integration_id
    if not ours:
        raise PermanentFailure(_NOT_SET)
    with systemic_failures():
        watched = ensure_running(subscription.open(), ours, sleep=clock.sleep)
    problem = alert(watched, ours, ran_at=_last_success(context.instance), now=clock.now())
    if problem is not None:
        raise PermanentFailure(problem)
    if isinstance(watched, Runs):
        target = watched.integration.target
        context.add_output_metadata(
            {
                "integration": ours,
                "status": watched.integration.status,
                "target": "not shown by NewStore" if target is None else target.shown,
                "events": ", ".join(watched.integration.event_filter) or "all events",
            }
        )


@dg.job(
    name=WATCH_SUBSCRIPTION,
    description=(
        "Asks NewStore whether our event stream integration runs, starts it if it does not, and "
        "fails unless it ran all along."
    ),
    executor_def=dg.in_process_executor,
    hooks={stop_run_retries},
    # The next hour looks again; a retry would find it running and hide that it was stopped.
    tags={MAX_RETRIES_TAG: "0"},
)
def watch_subscription() -> None:
    """Run the one op."""
    subscription_runs()


@dg.schedule(
    name="watch_subscription_hourly",
    job=watch_subscription,
    cron_schedule="7 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Looks every hour whether NewStore still delivers.",
)
def watch_subscription_hourly() -> dg.RunRequest | dg.SkipReason:
    """Request the watch, unless there is nothing to watch."""
    return dg.RunRequest() if integration_id() else dg.SkipReason(_NOT_SET)


def _last_success(instance: dg.DagsterInstance) -> datetime | None:
    """Return when the last watch that found it running began."""
    found = instance.get_run_records(
        filters=dg.RunsFilter(job_name=WATCH_SUBSCRIPTION, statuses=[dg.DagsterRunStatus.SUCCESS]),
        limit=1,
    )
    began = found[0].start_time if found else None
    return None if began is None else datetime.fromtimestamp(began, tz=timezone.utc)
