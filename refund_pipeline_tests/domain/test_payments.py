"""Payment lines: attributed by correlation id, counted by kind, proven to the last minor unit."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refund_pipeline.domain.events import RefundEvent
from refund_pipeline.domain.payments import (
    PaymentAccount,
    PaymentLine,
    Payments,
    PaymentsAvailable,
    PaymentsAwaited,
    PaymentsHeld,
    PaymentTransaction,
    match_by_amounts,
    match_payments,
)
from refund_pipeline_tests.fakes import event

REFUND = event(amount=Decimal("12.50"))
OTHER = event(2).refund_id
IGNORED = ["authorize", "authorization", "capture", "captured", "void", "revoke", "revoked"]


def match(of: RefundEvent, transactions: Sequence[PaymentTransaction], **options: Any) -> Payments:
    return match_payments(of, PaymentAccount(tuple(transactions)), **options)


def paid(amount: str, kind: str = "refund", **changes: Any) -> PaymentTransaction:
    values: dict[str, Any] = {
        "kind": kind,
        "amount": Decimal(amount),
        "currency": "USD",
        "correlation_id": REFUND.refund_id,
        "method": "credit_card",
        "provider": "adyen",
    }
    return PaymentTransaction(**(values | changes))


def test_an_account_that_is_not_visible_is_awaited() -> None:
    assert match_payments(REFUND, None) == PaymentsAwaited("the payment account is not visible yet")


def test_an_empty_account_is_awaited() -> None:
    assert isinstance(match(REFUND, []), PaymentsAwaited)


def test_one_tender_that_proves_the_amount_is_available() -> None:
    line = PaymentLine("credit_card", "adyen", Decimal("12.50"), "USD")
    assert match(REFUND, [paid("12.50")]) == PaymentsAvailable((line,))


@pytest.mark.parametrize("kind", ["refund", "refunded", "issue", "issued"])
def test_money_that_went_back_counts_whatever_it_is_called(kind: str) -> None:
    assert isinstance(match(REFUND, [paid("12.50", kind)]), PaymentsAvailable)


@pytest.mark.parametrize("kind", IGNORED)
def test_other_kinds_never_count(kind: str) -> None:
    assert isinstance(match(REFUND, [paid("12.50", kind)]), PaymentsAwaited)
    found = match(REFUND, [paid("12.50"), paid("12.50", kind)])
    assert isinstance(found, PaymentsAvailable)
    assert len(found.lines) == 1


def test_a_kind_nobody_knows_is_held_but_only_when_it_is_this_refunds() -> None:
    found = match(REFUND, [paid("12.50"), paid("1", "chargeback")])
    assert found == PaymentsHeld("ambiguous_payments", "transactions of unknown kind: chargeback")
    foreign = paid("1", "chargeback", correlation_id=OTHER)
    assert isinstance(match(REFUND, [paid("12.50"), foreign]), PaymentsAvailable)


@pytest.mark.parametrize("correlation_id", [OTHER, None, "", "x-create"])
def test_payments_of_another_refund_are_not_taken(correlation_id: str | None) -> None:
    found = match(REFUND, [paid("12.50", correlation_id=correlation_id)])
    assert isinstance(found, PaymentsAwaited)


@pytest.mark.parametrize("spell", [str.upper, lambda text: text.replace("-", "")])
def test_the_correlation_id_is_compared_in_one_spelling(spell: Any) -> None:
    transactions = [paid("12.50", correlation_id=spell(REFUND.refund_id))]
    assert isinstance(match(REFUND, transactions), PaymentsAvailable)


def test_two_refunds_of_the_same_amount_on_one_order_are_told_apart() -> None:
    second = event(2, amount=Decimal("12.50"))
    account = [paid("12.50"), paid("12.50", correlation_id=second.refund_id, method="cash")]
    mine, theirs = match(REFUND, account), match(second, account)
    assert isinstance(mine, PaymentsAvailable)
    assert isinstance(theirs, PaymentsAvailable)
    assert (mine.lines[0].method, theirs.lines[0].method) == ("credit_card", "cash")


def test_a_missing_leg_is_awaited_with_both_amounts() -> None:
    assert match(REFUND, [paid("5.00")]) == PaymentsAwaited("payments show 5.00 of 12.50 USD")


def test_a_minor_unit_too_much_is_held() -> None:
    found = match(REFUND, [paid("12.51")])
    assert isinstance(found, PaymentsHeld)
    assert found.reason == "overpaid"


def test_a_payment_in_another_currency_is_held_even_if_the_rest_would_prove_it() -> None:
    found = match(REFUND, [paid("12.50"), paid("1", currency="CAD")])
    assert found == PaymentsHeld(
        "currency_mismatch", "the refund is in USD, its payments are in CAD"
    )


def test_a_transaction_of_zero_makes_no_line() -> None:
    found = match(REFUND, [paid("0.00", currency="CAD"), paid("12.50")])
    assert isinstance(found, PaymentsAvailable)
    assert [line.amount for line in found.lines] == [Decimal("12.50")]


def test_the_last_four_of_a_gift_card_reach_the_line() -> None:
    found = match(REFUND, [paid("12.50", "issue", gift_card_last4="9911")])
    assert isinstance(found, PaymentsAvailable)
    assert found.lines[0].gift_card_last4 == "9911"


@given(
    st.lists(st.integers(1, 10**6), min_size=1, max_size=6),
    st.lists(st.sampled_from(IGNORED), max_size=3),
    st.randoms(use_true_random=False),
    st.data(),
)
def test_the_lines_prove_the_amount_exactly_or_there_are_none(
    legs: list[int], noise: list[str], order: random.Random, data: st.DataObject
) -> None:
    amount = Decimal(sum(legs)).scaleb(-2)
    account = [paid(str(Decimal(leg).scaleb(-2))) for leg in legs]
    account += [paid("3.00", kind) for kind in noise]
    account += [paid("9.99", correlation_id=OTHER)]
    order.shuffle(account)
    refund = event(amount=amount)
    complete = match(refund, account)
    assert isinstance(complete, PaymentsAvailable)
    assert sum(line.amount for line in complete.lines) == amount
    mine = [t for t in account if t.kind == "refund" and t.correlation_id == refund.refund_id]
    missing = data.draw(st.sampled_from(mine))
    account.remove(missing)
    assert isinstance(match(refund, account), PaymentsAwaited)
    assert isinstance(match(refund, [*account, missing, missing]), PaymentsHeld)


CREDIT = {"method": "store_credit", "provider": "store_credit", "correlation_id": OTHER}
NEARBY = {"foreign_issue_within": timedelta(seconds=5), "adopt_foreign_issue": True}


def issued(amount: str = "12.50", after: float = 0.2, **changes: Any) -> PaymentTransaction:
    """Return store credit issued under an id of its own, so long after the request."""
    at = REFUND.requested_at + timedelta(seconds=after)
    values = {"kind": "issue", **CREDIT, "created_at": at, **changes}
    return paid(amount, **values)


def test_store_credit_under_another_id_is_adopted_when_it_alone_completes_the_amount() -> None:
    found = match(REFUND, [paid("5.00"), issued("7.50")], **NEARBY)
    assert isinstance(found, PaymentsAvailable)
    assert [(line.method, line.amount) for line in found.lines] == [
        ("credit_card", Decimal("5.00")),
        ("store_credit", Decimal("7.50")),
    ]


@pytest.mark.parametrize(
    "other",
    [
        issued(after=5.1),
        issued(after=-5.1),
        issued("12.49"),
        issued(created_at=None),
        issued(currency="CAD"),
        issued(method="credit_card"),
        issued(kind="refund"),
        issued(kind="void"),
    ],
    ids=["late", "early", "other amount", "no time", "currency", "card", "a refund", "a void"],
)
def test_what_is_not_surely_this_refunds_issue_is_not_adopted(other: PaymentTransaction) -> None:
    assert isinstance(match(REFUND, [other], **NEARBY), PaymentsAwaited)


def test_an_issue_of_another_known_refund_is_not_adopted() -> None:
    sibling = event(2, requested_at=REFUND.requested_at - timedelta(hours=1))
    found = match(REFUND, [issued()], siblings=[sibling], **NEARBY)
    assert isinstance(found, PaymentsAwaited)


def test_two_issues_that_fit_are_held() -> None:
    found = match(REFUND, [issued(), issued(correlation_id=event(3).refund_id)], **NEARBY)
    assert isinstance(found, PaymentsHeld)
    assert found.reason == "ambiguous_payments"


STRANGER = event(3).refund_id


def test_an_issue_that_another_refund_of_that_time_could_mean_is_held() -> None:
    stranger = issued(correlation_id=STRANGER)
    rival = event(2, requested_at=REFUND.requested_at + timedelta(seconds=9))
    found = match(REFUND, [stranger], siblings=[rival], **NEARBY)
    assert isinstance(found, PaymentsHeld)


@pytest.mark.parametrize("seconds", [10, -10, 0])
def test_a_refund_within_twice_the_time_is_a_rival(seconds: int) -> None:
    rival = event(2, requested_at=REFUND.requested_at + timedelta(seconds=seconds))
    stranger = issued(correlation_id=STRANGER)
    assert isinstance(match(REFUND, [stranger], siblings=[rival], **NEARBY), PaymentsHeld)


@pytest.mark.parametrize("seconds", [10.1, -10.1])
def test_a_refund_of_another_time_is_no_rival(seconds: float) -> None:
    distant = event(2, requested_at=REFUND.requested_at + timedelta(seconds=seconds))
    stranger = issued(correlation_id=STRANGER)
    assert isinstance(match(REFUND, [stranger], siblings=[distant], **NEARBY), PaymentsAvailable)


@pytest.mark.parametrize("after", [5, -5])
def test_an_issue_at_the_end_of_the_time_is_adopted(after: float) -> None:
    assert isinstance(match(REFUND, [issued(after=after)], **NEARBY), PaymentsAvailable)


def test_nothing_is_adopted_unless_it_is_asked_for() -> None:
    now = issued(after=0)
    assert isinstance(match(REFUND, [now]), PaymentsHeld)
    assert isinstance(match(REFUND, [issued(after=0.1)]), PaymentsAwaited)


def test_a_policy_can_leave_an_issue_under_another_id_to_a_person() -> None:
    found = match(REFUND, [issued()], **{**NEARBY, "adopt_foreign_issue": False})
    assert isinstance(found, PaymentsHeld)


def test_what_correlates_and_is_complete_is_not_disturbed_by_other_issues() -> None:
    assert isinstance(match(REFUND, [paid("12.50"), issued()], **NEARBY), PaymentsAvailable)


def amounts(
    transactions: Sequence[PaymentTransaction], siblings: Sequence[RefundEvent] = ()
) -> Payments:
    plain = tuple(replace(one, correlation_id=None) for one in transactions)
    return match_by_amounts(REFUND, PaymentAccount(plain), siblings=siblings)


def test_without_ids_all_money_that_went_back_must_be_the_one_refunds() -> None:
    found = amounts([paid("12.50", "capture"), paid("5.00"), paid("7.50", "issue")])
    assert isinstance(found, PaymentsAvailable)
    assert [line.amount for line in found.lines] == [Decimal("5.00"), Decimal("7.50")]


@pytest.mark.parametrize(
    ("transactions", "expected"),
    [
        ([], PaymentsAwaited),
        ([paid("12.49")], PaymentsAwaited),
        ([paid("12.50"), paid("20.00")], PaymentsHeld),
        ([paid("12.50", currency="CAD")], PaymentsHeld),
        ([paid("12.50"), paid("1.00", "chargeback")], PaymentsHeld),
    ],
    ids=["nothing", "short", "a return beside it", "currency", "unknown kind"],
)
def test_without_ids_anything_but_an_exact_sum_proves_nothing(
    transactions: list[PaymentTransaction], expected: type
) -> None:
    assert isinstance(amounts(transactions), expected)


def test_without_ids_several_refunds_are_told_apart_only_on_one_tender() -> None:
    sibling = event(2, amount=Decimal("7.00"))
    one_tender = amounts([paid("7.00"), paid("12.50")], [sibling])
    assert isinstance(one_tender, PaymentsAvailable)
    assert [line.amount for line in one_tender.lines] == [Decimal("12.50")]
    two_tenders = amounts([paid("7.00", method="cash"), paid("12.50")], [sibling])
    assert isinstance(two_tenders, PaymentsHeld)
    assert isinstance(amounts([paid("12.50")], [sibling]), PaymentsAwaited)


def test_without_ids_a_single_refund_may_have_gone_to_several_tenders() -> None:
    found = amounts([paid("5.00"), paid("7.50", method="cash", provider="cash")])
    assert isinstance(found, PaymentsAvailable)
    assert [line.method for line in found.lines] == ["credit_card", "cash"]


def test_without_ids_one_transaction_may_pay_several_refunds() -> None:
    found = amounts([paid("19.50")], [event(2, amount=Decimal("7.00"))])
    assert isinstance(found, PaymentsAvailable)
    assert [line.amount for line in found.lines] == [Decimal("12.50")]


def test_without_ids_the_detail_counts_the_refunds() -> None:
    sibling = event(2, amount=Decimal("7.00"))
    short = amounts([paid("12.50")], [sibling])
    assert isinstance(short, PaymentsAwaited)
    assert short.detail == "the order's payments show 12.50 of 19.50 USD asked for in 2 refund(s)"
    over = amounts([paid("19.51")], [sibling])
    assert isinstance(over, PaymentsHeld)
    assert "show 19.51 USD on 1 tender(s) for 2 refund(s) of 19.50" in over.detail


def test_what_contradicts_the_refund_is_named_in_one_order() -> None:
    currencies = ["SEK", "CAD", "GBP", "EUR", "JPY"]
    found = match(REFUND, [paid("1.00", currency=currency) for currency in currencies])
    assert isinstance(found, PaymentsHeld)
    assert found.detail.endswith(", ".join(sorted(currencies)))
    kinds = ["chargeback", "adjustment", "dispute", "reversal", "bonus"]
    found = match(REFUND, [paid("1.00", kind) for kind in kinds])
    assert isinstance(found, PaymentsHeld)
    assert found.detail.endswith(", ".join(sorted(kinds)))


def test_without_an_account_everything_is_awaited() -> None:
    assert isinstance(match_by_amounts(REFUND, None, siblings=()), PaymentsAwaited)
