"""What would be posted now: which refunds, their bodies, and a balance of accounts."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from refund_pipeline.domain.transactions import Ready, RefundTransaction, TransactionLine
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import TransactionRow
from refund_pipeline.steps.plan import Account, CurrencySum, plan_postings
from refund_pipeline_tests.fakes import (
    DAY,
    NOON,
    FakeClock,
    FakeErp,
    ready_ledger,
    refund_id,
    transaction,
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: FakeClock) -> Ledger:
    """A ledger with three refunds that are ready."""
    return ready_ledger(tmp_path, 3, clock)


def rebuilt(ledger: Ledger, number: int, *, version: str = "v1", **changes) -> RefundTransaction:
    built = replace(transaction(number), **changes)
    row = TransactionRow(built.refund_id, Ready(built), 0, None)
    ledger.save_transactions([row], mapping_version=version)
    return built


def planned(ledger: Ledger, **narrowed) -> list[str]:
    return [one.transaction.refund_id for one in plan_postings(ledger, **narrowed).postings]


def test_all_that_is_ready_is_planned_in_landing_order(ledger) -> None:
    assert planned(ledger) == planned(ledger, day=DAY) == [refund_id(one) for one in range(3)]


def test_a_day_and_refunds_narrow(ledger) -> None:
    assert planned(ledger, day=DAY + timedelta(days=1)) == []
    assert planned(ledger, refund_ids=[refund_id(1), "unknown"]) == [refund_id(1)]


def test_what_is_posted_is_not_planned(ledger) -> None:
    assert ledger.begin_posting(transaction(0))
    ledger.finish_posting(refund_id(0), state="posted", erp_id="1", amount=Decimal("12.50"))
    assert planned(ledger) == [refund_id(1), refund_id(2)]


def test_a_write_begun_before_is_planned_to_be_looked_up_and_is_in_no_sum(ledger) -> None:
    assert ledger.begin_posting(transaction(0))
    plan = plan_postings(ledger)
    assert [one.looked_up_first for one in plan.postings] == [True, False, False]
    assert (plan.written, plan.looked_up_first) == (2, 1)
    assert plan.sums == (CurrencySum("USD", 2, Decimal("25.00"), Decimal("25.00")),)


def test_the_balance_sums_items_per_tender_place_and_currency(ledger) -> None:
    rebuilt(ledger, 1, location="12")
    rebuilt(
        ledger,
        2,
        lines=(
            TransactionLine("9001", Decimal("12.50"), "appeasement"),
            TransactionLine("8001", Decimal("-2.50"), "cash/cash"),
            TransactionLine("8101", Decimal("-10.00"), "credit_card/adyen"),
        ),
    )
    nothing = Decimal("0.00")
    appeasement, card = ("9001", "appeasement", "1"), ("8101", "credit_card/adyen", "1")
    assert plan_postings(ledger).accounts == (
        Account(*appeasement, "11", "USD", 2, Decimal("25.00"), nothing),
        Account(*appeasement, "12", "USD", 1, Decimal("12.50"), nothing),
        Account("8001", "cash/cash", "1", "11", "USD", 1, nothing, Decimal("2.50")),
        Account(*card, "11", "USD", 2, nothing, Decimal("22.50")),
        Account(*card, "12", "USD", 1, nothing, Decimal("12.50")),
    )


def test_currencies_are_never_added_up(ledger) -> None:
    yen = Decimal(300)
    lines = (TransactionLine("9001", yen, "appeasement"), TransactionLine("8001", -yen, "cash"))
    rebuilt(ledger, 0, currency="JPY", currency_id="3", amount=yen, lines=lines)
    assert [(one.currency, one.refunds, one.debit) for one in plan_postings(ledger).sums] == [
        ("JPY", 1, Decimal(300)),
        ("USD", 2, Decimal("25.00")),
    ]


def test_a_tender_of_the_header_is_named_by_its_payment_option_and_account(ledger) -> None:
    lines = (
        TransactionLine("9001", Decimal("12.50"), "appeasement"),
        TransactionLine("", Decimal("-12.50"), "cash", payment_option="5", account="77"),
    )
    rebuilt(ledger, 0, lines=lines, in_header=True)
    plan = plan_postings(ledger, refund_ids=[refund_id(0)])
    assert [account.booked_to for account in plan.accounts] == ["9001", "5 77"]


def test_the_bodies_are_those_of_every_record(ledger) -> None:
    lines = (
        TransactionLine("9001", Decimal("12.50"), "appeasement"),
        TransactionLine("", Decimal("-2.50"), "cash", payment_option="5"),
        TransactionLine("", Decimal("-10.00"), "card", payment_option="6"),
    )
    built = rebuilt(ledger, 0, lines=lines, in_header=True)
    (planned,) = plan_postings(ledger, refund_ids=[refund_id(0)]).postings
    assert planned.bodies(FakeErp().render) == [f"{built.external_id}-{n}" for n in (1, 2)]


def test_the_plan_says_when_and_with_which_mappings_it_was_built(ledger, clock) -> None:
    clock.sleep(60)
    rebuilt(ledger, 1, version="v2")
    fresh = plan_postings(ledger).fresh
    assert fresh is not None
    assert (fresh.first_built_at, fresh.last_built_at) == (NOON, NOON + timedelta(seconds=60))
    assert fresh.mapping_versions == ("v1", "v2")
    assert plan_postings(ledger, refund_ids=["unknown"]).fresh is None
