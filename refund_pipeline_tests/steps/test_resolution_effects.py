"""What a person decided about posting holds however often the refund is built again."""

import random
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from refund_pipeline.domain.actions import Action
from refund_pipeline.domain.errors import Unavailable
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.steps.resolution import (
    Verdict,
)
from refund_pipeline.steps.transactions import build_transactions
from refund_pipeline_tests.fakes import (
    DAY,
    FakeClock,
    FakeErpWithSales,
    FakeNewStore,
    cash_sale,
    event,
    order,
    record_of,
    sales_of,
    transaction,
)
from refund_pipeline_tests.steps.resolution_makers import (
    MAPPING,
    REFUND,
    decide,
    planned,
    run,
    stand_at,
    stands,
    stripped,
    unknown_tender,
    with_a_proven_refund,
)


@pytest.fixture(scope="module")
def one_ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    path = tmp_path_factory.mktemp("resolution") / "ledger.db"
    book = Ledger(f"sqlite:///{path}", clock=FakeClock().now, run_id="test")
    yield book
    book.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ledger(one_ledger: Ledger, clock: FakeClock) -> Ledger:
    return with_a_proven_refund(one_ledger, clock)


def several_sales() -> FakeErpWithSales:
    sale = cash_sale(event(1))
    return FakeErpWithSales({order(event(1)).order_number: [sale, replace(sale, erp_id="902")]})


def test_a_refund_is_posted_without_its_sale_once_that_is_decided(ledger, clock) -> None:
    erp = several_sales()
    run(ledger, clock, erp)
    assert stands(ledger) == ("held", "ambiguous_origin")
    decide(ledger, clock, Action.STANDALONE)
    assert ledger.outstanding_days(now=clock.now())[0].undated == 1, "the sensor asks for a run"
    build_only = {"erp": erp, "mapping": MAPPING, "mapping_version": "v1", "clock": clock.now}
    build_transactions(DAY, ledger=ledger, random_source=random.Random(1), **build_only)
    (work,) = ledger.refunds_to_post(DAY)
    assert (work.transaction.created_from, work.transaction.entity) == (None, "501")
    run(ledger, clock, erp, refresh=True)
    assert (stands(ledger), erp.created) == (("posted", None), [REFUND])


def test_posting_without_the_sale_is_still_decided_when_the_sale_comes(ledger, clock) -> None:
    stand_at(ledger, "origin_missing")
    decide(ledger, clock, Action.STANDALONE)
    stopped = MAPPING.model_copy(update={"gates": type(MAPPING.gates)(stop_posting=True)})
    erp = FakeErpWithSales(sales_of(event(1)))
    run(ledger, clock, erp, mapping=stopped, refresh=True)
    run(ledger, clock, erp, refresh=True)
    assert stands(ledger) == ("posted", None)
    assert ledger.postings_to_verify(DAY, everything=True)[0].transaction.created_from is None


def test_without_its_sale_a_refund_is_not_more_than_was_paid_either(ledger, clock) -> None:
    sale = replace(cash_sale(event(1)), total=Decimal("12.49"))
    erp = FakeErpWithSales({order(event(1)).order_number: [sale, replace(sale, erp_id="902")]})
    run(ledger, clock, erp)
    decide(ledger, clock, Action.STANDALONE)
    run(ledger, clock, erp)
    assert (stands(ledger), erp.created) == (("held", "exceeds_sale"), [])


def test_without_a_default_customer_the_decision_waits_and_says_so(ledger, clock) -> None:
    mapping = MAPPING.model_copy(update={"default_customers": {}})
    erp = several_sales()
    run(ledger, clock, erp, mapping=mapping)
    decide(ledger, clock, Action.STANDALONE)
    run(ledger, clock, erp, mapping=mapping)
    row = ledger.refund(REFUND)
    assert (row.status, "default_customers" in row.detail) == ("awaiting_origin", True)
    assert planned(ledger, clock, Action.STANDALONE).having(Verdict.NOTHING)
    run(ledger, clock, erp)
    assert stands(ledger) == ("posted", None)


# tender


def test_a_refund_is_booked_by_the_tender_that_was_chosen(ledger, clock) -> None:
    line = unknown_tender(ledger)
    resolved = decide(ledger, clock, Action.TENDER, tender="credit_card/adyen")
    assert resolved.done[0].what == "booked as credit_card/adyen instead of paypal/paypal"
    newstore = FakeNewStore()
    newstore.show(event(1))
    newstore.accounts[event(1).payment_account_id] = tuple(
        replace(item, method="paypal", provider="paypal")
        for item in newstore.accounts[event(1).payment_account_id]
    )
    erp = FakeErpWithSales(sales_of(event(1)))
    for _ in range(2):
        run(ledger, clock, erp, newstore=newstore, refresh=True)
    assert (stands(ledger), erp.created) == (("posted", None), [REFUND])
    (posted,) = ledger.postings_to_verify(DAY, everything=True)
    tender = posted.transaction.lines[1]
    assert (tender.item, tender.amount, tender.label) == ("8101", -line.amount, "paypal/paypal")


def test_a_row_that_is_added_later_does_not_undo_the_choice(ledger, clock) -> None:
    unknown_tender(ledger)
    decide(ledger, clock, Action.TENDER)
    row = type(MAPPING.tenders[0])(method="paypal", item="8999")
    mapping = MAPPING.model_copy(update={"tenders": (*MAPPING.tenders, row)})
    erp = FakeErpWithSales(sales_of(event(1)))
    run(ledger, clock, erp, mapping=mapping)
    (posted,) = ledger.postings_to_verify(DAY, everything=True)
    assert posted.transaction.lines[1].item == "8001"


def test_a_chosen_row_that_left_the_mapping_holds_the_refund_and_is_named(ledger, clock) -> None:
    unknown_tender(ledger)
    decide(ledger, clock, Action.TENDER)
    rows = tuple(row for row in MAPPING.tenders if row.method != "cash")
    erp = FakeErpWithSales(sales_of(event(1)))
    run(ledger, clock, erp, mapping=MAPPING.model_copy(update={"tenders": rows}))
    row = ledger.refund(REFUND)
    assert (row.reason, "{ method: cash, item:" in row.detail) == ("unmapped_tender", True)


def test_the_same_choice_twice_is_one(ledger, clock) -> None:
    unknown_tender(ledger)
    decide(ledger, clock, Action.TENDER)
    (item,) = planned(ledger, clock, Action.TENDER).items
    assert (item.verdict, item.what) == (Verdict.NOTHING, "was to be booked so before")


def test_a_tender_the_mapping_does_not_have_cannot_be_chosen(ledger, clock) -> None:
    unknown_tender(ledger)
    (item,) = planned(ledger, clock, Action.TENDER, tender="bitcoin").items
    assert (item.verdict, item.what) == (
        Verdict.IMPOSSIBLE,
        "the mapping has no row of tenders for bitcoin in USD",
    )


def test_what_the_erp_refused_is_posted_once_by_another_tender(ledger, clock) -> None:
    erp = FakeErpWithSales(sales_of(event(1)), scripts=["refused"])
    run(ledger, clock, erp)
    assert stands(ledger) == ("held", "refused_by_erp")
    decide(ledger, clock, Action.TENDER, erp=erp)
    run(ledger, clock, erp)
    assert (stands(ledger), erp.created) == (("posted", None), [REFUND])
    assert erp.records[transaction(1).external_id].lines[1].item == "8001"


# retry


@pytest.mark.parametrize("reason", ["overpaid", "exceeds_sale", "payments_incomplete"])
def test_a_retry_reads_newstore_again(ledger, clock, reason) -> None:
    stand_at(ledger, reason)
    decide(ledger, clock, Action.RETRY)
    assert stands(ledger) == ("landed", None)
    newstore = FakeNewStore()
    newstore.show(event(1))
    run(ledger, clock, FakeErpWithSales(sales_of(event(1))), newstore=newstore)
    assert (stands(ledger), newstore.orders_asked) == (("posted", None), [[event(1).order_id]])


def test_a_retry_posts_the_same_transaction_the_erp_refused_before(ledger, clock) -> None:
    erp = FakeErpWithSales(sales_of(event(1)), scripts=["refused"])
    run(ledger, clock, erp)
    run(ledger, clock, erp)
    assert (stands(ledger), erp.posts) == (("held", "refused_by_erp"), 1)
    decide(ledger, clock, Action.RETRY, erp=erp)
    run(ledger, clock, erp)
    assert (stands(ledger), erp.created) == (("posted", None), [REFUND])


def test_a_corrected_record_is_taken_for_the_refund_s_after_a_retry(ledger, clock) -> None:
    erp = FakeErpWithSales(sales_of(event(1)))
    external_id = transaction(1).external_id
    right = record_of(transaction(1), "77")
    erp.records[external_id] = replace(right, currency_id="9")
    run(ledger, clock, erp)
    assert stands(ledger) == ("held", "conflicting_erp_record")
    erp.records[external_id] = right
    decide(ledger, clock, Action.RETRY, erp=erp)
    run(ledger, clock, erp)
    assert (stands(ledger), erp.posts) == (("posted", None), 0)
    assert ledger.refund(REFUND).erp_id == "77"


def test_a_record_that_stays_another_is_held_again_and_never_written_beside(ledger, clock) -> None:
    erp = FakeErpWithSales(sales_of(event(1)))
    wrong = replace(record_of(transaction(1), "77"), currency_id="9")
    erp.records[transaction(1).external_id] = wrong
    run(ledger, clock, erp)
    for _ in range(2):
        decide(ledger, clock, Action.RETRY, erp=erp)
        run(ledger, clock, erp)
        assert (stands(ledger), erp.posts) == (("held", "conflicting_erp_record"), 0)


def test_a_record_without_its_external_id_keeps_the_refund_from_being_written(
    ledger, clock
) -> None:
    stand_at(ledger, "conflicting_erp_record")
    erp = FakeErpWithSales(sales_of(event(1)))
    stripped(erp)
    (item,) = planned(ledger, clock, Action.RETRY, erp=erp).items
    assert (item.verdict, "external id" in item.what) == (Verdict.IMPOSSIBLE, True)
    run(ledger, clock, erp)
    assert erp.posts == 0


# release


def test_a_released_refund_passes_the_gates_until_that_is_taken_back(ledger, clock) -> None:
    gated = MAPPING.model_copy(update={"gates": type(MAPPING.gates)(daily_count=0)})
    erp = FakeErpWithSales(sales_of(event(1)), scripts=[Unavailable("down")])
    run(ledger, clock, erp, mapping=gated)
    assert stands(ledger) == ("held", "daily_gate")
    decide(ledger, clock, Action.RELEASE)
    with pytest.raises(Unavailable):
        run(ledger, clock, erp, mapping=gated)
    assert stands(ledger) == ("ready", "erp_unavailable")
    decide(ledger, clock, Action.REOPEN, erp=erp)
    run(ledger, clock, erp, mapping=gated)
    assert (stands(ledger), erp.created) == (("held", "daily_gate"), [])
