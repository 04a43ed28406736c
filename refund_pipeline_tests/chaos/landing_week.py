"""A landing week in the sandbox, with the real job and the real sensors over it, in process.

What goes wrong, and what is counted, is each campaign's. The ERP is asked itself, never the ledger.
"""

import contextlib
import json
import os
import random
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import dagster as dg
import yaml
from typing_extensions import Self

from refund_pipeline.definitions import build_definitions
from refund_pipeline.domain.actions import Action
from refund_pipeline.domain.resolutions import Decision
from refund_pipeline.domain.statuses import OUTSTANDING
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import RefundStatus
from refund_pipeline.orchestration.partitions import day_of
from refund_pipeline.orchestration.resources import default_resources
from refund_pipeline.orchestration.sensors import landing_bucket_sensor, outstanding_refunds_sensor
from refund_pipeline.sandbox.netsuite.faults import Fault
from refund_pipeline.sandbox.retail import ADYEN, CASH, PAYPAL
from refund_pipeline.sandbox.retailer import SandboxRefund
from refund_pipeline.sandbox.sandbox import MAPPING, Sandbox
from refund_pipeline_tests.chaos.rows import CampaignFailed

Fate = Literal["posted", "held", "skipped", "released"]
OVER_THE_GATE = Decimal("2600.00")
"""More than the example mapping lets one refund be."""
FAULTS = {
    Fault.LOSE_ANSWER: 0.05,
    Fault.FAIL_AFTER_COMMIT: 0.03,
    Fault.FAIL_BEFORE_COMMIT: 0.03,
    Fault.GATEWAY_PAGE_AFTER_COMMIT: 0.02,
    Fault.TOO_MANY_REQUESTS: 0.02,
}
IN_HEADER = {
    "posting_model": "header",
    "tenders": [
        {"method": "cash", "payment_option": "1"},
        {"method": "credit_card", "payment_option": "5"},
        {"method": "gift_card", "payment_option": "7"},
    ],
}


@dataclass(frozen=True, slots=True)
class Landed:
    """One refund of the week, and how it is to end."""

    refund: SandboxRefund
    day: date
    fate: Fate

    @property
    def refund_id(self) -> str:
        return self.refund.refund_id


@dataclass
class LandingWeek:
    """Seven landing days that end yesterday; a context manager, since it runs the sandbox."""

    place: Path
    seed: int
    per_day: int = 40
    length: int = 7
    ledger_url: str = ""
    landed: list[Landed] = field(default_factory=list)
    runs: int = 0

    def __enter__(self) -> Self:
        self.chance = random.Random(self.seed)
        self.ledger_url = self.ledger_url or f"sqlite:///{self.ledger_file}"
        self._ending = contextlib.ExitStack()
        self.sandbox = self._ending.enter_context(Sandbox(self.seed, state=self.place))
        self._ending.enter_context(environment(self.sandbox.environment()))
        os.environ["REFUNDS_LEDGER_URL"] = self.ledger_url
        self.lose_dagster_storage()
        today = datetime.now(timezone.utc).date()
        self.days = [today - timedelta(days=back) for back in range(self.length, 0, -1)]
        return self

    def __exit__(self, *error: object) -> None:
        self._ending.close()

    @property
    def ledger_file(self) -> Path:
        return self.place / "ledger.db"

    # --- what lands

    def land(self, day: date) -> None:
        """Land a day's files: most can be posted, some are late, held, beyond a gate, not ours."""
        now = datetime.now(timezone.utc)
        at = datetime.combine(day, time(1), timezone.utc)
        made = [
            Landed(
                self._refund(at, late_by=self.chance.choice((0, 0, 0, 0, 2)), now=now), day, fate
            )
            for fate in ("posted",) * max(self.per_day - 5, 0)
        ]
        retailer = self.sandbox.retailer
        made += [
            Landed(retailer.refund("web", "USD", PAYPAL, at=at), day, "held"),
            Landed(self._over_the_gate(at), day, "held"),
            Landed(self._over_the_gate(at), day, "released"),
            Landed(_historical(retailer.refund("store", "USD", CASH, at=at)), day, "skipped"),
            Landed(retailer.refund("store", "USD", ADYEN, split_with=CASH, at=at), day, "posted"),
        ]
        self.chance.shuffle(made)
        for number in range(4):
            of_file = [one.refund for one in made[number::4]]
            of_file += of_file[:2]  # duplicates
            retailer.land(*of_file, at=at + timedelta(hours=5 * number, minutes=7))
        self.landed += made

    def _refund(self, at: datetime, *, late_by: int, now: datetime) -> SandboxRefund:
        later = now + timedelta(seconds=late_by) if late_by else None
        return self.sandbox.retailer.any_refund(at, payments_available_at=later)

    def _over_the_gate(self, at: datetime) -> SandboxRefund:
        return self.sandbox.retailer.refund("store", "USD", ADYEN, amount=OVER_THE_GATE, at=at)

    # --- what the pipeline does

    def run(self, day: date, *, tags: Mapping[str, str] | None = None, **options: Any) -> bool:
        """Run the job for a day, as Dagster would, and return whether it succeeded."""
        self.runs += 1
        config = {"resources": {"options": {"config": options}}} if options else {}
        result = (
            build_definitions()
            .resolve_job_def("sync_refunds")
            .execute_in_process(
                instance=self.instance,
                partition_key=day.isoformat(),
                tags=dict(tags or {"dagster/max_retries": "0"}),
                run_config=config,
                raise_on_error=False,
            )
        )
        return bool(result.success)

    def tick(self, sensor: dg.SensorDefinition) -> list[date]:
        """Evaluate a sensor as the daemon would; return the days it asks for."""
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursors.get(sensor.name),
            definitions=build_definitions(),
            resources=default_resources(),
        ) as context:
            result = sensor.evaluate_tick(context)
        if result.cursor is not None:
            self.cursors[sensor.name] = result.cursor
        wanted = [one for one in result.run_requests or () if one.run_key not in self._run_keys]
        self._run_keys |= {str(one.run_key) for one in wanted}
        return [day_of(str(one.partition_key)) for one in wanted]

    def let_the_daemon_work(self, *, most: int = 30) -> Counter[date]:
        """Tick all sensors and run what they ask for, until they ask for nothing more."""
        from refund_pipeline.orchestration.history import landed_history_sensor

        asked: Counter[date] = Counter()
        for _ in range(most):
            days = [
                day
                for sensor in (
                    landing_bucket_sensor,
                    landed_history_sensor,
                    outstanding_refunds_sensor,
                )
                for day in self.tick(sensor)
            ]
            if not days:
                return asked
            asked.update(days)
            for day in dict.fromkeys(days):
                self.run(day)
        raise CampaignFailed(f"the sensors still ask for days after {most} rounds")

    def settle(self, *, most: int = 12) -> None:
        """End all faults, and run the days of outstanding refunds until there are none."""
        self.sandbox.netsuite.faults.at_random({})
        for _ in range(most):
            with self.ledger() as ledger:
                waiting = ledger.refunds(statuses=sorted(OUTSTANDING), limit=10_000)
            if not waiting:
                return
            for day in sorted({row.landing_day for row in waiting}):
                self.run(day)
        raise CampaignFailed(f"{len(waiting)} refunds are outstanding still")

    def with_faults(self) -> None:
        """Give every write from now on a fault by chance."""
        self.sandbox.netsuite.faults.at_random(FAULTS, seed=self.chance.randrange(10**6))

    def change_mapping(self, **changes: Any) -> None:
        """Let the job use the example mapping with these changes."""
        file = self.place / "mapping.yaml"
        mapping = yaml.safe_load(MAPPING.read_text(encoding="utf-8"))
        gates = changes.pop("gates", {})
        file.write_text(
            yaml.safe_dump({**mapping, **changes, "gates": {**mapping["gates"], **gates}})
        )
        os.environ["REFUNDS_MAPPING"] = str(file)

    def release(self) -> list[date]:
        """Let a person release what a gate holds and is to be released; return its days."""
        with self.ledger() as ledger:
            names = [one.refund_id for one in self.landed if one.fate == "released"]
            done = set(ledger.resolve(names, Decision(Action.RELEASE, "ada", "looked at")))
        return sorted({one.day for one in self.landed if one.refund_id in done})

    # --- what is lost

    def lose_dagster_storage(self) -> None:
        """Begin with empty storage: no runs, no cursors, no run keys."""
        if hasattr(self, "instance"):
            self.instance.dispose()
        self.instance = self._ending.enter_context(dg.DagsterInstance.ephemeral())
        self.cursors: dict[str, str] = {}
        self._run_keys: set[str] = set()

    def delete_ledger(self) -> None:
        """Delete the ledger's file, and what SQLite keeps beside it."""
        for file in self.place.glob("ledger.db*"):
            file.unlink()

    @contextlib.contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """Open the ledger."""
        opened = Ledger(self.ledger_url, clock=lambda: datetime.now(timezone.utc))
        try:
            yield opened
        finally:
            opened.close()

    def standings(self) -> dict[str, RefundStatus]:
        """Return where the ledger says each refund stands."""
        with self.ledger() as ledger:
            return {row.refund_id: row for row in ledger.refunds(limit=100_000)}

    # --- what the ERP has

    def records(self) -> dict[str, list[str]]:
        """Return by refund the ids of its records in the ERP, whatever external id they bear."""
        found: dict[str, list[str]] = {}
        for record in self.sandbox.netsuite.cash_refunds():
            found.setdefault(record.custom["custbody_nst_refund_id"], []).append(record.id)
        return found

    def verdict(self) -> tuple[int, int]:
        """Return how many refunds are lost, and how many were paid twice or wrongly."""
        paid: Counter[str] = Counter()
        for record in self.sandbox.netsuite.cash_refunds():
            paid[record.custom["custbody_nst_refund_id"]] += sum(
                line.amount for line in record.lines if line.amount > 0
            )
        owed = {
            one.refund_id: one.refund.amount
            for one in self.landed
            if one.fate in {"posted", "released"}
        }
        lost = sum(paid[refund_id] < amount for refund_id, amount in owed.items())
        twice = sum(amount > owed.get(refund_id, 0) for refund_id, amount in paid.items())
        return lost, twice

    def ids(self, fates: Collection[Fate], days: Collection[date] | None = None) -> set[str]:
        """Return the refunds that are to end so, of these days."""
        return {
            one.refund_id
            for one in self.landed
            if one.fate in fates and (days is None or one.day in days)
        }


@contextlib.contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables, and put all of them back at the end."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _historical(refund: SandboxRefund) -> SandboxRefund:
    event = json.loads(refund.event_line)
    event["payload"]["is_historical"] = True
    return replace(refund, event_line=json.dumps(event))
