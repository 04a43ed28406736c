"""What Dagster's daemon does, on a clock that moves only when somebody sleeps or it is moved.

The real sensors are evaluated every thirty seconds, and what they request is run in this process:
the real job, its real steps and gateways, the sandbox over loopback. Dagster decides itself whether
a failed run is tried again. Which outage happens when is told elsewhere.
"""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as dt_time
from typing import Any
from unittest import mock

import dagster as dg
import stamina.instrumentation

from refund_pipeline.definitions import build_definitions
from refund_pipeline.domain.errors import PipelineError
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.orchestration.history import landed_history_sensor
from refund_pipeline.orchestration.resources import Clock, LedgerResource, default_resources
from refund_pipeline.orchestration.schedules import close_landing_day
from refund_pipeline.orchestration.sensors import landing_bucket_sensor, outstanding_refunds_sensor
from refund_pipeline_tests.chaos.rows import CampaignFailed

TICK = timedelta(seconds=30)
_PROCESS_STARTS = 8.0
"""Seconds from a run's request, or from a failure that is retried, to its first step."""
_SENSORS = (landing_bucket_sensor, landed_history_sensor, outstanding_refunds_sensor)
_CLOSES_AT = dt_time(0, 20)
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_INSTANCE = {"run_retries": {"enabled": True, "max_retries": 0}, "telemetry": {"enabled": False}}


class ScaledClock:
    """Time for everybody in a campaign; sleeping moves it, side by side where threads sleep."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        self.move_to(self._now + timedelta(seconds=seconds))

    def move_to(self, moment: datetime) -> None:
        with self._lock:
            self._now = max(self._now, moment)


@contextlib.contextmanager
def nobody_waits(clock: ScaledClock) -> Iterator[None]:
    """Let sleeping move the clock: of every thread but those that are there already."""
    real, servers = time.sleep, set(threading.enumerate()) - {threading.current_thread()}

    def _sleep(seconds: float) -> None:
        (real if threading.current_thread() in servers else clock.sleep)(seconds)

    with mock.patch.object(time, "sleep", _sleep):
        yield


@dataclass(frozen=True, slots=True)
class RunMade:
    """One run: when it began, for which day and why, how it ended, and what the meter says then."""

    at: datetime
    day: date
    key: str
    retry: int
    success: bool
    meter: int


class ScaledDay:
    """The daemon and its runs; open it with `scaled_day`."""

    def __init__(
        self,
        clock: ScaledClock,
        instance: dg.DagsterInstance,
        overrides: Mapping[str, object],
        *,
        tick: timedelta,
    ) -> None:
        self.clock = clock
        self.runs: list[RunMade] = []
        self.failed_ticks = 0
        self.meter: Callable[[], int] = lambda: 0
        """What is read at the end of each run."""
        self.before_run: Callable[[], object] = lambda: None
        """What is waited for in real time before each run."""
        self._instance = instance
        self._definitions = build_definitions(**overrides)
        self._resources = {**default_resources(), **overrides}
        self._job = self._definitions.resolve_job_def("sync_refunds")
        self._cursors: dict[str, str | None] = {}
        self._keys: set[str] = set()
        self._tick = tick
        self._next_tick = clock.now()
        self._closed = clock.now().date()

    def go_on(self, until: Callable[[], bool], *, longest: timedelta) -> bool:
        """Tick until something is so, or `longest` is over; say whether it is so."""
        end = self.clock.now() + longest
        while not until():
            if self._next_tick > end:
                self.clock.move_to(end)
                return until()
            self.clock.move_to(self._next_tick)
            self._next_tick = self.clock.now() + self._tick
            self.tick()
        return True

    def tick(self) -> None:
        """Evaluate sensors and schedule, and run what they request."""
        for sensor in _SENSORS:
            self._run_new(self._requests_of(sensor))
        self._run_new(self._closing())

    def _run_new(self, requests: Iterable[dg.RunRequest]) -> None:
        for request in requests:
            if request.run_key not in self._keys:
                self._keys.add(str(request.run_key))
                self._run(request)

    def _closing(self) -> list[dg.RunRequest]:
        now = self.clock.now()
        if now.date() == self._closed or now.time() < _CLOSES_AT:
            return []
        self._closed = now.date()
        with dg.build_schedule_context(
            instance=self._instance,
            scheduled_execution_time=now,
            repository_def=self._definitions.get_repository_def(),
        ) as context:
            return list(close_landing_day.evaluate_tick(context).run_requests or ())

    def _requests_of(self, sensor: dg.SensorDefinition) -> list[dg.RunRequest]:
        with dg.build_sensor_context(
            instance=self._instance,
            cursor=self._cursors.get(sensor.name),
            definitions=self._definitions,
            resources=self._resources,
        ) as context:
            try:
                found = sensor.evaluate_tick(context)
            except Exception as error:  # noqa: BLE001  (Dagster raises its own around ours)
                _require_told(error)
                self.failed_ticks += 1
                return []
        self._cursors[sensor.name] = found.cursor
        return list(found.run_requests or ())

    def _run(self, request: dg.RunRequest) -> None:
        tags, retry = dict(request.tags), 0
        while True:
            self.clock.sleep(_PROCESS_STARTS)
            self.before_run()
            at = self.clock.now()
            result = self._job.execute_in_process(
                instance=self._instance,
                partition_key=request.partition_key,
                tags=tags,
                run_config={**_QUIET, **request.run_config},
                raise_on_error=False,
            )
            day = date.fromisoformat(str(request.partition_key))
            self.runs.append(
                RunMade(at, day, str(request.run_key), retry, result.success, self.meter())
            )
            for event in result.all_events:
                if event.is_step_failure and event.step_failure_data.user_failure_data is None:
                    raise CampaignFailed(f"a run crashed: {event.step_failure_data.error}")
            if not self._is_retried(result, retry):
                return
            retry += 1
            tags["dagster/retry_number"] = str(retry)

    def _is_retried(self, result: Any, retries: int) -> bool:
        run = self._instance.get_run_by_id(result.run_id)
        if run is None or run.tags.get("dagster/will_retry") != "true":
            return False
        # Dagster counts the runs of a group; runs in process have none.
        self._instance.add_run_tags(run.run_id, {"dagster/auto_retry_run_id": "made"})
        return retries < int(run.tags.get("dagster/max_retries", "0"))


def _require_told(error: BaseException) -> None:
    """Let through only what the sensors raise on purpose."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, PipelineError):
        cause = cause.__cause__
    if cause is None:
        raise CampaignFailed("a sensor crashed") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Log nothing: an outage makes thousands of lines."""
    stamina.instrumentation.set_on_retry_hooks([])
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        stamina.instrumentation.set_on_retry_hooks(None)


@contextlib.contextmanager
def scaled_day(
    clock: ScaledClock,
    environment: Mapping[str, str],
    *,
    tick: timedelta = TICK,
    overrides: Callable[[ScaledClock], dict[str, object]] = lambda _: {},
) -> Iterator[ScaledDay]:
    """Open a daemon with this environment; every ledger and every pause is on `clock`."""

    class ScaledClockResource(Clock):
        def now(self) -> datetime:
            return clock.now()

        def sleep(self, seconds: float) -> None:
            clock.sleep(seconds)

    class ScaledLedgerResource(LedgerResource):
        def open(self, run_id: str = "") -> Ledger:
            if self._ledger is None:
                self._ledger = Ledger(self.url, clock=clock.now, run_id=run_id)
            return self._ledger

    with (
        mock.patch.dict(os.environ, environment),
        _quiet(),
        nobody_waits(clock),
        dg.DagsterInstance.ephemeral(settings=_INSTANCE) as instance,
    ):
        ours = {
            "clock": ScaledClockResource(),
            "ledger": ScaledLedgerResource(url=environment["REFUNDS_LEDGER_URL"]),
            **overrides(clock),
        }
        yield ScaledDay(clock, instance, ours, tick=tick)
