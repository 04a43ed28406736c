"""What Dagster's storage shows to the watch: how the landing sensor ticks, and runs that failed.

A run that Dagster tries again is never shown: what becomes of its retry decides. Tags and tick
states are those of Dagster 1.13 (`_daemon/auto_run_reexecution`, `_daemon/sensor.py`).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import dagster as dg

from refund_pipeline.domain.situations import RUN, SUBSCRIPTION
from refund_pipeline.domain.standing import WATCH_SUBSCRIPTION, FailedRun, SensorTicks
from refund_pipeline.orchestration.jobs import SYNC_REFUNDS
from refund_pipeline.orchestration.report import MAKE_REPORT
from refund_pipeline.steps.watching import DagsterUnreadable

if TYPE_CHECKING:
    from dagster._core.remote_origin import RemoteRepositoryOrigin
    from dagster._core.scheduler.instigation import InstigatorState

LANDING_SENSOR = "landing_bucket_sensor"
ASSET_JOB = "__ASSET_JOB"
"""What Dagster calls the job when assets are materialized from the UI without naming one."""
RECENT = timedelta(days=3)
"""How old a failure may be to be noticed at first: over a weekend without a watch."""
RETRY_WITHIN = timedelta(hours=1)
"""Dagster's daemon makes a retry within seconds. After this long it has not, and says nothing:
it was dead meanwhile, or the run's backfill was canceled."""
_JOBS = frozenset({SYNC_REFUNDS, ASSET_JOB, WATCH_SUBSCRIPTION, MAKE_REPORT})
"""Ours; other projects may have jobs in the same instance."""
_PARTITION = "dagster/partition"
_WILL_RETRY = "dagster/will_retry"
_RETRIED_AS = "dagster/auto_retry_run_id"
_MOST_PER_PARTITION = 50

InstanceOpener = Callable[[], AbstractContextManager[dg.DagsterInstance]]


class InstanceView:
    """The view of one instance; `location` restricts it to one code location, empty to none."""

    def __init__(
        self, opener: InstanceOpener, *, location: str, clock: Callable[[], datetime]
    ) -> None:
        self._opener = opener
        self._location = location
        self._clock = clock

    @classmethod
    def of(
        cls, instance: dg.DagsterInstance, *, location: str, clock: Callable[[], datetime]
    ) -> "InstanceView":
        """Return the view of an instance that somebody else closes."""
        return cls(lambda: nullcontext(instance), location=location, clock=clock)

    @classmethod
    def of_home(cls, *, location: str, clock: Callable[[], datetime]) -> "InstanceView":
        """Return the view of the instance of DAGSTER_HOME, opened for each question."""
        return cls(dg.DagsterInstance.get, location=location, clock=clock)

    def landing_sensor(self) -> SensorTicks:
        """Return how the landing sensor ticks; of several, the one that ticked last."""
        with self._opened() as instance:
            found = [
                _ticks(instance, state)
                for state in instance.all_instigator_state()
                if state.instigator_name == LANDING_SENSOR
                and self._is_ours(state.origin.repository_origin)
            ]
        never = SensorTicks(None, None, None, stopped=False)
        beginning = datetime.min.replace(tzinfo=timezone.utc)
        return max(found, key=lambda one: one.last or beginning, default=never)

    def failed_runs(self, *, lasting: frozenset[str]) -> Sequence[FailedRun]:
        """Return the latest run per job and partition that failed for good, with no success since.

        Those of the last days, and whatever the situations `lasting` are about.
        """
        with self._opened() as instance:
            failures = self._recent_failures(instance)
            for job, partition in _about(lasting):
                if (job, partition) not in failures:
                    failures[job, partition] = self._records(
                        instance, job, partition, dg.DagsterRunStatus.FAILURE
                    )
            found = (
                self._failed(instance, job, partition, records)
                for (job, partition), records in failures.items()
            )
            return sorted(
                (run for run in found if run is not None),
                key=lambda run: (run.failed_at, run.partition),
            )

    def _recent_failures(
        self, instance: dg.DagsterInstance
    ) -> dict[tuple[str, str], list[dg.RunRecord]]:
        records = instance.get_run_records(
            dg.RunsFilter(
                statuses=[dg.DagsterRunStatus.FAILURE], updated_after=self._clock() - RECENT
            )
        )
        failures: dict[tuple[str, str], list[dg.RunRecord]] = defaultdict(list)
        for record in self._ours(records):
            run = record.dagster_run
            if run.job_name in _JOBS:
                failures[run.job_name, run.tags.get(_PARTITION, "")].append(record)
        return failures

    def _failed(
        self,
        instance: dg.DagsterInstance,
        job: str,
        partition: str,
        records: Iterable[dg.RunRecord],
    ) -> FailedRun | None:
        for record in sorted(records, key=_ended_at, reverse=True):
            is_final, given_up = self._is_final(instance, record)
            if is_final:
                break
        else:
            return None
        failed_at = _ended_at(record)
        if self._was_made_good(instance, job, partition, failed_at):
            return None
        run_id = record.dagster_run.run_id
        why = _said(instance, run_id)
        return FailedRun(job, partition, run_id, failed_at, why, given_up=given_up)

    def _is_final(self, instance: dg.DagsterInstance, record: dg.RunRecord) -> tuple[bool, bool]:
        """Return whether the run failed for good, and whether that is because its retry never came.

        The tag is written right after the status; until then nothing is decided.
        """
        run = record.dagster_run
        will_retry = run.tags.get(_WILL_RETRY)
        if will_retry == "false" or not instance.run_retries_enabled:
            return True, False
        if _RETRIED_AS in run.tags:
            return False, False
        if will_retry == "true" and run.remote_job_origin is None:
            return True, False  # started at a shell: the daemon cannot start it
        given_up = self._clock() - _ended_at(record) > RETRY_WITHIN
        return given_up, given_up

    def _was_made_good(
        self, instance: dg.DagsterInstance, job: str, partition: str, failed_at: datetime
    ) -> bool:
        """Whether the partition succeeded since, by the same job or by the one that does it all."""
        names = {job, SYNC_REFUNDS} if job == ASSET_JOB else {job}
        return any(
            _ended_at(record) > failed_at
            for name in sorted(names)
            for record in self._records(
                instance, name, partition, dg.DagsterRunStatus.SUCCESS, since=failed_at
            )
        )

    def _records(
        self,
        instance: dg.DagsterInstance,
        job: str,
        partition: str,
        status: dg.DagsterRunStatus,
        *,
        since: datetime | None = None,
    ) -> list[dg.RunRecord]:
        records = instance.get_run_records(
            dg.RunsFilter(
                job_name=job,
                statuses=[status],
                tags={_PARTITION: partition} if partition else {},
                updated_after=since,
            ),
            limit=_MOST_PER_PARTITION,
        )
        return [one for one in self._ours(records) if partition == _partition_of(one)]

    def _ours(self, records: Iterable[dg.RunRecord]) -> Iterator[dg.RunRecord]:
        for record in records:
            origin = record.dagster_run.remote_job_origin
            if origin is None or self._is_ours(origin.repository_origin):
                yield record

    def _is_ours(self, repository: "RemoteRepositoryOrigin") -> bool:
        name = repository.code_location_origin.location_name
        return self._location in {"", name}

    @contextmanager
    def _opened(self) -> Iterator[dg.DagsterInstance]:
        try:
            with self._opener() as instance:
                yield instance
        except Exception as error:
            # Whatever it is (a database, a file, a setting), that Dagster cannot be read is news.
            raise DagsterUnreadable(
                f"Dagster's storage cannot be read ({type(error).__name__})."
            ) from error


def _ticks(instance: dg.DagsterInstance, state: "InstigatorState") -> SensorTicks:
    from dagster._core.scheduler.instigation import InstigatorStatus, TickStatus

    good = instance.get_ticks(
        state.instigator_origin_id,
        state.selector_id,
        statuses=[TickStatus.SUCCESS, TickStatus.SKIPPED],
        limit=1,
    )
    data = state.sensor_instigator_data
    return SensorTicks(
        last=_moment(data.last_tick_start_timestamp if data else None),
        last_good=_moment(good[0].timestamp if good else None),
        started=_moment(data.last_sensor_start_timestamp if data else None),
        stopped=state.status is InstigatorStatus.STOPPED,
    )


def _about(lasting: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield job and partition of the situations that are about runs."""
    for key in sorted(lasting):
        kind, _, of = key.partition(":")
        if kind == SUBSCRIPTION:
            yield WATCH_SUBSCRIPTION, ""
        elif kind == RUN:
            job, _, partition = of.partition(":")
            yield job, partition


def _partition_of(record: dg.RunRecord) -> str:
    return record.dagster_run.tags.get(_PARTITION, "")


def _ended_at(record: dg.RunRecord) -> datetime:
    return _moment(record.end_time) or record.update_timestamp.replace(tzinfo=timezone.utc)


def _moment(timestamp: float | None) -> datetime | None:
    return None if timestamp is None else datetime.fromtimestamp(timestamp, tz=timezone.utc)


def _said(instance: dg.DagsterInstance, run_id: str) -> str:
    """Return what the run failed with, if the sentence is ours (a `dg.Failure`); else nothing.

    Other exceptions may say anything, so they stay in Dagster.
    """
    found = instance.get_records_for_run(
        run_id, of_type=dg.DagsterEventType.STEP_FAILURE, limit=1, ascending=False
    )
    for record in found.records:
        event = record.event_log_entry.dagster_event
        ours = event.step_failure_data.user_failure_data if event else None
        if ours is not None:
            return ours.description or ""
    return ""
