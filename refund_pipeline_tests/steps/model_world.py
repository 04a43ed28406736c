"""The world of the model: refunds on three landing days, and all that can happen to them.

The pipeline's own steps run in it, over fakes whose clock moves only when somebody lets it. What
must hold whatever happens is `model_rules.py`.
"""

import contextlib
import random
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

from refund_pipeline.domain.actions import Action
from refund_pipeline.domain.resolutions import Decision
from refund_pipeline.gateways.landing_bucket import LandingBucket
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.tables import metadata
from refund_pipeline.steps.landing import read_landing_day
from refund_pipeline.steps.payments import fetch_payments
from refund_pipeline.steps.posting import Surroundings, post_refunds
from refund_pipeline.steps.reconciliation import Reconciliation, reconcile
from refund_pipeline.steps.resolution import Places, Plan, carry_out, plan_resolution
from refund_pipeline.steps.transactions import build_transactions
from refund_pipeline_tests.fakes import (
    FakeClock,
    FakeNewStore,
    event,
    order,
    refund_id,
    sales_of,
)
from refund_pipeline_tests.gateways.fake_s3 import FakeS3
from refund_pipeline_tests.steps.model_erp import ErpWithoutGuard
from refund_pipeline_tests.steps.model_refunds import (
    DAYS,
    FRESH,
    LINES,
    MAPPINGS,
    MORNING,
    SOME,
    USUAL,
    payments_of,
)
from refund_pipeline_tests.steps.model_runs import Stop, StoppableRun

WRITE_LASTS = timedelta(seconds=7.4)
"""So long a process stands still at most between its last look at the ledger and its write.

That look may be a second old then, and the write be carried out later by what makes it "late": 9.9
seconds, and the steps wait for 10.

Nobody without the ERP's own uniqueness can do anything about a process that stands still longer
between its last look at the ledger and the first byte it sends.
"""


def new_ledger(place: Path) -> Ledger:
    """Return a ledger to be used by one world after the other."""
    return Ledger(f"sqlite:///{place / 'ledger.db'}", clock=FakeClock().now, run_id="model")


@dataclass
class World:
    """Everything there is; a ledger that was used before is emptied."""

    ledger: Ledger
    clock: FakeClock = field(default_factory=lambda: FakeClock(MORNING))
    s3: FakeS3 = field(default_factory=FakeS3)
    newstore: FakeNewStore = field(default_factory=FakeNewStore)
    erp: ErpWithoutGuard = field(init=False)
    mapping: str = USUAL
    files: dict[str, date] = field(default_factory=dict)
    """Every key that was written, and its landing day."""
    versions: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """The lines of every version that was written, by key and etag."""
    fresh: set[int] = field(default_factory=set)
    paused: list[StoppableRun] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)
    """What people have looked at and not said yes to yet."""
    happened: Counter[str] = field(default_factory=Counter)
    reconciled: dict[date, Reconciliation] = field(default_factory=dict)
    _since: dict[int, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.erp = ErpWithoutGuard(self.clock.now)
        self.ledger._clock = self.clock.now
        with self.ledger._database.write() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())

    # What others do

    def land(self, lines: Sequence[str], *, day: int = 1, over: int | None = None) -> None:
        """Write a file of a day, or another version of the file that was written as the nth."""
        if over is None:
            noon = datetime.combine(DAYS[day], datetime.min.time(), timezone.utc)
            moment = noon + timedelta(hours=12, seconds=len(self.files))
            key = f"events/demo/{int(moment.timestamp() * 1000)}-data-x.export"
            self.files[key] = DAYS[day]
        else:
            key = list(self.files)[over % len(self.files)]
        self.s3.put(key, "\n".join(LINES[line] for line in lines).encode())
        self.versions[key, self.s3._etag(key)] = tuple(lines)

    def land_complete(self, count: int, *, day: int) -> None:
        """Write a file of new refunds, and show their orders, payments and sales at once."""
        numbers = [number for number in FRESH if number not in self.fresh][:count]
        self.fresh.update(numbers)
        if numbers:
            self.land([f"refund {number}" for number in numbers], day=day)
        self.pay(numbers)
        self.sell(numbers)

    def land_again(self, which: int, *, day: int) -> None:
        """Write the lines of a file once more, under another name."""
        key = list(self.files)[which % len(self.files)]
        self.land(self.versions[key, self.s3._etag(key)], day=day)

    def pay(self, numbers: Collection[int], *, partly: bool = False) -> None:
        """Let NewStore show orders and payments, or only the first payment of each."""
        for number in numbers:
            of = event(number)
            self.newstore.known[of.order_id] = order(of)
            seen = self.newstore.accounts.get(of.payment_account_id, ())
            legs = payments_of(number)[: 1 if partly else None]
            if len(legs) >= len(seen):  # type: ignore[arg-type]
                self.newstore.accounts[of.payment_account_id] = legs

    def sell(self, numbers: Collection[int]) -> None:
        """Let the ERP have the sales of these refunds' orders."""
        self.erp.sales |= sales_of(*(event(number) for number in numbers))

    def plan(self, refund_ids: Collection[str], action: Action) -> None:
        """Let a person look at what a decision would do."""
        places = Places(self.ledger, lambda: MAPPINGS[self.mapping], lambda: self.erp, self.now)
        self.plans.append(
            plan_resolution(
                refund_ids,
                Decision(action, "anna", "because"),
                places=places,
                tenders=["cash"] if action is Action.TENDER else [],
            )
        )

    def say_yes(self) -> None:
        """Let a person decide as was planned first."""
        if self.plans:
            done = carry_out(self.plans.pop(0), self.ledger).done
            self.happened["decisions"] += len(done)

    def decide(self, numbers: Collection[int], action: Action) -> None:
        """Let a person look and decide at once."""
        self.plans.clear()
        self.plan([refund_id(number) for number in numbers], action)
        self.say_yes()

    def now(self) -> datetime:
        """Return what the clock says."""
        return self.clock.now()

    def sleep(self, seconds: float) -> None:
        """Let time pass; a run that stands right before a write goes on as late as it can."""
        until = self.now() + timedelta(seconds=seconds)
        for run in [one for one in self.paused if _is_about_to_write(one)]:
            latest = self._since[id(run)] + WRITE_LASTS
            if latest <= until and run in self.paused:
                self._sleep_until(latest)
                self.resume(self.paused.index(run))
        self._sleep_until(until)

    def _sleep_until(self, moment: datetime) -> None:
        self.clock.sleep(max((moment - self.now()).total_seconds(), 0))

    # Runs

    def run(
        self,
        day: int = 1,
        *,
        answers: Sequence[str | None] = (),
        stops: Sequence[Stop] = (),
        numbers: Collection[int] | None = None,
        refresh: bool = False,
    ) -> StoppableRun:
        """Start a run of a day; it ends, unless `stops` has it pause."""
        left = list(answers)
        wanted = None if numbers is None else [refund_id(number) for number in numbers]

        def _before_call(_: StoppableRun, name: str) -> None:
            self.clock.sleep(0.001)
            if name == "post":
                self.erp.scripts = [left.pop(0)] if left else []

        run = StoppableRun(
            lambda run: self._all_steps(DAYS[day], run, wanted, refresh),
            stops=stops,
            before_call=_before_call,
        )
        self.happened["runs"] += 1
        self.happened["runs over another"] += bool(self.paused)
        self._let_go_on(run)
        return run

    def backfill(self, *, answers: Sequence[str | None] = ()) -> None:
        """Run all days, the oldest first."""
        for day in range(len(DAYS)):
            self.run(day, answers=answers)

    def resume(self, which: int, *, dies: bool = False) -> None:
        """Let a paused run go on to its next stop or its end, or end it where it stands."""
        run = self.paused.pop(which % len(self.paused))
        stood = self.now() - self._since.pop(id(run))
        too_late = _is_about_to_write(run) and stood > WRITE_LASTS
        self._let_go_on(run, dies=dies or too_late)

    def _let_go_on(self, run: StoppableRun, *, dies: bool = False) -> None:
        run.go_on(dies=dies)
        self.happened["killed"] += run.is_dead
        if run.at is not None:
            self.happened["pauses"] += 1
            self.paused.append(run)
            self._since[id(run)] = self.now()

    def _all_steps(
        self, day: date, run: StoppableRun, refund_ids: list[str] | None, refresh: bool
    ) -> None:
        ledger, erp, newstore = map(run.reach, (self.ledger, self.erp, self.newstore))
        chance = random.Random(1)
        bucket = LandingBucket(
            "s3://landing/events", tenant="demo", client=lambda: self.s3, clock=self.now
        )
        common = {"ledger": ledger, "clock": self.now}
        read_landing_day(day, bucket=bucket, ledger=ledger, tenant="demo")
        fetch_payments(
            day,
            open_newstore=lambda: newstore,
            mapping=MAPPINGS[self.mapping],
            random_source=chance,
            refund_ids=refund_ids,
            refresh=refresh,
            **common,
        )
        name = self.mapping
        build_transactions(
            day,
            erp=erp,
            mapping=MAPPINGS[name],
            mapping_version=name,
            random_source=chance,
            refund_ids=refund_ids,
            **common,
        )
        post_refunds(
            day,
            ledger=ledger,
            erp=erp,
            concurrency=1,
            surroundings=Surroundings(self.now, self.sleep, chance, lambda _: None),
            refund_ids=refund_ids,
        )
        self.reconciled[day] = reconcile(day, erp=erp, prefix="apz-", everything=True, **common)

    # The end

    def let_faults_stop(self) -> None:
        """Let what is on its way end, everything appear, and the mapping be as it was."""
        while self.paused:
            self.resume(0)
        self.mapping = USUAL
        self.pay(SOME)
        self.sell(SOME)

    def settle(self) -> None:
        """Run every day twice, an hour apart, at first with the ERP's index still behind."""
        for _ in range(2):
            self.clock.sleep(3600)
            self.reconciled.clear()
            for day in range(len(DAYS)):
                assert self.run(day).failure is None
            self.erp.show_everything()

    def close(self) -> None:
        """End every run."""
        while self.paused:
            with contextlib.suppress(BaseException):
                self.paused.pop().go_on(dies=True)

    def lines_read(self) -> Iterator[tuple[date, str]]:
        """Yield each line of each version the ledger has read, with its landing day."""
        for version in self.ledger.known_files(list(self.files)):
            for line in self.versions[version]:
                yield self.files[version[0]], line

    def lines_there(self) -> Iterator[str]:
        """Yield each line of each file as it is now."""
        for key in self.files:
            yield from self.versions[key, self.s3._etag(key)]


def _is_about_to_write(run: StoppableRun) -> bool:
    return run.at is not None and (run.at.call, run.at.after) == ("post", False)
