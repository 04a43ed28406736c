"""The refund transaction: balanced by construction, or held with its cure, awaited or skipped."""

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from refund_pipeline.domain.building import Circumstances, build_transaction, skip_reason
from refund_pipeline.domain.errors import InvalidTransaction
from refund_pipeline.domain.events import RefundEvent
from refund_pipeline.domain.mapping import Mapping
from refund_pipeline.domain.orders import Order, OrderItem
from refund_pipeline.domain.payments import PaymentLine, RefundFacts
from refund_pipeline.domain.transactions import (
    SALES_ORDER,
    AwaitingOrigin,
    Built,
    Held,
    Origin,
    Ready,
    RefundTransaction,
    Skipped,
    TransactionLine,
    business_date,
    check_balance,
    external_id,
)
from refund_pipeline_tests.fakes import (
    EXAMPLE_MAPPING,
    NOON,
    cash_sale,
    event,
    example_mapping,
    order,
    payment_lines,
    record_of,
    refund_id,
)

REFUND = event(reason_code="7")
MAPPING = example_mapping()
WEB = {"channel_type": "web", "channel": "web-eu", "store_id": None}


def changed_mapping(**changes: Any) -> Mapping:
    document = yaml.safe_load(EXAMPLE_MAPPING.read_text(encoding="utf-8"))
    return Mapping.model_validate(document | changes)


def policies(**origin_missing: Any) -> Mapping:
    return changed_mapping(policies={"historical": "skip", "origin_missing": origin_missing})


def build(
    refund: RefundEvent = REFUND,
    *,
    of: Order | None = None,
    payments: tuple[PaymentLine, ...] | None = None,
    origins: tuple[Origin, ...] | None = None,
    mapping: Mapping = MAPPING,
    now: datetime = NOON,
) -> Built:
    return build_transaction(
        refund,
        order(refund) if of is None else of,
        payment_lines(refund) if payments is None else payments,
        (cash_sale(refund),) if origins is None else origins,
        mapping,
        Circumstances(now),
    )


def ready(*args: Any, **kwargs: Any) -> RefundTransaction:
    built = build(*args, **kwargs)
    assert isinstance(built, Ready), built
    return built.transaction


def delivered() -> OrderItem:
    item = order(REFUND).items[0]
    return replace(item, shipping_service_level="REGULAR_PARCEL")


# What is built


def test_a_cash_and_carry_refund_is_made_from_its_cash_sale() -> None:
    of = order(REFUND)
    built = ready()
    assert built.created_from == cash_sale(REFUND).erp_id
    assert built.external_id == "apz-" + REFUND.refund_id.replace("-", "")
    assert (built.entity, built.subsidiary, built.location) == ("601", "1", "11")
    assert (built.currency, built.currency_id, built.custom_form) == ("USD", "1", "131")
    assert built.memo == f"Appeasement refund {REFUND.refund_id} for order {of.order_number}"
    assert built.lines == (
        TransactionLine("9002", Decimal("12.50"), "appeasement"),
        TransactionLine("8101", Decimal("-12.50"), "credit_card/adyen"),
    )
    assert built.custom_fields == (
        ("custbody_nst_order_number", of.order_number),
        ("custbody_nst_refund_id", REFUND.refund_id),
    )


def test_a_web_refund_stands_alone_in_the_place_of_its_currency() -> None:
    refund = event(currency="EUR")
    built = ready(refund, of=order(refund, **WEB), origins=())
    assert built.created_from is None
    assert (built.location, built.subsidiary, built.entity) == ("29", "2", "502")


@pytest.mark.parametrize(
    ("items", "made_from_sale"),
    [("in store", True), ("mixed", False), ("delivered", False), ("none", False)],
)
def test_only_what_was_all_handed_over_in_the_store_is_made_from_the_sale(
    items: str, made_from_sale: bool
) -> None:
    here, there = order(REFUND).items[0], delivered()
    unknown = replace(here, shipping_service_level=None)
    lines = {"in store": (here, unknown), "mixed": (here, there), "delivered": (there,), "none": ()}
    built = ready(of=order(REFUND, items=lines[items]))
    assert (built.created_from is not None) == made_from_sale
    assert built.entity == "601"


def test_a_delivered_order_takes_its_customer_from_the_sales_order() -> None:
    sale = Origin(SALES_ORDER, "77", "655", "1", "1")
    built = ready(of=order(REFUND, items=(delivered(),)), origins=(sale,))
    assert (built.created_from, built.entity) == (None, "655")


def test_every_payment_line_becomes_a_tender_line() -> None:
    payments = (
        PaymentLine("cash", "till", Decimal("2.50"), "USD"),
        PaymentLine("gift_card", "gift_card", Decimal("10.00"), "USD", "9911"),
    )
    assert ready(payments=payments).lines[1:] == (
        TransactionLine("8001", Decimal("-2.50"), "cash/till"),
        TransactionLine("8201", Decimal("-10.00"), "gift_card/gift_card", "9911"),
    )


tenders = st.sampled_from([("cash", "x"), ("credit_card", "adyen"), ("gift_card", "g")])


@given(
    st.lists(st.tuples(tenders, st.integers(1, 10**9)), min_size=1, max_size=8),
    st.sampled_from([("USD", -2), ("EUR", -2), ("JPY", 0)]),
)
def test_whatever_is_built_balances_to_zero(
    legs: list[tuple[tuple[str, str], int]], money: tuple[str, int]
) -> None:
    currency, scale = money
    payments = tuple(
        PaymentLine(method, provider, Decimal(units).scaleb(scale), currency)
        for (method, provider), units in legs
    )
    amount = sum((line.amount for line in payments), Decimal(0))
    refund = event(amount=amount, currency=currency)
    built = ready(refund, of=order(refund, **WEB), payments=payments, origins=())
    assert sum(line.amount for line in built.lines) == 0
    assert built.lines[0].amount == amount
    assert len(built.lines) == len(payments) + 1
    check_balance(built)


@pytest.mark.parametrize(
    "lines",
    [
        (TransactionLine("1", Decimal("12.50"), "a"), TransactionLine("2", Decimal("-12.49"), "t")),
        (TransactionLine("1", Decimal("12.50"), "a"),),
        (TransactionLine("1", Decimal(10), "a"), TransactionLine("2", Decimal(-10), "t")),
        (
            TransactionLine("1", Decimal("12.50"), "a"),
            TransactionLine("2", Decimal("-13.00"), "t"),
            TransactionLine("2", Decimal("0.50"), "t"),
        ),
        (
            TransactionLine("1", Decimal("12.50"), "a"),
            TransactionLine("2", Decimal("-12.50"), "t"),
            TransactionLine("2", Decimal("0.00"), "t"),
        ),
    ],
)
def test_lines_that_do_not_balance_are_a_defect(lines: tuple[TransactionLine, ...]) -> None:
    with pytest.raises(InvalidTransaction, match=REFUND.refund_id):
        check_balance(replace(ready(), lines=lines))


def test_a_refund_of_nothing_without_tenders_is_a_defect() -> None:
    nothing = replace(ready(), amount=Decimal(0), lines=(TransactionLine("1", Decimal(0), "a"),))
    with pytest.raises(InvalidTransaction):
        check_balance(nothing)


@pytest.mark.parametrize("amount", ["12.49", "12.51"])
def test_payments_that_do_not_prove_the_amount_are_never_built(amount: str) -> None:
    line = replace(payment_lines(REFUND)[0], amount=Decimal(amount))
    with pytest.raises(InvalidTransaction):
        build(payments=(line,))


def test_the_fingerprint_changes_with_what_would_be_written_and_only_with_that() -> None:
    assert ready().fingerprint == ready(now=NOON + timedelta(days=1)).fingerprint
    for change in ({"memo": "x"}, {"location": "9"}, {"business_date": date(2020, 1, 1)}):
        assert replace(ready(), **change).fingerprint != ready().fingerprint


# External id and business date


@given(st.uuids())
def test_the_external_id_is_pure_lower_case_and_short(value: Any) -> None:
    text = str(value)
    assert external_id(text, "apz-") == external_id(text.upper(), "apz-") == f"apz-{value.hex}"
    assert len(external_id(text, "prefix--")) == 40


def test_a_refund_built_later_has_the_same_external_id() -> None:
    later = ready(now=NOON + timedelta(days=3), mapping=changed_mapping(custom_form="999"))
    assert later.external_id == ready().external_id == external_id(REFUND.refund_id, "apz-")


def test_an_external_id_is_never_longer_than_the_erp_keeps() -> None:
    value = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"
    assert external_id(value, "12345678") == "12345678" + value.replace("-", "")
    hashed = external_id(value, "123456789")
    assert hashed != "123456789" + value.replace("-", "")
    assert hashed == external_id(value, "123456789")
    assert external_id("R-1", "12345678")[8:].isalnum()
    assert len(external_id("R-1", "12345678")) == 40


identifiers = st.text("ab-_", min_size=30, max_size=40) | st.text("0a-", min_size=32, max_size=36)


@given(identifiers, identifiers)
def test_two_refunds_never_share_an_external_id(one: str, two: str) -> None:
    assert (external_id(one, "apz-") == external_id(two, "apz-")) == (one == two)


@pytest.mark.parametrize(
    "other", ["a" * 32, "a" * 16 + "-" + "a" * 16, "x" * 16 + "-" + "x" * 16, "x" * 32, "R-1"]
)
def test_ids_that_are_no_uuids_lose_nothing_with_their_hyphens(other: str) -> None:
    uuid_id = external_id("aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", "apz-")
    assert external_id(other, "apz-") not in {uuid_id, "apz-" + other.replace("-", "")}
    assert len(external_id(other, "apz-")) <= 40


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("America/New_York", date(2026, 11, 19)),
        ("Europe/Berlin", date(2026, 11, 20)),
        ("Asia/Tokyo", date(2026, 11, 20)),
    ],
)
def test_the_business_date_is_that_of_the_stores_zone(zone: str, expected: date) -> None:
    assert business_date(datetime(2026, 11, 20, 4, 59, tzinfo=timezone.utc), zone) == expected


def test_the_business_date_comes_from_the_request_not_from_today() -> None:
    refund = event(requested_at=datetime(2026, 11, 20, 7, 30, tzinfo=timezone.utc))
    of = order(refund, store_id="SFO01")
    assert ready(refund, of=of).business_date == date(2026, 11, 19)


# What is held, awaited or skipped


def held(*args: Any, **kwargs: Any) -> Held:
    built = build(*args, **kwargs)
    assert isinstance(built, Held), built
    return built


def test_an_unmapped_tender_names_the_row_to_add() -> None:
    found = held(payments=(PaymentLine("paypal", "braintree", Decimal("12.50"), "USD"),))
    assert found.reason == "unmapped_tender"
    row = '- { method: paypal, provider: braintree, item: "<payment item id>" }'
    assert found.detail == f"add to the mapping, under tenders: {row}"


def test_an_unmapped_store_names_the_row_to_add() -> None:
    found = held(of=order(REFUND, store_id="OSL01"))
    assert found.reason == "unmapped_store"
    assert "under stores: OSL01: { location:" in found.detail


def test_a_web_order_in_a_currency_without_a_place_names_the_row_to_add() -> None:
    mapping = changed_mapping(web={})
    found = held(of=order(REFUND, **WEB), mapping=mapping)
    assert (found.reason, "under web: USD: {" in found.detail) == ("unmapped_store", True)


def test_an_unmapped_currency_names_the_row_to_add() -> None:
    refund = event(currency="GBP")
    found = held(refund)
    assert found == Held(
        "unmapped_currency", 'add to the mapping, under currencies: GBP: "<currency id>"'
    )


def test_all_gaps_are_named_at_once() -> None:
    refund = event(currency="GBP")
    paypal = (PaymentLine("paypal", "x", refund.amount, "GBP"),)
    found = held(refund, of=order(refund, store_id="OSL01"), payments=paypal)
    assert found.reason == "unmapped_tender"
    assert all(part in found.detail for part in ("tenders:", "currencies:", "stores:"))


def test_an_order_in_another_currency_is_held() -> None:
    found = held(of=order(REFUND, currency="CAD"))
    assert found == Held("currency_mismatch", "the refund is in USD, its order in CAD")


def test_an_order_that_does_not_say_its_currency_is_not_held_for_it() -> None:
    assert ready(of=order(REFUND, currency=""))


def test_a_sale_in_another_currency_is_held() -> None:
    sale = replace(cash_sale(REFUND), currency="2")
    assert held(origins=(sale,)).reason == "currency_mismatch"


def test_a_sale_of_another_subsidiary_is_held() -> None:
    sale = replace(cash_sale(REFUND), subsidiary="2")
    assert held(origins=(sale,)).reason == "subsidiary_mismatch"


def test_a_sale_that_does_not_say_its_subsidiary_is_taken() -> None:
    assert ready(origins=(replace(cash_sale(REFUND), subsidiary=None),))


def test_several_sales_of_one_order_are_held_with_their_ids() -> None:
    sale = cash_sale(REFUND)
    found = held(origins=(sale, replace(sale, erp_id="78")))
    assert found.reason == "ambiguous_origin"
    assert found.detail.endswith(f"{sale.erp_id}, 78")


def test_a_cash_sale_goes_before_a_sales_order() -> None:
    sale = cash_sale(REFUND)
    built = ready(origins=(replace(sale, kind=SALES_ORDER, erp_id="78"), sale))
    assert built.created_from == sale.erp_id


def test_a_store_refund_waits_for_its_cash_sale() -> None:
    assert isinstance(build(origins=()), AwaitingOrigin)
    only_order = replace(cash_sale(REFUND), kind=SALES_ORDER)
    assert isinstance(build(origins=(only_order,)), AwaitingOrigin)


@pytest.mark.parametrize(("days", "expected"), [(2, AwaitingOrigin), (3, Ready)])
def test_a_store_refund_stands_alone_after_the_days_the_policy_says(
    days: int, expected: type[Built]
) -> None:
    mapping = policies(action="standalone", after_days=3)
    built = build(origins=(), mapping=mapping, now=NOON + timedelta(days=days))
    assert isinstance(built, expected)
    if isinstance(built, Ready):
        assert (built.transaction.created_from, built.transaction.entity) == (None, "501")


def test_without_a_sale_and_a_default_customer_a_refund_waits_and_names_the_row() -> None:
    mapping = changed_mapping(default_customers={})
    built = build(of=order(REFUND, **WEB), origins=(), mapping=mapping)
    assert isinstance(built, AwaitingOrigin)
    assert 'under default_customers: "1": "<customer id>"' in built.detail


@pytest.mark.parametrize("historical", ["skip", "post"])
def test_a_historical_refund_follows_the_policy(historical: str) -> None:
    mapping = changed_mapping(
        policies={"historical": historical, "origin_missing": {"action": "wait"}}
    )
    found = skip_reason(event(is_historical=True), mapping)
    assert isinstance(found, Skipped) == (historical == "skip")


def test_a_refund_of_a_return_is_skipped() -> None:
    found = skip_reason(event(return_id=refund_id(9)), MAPPING)
    assert found is not None
    assert found.reason == "belongs_to_return"


def test_an_appeasement_is_not_skipped() -> None:
    assert skip_reason(REFUND, MAPPING) is None


def with_policy(**changes: Any) -> Mapping:
    policies = MAPPING.policies.model_copy(update=changes)
    return MAPPING.model_copy(update={"policies": policies})


PARIS = event(currency="EUR")
FISCAL = order(PARIS, store_id="PAR01")


def test_what_a_fiscal_store_handed_over_is_held_unless_the_policy_posts_it() -> None:
    found = held(PARIS, of=FISCAL, origins=())
    assert found.reason == "fiscal_in_store"
    assert "PAR01" in found.detail
    assert not isinstance(
        build(PARIS, of=FISCAL, origins=(), mapping=with_policy(fiscal_in_store="post")), Held
    )


def test_a_mixed_cart_of_a_fiscal_store_is_held_and_a_shipped_one_is_not() -> None:
    mixed = replace(FISCAL, items=(FISCAL.items[0], delivered()))
    assert held(PARIS, of=mixed, origins=()).reason == "fiscal_in_store"
    shipped = replace(FISCAL, items=(delivered(),))
    assert ready(PARIS, of=shipped, origins=()).location == "22"


def test_refunds_of_exchanges_are_built_unless_the_policy_holds_them() -> None:
    swapped = order(REFUND, is_exchange=True)
    assert isinstance(build(of=swapped), Ready)
    assert held(of=swapped, mapping=with_policy(exchange="hold")).reason == "exchange_refund"
    assert isinstance(build(mapping=with_policy(exchange="hold")), Ready)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (RefundFacts("ret-1", is_historical=False, status=""), "belongs_to_return"),
        (RefundFacts(None, is_historical=True, status=""), "historical"),
        (RefundFacts(None, is_historical=False, status="succeeded"), None),
        (None, None),
    ],
)
def test_what_newstore_says_of_the_refund_itself_can_make_it_not_ours(
    facts: RefundFacts | None, reason: str | None
) -> None:
    skipped = skip_reason(REFUND, MAPPING, facts)
    assert (skipped.reason if skipped else None) == reason


# Posting model: header

HEADER_ROWS = [
    {"method": "credit_card", "payment_option": "5", "account": "1010"},
    {"method": "cash", "payment_option": "1"},
]
HEADER = changed_mapping(posting_model="header", tenders=HEADER_ROWS)


def split(*parts: tuple[str, str]) -> tuple[PaymentLine, ...]:
    return tuple(PaymentLine(method, method, Decimal(amount), "USD") for method, amount in parts)


def test_a_single_tender_in_the_header_is_one_record_of_the_whole_amount() -> None:
    found = ready(payments=split(("credit_card", "12.50")), mapping=HEADER)
    (record,) = found.records
    assert record.external_id == found.external_id
    assert (record.payment_option, record.account) == ("5", "1010")
    assert [(line.item, line.amount) for line in record.lines] == [("9002", Decimal("12.50"))]


def test_a_split_tender_in_the_header_is_a_record_per_tender_with_suffixed_ids() -> None:
    found = ready(
        payments=split(("credit_card", "5.00"), ("cash", "4.00"), ("credit_card", "3.50")),
        mapping=HEADER,
    )
    card, cash = found.records
    assert (card.external_id, cash.external_id) == (
        f"{found.external_id}-1",
        f"{found.external_id}-2",
    )
    assert (card.amount, cash.amount) == (Decimal("8.50"), Decimal("4.00"))
    assert sum(record.lines[0].amount for record in found.records) == found.amount
    assert (cash.payment_option, cash.account) == ("1", None)
    assert max(len(record.external_id) for record in found.records) <= 40


def test_payment_lines_are_one_record_and_every_possible_id_is_known() -> None:
    found = ready()
    assert found.records == (found,)
    assert found.possible_ids == (found.external_id, f"{found.external_id}-1", REFUND.refund_id)


def test_an_unmapped_tender_in_the_header_asks_for_a_payment_option() -> None:
    found = held(payments=split(("paypal", "12.50")), mapping=HEADER)
    assert 'payment_option: "<id>"' in found.detail


# Closed periods, the sale's amount, what comes from the sale


def build_in(circumstances: Circumstances, *origins: Origin, **policies: Any) -> Built:
    return build_transaction(
        REFUND,
        order(REFUND),
        payment_lines(REFUND),
        origins or (cash_sale(REFUND),),
        with_policy(**policies),
        circumstances,
    )


OWN_DATE = date(2026, 11, 20)


def test_a_closed_period_holds_a_refund_or_moves_it_to_today() -> None:
    later = NOON + timedelta(days=30)
    closed = Circumstances(later, closed_dates={OWN_DATE})
    found = build_in(closed)
    assert isinstance(found, Held)
    assert found.reason == "closed_period"
    moved = build_in(closed, closed_period="current_date")
    assert isinstance(moved, Ready)
    assert moved.transaction.business_date == date(2026, 12, 20)
    assert moved.transaction.memo.endswith(" of 2026-11-20")
    both = Circumstances(later, closed_dates={OWN_DATE, date(2026, 12, 20)})
    assert isinstance(build_in(both, closed_period="current_date"), Held)
    assert isinstance(build_in(Circumstances(later)), Ready)


@pytest.mark.parametrize(
    ("committed", "posted"), [("0", True), ("37.50", True), ("37.51", False), ("50.00", False)]
)
def test_refunds_of_a_sale_never_sum_to_more_than_the_sale(committed: str, posted: bool) -> None:
    sale = replace(cash_sale(REFUND), total=Decimal("50.00"))
    found = build_in(Circumstances(NOON, committed=Decimal(committed)), sale)
    assert isinstance(found, Ready) is posted
    assert posted or (isinstance(found, Held) and found.reason == "exceeds_sale")


def test_location_and_class_come_from_the_cash_sale_and_only_the_class_from_an_order() -> None:
    sale = replace(cash_sale(REFUND), location="77", class_id="3")
    found = build_in(Circumstances(NOON), sale)
    assert isinstance(found, Ready)
    assert (found.transaction.location, found.transaction.class_id) == ("77", "3")
    web = order(REFUND, **WEB)
    shipped = ready(of=web, origins=(replace(sale, kind=SALES_ORDER),))
    assert (shipped.location, shipped.class_id) == ("19", "3")


def test_the_link_to_the_cash_sale_can_be_left_out() -> None:
    linked, bare = (
        build_in(Circumstances(NOON)),
        build_in(Circumstances(NOON), created_from="leave_out"),
    )
    assert isinstance(linked, Ready)
    assert isinstance(bare, Ready)
    assert linked.transaction.created_from == cash_sale(REFUND).erp_id
    assert bare.transaction.created_from is None


# A record that the ERP has already: nothing is decided any more, it is only compared


def test_what_the_erp_has_is_built_whatever_would_hold_it_now() -> None:
    there = record_of(ready(), "77")
    known = Circumstances(NOON, closed_dates={OWN_DATE}, there=there)
    swapped = order(REFUND, is_exchange=True)
    for of, sales in ((swapped, (cash_sale(REFUND),)), (order(REFUND), (cash_sale(REFUND),) * 2)):
        built = build_transaction(
            REFUND, of, payment_lines(REFUND), sales, with_policy(exchange="hold"), known
        )
        assert isinstance(built, Ready)
        assert built.transaction.business_date == OWN_DATE
    assert isinstance(build_in(known, replace(cash_sale(REFUND), total=Decimal("0.01"))), Ready)
    fiscal = build_transaction(
        PARIS, FISCAL, payment_lines(PARIS), (), with_policy(fiscal_in_store="hold"), known
    )
    assert not isinstance(fiscal, Held)


def test_a_record_we_moved_out_of_a_closed_period_keeps_its_date() -> None:
    moved_to = date(2026, 12, 20)
    memo = f"{ready().memo} of {OWN_DATE}"
    there = replace(record_of(ready(), "77"), tran_date=moved_to, memo=memo)
    moved = build_in(Circumstances(NOON, there=there))
    assert isinstance(moved, Ready)
    assert (moved.transaction.business_date, moved.transaction.memo) == (moved_to, memo)
    for other in (replace(there, tran_date=None), replace(there, memo=ready().memo)):
        own = build_in(Circumstances(NOON, there=other))
        assert isinstance(own, Ready)
        assert own.transaction.business_date == OWN_DATE
