"""A landing day that left refunds in every state a ledger knows, and the world around it.

    python -m refund_pipeline_tests.steps.lived_in

writes the day with this version's code into `gateways/ledgers/<revision>.sql`. Run it before a new
revision is added: what older versions wrote is never made up afterwards.
"""

import random
import sqlite3
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from refund_pipeline.domain.errors import SystemicFailure, Unavailable
from refund_pipeline.gateways.landing_bucket import LandingBucket
from refund_pipeline.gateways.ledger.database import HEAD
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.steps.landing import read_landing_day
from refund_pipeline.steps.payments import fetch_payments
from refund_pipeline.steps.posting import Surroundings, post_refunds
from refund_pipeline.steps.reconciliation import reconcile
from refund_pipeline.steps.transactions import build_transactions
from refund_pipeline_tests.fakes import (
    DAY,
    NOON,
    FakeClock,
    FakeErpWithSales,
    FakeNewStore,
    event,
    event_line,
    example_mapping,
    record_of,
    refund_id,
    sales_of,
    transaction,
)
from refund_pipeline_tests.gateways.fake_s3 import FakeS3

LEDGERS = Path(__file__).parents[1] / "gateways" / "ledgers"
MAPPING = example_mapping()
POSTED, UNVERIFIED = 0, 1
MADE_UNKNOWN, NOT_MADE, BEGUN, TO_RETRY = 2, 3, 4, 5
AWAITING_PAYMENT, AWAITING_ORIGIN, UNMAPPED = 6, 7, 8
REFUSED, CONFLICTING_EVENT, CONFLICTING_RECORD = 9, 10, 11
HISTORICAL, OF_A_RETURN, LANDED, READY = 12, 13, 14, 15
NUMBERS = range(16)
IN_THE_ERP = (POSTED, UNVERIFIED, MADE_UNKNOWN)
STANDINGS = {
    POSTED: ("posted", None),
    UNVERIFIED: ("posted", None),
    MADE_UNKNOWN: ("uncertain", "erp_uncertain"),
    NOT_MADE: ("uncertain", "erp_uncertain"),
    BEGUN: ("uncertain", "erp_uncertain"),
    TO_RETRY: ("ready", "erp_unavailable"),
    AWAITING_PAYMENT: ("awaiting_payment", "payments_incomplete"),
    AWAITING_ORIGIN: ("awaiting_origin", "origin_missing"),
    UNMAPPED: ("held", "unmapped_tender"),
    REFUSED: ("held", "refused_by_erp"),
    CONFLICTING_EVENT: ("held", "conflicting_event"),
    CONFLICTING_RECORD: ("held", "conflicting_erp_record"),
    HISTORICAL: ("skipped", "historical"),
    OF_A_RETURN: ("skipped", "belongs_to_return"),
    LANDED: ("landed", None),
    READY: ("ready", None),
}
"""Where the day leaves each refund: status and reason."""


class SilentErp(FakeErpWithSales):
    """An ERP that does not answer look-ups while `silent`, and whose index lags then."""

    silent = False

    def find(self, external_ids: Sequence[str]) -> Mapping[str, Any]:
        return {} if self.silent else super().find(external_ids)

    def look_up(self, external_id: str) -> Any:
        if self.silent:
            raise Unavailable("no answer")
        return super().look_up(external_id)


@dataclass
class Surrounding:
    """Bucket, NewStore, ERP and clock, on which any version's ledger can go on."""

    s3: FakeS3
    newstore: FakeNewStore
    erp: SilentErp
    clock: FakeClock

    @property
    def bucket(self) -> LandingBucket:
        return LandingBucket(
            "s3://landing/events", tenant="demo", client=lambda: self.s3, clock=self.clock.now
        )

    def read(self, ledger: Ledger) -> None:
        read_landing_day(DAY, bucket=self.bucket, ledger=ledger, tenant="demo")

    def build(self, ledger: Ledger, numbers: Iterable[int] | None = None) -> None:
        common: dict[str, Any] = {
            "ledger": ledger,
            "mapping": MAPPING,
            "clock": self.clock.now,
            "random_source": random.Random(1),
            "refund_ids": None if numbers is None else [refund_id(one) for one in numbers],
        }
        fetch_payments(DAY, open_newstore=lambda: self.newstore, **common)
        build_transactions(DAY, erp=self.erp, mapping_version="v1", **common)

    def post(self, ledger: Ledger, numbers: Iterable[int] | None = None) -> None:
        post_refunds(
            DAY,
            ledger=ledger,
            erp=self.erp,
            concurrency=1,
            surroundings=Surroundings(
                self.clock.now, self.clock.sleep, random.Random(1), lambda _: None
            ),
            refund_ids=None if numbers is None else [refund_id(one) for one in numbers],
        )

    def reconcile(self, ledger: Ledger, **more: Any) -> Any:
        return reconcile(
            DAY, ledger=ledger, erp=self.erp, prefix="apz-", clock=self.clock.now, **more
        )


def surrounding() -> Surrounding:
    """Return the world before the day: its files, and what NewStore and the ERP show by noon."""
    s3, newstore, refunds = FakeS3(), FakeNewStore(), [event(number) for number in NUMBERS]
    lines = [
        event_line(number, is_historical=number == HISTORICAL)
        if number != OF_A_RETURN
        else event_line(number, return_id="r-1")
        for number in NUMBERS
    ]
    other = event_line(0).replace("refund_request.issued", "order.created")
    _put(s3, 0, [*lines, event_line(POSTED), "{", other])
    _put(s3, 1, [event_line(CONFLICTING_EVENT, reason_code="7")])
    newstore.show(*(of for number, of in enumerate(refunds) if number != AWAITING_PAYMENT))
    odd = event(UNMAPPED).payment_account_id
    newstore.accounts[odd] = tuple(
        replace(one, provider="unknown") for one in newstore.accounts[odd]
    )
    erp = SilentErp(
        sales_of(*(of for number, of in enumerate(refunds) if number != AWAITING_ORIGIN))
    )
    foreign = replace(transaction(CONFLICTING_RECORD), currency_id="99")
    erp.records[foreign.external_id] = record_of(foreign, "70001")
    return Surrounding(s3, newstore, erp, FakeClock())


def _put(s3: FakeS3, hour: int, lines: list[str]) -> None:
    at = NOON - timedelta(hours=2 - hour)
    s3.put(f"events/demo/{int(at.timestamp() * 1000)}-data-x.export", "\n".join(lines).encode())


def live_the_day(ledger: Ledger, around: Surrounding) -> None:
    """Bring every refund to where `STANDINGS` says."""
    around.read(ledger)
    around.build(ledger, set(NUMBERS) - {LANDED})
    around.post(ledger, [POSTED])
    around.reconcile(ledger)
    around.post(ledger, [UNVERIFIED])
    around.post(ledger, [CONFLICTING_RECORD])
    around.erp.silent = True
    for number, answer in (
        (MADE_UNKNOWN, "lost"),
        (NOT_MADE, "dropped"),
        (TO_RETRY, Unavailable("down")),
    ):
        around.erp.scripts = [answer]
        with suppress(SystemicFailure):
            around.post(ledger, [number])
    around.erp.silent = False
    around.erp.scripts = ["refused"]
    around.post(ledger, [REFUSED])
    (begun,) = ledger.refunds_to_post(DAY, refund_ids=[refund_id(BEGUN)])
    assert ledger.begin_posting(begun.transaction)


def dump(path: Path) -> str:
    """Write a SQLite ledger as SQL, its schema among it."""
    with sqlite3.connect(path) as connection:
        return "\n".join(connection.iterdump()) + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        file, world = Path(place) / "ledger.db", surrounding()
        book = Ledger(f"sqlite:///{file}", clock=world.clock.now, run_id="an-older-version")
        live_the_day(book, world)
        book.close()
        (LEDGERS / f"{HEAD}.sql").write_text(dump(file), encoding="utf-8")
