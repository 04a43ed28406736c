"""An outage from its beginning in mid-batch until everything is posted after its end.

New files land while it lasts. What is down counts what it is asked; lost and twice are asked from
the sandbox's ERP. Time is that of `scaled_day.py`; which outages there are is told elsewhere.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

from refund_pipeline.demo import judge
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.sandbox.retailer import SandboxRefund
from refund_pipeline.sandbox.sandbox import Sandbox
from refund_pipeline_tests.chaos.rows import CampaignFailed, Row
from refund_pipeline_tests.chaos.scaled_day import TICK, ScaledClock, ScaledDay, scaled_day

HOUR = timedelta(hours=1)
_LANDS_EVERY = timedelta(minutes=15)
_GIVEN_UP_AFTER = timedelta(hours=4)
_DAYS_AGO = timedelta(days=3)
"""Campaigns are played in the past, so that no file is named for days to come."""
_REFUND_ID = "custbody_nst_refund_id"


@dataclass(frozen=True, slots=True)
class Outage:
    """One way to be down. It begins once `progress` has grown by `after`: in mid-batch."""

    name: str
    begin: Callable[[], object]
    end: Callable[[], object]
    asked: Callable[[], int]
    """How many requests what is down has seen so far."""
    progress: Callable[[], int]
    after: int
    stops_landing: bool = False
    counted: str = "requests"
    spares_us: Callable[[], AbstractContextManager[object]] = nullcontext
    """Around what the campaign itself does meanwhile."""


@dataclass(frozen=True, slots=True)
class Endured:
    """How one outage went: `at_once` is what the run it began in still asked."""

    name: str
    counted: str
    at_once: int
    per_hour: tuple[int, ...]
    recovered_in: timedelta

    def __str__(self) -> str:
        hours = ", ".join(str(count) for count in self.per_hour)
        minutes = self.recovered_in.total_seconds() / 60
        return (
            f"{self.name}: noticed after {self.at_once} {self.counted}, then {hours} an hour, "
            f"all posted {minutes:.0f} min after"
        )


@dataclass(slots=True)
class World:
    """A sandbox, a daemon on a scaled clock, and what has landed."""

    sandbox: Sandbox
    clock: ScaledClock
    day: ScaledDay
    ledger_url: str
    size: int
    """Refunds in the batch an outage begins in."""
    refunds: list[SandboxRefund] = field(default_factory=list)

    def land(self, count: int, *, files: int = 1) -> None:
        """Land so many refunds, now."""
        now = self.clock.now()
        made = [self.sandbox.retailer.any_refund(now) for _ in range(count)]
        self.refunds += made
        for number in range(files):
            self.sandbox.retailer.land(
                *made[number::files], at=now + timedelta(milliseconds=number)
            )

    def all_posted(self) -> bool:
        """Whether the ERP has as many records as refunds have landed."""
        return len(self.sandbox.netsuite.cash_refunds()) >= len(self.refunds)

    def unrecorded(self) -> int:
        """Return how many records the ERP has whose making the ledger does not know to have ended.

        Raises:
            CampaignFailed: of one of them it does not even know that it was begun.
        """
        ledger = Ledger(self.ledger_url, clock=self.clock.now)
        rows = ledger.refunds(statuses=("uncertain", "posted"), limit=100_000)
        ledger.close()
        made = {record.custom[_REFUND_ID] for record in self.sandbox.netsuite.cash_refunds()}
        unknown = made - {row.refund_id for row in rows}
        if unknown:
            raise CampaignFailed(f"written without an intent: {sorted(unknown)}")
        return len(made & {row.refund_id for row in rows if row.status == "uncertain"})

    def row(
        self, campaign: str, seed: int, started: float, *, cases: int, faults: str, outcome: str
    ) -> Row:
        """Ask the ERP what is there."""
        verdict = judge(self.refunds, self.sandbox.netsuite.cash_refunds(), set())
        if verdict.wrong:
            raise CampaignFailed(f"{campaign}: wrong records for {verdict.wrong}")
        return Row(
            campaign=campaign,
            seed=seed,
            cases=cases,
            refunds=len(self.refunds),
            faults=faults,
            lost=len(verdict.lost),
            twice=len(verdict.twice),
            outcome=outcome,
            seconds=time.monotonic() - started,
        )


@contextmanager
def world(
    seed: int,
    place: Path,
    *,
    size: int = 60,
    tick: timedelta = TICK,
    ledger_url: str = "",
    overrides: Callable[[ScaledClock], dict[str, object]] = lambda _: {},
) -> Iterator[World]:
    """Open a world at ten in the evening, so that an outage of hours sees two landing days."""
    evening = datetime.now(timezone.utc) - _DAYS_AGO
    clock = ScaledClock(evening.replace(hour=22, minute=0, second=0, microsecond=0))
    url = ledger_url or f"sqlite:///{place / 'ledger.db'}"
    with Sandbox(seed, state=place) as sandbox:
        environment = {
            **sandbox.environment(),
            "REFUNDS_LEDGER_URL": url,
            "REFUNDS_START_DATE": clock.now().date().isoformat(),
            "DAGSTER_HOME": str(place),
        }
        with scaled_day(clock, environment, tick=tick, overrides=overrides) as day:
            yield World(sandbox, clock, day, url, size)


def endure(of: World, outage: Outage, *, hours: int = 3) -> Endured:
    """Let an outage begin in mid-batch, last, and end; wait until everything is posted."""
    at_once, asked = strike(of, outage)
    readings = [asked]
    for _ in range(hours):
        _let_an_hour_pass(of, outage)
        readings.append(outage.asked())
    per_hour = tuple(after - before for before, after in pairwise(readings))
    if of.all_posted():
        raise CampaignFailed(f"{outage.name}: there was no outage")
    outage.end()
    return Endured(outage.name, outage.counted, at_once, per_hour, recover(of, outage.name))


def strike(of: World, outage: Outage) -> tuple[int, int]:
    """Let a batch land and an outage begin in its middle.

    Return how much its run still asked, and all that was asked by its end.
    """
    of.land(of.size, files=10)
    made = len(of.day.runs)
    of.day.meter = outage.asked
    with _begins_in_mid_batch(outage) as before:
        of.day.go_on(lambda: len(of.day.runs) > made, longest=HOUR)
    asked = of.day.runs[made].meter
    return asked - before[0], asked


def recover(of: World, name: str) -> timedelta:
    """Wait until everything is posted; return how long that took."""
    of.unrecorded()
    over = of.clock.now()
    if not of.day.go_on(of.all_posted, longest=_GIVEN_UP_AFTER):
        raise CampaignFailed(f"{name}: not everything was posted {_GIVEN_UP_AFTER} after")
    return of.clock.now() - over


def _let_an_hour_pass(of: World, outage: Outage) -> None:
    end = of.clock.now() + HOUR
    while of.clock.now() < end:
        if not outage.stops_landing:
            with outage.spares_us():
                of.land(2)
        of.day.go_on(lambda: False, longest=min(_LANDS_EVERY, end - of.clock.now()))


@contextmanager
def _begins_in_mid_batch(outage: Outage) -> Iterator[list[int]]:
    """Begin the outage once there was enough progress; yield what was asked before, in a list."""
    enough = outage.progress() + outage.after
    over, before = threading.Event(), list[int]()

    def _watch() -> None:
        while not over.wait(0.001):
            if outage.progress() >= enough:
                before.append(outage.asked())
                outage.begin()
                return

    watcher = threading.Thread(target=_watch, daemon=True)
    watcher.start()
    try:
        yield before
    finally:
        over.set()
        watcher.join()
    if not before:
        raise CampaignFailed(f"{outage.name}: the batch ended before the outage began")


def row_of(campaign: str, here: World, seed: int, started: float, *ways: Outage) -> Row:
    """Endure each way to be down, one after the other."""
    endured = [endure(here, way) for way in ways]
    hours = sum(len(one.per_hour) for one in endured)
    return here.row(
        campaign,
        seed,
        started,
        cases=len(ways),
        faults=f"{len(ways)} times {hours // len(ways)} h, each begun in mid-batch",
        outcome="; ".join(str(one) for one in endured),
    )
