"""Refund transactions: built from what is proven, held with its cure, built again until posted."""

import random
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from refund_pipeline.domain.actions import Action
from refund_pipeline.domain.errors import Unavailable
from refund_pipeline.domain.mapping import Gates
from refund_pipeline.domain.mapping import Mapping as RefundMapping
from refund_pipeline.domain.payments import PaymentLine, PaymentsAvailable, RefundFacts
from refund_pipeline.domain.resolutions import Decision
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import PaymentRow
from refund_pipeline.steps.payments import PaymentsFetched, fetch_payments
from refund_pipeline.steps.transactions import TransactionsBuilt, build_transactions
from refund_pipeline_tests.fakes import (
    DAY,
    FakeClock,
    FakeErp,
    FakeErpWithSales,
    FakeNewStore,
    cash_sale,
    event,
    example_mapping,
    landed_ledger,
    order,
    proven_ledger,
    ready_ledger,
    refund_id,
    sales_of,
    transaction,
)

MAPPING = example_mapping()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def build(ledger, erp, clock, *, mapping=MAPPING, version="v1", only=None) -> TransactionsBuilt:
    return build_transactions(
        DAY,
        ledger=ledger,
        erp=erp,
        mapping=mapping,
        mapping_version=version,
        clock=clock.now,
        random_source=random.Random(1),
        refund_ids=only,
    )


def pay(ledger, newstore, clock, *, mapping=MAPPING) -> PaymentsFetched:
    return fetch_payments(
        DAY,
        ledger=ledger,
        open_newstore=lambda: newstore,
        mapping=mapping,
        clock=clock.now,
        random_source=random.Random(1),
    )


def without(field: str) -> RefundMapping:
    """Return the example mapping without its rows for what `event()` needs."""
    if field == "tenders":
        rows = tuple(row for row in MAPPING.tenders if row.provider != "adyen")
        return MAPPING.model_copy(update={"tenders": rows})
    dropped = {"currencies": "USD", "stores": "NYC01"}[field]
    rows = {key: row for key, row in getattr(MAPPING, field).items() if key != dropped}
    return MAPPING.model_copy(update={field: rows})


def test_a_proven_refund_with_its_sale_is_ready(tmp_path, clock) -> None:
    ledger = proven_ledger(tmp_path, [event(1)], clock)
    done = build(ledger, FakeErpWithSales(sales_of(event(1))), clock)
    assert (done.looked_at, done.results, done.erp_requests) == (1, {"Ready": 1}, 1)
    (work,) = ledger.refunds_to_post(DAY)
    assert work.transaction == transaction(1)
    assert ledger.refund(refund_id(1)).external_id == transaction(1).external_id


def test_the_origins_of_a_day_are_asked_for_once_and_each_order_once(tmp_path, clock) -> None:
    same_order = event(1)
    events = [
        same_order,
        event(2, order_id=same_order.order_id),
        event(3),
        event(4, return_id="r-1"),
    ]
    ledger = proven_ledger(tmp_path, events, clock)
    erp = FakeErpWithSales({})
    build(ledger, erp, clock)
    assert erp.origins_asked == [sorted({order(item).order_number for item in events[:3]})]


def test_nothing_to_build_asks_the_erp_nothing(tmp_path, clock) -> None:
    ledger = landed_ledger(tmp_path, [event(1), event(2, return_id="r-1")], clock)
    assert build(ledger, FakeErp(), clock).erp_requests == 0
    assert ledger.refund(refund_id(1)).status == "landed"


def test_a_store_refund_waits_for_its_sale_and_is_built_when_it_is_there(tmp_path, clock) -> None:
    ledger = proven_ledger(tmp_path, [event(1)], clock)
    erp = FakeErpWithSales({})
    for attempts in (1, 2):
        assert build(ledger, erp, clock).results == {"AwaitingOrigin": 1}
        row = ledger.refund(refund_id(1))
        assert (row.status, row.reason) == ("awaiting_origin", "origin_missing")
        assert row.attempts == attempts
        assert row.next_attempt_at > clock.now()
        clock.sleep(120)
    erp.sales = sales_of(event(1))
    assert build(ledger, erp, clock).results == {"Ready": 1}
    assert ledger.refund(refund_id(1)).next_attempt_at is None


def test_waiting_for_a_sale_ends_after_the_days_of_the_mapping(tmp_path, clock) -> None:
    policies = MAPPING.policies.model_copy(
        update={
            "origin_missing": type(MAPPING.policies.origin_missing)(
                action="standalone", after_days=3
            )
        }
    )
    mapping = MAPPING.model_copy(update={"policies": policies})
    ledger = proven_ledger(tmp_path, [event(1)], clock)
    clock.sleep(timedelta(days=3).total_seconds() - 1)
    assert build(ledger, FakeErp(), clock, mapping=mapping).results == {"AwaitingOrigin": 1}
    clock.sleep(1)
    assert build(ledger, FakeErp(), clock, mapping=mapping).results == {"Ready": 1}


@pytest.mark.parametrize(
    ("field", "reason", "row"),
    [
        (
            "tenders",
            "unmapped_tender",
            'tenders: - { method: credit_card, provider: adyen, item: "<payment item id>" }',
        ),
        ("currencies", "unmapped_currency", 'currencies: USD: "<currency id>"'),
        (
            "stores",
            "unmapped_store",
            'stores: NYC01: { location: "<id>", subsidiary: "<id>", zone: <Area/City> }',
        ),
    ],
)
def test_what_is_unmapped_is_held_with_the_row_to_add_and_ready_once_it_is_there(
    tmp_path, clock, field, reason, row
) -> None:
    ledger = proven_ledger(tmp_path, [event(1), event(2)], clock)
    erp = FakeErpWithSales(sales_of(event(1), event(2)))
    assert build(ledger, erp, clock, mapping=without(field)).results == {"Held": 2}
    standing = ledger.refund(refund_id(1))
    assert (standing.status, standing.reason) == ("held", reason)
    assert standing.detail == f"add to the mapping, under {row}"
    assert ledger.refunds_to_post(DAY) == []
    assert build(ledger, erp, clock, version="v2").results == {"Ready": 2}
    assert ledger.refund(refund_id(1)).status == "ready"


def test_only_the_refunds_that_do_not_fit_are_held(tmp_path, clock) -> None:
    ledger = proven_ledger(tmp_path, [event(1), event(2)], clock)
    barter = PaymentsAvailable((PaymentLine("barter", "shells", Decimal("12.50"), "USD"),))
    ledger.save_payments([PaymentRow(refund_id(2), order(event(2)), barter, 1, None)])
    erp = FakeErpWithSales(sales_of(event(1), event(2)))
    assert build(ledger, erp, clock).results == {"Ready": 1, "Held": 1}
    assert "method: barter, provider: shells" in ledger.refund(refund_id(2)).detail


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"return_id": "r-1"}, "belongs_to_return"), ({"is_historical": True}, "historical")],
)
def test_what_is_not_ours_to_post_is_skipped_with_its_reason(
    tmp_path, clock, change, reason
) -> None:
    ledger = proven_ledger(tmp_path, [event(1, **change)], clock)
    done = build(ledger, FakeErp(), clock)
    assert (done.results, done.erp_requests) == ({"Skipped": 1}, 0)
    row = ledger.refund(refund_id(1))
    assert (row.status, row.reason) == ("skipped", reason)
    build(ledger, FakeErp(), clock)
    assert len(ledger.history(refund_id(1))) == 2


def test_a_proven_historical_refund_is_built_where_finance_posts_them(tmp_path, clock) -> None:
    historical = event(1, is_historical=True)
    policies = MAPPING.policies.model_copy(update={"historical": "post"})
    mapping = MAPPING.model_copy(update={"policies": policies})
    ledger = landed_ledger(tmp_path, [historical], clock)
    erp = FakeErpWithSales(sales_of(historical))
    assert build(ledger, erp, clock, mapping=mapping).looked_at == 0
    proof = PaymentsAvailable((PaymentLine("cash", "cash", Decimal("12.50"), "USD"),))
    ledger.save_payments([PaymentRow(refund_id(1), order(historical), proof, 1, None)])
    assert build(ledger, erp, clock, mapping=mapping).results == {"Ready": 1}


def test_what_newstore_calls_a_return_is_skipped_and_not_asked_about_again(tmp_path, clock) -> None:
    ledger = landed_ledger(tmp_path, [event(1)], clock)
    newstore = FakeNewStore()
    newstore.show(event(1))
    newstore.facts[refund_id(1)] = RefundFacts("ret-1", is_historical=False, status="succeeded")
    assert pay(ledger, newstore, clock).looked_at == 1
    assert build(ledger, FakeErp(), clock).results == {"Skipped": 1}
    assert ledger.refund(refund_id(1)).reason == "belongs_to_return"
    assert pay(ledger, newstore, clock).looked_at == 0


def test_a_historical_refund_without_payments_waits_once_the_policy_posts_it(
    tmp_path, clock
) -> None:
    ledger = landed_ledger(tmp_path, [event(1)], clock)
    newstore = FakeNewStore()
    newstore.show(event(1))
    newstore.accounts.clear()
    newstore.facts[refund_id(1)] = RefundFacts(None, is_historical=True, status="")
    pay(ledger, newstore, clock)
    build(ledger, FakeErp(), clock)
    assert ledger.refund(refund_id(1)).status == "skipped"
    policies = MAPPING.policies.model_copy(update={"historical": "post"})
    mapping = MAPPING.model_copy(update={"policies": policies})
    assert pay(ledger, newstore, clock, mapping=mapping).looked_at == 1
    assert build(ledger, FakeErp(), clock, mapping=mapping).looked_at == 0
    assert ledger.refund(refund_id(1)).status == "awaiting_payment"


def test_only_the_refunds_that_are_named_are_built(tmp_path, clock) -> None:
    ledger = proven_ledger(tmp_path, [event(1), event(2)], clock)
    erp = FakeErpWithSales(sales_of(event(1), event(2)))
    build(ledger, erp, clock, only=[refund_id(2)])
    assert [work.transaction.refund_id for work in ledger.refunds_to_post(DAY)] == [refund_id(2)]


def test_a_mapping_that_changes_before_posting_takes_effect(tmp_path, clock) -> None:
    ledger = proven_ledger(tmp_path, [event(1)], clock)
    erp = FakeErpWithSales(sales_of(event(1)))
    build(ledger, erp, clock)
    build(ledger, erp, clock, mapping=MAPPING.model_copy(update={"custom_form": "777"}))
    (work,) = ledger.refunds_to_post(DAY)
    assert work.transaction == replace(transaction(1), custom_form="777")


def test_what_is_posted_is_not_built_again(tmp_path, clock) -> None:
    ledger = ready_ledger(tmp_path, 1, clock)
    ledger.finish_posting(refund_id(0), state="posted", erp_id="77", amount=Decimal("12.50"))
    done = build(ledger, FakeErp(), clock, mapping=without("tenders"))
    assert (done.looked_at, done.erp_requests) == (0, 0)
    assert ledger.refund(refund_id(0)).status == "posted"


def test_an_erp_that_is_down_saves_nothing(tmp_path, clock) -> None:
    ledger = proven_ledger(tmp_path, [event(1), event(2, return_id="r-1")], clock)
    erp = FakeErp()

    def down(*args, **kwargs):
        raise Unavailable("down")

    erp.origins = down
    before = [ledger.refund(refund_id(number)) for number in (1, 2)]
    with pytest.raises(Unavailable):
        build(ledger, erp, clock)
    assert [ledger.refund(refund_id(number)) for number in (1, 2)] == before


def gated(**gates: object) -> RefundMapping:
    return MAPPING.model_copy(update={"gates": Gates.model_validate(gates)})


def three(tmp_path: Path, clock: FakeClock) -> tuple[Ledger, FakeErp]:
    refunds = [event(number) for number in (1, 2, 3)]
    return proven_ledger(tmp_path, refunds, clock), FakeErpWithSales(sales_of(*refunds))


def test_beyond_a_daily_gate_the_rest_is_held_until_a_person_releases_it(tmp_path, clock) -> None:
    ledger, erp = three(tmp_path, clock)
    mapping = gated(daily_count=1)
    assert build(ledger, erp, clock, mapping=mapping).results == {"Ready": 1, "Held": 2}
    assert ledger.refund(refund_id(3)).reason == "daily_gate"
    release = Decision(Action.RELEASE, "finance", "checked")
    assert ledger.resolve([refund_id(3), "no-such-refund"], release) == [refund_id(3)]
    assert build(ledger, erp, clock, mapping=mapping).results == {"Ready": 2, "Held": 1}


def test_what_is_posted_counts_for_the_gates_of_its_day(tmp_path, clock) -> None:
    ledger, erp = three(tmp_path, clock)
    build(ledger, erp, clock, only=[refund_id(1)])
    ledger.finish_posting(refund_id(1), state="posted", erp_id="7", amount=Decimal("12.50"))
    mapping = gated(daily_sum={"USD": "30.00"})
    assert build(ledger, erp, clock, mapping=mapping).results == {"Ready": 1, "Held": 1}


def test_the_kill_switch_holds_what_was_ready_and_lets_it_go_again(tmp_path, clock) -> None:
    ledger, erp = three(tmp_path, clock)
    build(ledger, erp, clock)
    assert build(ledger, erp, clock, mapping=gated(stop_posting=True)).results == {"Held": 3}
    assert ledger.refunds_to_post(DAY) == []
    assert build(ledger, erp, clock).results == {"Ready": 3}


def test_refunds_of_one_sale_are_built_until_they_use_it_up(tmp_path, clock) -> None:
    first = event(1)
    others = [event(number, order_id=first.order_id) for number in (2, 3)]
    ledger = proven_ledger(tmp_path, [first, *others], clock)
    sale = replace(cash_sale(first), total=Decimal("30.00"))
    erp = FakeErpWithSales({order(first).order_number: [sale]})
    assert build(ledger, erp, clock).results == {"Ready": 2, "Held": 1}
    assert ledger.refund(refund_id(3)).reason == "exceeds_sale"
    assert build(ledger, erp, clock, only=[refund_id(3)]).results == {"Held": 1}


def test_a_closed_period_is_asked_for_once_and_holds_its_refunds(tmp_path, clock) -> None:
    ledger, erp = three(tmp_path, clock)
    erp.closed = {date(2026, 11, 20)}
    assert build(ledger, erp, clock).results == {"Held": 3}
    assert ledger.refund(refund_id(1)).reason == "closed_period"
