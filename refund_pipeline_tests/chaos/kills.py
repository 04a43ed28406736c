"""kill -9 of run workers at random moments of a landing week, with the real daemon recovering.

Services and settings are those of docs/deployment.md, nothing is scaled. A person reruns and
backfills past days all the time, so that there is always a run to kill; after the last kill nobody
does anything. What died when is told from Dagster's event log.
"""

import contextlib
import random
import time
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import sqlalchemy as sa

from refund_pipeline.demo import judge
from refund_pipeline.domain.statuses import OUTSTANDING
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.tables import erp_posting
from refund_pipeline.sandbox.netsuite.faults import Fault
from refund_pipeline.sandbox.retailer import Retailer, SandboxRefund
from refund_pipeline.sandbox.sandbox import Sandbox
from refund_pipeline_tests.chaos.deaths import Killer, Story, story_of
from refund_pipeline_tests.chaos.person import Person
from refund_pipeline_tests.chaos.rows import CampaignFailed, Row
from refund_pipeline_tests.chaos.services import Services
from refund_pipeline_tests.gateways.conftest import own_database
from refund_pipeline_tests.system.host import ROOT

KILLS = 200
PAST_DAYS = 6
_PER_DAY = 30
_PAID_PER_KILL = timedelta(seconds=9)
"""Every second refund of a past day is paid while the kills go on: there is always one to post."""
_LANDS_EVERY = 15.0
_LATENCY_SCALE = 0.1
"""Writes take 0.15 s in the median and 0.8 s at the worst."""
_FAULTS = {
    Fault.LOSE_ANSWER: 0.05,
    Fault.FAIL_AFTER_COMMIT: 0.03,
    Fault.GATEWAY_PAGE_AFTER_COMMIT: 0.02,
    Fault.REFUSE_BUT_CREATE: 0.02,
    Fault.ANSWER_LATE: 0.03,
    Fault.DROP_BEFORE_COMMIT: 0.03,
    Fault.FAIL_BEFORE_COMMIT: 0.02,
    Fault.TOO_MANY_REQUESTS: 0.03,
}
_LONGEST = 4 * 3600.0
_SETTLES_WITHIN = 5400.0
"""The slow lane may have backed off to an hour by then."""


def on_sqlite(seed: int, place: Path, *, kills: int = KILLS) -> Row:
    """Ledger and Dagster's storage are SQLite files in DAGSTER_HOME."""
    url = f"sqlite:///{place / 'refund_ledger.db'}"
    return _campaign("kills, SQLite", seed, place, ROOT / "dagster.yaml", url, {}, kills)


def on_postgresql(seed: int, place: Path, *, kills: int = KILLS) -> Row:
    """Ledger and Dagster's storage are databases of a PostgreSQL server, as in the containers."""
    settings = ROOT / "deploy" / "containers" / "dagster.yaml"
    with own_database() as refunds, own_database() as dagster:
        url = refunds.render_as_string(hide_password=False)
        storage = {"DAGSTER_POSTGRES_URL": dagster.render_as_string(hide_password=False)}
        return _campaign("kills, PostgreSQL", seed, place, settings, url, storage, kills)


def _campaign(
    name: str,
    seed: int,
    place: Path,
    settings: Path,
    ledger_url: str,
    storage: Mapping[str, str],
    kills: int,
) -> Row:
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox(seed, state=place))
        week = _Week(sandbox.retailer, random.Random(seed), paid_within=kills * _PAID_PER_KILL)
        ledger = Ledger(ledger_url, clock=_now)
        stack.callback(ledger.close)
        environment = {
            **sandbox.environment(),
            **storage,
            "REFUNDS_LEDGER_URL": ledger_url,
            "REFUNDS_START_DATE": week.days[0].isoformat(),
        }
        services = stack.enter_context(Services(place, environment, settings=settings))
        killer = Killer(services, random.Random(seed))
        sandbox.netsuite.latency.scale = _LATENCY_SCALE
        sandbox.netsuite.faults.at_random(_FAULTS, seed=seed)
        with Person(services, week.days[:-1], random.Random(seed)):
            open_writes = _kill(killer, week, ledger, kills)
        sandbox.netsuite.faults.at_random({})
        quiet = time.monotonic()
        settled = _settle(services, ledger, len(week.refunds))
        waited = time.monotonic() - quiet
        story = story_of(place, storage, killer.kills)
        held = {row.refund_id for row in ledger.refunds(statuses=("held",), limit=10_000)}
        verdict = judge(week.refunds, sandbox.netsuite.cash_refunds(), held)
        if verdict.wrong or held or sandbox.netsuite.audit.second_payouts:
            raise CampaignFailed(f"wrong in the ERP: {verdict.wrong}; held: {sorted(held)}")
    return Row(
        campaign=name,
        seed=seed,
        cases=len(killer.kills),
        refunds=len(week.refunds),
        faults=_faults(killer, story),
        lost=len(verdict.lost),
        twice=len(verdict.twice),
        outcome=_outcome(story, open_writes, waited if settled else None),
        seconds=time.monotonic() - began,
    )


def _kill(killer: Killer, week: "_Week", ledger: Ledger, kills: int) -> int:
    """Kill so many workers while files land; return how many writes that left open."""
    deadline = time.monotonic() + _LONGEST
    left_open: set[tuple[str, int]] = set()
    while len(killer.kills) < kills:
        if time.monotonic() > deadline:
            raise CampaignFailed(f"only {len(killer.kills)} workers to kill in {_LONGEST:.0f} s")
        week.land()
        if killer.look():
            left_open |= _begun(ledger)
        time.sleep(0.1)
    return len(left_open)


def _begun(ledger: Ledger) -> set[tuple[str, int]]:
    posting = erp_posting.c
    begun = sa.select(posting.refund_id, posting.attempts).where(posting.state == "intended")
    with ledger._database.read() as connection:
        return {(row.refund_id, row.attempts) for row in connection.execute(begun)}


def _settle(services: Services, ledger: Ledger, landed: int) -> bool:
    """Wait until every refund is in the ledger, none is outstanding and no run goes on."""
    deadline = time.monotonic() + _SETTLES_WITHIN
    while time.monotonic() < deadline:
        services.revive()
        totals = ledger.status_totals()
        done = sum(item.count for item in totals if item.status not in OUTSTANDING)
        if done == landed and not services.workers():
            return True
        time.sleep(1)
    return False


class _Week:
    """What lands: six past days at once, and today's files one after another."""

    def __init__(
        self, retailer: Retailer, chance: random.Random, *, paid_within: timedelta
    ) -> None:
        self.refunds: list[SandboxRefund] = []
        self._retailer = retailer
        self._chance = chance
        self._paid_within = paid_within
        self._next = time.monotonic()
        today = _now().date()
        self.days = [today - timedelta(days=back) for back in range(PAST_DAYS, -1, -1)]
        for day in self.days[:-1]:
            self._land_past(day)

    def land(self) -> None:
        """Land the next file of today if it is time."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _LANDS_EVERY
        now = _now()
        late = timedelta(seconds=self._chance.choice((0, 0, 20, 60)))
        some = [
            self._retailer.any_refund(now, payments_available_at=now + late)
            for _ in range(self._chance.randrange(1, 4))
        ]
        self.refunds += some
        self._retailer.land(*some, *some[: self._chance.randrange(2)], at=now)

    def _land_past(self, day: date) -> None:
        at = datetime(day.year, day.month, day.day, 12, tzinfo=timezone.utc)
        some = [
            self._retailer.any_refund(
                at,
                payments_available_at=(
                    _now() + self._chance.random() * self._paid_within if number % 2 else at
                ),
            )
            for number in range(_PER_DAY)
        ]
        self.refunds += some
        for number in range(3):
            part = some[number::3]
            self._retailer.land(*part, part[0], at=at + timedelta(minutes=number))


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _faults(killer: Killer, story: Story) -> str:
    phases = ", ".join(f"{phase} {count}" for phase, count in story.phases.items())
    services = ", ".join(f"{name} {count}" for name, count in killer.crashes.items())
    return f"kill -9 of run workers ({phases}) and of services ({services}); unclear ERP answers"


def _outcome(story: Story, open_writes: int, waited: float | None) -> str:
    posted = (
        "not all posted" if waited is None else f"all posted {waited:.0f} s after the last kill"
    )
    return (
        f"{story.runs} runs, {story.retries} of them Dagster's retries, {story.lost_runs} failed "
        f"by lost_runs_sensor; {open_writes} writes left open; {posted}"
    )
