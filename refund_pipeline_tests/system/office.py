"""An office to work in: sandbox, Dagster, and landing days of the past with something on each."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any

import requests

from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.local_dagster import LocalDagster
from refund_pipeline.sandbox.retail import ADYEN, CASH, GIFT_CARD, PAYPAL
from refund_pipeline.sandbox.retailer import SandboxRefund
from refund_pipeline.sandbox.sandbox import Sandbox

NOON = time(12)


@dataclass(frozen=True)
class LandedDay:
    """One landing day of the past and its refunds, for one test."""

    day: date
    refunds: tuple[SandboxRefund, ...]


@dataclass(frozen=True)
class Office:
    """What the tests look at and change: the running Dagster, its sandbox and its mapping."""

    sandbox: Sandbox
    dagster: LocalDagster
    ledger: Ledger
    mapping: Path
    today: date
    days: Mapping[str, LandedDay]

    def graphql(self, query: str) -> dict[str, Any]:
        answer = requests.post(self.dagster.url + "/graphql", json={"query": query}, timeout=30)
        data: dict[str, Any] = answer.json()["data"]
        return data


LANDED = {
    "with a tender to map": (ADYEN, PAYPAL),
    "with a tender nobody knows": (("barter", "goats"),),
    "without trouble": (ADYEN, CASH, GIFT_CARD),
    "of a week to backfill": (ADYEN,),
    "to decide about": (("barter", "shells"),),
}


def _land(sandbox: Sandbox, today: date) -> dict[str, LandedDay]:
    """Land each test's day, days apart, before the sensor's first tick."""
    days = {}
    for number, (name, tenders) in enumerate(LANDED.items()):
        at = datetime.combine(today, NOON, timezone.utc) - timedelta(days=26 - 5 * number)
        refunds = tuple(
            sandbox.retailer.refund(tender=tender, at=at - timedelta(minutes=1))
            for tender in tenders
        )
        sandbox.retailer.land(*refunds, at=at)
        days[name] = LandedDay(at.date(), refunds)
    return days


def _now() -> datetime:
    return datetime.now(timezone.utc)


@contextmanager
def open_office(home: Path, *, seed: int = 11) -> Iterator[Office]:
    """Start everything below `home`; its days have landed, and nobody has looked yet."""
    with Sandbox(seed=seed, state=home) as sandbox:
        environment = sandbox.environment()
        mapping = home / "mapping.yaml"
        shutil.copy(environment["REFUNDS_MAPPING"], mapping)
        environment |= {"REFUNDS_MAPPING": str(mapping), "NETSUITE_CONCURRENCY": "3"}
        today = _now().date()
        days = _land(sandbox, today)
        ledger = Ledger(f"sqlite:///{home / 'refund_ledger.db'}", clock=_now)
        with LocalDagster(home, environment) as dagster:
            dagster.wait_until_ready(timeout=300)
            yield Office(sandbox, dagster, ledger, mapping, today, days)
        ledger.close()
