"""The sensors: what has landed unread, what is outstanding and due; `planning.py` decides.

What landed longer ago than two days is `history.py`.
"""

import json
import time
from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import dagster as dg

from refund_pipeline.orchestration.failures import MAX_RETRIES_TAG
from refund_pipeline.orchestration.jobs import SYNC_REFUNDS
from refund_pipeline.orchestration.partitions import day_of, midnight
from refund_pipeline.orchestration.planning import (
    Backoff,
    DayRequest,
    DueDay,
    UnreadFile,
    listing_start,
    plan_landing,
    plan_outstanding,
)
from refund_pipeline.orchestration.resources import (
    Clock,
    LandingBucketResource,
    LedgerResource,
    start_date,
)

if TYPE_CHECKING:
    from refund_pipeline.gateways.landing_bucket import LandedObject
    from refund_pipeline.gateways.ledger.ledger import Ledger

PARTITION_TAG = "dagster/partition"
TICK_BUDGET_SECONDS = 20.0
"""Dagster ends a tick after 60 s; what is not listed by then is listed by the next tick."""
ATTEMPTS = 2
"""How often a tick asks S3 the same; the next tick asks again, also while S3 is down."""
_INTERVAL = 30
_LIVE = {"dagster/priority": "10"}
"""What landed goes before backfills, in the queue and for the ERP's pool; those have 0."""
NO_START = "REFUNDS_START_DATE is not set; no day is requested"


@dg.sensor(
    name="landing_bucket_sensor",
    job_name=SYNC_REFUNDS,
    minimum_interval_seconds=_INTERVAL,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests the landing days of files in the bucket that the ledger does not know: "
    "today and the two days before; landed_history_sensor looks at what is older.",
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
        return dg.SkipReason(NO_START)
    now = clock.now()
    cursor = datetime.fromisoformat(context.cursor) if context.cursor else None
    listed_from = listing_start(cursor, start=midnight(start), now=now)
    newest_seen, unread = listed_from, list[UnreadFile]()
    deadline = time.monotonic() + TICK_BUDGET_SECONDS
    bucket, book = landing_bucket.open(attempts=ATTEMPTS), ledger.open()
    for page in bucket.since(listed_from):
        unread += unread_files(page, book, start=start)
        seen = [min(item.landed_at, now) for item in page if item.landed_at is not None]
        newest_seen = max([newest_seen, *seen])
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
        run_requests=[
            request
            for one in plan.requests
            for request in run_requests_of([one], _tags(context.instance, one.day))
        ],
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
        return dg.SkipReason(NO_START)
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
        run_requests=list(run_requests_of(plan.requests, {**_LIVE, MAX_RETRIES_TAG: "0"})),
        cursor=json.dumps(
            {
                day.isoformat(): [item.requests, item.not_before.isoformat()]
                for day, item in plan.backoffs.items()
            }
        ),
    )


def unread_files(
    page: "Sequence[LandedObject]", ledger: "Ledger", *, start: date
) -> list[UnreadFile]:
    """Return the files of a listing, strays too, that the ledger does not know and `start` wants.

    A file from the future belongs to no day yet.
    """
    known = ledger.known_files([item.key for item in page])
    files = (
        UnreadFile(
            item.key,
            item.etag,
            item.listing_day or item.last_modified.date(),
            item.landed_at or item.last_modified,
        )
        for item in page
        if (item.key, item.etag) not in known and not item.is_ahead
    )
    return [file for file in files if file.day >= start]


def _tags(instance: dg.DagsterInstance, day: date) -> dict[str, str]:
    """Give what landed the fast lane, unless the day's last run failed, its retries too.

    Then something is down, and every new file would ask it four times in a row.
    """
    last = instance.get_runs(
        dg.RunsFilter(job_name=SYNC_REFUNDS, tags={PARTITION_TAG: day.isoformat()}), limit=1
    )
    failed = bool(last) and last[0].status == dg.DagsterRunStatus.FAILURE
    return {**_LIVE, MAX_RETRIES_TAG: "0"} if failed else _LIVE


UNFINISHED = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


def busy_days(instance: dg.DagsterInstance) -> Collection[date]:
    """Return the landing days with a run queued or running, or about to be retried by Dagster."""
    unfinished = instance.get_runs(dg.RunsFilter(statuses=list(UNFINISHED)))
    retried = instance.get_runs(
        dg.RunsFilter(
            statuses=[dg.DagsterRunStatus.FAILURE],
            tags={"dagster/will_retry": "true"},
            # Dagster stores UTC, and compares without looking at the zone.
            updated_after=datetime.now(timezone.utc) - timedelta(minutes=2),
        )
    )
    waiting = [run for run in retried if "dagster/auto_retry_run_id" not in run.tags]
    keys = {run.tags.get(PARTITION_TAG) for run in (*unfinished, *waiting)}
    return {day_of(key) for key in keys if key is not None and "|" not in key}


def run_requests_of(
    requests: Collection[DayRequest], tags: dict[str, str]
) -> Iterator[dg.RunRequest]:
    """Write what was planned as Dagster wants it."""
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
