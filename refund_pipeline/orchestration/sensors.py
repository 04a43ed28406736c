"""The sensors: what has landed unread, what is outstanding and due; `planning.py` decides."""

import json
import time
from collections.abc import Collection, Iterator
from datetime import date, datetime, timedelta

import dagster as dg

from refund_pipeline.orchestration.failures import MAX_RETRIES_TAG
from refund_pipeline.orchestration.jobs import SYNC_REFUNDS
from refund_pipeline.orchestration.partitions import day_of, midnight
from refund_pipeline.orchestration.planning import (
    Backoff,
    DayRequest,
    DueDay,
    UnreadFile,
    plan_landing,
    plan_outstanding,
)
from refund_pipeline.orchestration.resources import (
    Clock,
    LandingBucketResource,
    LedgerResource,
    start_date,
)

PARTITION_TAG = "dagster/partition"
TICK_BUDGET_SECONDS = 20.0
"""Dagster ends a tick after 60 s; what is not listed by then is listed by the next tick."""
_INTERVAL = 30
_NO_START = "REFUNDS_START_DATE is not set; no day is requested"


@dg.sensor(
    name="landing_bucket_sensor",
    job_name=SYNC_REFUNDS,
    minimum_interval_seconds=_INTERVAL,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests the landing days of files in the bucket that the ledger does not know.",
)
def landing_bucket_sensor(
    context: dg.SensorEvaluationContext,
    clock: Clock,
    ledger: LedgerResource,
    landing_bucket: LandingBucketResource,
) -> dg.SensorResult | dg.SkipReason:
    """List what is new, and request the days of unread files."""
    start = start_date()
    if start is None:
        return dg.SkipReason(_NO_START)
    now = clock.now()
    listed_from = datetime.fromisoformat(context.cursor) if context.cursor else midnight(start)
    newest_seen, unread = listed_from, list[UnreadFile]()
    deadline = time.monotonic() + TICK_BUDGET_SECONDS
    bucket, book = landing_bucket.open(), ledger.open()
    for page in bucket.since(listed_from):
        known = book.known_files([item.key for item in page])
        for item in page:
            landed_at = item.landed_at or item.last_modified
            day = item.listing_day or item.last_modified.date()
            if item.landed_at is not None:
                newest_seen = max(newest_seen, min(item.landed_at, now))
            if (item.key, item.etag) not in known and day >= start and not item.is_ahead:
                unread.append(UnreadFile(item.key, item.etag, day, landed_at))
        if time.monotonic() > deadline:
            context.log.info("the tick's time is used up; the next tick goes on from here")
            break
    plan = plan_landing(
        unread,
        newest_seen=newest_seen,
        listed_from=listed_from,
        busy_days=busy_days(context.instance),
        now=now,
    )
    context.log.info("%d unread file(s), %d LIST call(s)", len(unread), bucket.list_calls)
    return dg.SensorResult(
        run_requests=list(_run_requests(plan.requests, {})),
        cursor=plan.resume_at.isoformat(),
    )


@dg.sensor(
    name="outstanding_refunds_sensor",
    job_name=SYNC_REFUNDS,
    minimum_interval_seconds=_INTERVAL,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests the days whose outstanding refunds are due to be tried again.",
)
def outstanding_refunds_sensor(
    context: dg.SensorEvaluationContext, clock: Clock, ledger: LedgerResource
) -> dg.SensorResult | dg.SkipReason:
    """Ask the ledger what is due; those runs are the slow lane and are not retried by Dagster."""
    start = start_date()
    if start is None:
        return dg.SkipReason(_NO_START)
    now = clock.now()
    due = [
        DueDay(item.day, item.due, item.undated)
        for item in ledger.open().outstanding_days(now=now)
        if item.day >= start
    ]
    plan = plan_outstanding(
        due,
        backoffs=_read_backoffs(context.cursor),
        busy_days=busy_days(context.instance),
        now=now,
    )
    return dg.SensorResult(
        run_requests=list(_run_requests(plan.requests, {MAX_RETRIES_TAG: "0"})),
        cursor=json.dumps(
            {
                day.isoformat(): [item.requests, item.not_before.isoformat()]
                for day, item in plan.backoffs.items()
            }
        ),
    )


def busy_days(instance: dg.DagsterInstance) -> Collection[date]:
    """Return the landing days with a run queued or running, or about to be retried by Dagster."""
    unfinished = instance.get_runs(
        dg.RunsFilter(
            statuses=[
                dg.DagsterRunStatus.QUEUED,
                dg.DagsterRunStatus.NOT_STARTED,
                dg.DagsterRunStatus.STARTING,
                dg.DagsterRunStatus.STARTED,
                dg.DagsterRunStatus.CANCELING,
            ]
        )
    )
    retried = instance.get_runs(
        dg.RunsFilter(
            statuses=[dg.DagsterRunStatus.FAILURE],
            tags={"dagster/will_retry": "true"},
            updated_after=datetime.now().astimezone() - timedelta(minutes=2),
        )
    )
    waiting = [run for run in retried if "dagster/auto_retry_run_id" not in run.tags]
    keys = {run.tags.get(PARTITION_TAG) for run in (*unfinished, *waiting)}
    return {day_of(key) for key in keys if key is not None and "|" not in key}


def _run_requests(
    requests: Collection[DayRequest], tags: dict[str, str]
) -> Iterator[dg.RunRequest]:
    for request in requests:
        yield dg.RunRequest(
            run_key=request.run_key, partition_key=request.day.isoformat(), tags=tags
        )


def _read_backoffs(cursor: str | None) -> dict[date, Backoff]:
    if not cursor:
        return {}
    return {
        date.fromisoformat(day): Backoff(requests, datetime.fromisoformat(not_before))
        for day, (requests, not_before) in json.loads(cursor).items()
    }
