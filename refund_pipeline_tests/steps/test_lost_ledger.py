"""The ledger is lost, or put back from a backup: running the day again writes nothing twice.

What is in the ERP is posted, whatever was decided, released, closed or changed since. What was not
is decided anew. The same on a large scale, with the sandbox, is `chaos/disasters.py`.
"""

import random
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from refund_pipeline.domain.actions import Action
from refund_pipeline.domain.mapping import Gates, TenderRow
from refund_pipeline.domain.mapping import Mapping as RefundMapping
from refund_pipeline.domain.outcomes import CASH_REFUND, PAYMENT_OPTION, ErpRecord, RecordLine
from refund_pipeline.domain.payments import PaymentTransaction
from refund_pipeline.domain.resolutions import Decision
from refund_pipeline.domain.transactions import RefundTransaction
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import LandedFile
from refund_pipeline.steps.payments import fetch_payments
from refund_pipeline.steps.posting import Surroundings, post_refunds
from refund_pipeline.steps.reconciliation import reconcile
from refund_pipeline.steps.transactions import build_transactions
from refund_pipeline_tests.fakes import (
    DAY,
    FakeClock,
    FakeErpWithSales,
    FakeNewStore,
    event,
    example_mapping,
    order,
    refund_id,
    sales_of,
)

MAPPING = example_mapping()
CARD, CASH = (
    TenderRow(method="credit_card", payment_option="5"),
    TenderRow(method="cash", payment_option="1"),
)
HEADER = MAPPING.model_copy(update={"posting_model": "header", "tenders": (CARD, CASH)})
NO_FIELD = MAPPING.custom_fields.model_copy(update={"refund_id": None})


class Books(FakeErpWithSales):
    """An ERP that shows dates and payment options, and whose index can lag."""

    lags = False

    def find(self, external_ids: Sequence[str]) -> Mapping[str, ErpRecord]:
        return {} if self.lags else super().find(external_ids)

    def post(self, transaction: RefundTransaction) -> Any:
        outcome = super().post(transaction)
        there = self.records.get(transaction.external_id)
        if there is not None and there.tran_date is None:
            self.records[transaction.external_id] = ErpRecord(
                erp_id=there.erp_id,
                external_id=there.external_id,
                kind=CASH_REFUND,
                currency_id=transaction.currency_id,
                memo=transaction.memo,
                voided=False,
                lines=tuple(RecordLine(one.item, one.amount) for one in transaction.lines),
                tran_date=transaction.business_date,
                custom=(
                    *transaction.custom_fields,
                    *(
                        ((PAYMENT_OPTION, transaction.payment_option),)
                        if transaction.payment_option
                        else ()
                    ),
                ),
            )
        return outcome


@dataclass
class World:
    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    newstore: FakeNewStore = field(default_factory=FakeNewStore)
    erp: Books = field(default_factory=lambda: Books({}))
    mapping: RefundMapping = MAPPING
    events: list[Any] = field(default_factory=list)
    made: int = 0

    def __post_init__(self) -> None:
        self.ledger = self.empty_ledger()

    def empty_ledger(self) -> Ledger:
        self.made += 1
        shutil.copyfile(self.folder / "empty.db", self.folder / f"{self.made}.db")
        return Ledger(f"sqlite:///{self.folder / f'{self.made}.db'}", clock=self.clock.now)

    def landed(self, *events: Any) -> None:
        self.events += events
        self.newstore.show(*events)
        self.erp.sales |= sales_of(*events)

    def run(self, **mapping: Any) -> dict[int, tuple[str, str | None]]:
        """Run the day and return where each refund stands."""
        self.mapping = self.mapping.model_copy(update=mapping)
        common: dict[str, Any] = {
            "ledger": self.ledger,
            "mapping": self.mapping,
            "clock": self.clock.now,
            "random_source": random.Random(1),
        }
        self.ledger.record_file(
            LandedFile("key", "etag", DAY, 1),
            events=list(enumerate(self.events, 1)),
            rejected=[],
            other_events={},
            lines=len(self.events),
        )
        fetch_payments(DAY, open_newstore=lambda: self.newstore, **common)
        build_transactions(DAY, erp=self.erp, mapping_version="v1", **common)
        around = Surroundings(self.clock.now, self.clock.sleep, random.Random(1), lambda _: None)
        post_refunds(DAY, ledger=self.ledger, erp=self.erp, concurrency=1, surroundings=around)
        reconcile(
            DAY, ledger=self.ledger, erp=self.erp, prefix="apz-", clock=self.clock.now,
            everything=True,
        )  # fmt: skip
        landed = {one.refund_id for one in self.events}
        return {n: self.standing(n) for n in range(10) if refund_id(n) in landed}

    def standing(self, number: int) -> tuple[str, str | None]:
        row = self.ledger.refund(refund_id(number))
        assert row is not None
        return row.status, row.reason

    def lose_the_ledger(self, *, days_later: float = 3) -> None:
        self.ledger.close()
        self.clock.sleep(days_later * 86_400)
        self.ledger = self.empty_ledger()

    def release(self, *numbers: int) -> None:
        names = sorted(refund_id(number) for number in numbers)
        assert self.ledger.resolve(names, Decision(Action.RELEASE, "ada", "looked at")) == names


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("empty") / "empty.db"
    ledger = Ledger(f"sqlite:///{file}", clock=FakeClock().now)
    ledger.prove_writable()
    ledger.close()
    return file


@pytest.fixture
def world(tmp_path: Path, empty: Path) -> Iterator[World]:
    shutil.copyfile(empty, tmp_path / "empty.db")
    made = World(tmp_path)
    yield made
    made.ledger.close()


POSTED = ("posted", None)


def gates(**limits: Any) -> Gates:
    return Gates.model_validate(limits)


def test_what_a_person_released_is_posted_although_the_decision_is_lost(world: World) -> None:
    world.landed(event(0, amount=Decimal("900.00")), event(1), event(2, amount=Decimal("800.00")))
    limit = gates(max_amount={"USD": "500.00"})
    assert world.run(gates=limit)[0] == ("held", "over_max_amount")
    world.release(0)
    world.run()
    made = list(world.erp.created)
    world.lose_the_ledger()
    assert world.run() == {0: POSTED, 1: POSTED, 2: ("held", "over_max_amount")}
    assert world.erp.created == made


def test_refunds_that_are_there_fill_the_daily_gate_before_those_that_landed_earlier(
    world: World,
) -> None:
    world.landed(*(event(number) for number in range(4)))
    late = event(0).payment_account_id
    payments = world.newstore.accounts.pop(late)
    limit = gates(daily_count=3)
    assert world.run(gates=limit)[0] == ("awaiting_payment", "payments_incomplete")
    world.newstore.accounts[late] = payments
    assert world.run()[0] == ("held", "daily_gate")
    made = list(world.erp.created)
    world.lose_the_ledger()
    standings = world.run()
    assert world.erp.created == made, "the one the gate held is not let through instead"
    assert standings == {0: ("held", "daily_gate"), 1: POSTED, 2: POSTED, 3: POSTED}


def test_with_the_kill_switch_on_a_rebuild_writes_nothing_and_finds_what_is_there(
    world: World,
) -> None:
    world.landed(event(0), event(1))
    world.run()
    made = list(world.erp.created)
    world.landed(event(2))
    world.lose_the_ledger()
    stopped = world.run(gates=gates(stop_posting=True))
    assert stopped == {0: POSTED, 1: POSTED, 2: ("held", "posting_stopped")}
    assert world.erp.created == made
    assert world.run(gates=gates()) == {0: POSTED, 1: POSTED, 2: POSTED}
    assert world.erp.created == [*made, refund_id(2)]


def test_books_closed_since_change_nothing_about_what_was_posted_before(world: World) -> None:
    world.landed(event(0), event(1))
    world.run()
    world.landed(event(2))
    world.erp.closed = {DAY}
    world.lose_the_ledger(days_later=40)
    assert world.run() == {0: POSTED, 1: POSTED, 2: ("held", "closed_period")}
    assert len(world.erp.created) == 2


def test_a_record_moved_out_of_a_closed_period_is_known_by_its_date_and_memo(world: World) -> None:
    world.landed(event(0))
    world.erp.closed = {DAY}
    world.clock.sleep(86_400)
    moving = MAPPING.policies.model_copy(update={"closed_period": "current_date"})
    assert world.run(policies=moving) == {0: POSTED}
    (record,) = world.erp.records.values()
    assert record.tran_date == DAY + timedelta(days=1)
    world.lose_the_ledger()
    assert world.run() == {0: POSTED}
    assert len(world.erp.created) == 1


def test_a_record_somebody_dated_otherwise_is_a_difference(world: World) -> None:
    world.landed(event(0))
    world.run()
    (key, record), *_ = world.erp.records.items()
    world.erp.records[key] = replace(record, tran_date=date(2026, 12, 24))
    world.erp.closed = {DAY}
    world.lose_the_ledger()
    assert world.run() == {0: ("held", "conflicting_erp_record")}
    assert len(world.erp.created) == 1


@pytest.mark.parametrize("since", ["gone", "two of them", "of another subsidiary", "exhausted"])
def test_a_sale_that_has_changed_since_holds_nothing_back_that_is_there(
    world: World, since: str
) -> None:
    world.landed(event(0))
    world.run()
    (number,) = world.erp.sales
    (sale,) = world.erp.sales[number]
    world.erp.sales[number] = {
        "gone": [],
        "two of them": [sale, replace(sale, erp_id="77")],
        "of another subsidiary": [replace(sale, subsidiary="2")],
        "exhausted": [replace(sale, total=Decimal(1))],
    }[since]
    world.lose_the_ledger()
    assert world.run() == {0: POSTED}
    assert len(world.erp.created) == 1


def test_a_refund_the_sale_has_no_room_for_stays_held(world: World) -> None:
    """Whichever of an order's refunds is looked at first: those that are there have their share."""
    first = event(1, amount=Decimal("30.00"))
    second = event(0, amount=Decimal("30.00"), order_id=first.order_id)
    world.landed(first)
    (sale,) = world.erp.sales[order(first).order_number]
    world.erp.sales[order(first).order_number] = [replace(sale, total=Decimal("50.00"))]
    world.run()
    world.events.insert(0, second)
    world.newstore.show(second)
    world.lose_the_ledger()
    assert world.run() == {0: ("held", "exceeds_sale"), 1: POSTED}
    assert len(world.erp.created) == 1


def split_tenders(world: World, number: int) -> None:
    of = event(number)
    world.newstore.accounts[of.payment_account_id] = tuple(
        PaymentTransaction(kind, amount, "USD", of.refund_id, method, provider)
        for kind, amount, method, provider in (
            ("refund", Decimal("12.00"), "credit_card", "adyen"),
            ("refund", Decimal("0.50"), "cash", "cash"),
        )
    )


def test_a_refund_of_several_records_is_found_whole(world: World) -> None:
    world.landed(event(0), event(1))
    split_tenders(world, 0)
    world.mapping = HEADER
    world.run()
    assert len(world.erp.records) == 3
    world.lose_the_ledger()
    assert world.run() == {0: POSTED, 1: POSTED}
    assert len(world.erp.created) == 3


def test_a_refund_of_several_records_that_was_half_way_is_finished(world: World) -> None:
    world.landed(event(0))
    split_tenders(world, 0)
    world.mapping = HEADER
    world.erp.scripts = [None, "dropped", "dropped"]
    assert world.run() == {0: ("uncertain", "erp_uncertain")}
    world.lose_the_ledger()
    assert world.run() == {0: POSTED}
    assert len(world.erp.created) == len(world.erp.records) == 2


def test_a_write_without_an_answer_is_found_or_made_once(world: World) -> None:
    world.landed(event(0), event(1))
    world.erp.scripts = ["dropped", None, "dropped"]
    assert world.run()[0] == ("uncertain", "erp_uncertain")
    world.lose_the_ledger()
    assert world.run() == {0: POSTED, 1: POSTED}
    assert sorted(world.erp.created) == sorted([refund_id(0), refund_id(1)])


def test_an_index_that_lags_costs_a_refused_write_and_no_second_record(world: World) -> None:
    world.landed(event(0), event(1))
    world.run()
    world.erp.lags = True
    world.lose_the_ledger(days_later=0)
    assert world.run() == {0: POSTED, 1: POSTED}
    assert len(world.erp.created) == 2


def test_another_posting_model_since_holds_what_is_there_and_writes_nothing(world: World) -> None:
    world.landed(event(0), event(1))
    split_tenders(world, 0)
    cash = TenderRow(method="cash", item="8001")
    world.run(tenders=(*MAPPING.tenders, cash.model_copy(update={"provider": "cash"})))
    world.lose_the_ledger()
    before = world.mapping
    world.mapping = HEADER
    conflict = ("held", "conflicting_erp_record")
    assert world.run() == {0: conflict, 1: conflict}
    world.mapping = before
    assert len(world.erp.created) == 2
    world.lose_the_ledger()
    assert world.run() == {0: POSTED, 1: POSTED}, "the mapping that posted them finds them"


@pytest.mark.parametrize("days_later", [1, 300])
def test_another_prefix_since_is_seen_through_by_the_field_of_the_refund_id(
    world: World, days_later: int
) -> None:
    world.landed(event(0), event(1))
    split_tenders(world, 0)
    world.mapping = HEADER
    world.run()
    world.lose_the_ledger(days_later=days_later)
    assert world.run(external_id_prefix="new-") == {0: POSTED, 1: POSTED}
    assert len(world.erp.created) == 3


def test_another_prefix_without_that_field_posts_again_which_is_why_it_never_changes(
    world: World,
) -> None:
    world.landed(event(0))
    world.run(custom_fields=NO_FIELD)
    world.lose_the_ledger()
    world.run(external_id_prefix="new-", gates=gates(stop_posting=True))
    assert len(world.erp.created) == 1, "the kill switch shows it before it happens"
    assert world.standing(0) == ("held", "posting_stopped")
    world.run(gates=gates())
    assert len(world.erp.created) == 2


def test_today_no_request_is_spent_on_that_field(world: World) -> None:
    world.landed(event(0))
    world.run()
    asked_today = world.erp.requests_made
    world.erp = Books(world.erp.sales)
    world.lose_the_ledger(days_later=1)
    world.run()
    assert world.erp.requests_made == asked_today + 1


def test_what_was_not_posted_is_decided_anew_as_it_was(world: World) -> None:
    world.landed(event(0, is_historical=True), event(1, return_id="r-1"), event(2), event(3))
    odd = event(2).payment_account_id
    world.newstore.accounts[odd] = tuple(
        replace(one, method="barter") for one in world.newstore.accounts[odd]
    )
    world.erp.scripts = ["refused"]
    before = world.run()
    assert before == {
        0: ("skipped", "historical"),
        1: ("skipped", "belongs_to_return"),
        2: ("held", "unmapped_tender"),
        3: ("held", "refused_by_erp"),
    }
    world.lose_the_ledger()
    world.erp.scripts = ["refused"]
    assert world.run() == before
    assert world.erp.created == []


def test_a_voided_record_is_not_made_again(world: World) -> None:
    world.landed(event(0))
    world.run()
    (key, record), *_ = world.erp.records.items()
    world.erp.records[key] = replace(record, voided=True)
    world.lose_the_ledger()
    assert world.run() == {0: ("held", "conflicting_erp_record")}
    assert len(world.erp.created) == 1


def test_a_ledger_put_back_from_yesterday_goes_on_where_the_erp_is(world: World) -> None:
    world.landed(*(event(number) for number in range(6)))
    late = event(5).payment_account_id
    payments = world.newstore.accounts.pop(late)
    world.erp.scripts = [None, "dropped", None, None, None, "dropped"]
    assert world.run(gates=gates(daily_count=4))[5][0] == "awaiting_payment"
    world.ledger.close()
    backup = world.folder / "backup.db"
    shutil.copyfile(world.folder / f"{world.made}.db", backup)
    yesterday = dict(world.erp.records)

    world.clock.sleep(86_400)
    world.newstore.accounts[late] = payments
    world.run()
    world.release(4, 5)
    assert set(world.run().values()) == {POSTED}
    made = list(world.erp.created)
    assert len(made) == 6 > len(yesterday)

    world.ledger.close()
    shutil.copyfile(backup, world.folder / f"{world.made}.db")
    assert set(world.run().values()) == {POSTED}
    assert world.erp.created == made


def test_a_refund_of_another_day_of_the_order_is_told_apart(world: World) -> None:
    """Two equal refunds of one order: the record of the one is not taken for the other."""
    first, second = event(0), event(1, order_id=event(0).order_id)
    world.landed(first)
    world.run()
    world.events.append(second)
    world.newstore.show(second, first)
    world.lose_the_ledger()
    assert world.run() == {0: POSTED, 1: POSTED}
    assert world.erp.created == [refund_id(0), refund_id(1)]
