"""What is asked of NewStore for a refund, and what the answers prove."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from refund_pipeline.domain.events import RefundEvent
from refund_pipeline.domain.mapping import Policies
from refund_pipeline.domain.payments import (
    Attribution,
    PaymentsAvailable,
    PaymentsAwaited,
    PaymentsHeld,
    PaymentTransaction,
    RefundFacts,
)
from refund_pipeline.gateways.newstore import AccountFailed, RefundFailed
from refund_pipeline.steps.newstore_answers import Answer, ask_newstore
from refund_pipeline_tests.fakes import FakeNewStore, account, event, example_mapping, order

REFUND = event(1)
ORIGINAL = event(9).order_id
POLICIES = example_mapping().policies


def ask(
    newstore: FakeNewStore,
    *refunds: RefundEvent,
    siblings: Sequence[RefundEvent] = (),
    **policies: object,
) -> Answer:
    """Ask about REFUND, or about all of `refunds`, and return the first one's answer."""
    wanted = refunds or (REFUND,)
    known = {REFUND.order_id: [REFUND, *siblings]}
    chosen = Policies.model_validate({**POLICIES.model_dump(), **policies})
    answers = ask_newstore(wanted, known, newstore=newstore, policies=chosen)
    assert set(answers) == {refund.refund_id for refund in wanted}
    return answers[wanted[0].refund_id]


def shown(attribution: Attribution = Attribution.REST) -> FakeNewStore:
    newstore = FakeNewStore(attribution)
    newstore.show(REFUND)
    return newstore


def gift_card(amount: Decimal = REFUND.amount, last4: str | None = None) -> PaymentTransaction:
    names = ("issue", amount, "USD", REFUND.refund_id, "gift_card", "gift_card", last4)
    return PaymentTransaction(*names)


def test_what_graphql_proves_needs_no_rest_account() -> None:
    newstore = shown(Attribution.GRAPHQL)
    newstore.graphql_accounts[REFUND.order_id] = account(REFUND)
    assert isinstance(ask(newstore).payments, PaymentsAvailable)
    assert newstore.accounts_asked == []


def test_what_graphql_does_not_prove_is_read_from_the_rest_account() -> None:
    newstore = shown(Attribution.GRAPHQL)
    newstore.graphql_accounts[REFUND.order_id] = ()
    assert isinstance(ask(newstore).payments, PaymentsAvailable)
    assert newstore.accounts_asked == [[REFUND.payment_account_id]]


def test_a_gift_card_is_read_from_rest_for_its_last_four_digits() -> None:
    newstore = shown(Attribution.GRAPHQL)
    newstore.graphql_accounts[REFUND.order_id] = (gift_card(),)
    newstore.accounts[REFUND.payment_account_id] = (gift_card(last4="4711"),)
    found = ask(newstore).payments
    assert isinstance(found, PaymentsAvailable)
    assert found.lines[0].gift_card_last4 == "4711"


def test_graphql_only_reads_no_rest_account_and_counts_all_refunds_of_the_order() -> None:
    newstore = shown(Attribution.GRAPHQL_ONLY)
    paid = replace(account(REFUND)[1], correlation_id=None)
    newstore.graphql_accounts[REFUND.order_id] = (paid,)
    assert isinstance(ask(newstore).payments, PaymentsAvailable)
    sibling = event(2, order_id=REFUND.order_id)
    assert isinstance(ask(newstore, siblings=[sibling]).payments, PaymentsAwaited)
    assert newstore.accounts_asked == []


def test_graphql_only_asks_the_refund_resource_unless_the_policy_trusts_the_event() -> None:
    newstore = shown(Attribution.GRAPHQL_ONLY)
    newstore.facts[REFUND.refund_id] = RefundFacts("ret-1", is_historical=False, status="x")
    assert ask(newstore).facts == newstore.facts[REFUND.refund_id]
    newstore.facts_asked.clear()
    assert (ask(newstore, returns="event").facts, newstore.facts_asked) == (None, [])


def test_siblings_are_the_other_refunds_of_the_order() -> None:
    newstore = shown()
    credit = replace(
        gift_card(),
        method="store_credit",
        correlation_id=event(7).refund_id,
        created_at=REFUND.requested_at + timedelta(seconds=1),
    )
    newstore.accounts[REFUND.payment_account_id] = (credit,)
    assert isinstance(ask(newstore).payments, PaymentsAvailable)
    assert isinstance(ask(newstore, foreign_issue="hold").payments, PaymentsHeld)
    rival = event(2, order_id=REFUND.order_id)
    assert isinstance(ask(newstore, siblings=[rival]).payments, PaymentsHeld)


def exchange(
    own: tuple[PaymentTransaction, ...],
    original: tuple[PaymentTransaction, ...] | AccountFailed | None,
) -> FakeNewStore:
    newstore = shown()
    newstore.known[REFUND.order_id] = order(REFUND, is_exchange=True)
    newstore.accounts[REFUND.payment_account_id] = own
    newstore.issued_on[REFUND.payment_account_id] = (ORIGINAL,)
    if original is not None:
        newstore.accounts[ORIGINAL] = original
    return newstore


def test_an_exchange_finds_its_refund_on_the_original_account_and_ignores_the_void() -> None:
    void = replace(gift_card(), kind="void", method="store_credit")
    cash = replace(account(REFUND)[1], method="cash", provider="cash")
    found = ask(exchange((), (void, cash))).payments
    assert isinstance(found, PaymentsAvailable)
    assert [(line.method, line.amount) for line in found.lines] == [("cash", REFUND.amount)]


def test_an_exchange_that_shows_the_refund_itself_is_not_counted_twice() -> None:
    newstore = exchange((replace(account(REFUND)[1], method="store_credit"),), account(REFUND))
    found = ask(newstore).payments
    assert isinstance(found, PaymentsAvailable)
    assert [line.method for line in found.lines] == ["store_credit"]
    assert newstore.accounts_asked == [[REFUND.payment_account_id]]


@pytest.mark.parametrize("original", [None, (), AccountFailed("500")])
def test_an_exchange_without_its_refund_anywhere_waits(
    original: tuple[PaymentTransaction, ...] | AccountFailed | None,
) -> None:
    answer = ask(exchange((), original))
    assert isinstance(answer.payments, PaymentsAwaited)
    assert answer.failed is isinstance(original, AccountFailed)


def test_an_order_that_is_no_exchange_is_not_looked_for_elsewhere() -> None:
    newstore = exchange((), account(REFUND))
    newstore.known[REFUND.order_id] = order(REFUND)
    assert isinstance(ask(newstore).payments, PaymentsAwaited)


def test_the_refund_resource_says_that_it_belongs_to_a_return() -> None:
    newstore = shown()
    newstore.facts[REFUND.refund_id] = RefundFacts("ret-1", is_historical=False, status="x")
    assert ask(newstore).facts == RefundFacts("ret-1", is_historical=False, status="x")
    assert newstore.facts_asked == [[(REFUND.order_id, REFUND.refund_id)]]


def test_the_event_can_be_trusted_instead_of_the_refund_resource() -> None:
    newstore = shown()
    answer = ask(newstore, returns="event")
    assert (answer.facts, newstore.facts_asked) == (None, [])
    assert isinstance(answer.payments, PaymentsAvailable)


@pytest.mark.parametrize("returns", ["event", "refund_resource"])
def test_a_historical_order_makes_its_refund_historical(returns: str) -> None:
    newstore = shown()
    newstore.known[REFUND.order_id] = order(REFUND, is_historical=True)
    facts = ask(newstore, returns=returns).facts
    assert facts is not None
    assert facts.is_historical


def test_a_failed_refund_request_is_held_even_with_payments() -> None:
    newstore = shown()
    newstore.facts[REFUND.refund_id] = RefundFacts(None, is_historical=False, status="failed")
    found = ask(newstore).payments
    assert isinstance(found, PaymentsHeld)
    assert found.reason == "refund_failed"


def test_nothing_is_proven_while_the_refund_resource_is_not_visible() -> None:
    newstore = shown()
    newstore.facts[REFUND.refund_id] = None
    answer = ask(newstore)
    waiting = PaymentsAwaited("the refund request itself is not visible in NewStore yet")
    assert (answer.payments, answer.failed) == (waiting, False)


def test_a_refund_resource_that_cannot_be_read_fails_alone() -> None:
    newstore = shown()
    other = event(2)
    newstore.show(other)
    newstore.facts[REFUND.refund_id] = RefundFailed("500")
    answer = ask(newstore, REFUND, other)
    assert answer.failed
    assert isinstance(answer.payments, PaymentsAwaited)
    assert isinstance(ask(newstore, other, REFUND).payments, PaymentsAvailable)
