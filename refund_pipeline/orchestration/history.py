"""History: the landing days before today, looked through once a day, a few days at a time.

It is why nothing that landed is overlooked for ever: on the first deployment on a bucket with
history, after a cursor, the ledger or Dagster's storage was lost, after the daemon stood still, and
when a file arrives late under an old name. Whatever the reason, live days go first.
"""

import json
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import dagster as dg

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.orchestration.failures import MAX_RETRIES_TAG
from refund_pipeline.orchestration.jobs import SYNC_REFUNDS
from refund_pipeline.orchestration.partitions import midnight
from refund_pipeline.orchestration.planning import (
    REPEAT_AFTER,
    DayRequest,
    UnreadFile,
    day_request,
    files_by_day,
)
from refund_pipeline.orchestration.resources import (
    Clock,
    LandingBucketResource,
    LedgerResource,
    start_date,
)
from refund_pipeline.orchestration.sensors import (
    ATTEMPTS,
    NO_START,
    TICK_BUDGET_SECONDS,
    UNFINISHED,
    busy_days,
    run_requests_of,
    unread_files,
)

LANE_TAG = "refund_pipeline/lane"
HISTORY = "history"
EVERY = timedelta(days=1)
"""How often history is looked through once it is clean."""
FAR = timedelta(days=35)
"""How far back; the first time, and whenever the cursor is deleted, to REFUNDS_START_DATE."""
MOST_LATE_DAYS = 3
"""Days with late files that are taken for that; more of them are a ledger that was lost."""
MOST_WAITING = 10
"""Days of history with a run queued or running; the queue runs two at a time (dagster.yaml)."""
_INTERVAL = 60
_TAGS = {LANE_TAG: HISTORY, MAX_RETRIES_TAG: "0"}


@dataclass(frozen=True, slots=True)
class Sweep:
    """How far a look through history has come."""

    position: datetime | None
    """Where it goes on; None: the next one begins at `not_before`."""
    oldest_unread: datetime | None
    not_before: datetime
    read_before: datetime | None = None
    """All that landed before this moment had been read by then."""

    def write(self) -> str:
        """Write it as a cursor."""
        moments = (self.position, self.oldest_unread, self.not_before, self.read_before)
        return json.dumps([None if moment is None else moment.isoformat() for moment in moments])

    @staticmethod
    def read(cursor: str) -> "Sweep":
        """Read it back."""
        moments = [text and datetime.fromisoformat(text) for text in json.loads(cursor)]
        position, oldest_unread, not_before, read_before = moments
        return Sweep(position, oldest_unread, not_before, read_before)

    def is_due(self, now: datetime) -> bool:
        """Whether it is time; a time further off was set by a clock that ran ahead."""
        return not now < self.not_before <= now + EVERY


def plan_history(
    unread: Sequence[UnreadFile],
    *,
    sweep: Sweep,
    reached: datetime,
    is_complete: bool,
    busy_days: Collection[date],
    room: int,
    now: datetime,
) -> tuple[tuple[DayRequest, ...], Sweep]:
    """Request the oldest `room` days of what this tick listed, and say where the next goes on.

    `reached` is how far the listing came, `is_complete` whether that was all of history. What is
    unread then is looked at again after a while, since a request may have led to nothing.

    Raises:
        Misconfigured: what had been read is unread; a person must look whether the ledger is lost.
    """
    _refuse_a_lost_ledger(unread, sweep)
    by_day = files_by_day(unread)
    wanted = [day for day in by_day if day not in busy_days]
    requests = tuple(day_request(HISTORY, day, by_day[day], now=now) for day in wanted[:room])
    oldest = min(
        [*([sweep.oldest_unread] if sweep.oldest_unread else []), *map(midnight, by_day)],
        default=None,
    )
    if len(wanted) > room:
        return requests, replace(
            sweep, position=midnight(wanted[room]), oldest_unread=oldest, not_before=now
        )
    if not is_complete:
        return requests, replace(sweep, position=reached, oldest_unread=oldest, not_before=now)
    if oldest is not None:
        return requests, replace(
            sweep, position=oldest, oldest_unread=None, not_before=now + REPEAT_AFTER
        )
    return requests, Sweep(None, None, now + EVERY, read_before=midnight(now.date()))


def _refuse_a_lost_ledger(unread: Sequence[UnreadFile], sweep: Sweep) -> None:
    """Stop where days that had been read are unread: that is no file that comes late.

    Running them would rebuild the ledger, but not what people decided in it.
    """
    before = sweep.read_before
    days = {file.day for file in unread if before is not None and file.day < before.date()}
    if len(days) > MOST_LATE_DAYS:
        raise Misconfigured(
            f"{len(days)} or more landing days that had been read are unread, from {min(days)} on: "
            "is this another ledger, or an older one? Nothing was requested; docs/operations.md, "
            "Recovery, has what to do, and deleting this sensor's cursor has them read"
        )


@dg.sensor(
    name="landed_history_sensor",
    job_name=SYNC_REFUNDS,
    minimum_interval_seconds=_INTERVAL,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests, a few at a time and behind what is live, older landing days with files "
    "the ledger does not know. Delete its cursor to have it look from REFUNDS_START_DATE on.",
)
def landed_history_sensor(
    context: dg.SensorEvaluationContext,
    clock: Clock,
    ledger: LedgerResource,
    landing_bucket: LandingBucketResource,
) -> dg.SensorResult | dg.SkipReason:
    """Look through the next stretch of history."""
    start, now = start_date(), clock.now()
    if start is None:
        return dg.SkipReason(NO_START)
    sweep = Sweep.read(context.cursor) if context.cursor else Sweep(midnight(start), None, now)
    if not sweep.is_due(now):
        found = "everything had been read" if sweep.position is None else "some days were unread"
        return dg.SkipReason(f"{found}; the next look is at {sweep.not_before:%F %H:%M} UTC")
    room = MOST_WAITING - _waiting(context.instance)
    if room <= 0:
        return dg.SkipReason(f"{MOST_WAITING} days of history are waiting for their runs")
    until = midnight(now.date())
    reached = max(midnight(start), sweep.position or midnight(now.date()) - FAR)
    unread, is_complete = list[UnreadFile](), True
    deadline = time.monotonic() + TICK_BUDGET_SECONDS
    bucket, book = landing_bucket.open(attempts=ATTEMPTS), ledger.open()
    if reached < until:
        for page in bucket.since(reached):
            ours = [item for item in page if item.listing_day and item.listing_day < until.date()]
            unread += unread_files(ours, book, start=start)
            if len(ours) < len(page):
                break
            reached = max([reached, *(item.landed_at for item in ours if item.landed_at)])
            days = {file.day for file in unread}
            if len(days) > MOST_WAITING or time.monotonic() > deadline:
                is_complete = False
                break
    requests, sweep = plan_history(
        unread,
        sweep=sweep,
        reached=reached,
        is_complete=is_complete,
        busy_days=busy_days(context.instance),
        room=room,
        now=now,
    )
    return dg.SensorResult(
        run_requests=list(run_requests_of(requests, _TAGS)), cursor=sweep.write()
    )


def _waiting(instance: dg.DagsterInstance) -> int:
    return instance.get_runs_count(
        dg.RunsFilter(statuses=list(UNFINISHED), tags={LANE_TAG: HISTORY})
    )
