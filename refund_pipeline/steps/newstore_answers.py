"""Ask NewStore about refunds by the attribution it allows, and decide what each answer proves.

Orders come from GraphQL, many per request. Payments come with them where GraphQL tells refunds
apart; what it does not prove is read from the REST account, which is richer and does not lag. The
refund resource says what the event leaves out: a return, an import, a failure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from refund_pipeline.domain.events import RefundEvent
from refund_pipeline.domain.mapping import Policies
from refund_pipeline.domain.orders import Order
from refund_pipeline.domain.payments import (
    Attribution,
    PaymentAccount,
    Payments,
    PaymentsAvailable,
    PaymentsAwaited,
    PaymentsHeld,
    RefundFacts,
    match_by_amounts,
    match_payments,
    mentions,
)
from refund_pipeline.gateways.newstore import AccountFailed, OrderFailed, OrderRead, RefundFailed

_GIFT_CARD = "gift_card"
_FAILED = "failed"


class PaymentSource(Protocol):
    """What the steps ask of NewStore; `gateways/newstore.py` says how it answers."""

    @property
    def attribution(self) -> Attribution:
        """How this tenant's payment transactions are told apart."""

    @property
    def attribution_reason(self) -> str:
        """Why it is this one, for people."""

    @property
    def requests_made(self) -> int:
        """How many requests were made so far."""

    def orders(self, order_ids: Sequence[str]) -> Mapping[str, OrderRead | OrderFailed]:
        """Return the visible ones of these orders."""

    def payment_accounts(
        self, account_ids: Sequence[str]
    ) -> Mapping[str, PaymentAccount | AccountFailed | None]:
        """Return these REST payment accounts; None for one that is not visible."""

    def refund_facts(
        self, refunds: Sequence[tuple[str, str]]
    ) -> Mapping[str, RefundFacts | RefundFailed | None]:
        """Return what the refund resource says of (order id, refund id), by refund id."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What NewStore said of one refund; `failed` when a read of it alone went wrong."""

    order: Order | None
    payments: Payments
    facts: RefundFacts | None = None
    failed: bool = False


def ask_newstore(
    events: Sequence[RefundEvent],
    known: Mapping[str, Sequence[RefundEvent]],
    *,
    newstore: PaymentSource,
    policies: Policies,
) -> dict[str, Answer]:
    """Return an answer for each event, by refund id; `known` are all refunds of their orders.

    Raises:
        Unavailable, Misconfigured: NewStore cannot be used.
    """
    reads = newstore.orders(list(dict.fromkeys(event.order_id for event in events)))
    answers: dict[str, Answer] = {}
    visible: list[tuple[RefundEvent, OrderRead]] = []
    for event in events:
        read = reads.get(event.order_id)
        if isinstance(read, OrderRead):
            visible.append((event, read))
        elif read is None:
            waiting = PaymentsAwaited("the order is not visible in NewStore yet")
            answers[event.refund_id] = Answer(None, waiting)
        else:
            waiting = PaymentsAwaited(f"NewStore could not answer for this order: {read.detail}")
            answers[event.refund_id] = Answer(None, waiting, failed=True)
    matcher = _Matcher(known, policies)
    if newstore.attribution is Attribution.GRAPHQL_ONLY:
        for event, read in visible:
            found = match_by_amounts(event, read.account, siblings=matcher.siblings(event))
            answers[event.refund_id] = Answer(read.order, found)
    else:
        unproven = []
        for event, read in visible:
            proven = matcher.prove_by_graphql(event, read.account)
            if proven is None:
                unproven.append((event, read))
            else:
                answers[event.refund_id] = Answer(read.order, proven)
        answers |= _by_rest_accounts(unproven, newstore, matcher)
    return answers | _with_facts(visible, answers, newstore, policies)


@dataclass(frozen=True, slots=True)
class _Matcher:
    known: Mapping[str, Sequence[RefundEvent]]
    policies: Policies

    def siblings(self, event: RefundEvent) -> list[RefundEvent]:
        of_order = self.known.get(event.order_id, ())
        return [other for other in of_order if other.refund_id != event.refund_id]

    def match(self, event: RefundEvent, account: PaymentAccount | None) -> Payments:
        return match_payments(
            event,
            account,
            siblings=self.siblings(event),
            foreign_issue_within=timedelta(seconds=self.policies.foreign_issue_seconds),
            adopt_foreign_issue=self.policies.foreign_issue == "match",
        )

    def prove_by_graphql(
        self, event: RefundEvent, account: PaymentAccount | None
    ) -> PaymentsAvailable | None:
        """Return payments GraphQL proves; gift cards have their last four digits in REST only."""
        found = self.match(event, account)
        if not isinstance(found, PaymentsAvailable):
            return None
        return None if any(line.method.lower() == _GIFT_CARD for line in found.lines) else found


def _by_rest_accounts(
    refunds: Sequence[tuple[RefundEvent, OrderRead]], newstore: PaymentSource, matcher: _Matcher
) -> dict[str, Answer]:
    own = newstore.payment_accounts(
        list(dict.fromkeys(event.payment_account_id for event, _ in refunds))
    )
    answers = {}
    elsewhere: dict[str, tuple[str, ...]] = {}
    for event, read in refunds:
        account = own.get(event.payment_account_id)
        if isinstance(account, AccountFailed):
            answers[event.refund_id] = _failed_account(read.order, account)
            continue
        answers[event.refund_id] = Answer(read.order, matcher.match(event, account))
        if read.order.is_exchange and account is not None and not mentions(event, account):
            elsewhere[event.refund_id] = account.issued_on
    originals = newstore.payment_accounts(
        list(dict.fromkeys(account_id for ids in elsewhere.values() for account_id in ids))
    )
    for event, read in refunds:
        for account_id in elsewhere.get(event.refund_id, ()):
            account = originals.get(account_id)
            if isinstance(account, AccountFailed):
                answers[event.refund_id] = _failed_account(read.order, account)
            elif account is not None and mentions(event, account):
                answers[event.refund_id] = Answer(read.order, matcher.match(event, account))
    return answers


def _with_facts(
    refunds: Sequence[tuple[RefundEvent, OrderRead]],
    answers: Mapping[str, Answer],
    newstore: PaymentSource,
    policies: Policies,
) -> dict[str, Answer]:
    """Add what order and refund resource say of the refund itself, and act on it."""
    asked = policies.returns == "refund_resource"
    pairs = [(event.order_id, event.refund_id) for event, _ in refunds] if asked else []
    found = newstore.refund_facts(pairs)
    return {
        event.refund_id: _with_fact(
            answers[event.refund_id], read.order, found.get(event.refund_id), asked=asked
        )
        for event, read in refunds
    }


def _with_fact(
    answer: Answer, order: Order, fact: RefundFacts | RefundFailed | None, *, asked: bool
) -> Answer:
    if not asked:
        return replace(answer, facts=_facts_of_order(order))
    if isinstance(fact, RefundFailed):
        waiting = PaymentsAwaited(f"NewStore could not answer for this refund: {fact.detail}")
        return replace(answer, payments=waiting, failed=True)
    if fact is None:
        if not isinstance(answer.payments, PaymentsAvailable):
            return replace(answer, facts=_facts_of_order(order))
        waiting = PaymentsAwaited("the refund request itself is not visible in NewStore yet")
        return replace(answer, payments=waiting, facts=_facts_of_order(order))
    facts = replace(fact, is_historical=fact.is_historical or order.is_historical)
    if facts.status == _FAILED:
        held = PaymentsHeld("refund_failed", "NewStore shows this refund request as failed")
        return replace(answer, payments=held, facts=facts)
    return replace(answer, facts=facts)


def _facts_of_order(order: Order) -> RefundFacts | None:
    """Return what is known without the refund resource; None: nothing special."""
    return RefundFacts(None, is_historical=True, status="") if order.is_historical else None


def _failed_account(order: Order, account: AccountFailed) -> Answer:
    waiting = PaymentsAwaited(
        f"NewStore could not answer for this payment account: {account.detail}"
    )
    return Answer(order, waiting, failed=True)
