"""Who dies when: run workers at a random age, services now and then; and what they were at."""

import os
import random
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import dagster as dg
from dagster._core.events.log import EventLogEntry

from refund_pipeline_tests.chaos.services import Services, Worker

_SPARED = 0.15
"""The share of workers that may end by themselves, which also shows how long that takes."""
_CRASHES = 0.07
"""How often a service dies instead of a worker."""
_FIRST_GUESS = 12.0
_PHASES = (
    *("start-up", "refund_events", "order_payments", "refund_transactions", "erp_postings"),
    *("refund_reconciliation", "between steps"),
)


@dataclass(frozen=True, slots=True)
class Kill:
    """One killed worker, by the wall clock."""

    pid: int
    at: float


@dataclass(frozen=True, slots=True)
class _Fate:
    seen: float
    dies_at: float | None


class Killer:
    """Kills each worker at a random age, up to the length of a run on this machine.

    Half of them live at least until they have started up, so that steps are hit as well.
    """

    def __init__(self, services: Services, chance: random.Random) -> None:
        self.kills: list[Kill] = []
        self.crashes: Counter[str] = Counter()
        self._services = services
        self._chance = chance
        self._fates: dict[Worker, _Fate] = {}
        self._length = _FIRST_GUESS

    def look(self) -> bool:
        """Kill what is due; True if something was."""
        self._services.revive()
        now, before = time.monotonic(), len(self.kills)
        alive = self._services.workers()
        for worker in set(self._fates) - set(alive):
            fate = self._fates.pop(worker)
            if fate.dies_at is None:
                self._length += 0.3 * (now - fate.seen - self._length)
        for worker in alive:
            fate = self._fates.setdefault(worker, self._new_fate(now))
            if fate.dies_at is not None and now >= fate.dies_at:
                self._kill(worker)
        return len(self.kills) > before

    def _new_fate(self, now: float) -> _Fate:
        spared = self._chance.random() < _SPARED
        age = self._length * self._chance.uniform(self._chance.choice((0.0, 0.4)), 1.1)
        return _Fate(now, None if spared else now + age)

    def _kill(self, worker: Worker) -> None:
        self._fates.pop(worker, None)
        if self._chance.random() >= _CRASHES:
            if self._services.kill(worker):
                self.kills.append(Kill(worker.pid, time.time()))
            return
        if self._chance.random() < 0.4:
            self._services.crash("daemon")
            self.crashes["daemon"] += 1
        elif self._chance.random() < 0.3:
            self._services.crash("code-server", alone=True)
            self.crashes["code server without its runs"] += 1
        else:
            there = self._services.workers()
            self._services.crash("code-server")
            at = time.time()
            left = self._services.workers()
            self.kills += [Kill(one.pid, at) for one in there if one not in left]
            self.crashes["code server with its runs"] += 1
            self._fates.clear()


@dataclass(frozen=True, slots=True)
class Story:
    """What Dagster's event log says about the campaign; `phases` counts kills."""

    runs: int
    retries: int
    lost_runs: int
    phases: Mapping[str, int]


def story_of(home: Path, storage: Mapping[str, str], kills: Sequence[Kill]) -> Story:
    """Read the event log of the instance in `home`."""
    with (
        mock.patch.dict(os.environ, storage),
        dg.DagsterInstance.from_config(str(home)) as instance,
    ):
        runs = instance.get_runs()
        logs = [list(instance.all_logs(run.run_id)) for run in runs]
    deaths = Counter(_phase(kill, logs) for kill in kills)
    return Story(
        runs=len(runs),
        retries=sum("dagster/retry_number" in run.tags for run in runs),
        lost_runs=sum(
            any("process of this run is gone" in one.message for one in log) for log in logs
        ),
        phases={
            one: deaths[one]
            for one in (*_PHASES, *sorted(set(deaths) - set(_PHASES)))
            if deaths[one]
        },
    )


def _phase(kill: Kill, logs: Iterable[Sequence[EventLogEntry]]) -> str:
    """Return what the worker was at: of runs with its number, the last that began before."""
    runs = [(began, log) for log in logs if (began := _began(kill.pid, log)) is not None]
    earlier = [(began, log) for began, log in runs if began <= kill.at]
    if not earlier:
        return "start-up"
    _, log = max(earlier, key=lambda one: one[0])
    phase = "start-up"
    for entry in log:
        event = entry.dagster_event
        if event is None or entry.timestamp > kill.at:
            continue
        if event.is_step_start:
            phase = str(event.step_key)
        elif event.is_step_success or event.is_step_failure:
            phase = "between steps"
    return phase


def _began(pid: int, log: Iterable[EventLogEntry]) -> float | None:
    for entry in log:
        event = entry.dagster_event
        if event is not None and event.event_type is dg.DagsterEventType.ENGINE_EVENT:
            noted = event.engine_event_data.metadata.get("pid")
            if noted is not None and str(noted.value) == str(pid):
                return entry.timestamp
    return None
