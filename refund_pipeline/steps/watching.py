"""One look at everything a person must know of, and telling what is news.

The ledger is asked here; what Dagster shows is passed in, since this room knows no Dagster. A part
that cannot be looked at is a situation of its own or left as it was, never taken for being well.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, timezone
from typing import Protocol

from refund_pipeline.domain.alerts import Notice, Situation
from refund_pipeline.domain.errors import PipelineError, SystemicFailure
from refund_pipeline.domain.landing_silence import (
    SHORTEST_LIMIT,
    longest_pause,
    usual_limit,
    windows,
)
from refund_pipeline.domain.retry_policy import WAITING_TOO_LONG
from refund_pipeline.domain.situations import (
    DAGSTER,
    LANDING,
    LEDGER,
    OF_DAGSTER,
    OF_THE_LEDGER,
    dagster_unusable,
    ledger_unusable,
    nothing_lands,
    of_the_ledger,
    run_situation,
    sensor_situation,
    subscription_situation,
)
from refund_pipeline.domain.standing import WATCH_SUBSCRIPTION, FailedRun, SensorTicks
from refund_pipeline.gateways.alert_file import AlertFile
from refund_pipeline.gateways.alert_texts import Message
from refund_pipeline.gateways.alerts import Alerts, Heartbeat
from refund_pipeline.gateways.landing_bucket import LandingBucket
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.watched import WatchedLedger
from refund_pipeline.steps.telling import Memory, Told, tell

TICK_LIMIT = timedelta(minutes=15)


class DagsterUnreadable(PipelineError):
    """Dagster's storage cannot be read."""


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on something is worth telling."""

    outstanding: timedelta = WAITING_TOO_LONG
    tick: timedelta = TICK_LIMIT


class DagsterView(Protocol):
    """What Dagster shows; both raise `DagsterUnreadable` when its storage cannot be read."""

    def landing_sensor(self) -> SensorTicks:
        """Return how the landing sensor ticks."""

    def failed_runs(self, *, lasting: frozenset[str]) -> Sequence[FailedRun]:
        """Return the runs that failed for good and were not made good since.

        `lasting` are the keys of the situations that are not over, as far as is known: their runs
        are looked at however old they are.
        """


@dataclass(frozen=True, slots=True)
class Watch:
    """What a look needs. `dagster` and `bucket` are None where there is nothing to ask."""

    ledger: Ledger
    dagster: DagsterView | None
    bucket: LandingBucket | None
    channels: Sequence[Alerts]
    heartbeat: Heartbeat | None
    notes: AlertFile
    tenant: str
    start: date | None
    """The first landing day that is ours."""
    limits: Limits
    clock: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Look:
    """What a look saw, and whom it told."""

    at: datetime
    situations: tuple[Situation, ...]
    looked_at: frozenset[str]
    told: Told
    heartbeat: str
    """`sent`, `not set`, or why it was not sent."""

    @property
    def is_whole(self) -> bool:
        """Whether everything could be looked at and everybody be told."""
        blind = any(one.kind in {LEDGER, DAGSTER} for one in self.situations)
        return not blind and not self.told.undelivered


def look(watch: Watch) -> Look:
    """Look at everything, tell what is news, and let the heartbeat beat if all of that worked."""
    now = watch.clock()
    seen, looked_at, told, lost = list[Situation](), set[str](), Told(), list[Situation]()
    try:
        ledger = watch.ledger.for_the_watch()
        seen, looked_at = _seen(watch, ledger, now)
        told = _tell(watch, ledger, seen, looked_at)
    except SystemicFailure as error:
        lost.append(ledger_unusable(str(error), now=now))
    noted = _tell(watch, watch.notes, lost, {LEDGER})
    looked = Look(
        at=now,
        situations=(*lost, *seen),
        looked_at=frozenset({*looked_at, LEDGER}),
        told=Told(
            (*noted.notices, *told.notices),
            tuple(dict((*noted.undelivered, *told.undelivered)).items()),
        ),
        heartbeat="not set",
    )
    return looked if watch.heartbeat is None else _beat(watch.heartbeat, looked)


def trial_message(tenant: str, now: datetime) -> Message:
    """Return a message that says nothing but that it arrived."""
    situation = Situation(
        key="test",
        title="This is a test",
        text="Alerts of refund_pipeline arrive here.",
        severity="warning",
        since=now,
        what_to_do="Nothing.",
        runbook="alerts",
    )
    return Message(tenant, now, (Notice("new", situation, ()),))


def _tell(
    watch: Watch, memory: Memory, seen: Sequence[Situation], looked_at: Collection[str]
) -> Told:
    return tell(
        memory,
        seen,
        looked_at=looked_at,
        channels=watch.channels,
        tenant=watch.tenant,
        clock=watch.clock,
    )


def _beat(heartbeat: Heartbeat, looked: Look) -> Look:
    if not looked.is_whole:
        return replace(looked, heartbeat="withheld: not all could be looked at, or told")
    try:
        heartbeat.beat()
    except SystemicFailure as error:
        return replace(looked, heartbeat=str(error))
    return replace(looked, heartbeat="sent")


def _seen(watch: Watch, ledger: WatchedLedger, now: datetime) -> tuple[list[Situation], set[str]]:
    limit = watch.limits.outstanding
    standing = ledger.standing(landed_before=now - limit)
    seen = [*of_the_ledger(standing, limit=limit, now=now), *_landing(watch, ledger, now)]
    looked_at = {*OF_THE_LEDGER, LANDING}
    if watch.dagster is None:
        return seen, looked_at
    try:
        seen.extend(_of_dagster(watch.dagster, watch.limits, ledger, now))
        looked_at |= OF_DAGSTER
    except DagsterUnreadable as error:
        seen.append(dagster_unusable(str(error), now=now))
    return seen, {*looked_at, DAGSTER}


def _of_dagster(
    dagster: DagsterView, limits: Limits, ledger: WatchedLedger, now: datetime
) -> list[Situation]:
    found = [
        subscription_situation(run) if run.job == WATCH_SUBSCRIPTION else run_situation(run)
        for run in dagster.failed_runs(lasting=ledger.lasting())
    ]
    sensor = sensor_situation(dagster.landing_sensor(), limit=limits.tick, now=now)
    return [*found, sensor] if sensor is not None else found


def _landing(watch: Watch, ledger: WatchedLedger, now: datetime) -> Iterator[Situation]:
    last = ledger.last_landed(now=now)
    since = last or _begin(watch.start)
    if since is None or now - since <= SHORTEST_LIMIT:
        return  # most looks end here: the history is read only when there is a silence
    pauses = (longest_pause(ledger.landed_around(*one), one) for one in windows(now))
    limit = usual_limit([pause for pause in pauses if pause is not None])
    if now - since > limit:
        unread = _unread(watch, since)
        yield nothing_lands(last, since=since, limit=limit, unread=unread, now=now)


def _unread(watch: Watch, since: datetime) -> int:
    """Count the files that came later and are not in the ledger, as far as one listing shows."""
    if watch.bucket is None:
        return 0
    try:
        page = next(iter(watch.bucket.since(since)), [])
    except SystemicFailure:
        return 0  # S3 cannot be asked: that nothing is read is true all the same
    known = watch.ledger.known_files([item.key for item in page])
    return sum(item.landed_at is not None and (item.key, item.etag) not in known for item in page)


def _begin(start: date | None) -> datetime | None:
    return None if start is None else datetime.combine(start, time.min, timezone.utc)
