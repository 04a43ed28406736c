"""A large day goes part by part, and comes to what it comes to at once."""

import random
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from refund_pipeline.domain.events import RefundEvent
from refund_pipeline.gateways.ledger.rows import AmountToBuild
from refund_pipeline.steps import payments, transactions
from refund_pipeline.steps.parts import parts, parts_by_order
from refund_pipeline.steps.payments import fetch_payments
from refund_pipeline.steps.posting import Surroundings, post_refunds
from refund_pipeline.steps.reconciliation import reconcile
from refund_pipeline.steps.transactions import build_transactions
from refund_pipeline_tests.fakes import (
    DAY,
    FakeClock,
    FakeErpWithSales,
    FakeNewStore,
    account,
    cash_sale,
    event,
    example_mapping,
    landed_ledger,
    order,
    refund_id,
)

MAPPING = example_mapping()


def amount(number: int, order_id: str) -> AmountToBuild:
    return AmountToBuild(str(number), order_id, "USD", Decimal(1))


def test_parts_are_in_order_and_nothing_is_left_out() -> None:
    assert [*parts([1, 2, 3, 4, 5], 2)] == [[1, 2], [3, 4], [5]]
    assert [*parts([], 2)] == []


def test_the_refunds_of_an_order_are_in_one_part_in_their_order() -> None:
    refunds = [amount(number, name) for number, name in enumerate("abcab")]
    assert [*parts_by_order(refunds, 2)] == [["0", "3"], ["1", "4"], ["2"]]
    assert [*parts_by_order(refunds, 5)] == [["0", "3", "1", "4", "2"]]
    assert [*parts_by_order([], 2)] == []


def landed() -> list[RefundEvent]:
    """Make nine refunds; three are of one order, whose sale bears two of them, and then one."""
    sale = refund_id(10_001)
    shared = {"order_id": sale, "payment_account_id": sale}
    return [event(n, **(shared if n in {1, 5, 8} else {})) for n in range(9)]


def gone_through(place: Path, *, at_once: int | None, gate: int | None = None):
    """Run a day's steps; return where it stands, which refunds are in the ERP, and what agrees."""
    place.mkdir()
    refunds, clock, chance = landed(), FakeClock(), random.Random(7)
    gates = MAPPING.gates.model_copy(update={"daily_count": gate})
    mapping = MAPPING.model_copy(update={"gates": gates})
    sales = {order(of).order_number: [replace(cash_sale(of), total=Decimal(25))] for of in refunds}
    erp, newstore = FakeErpWithSales(sales), FakeNewStore()
    for of in refunds:
        newstore.show(of)
    shared = [of for of in refunds if of.order_id == refunds[1].order_id]
    newstore.accounts[shared[0].payment_account_id] = tuple(
        line for of in shared for line in account(of)
    )
    ledger = landed_ledger(place, refunds, clock)
    with pytest.MonkeyPatch.context() as patch:
        if at_once is not None:
            patch.setattr(payments, "_CHUNK", at_once)
            for name in ("posting", "reconciliation"):
                patch.setattr(
                    f"refund_pipeline.steps.{name}.parts",
                    lambda items, size=at_once: parts(items, size),
                )
            patch.setattr(
                transactions, "parts_by_order", lambda items: parts_by_order(items, at_once)
            )
        common = {
            "ledger": ledger,
            "mapping": mapping,
            "clock": clock.now,
            "random_source": chance,
        }
        fetched = fetch_payments(DAY, open_newstore=lambda: newstore, **common)
        build_transactions(DAY, erp=erp, mapping_version="v1", **common)
        erp.sales = {
            name: [replace(one, total=Decimal(13)) for one in sales[name]] for name in sales
        }
        built = build_transactions(DAY, erp=erp, mapping_version="v1", **common)
        around = Surroundings(clock.now, clock.sleep, chance, lambda _: None)
        posted = post_refunds(DAY, ledger=ledger, erp=erp, concurrency=1, surroundings=around)
        compared = reconcile(DAY, ledger=ledger, erp=erp, prefix="apz-", clock=clock.now)
    return (
        {row.refund_id: (row.status, row.reason, row.attempts) for row in ledger.refunds(day=DAY)},
        sorted(erp.created),
        (fetched.looked_at, fetched.results, built.looked_at, built.results),
        (posted.looked_at, posted.results, compared.checked, compared.agreements),
    )


@pytest.mark.parametrize("gate", [None, 3])
@pytest.mark.parametrize("at_once", [1, 4])
def test_a_day_in_parts_comes_to_what_it_comes_to_at_once(
    tmp_path: Path, at_once: int, gate: int | None
) -> None:
    whole = gone_through(tmp_path / "whole", at_once=None, gate=gate)
    assert gone_through(tmp_path / "parts", at_once=at_once, gate=gate) == whole


def test_no_more_of_an_order_is_refunded_than_its_sale_is_worth_by_now(tmp_path: Path) -> None:
    standings, created, *_ = gone_through(tmp_path / "parts", at_once=1)
    held = {name for name, (status, *_) in standings.items() if status == "held"}
    assert held == {refund_id(5), refund_id(8)}
    assert len(created) == len(standings) - len(held)
