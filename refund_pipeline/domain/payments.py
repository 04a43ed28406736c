"""Which payment lines of an order's account belong to a refund, and whether they prove its amount.

Attribution is by correlation id (contract newstore 4.4, design decision 13), or by amounts alone
where a deployment has nothing better; magnitude is by kind, never by sign (4.2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import TypeAlias

from refund_pipeline.domain.events import RefundEvent, canonical_id
from refund_pipeline.domain.money import total

REFUND_KINDS = frozenset({"refund", "refunded"})
ISSUE_KINDS = frozenset({"issue", "issued"})
_IGNORED_KINDS = frozenset(
    {"authorize", "authorization", "capture", "captured", "void", "voided", "revoke", "revoked"}
)
_ISSUED_METHODS = frozenset({"store_credit", "gift_card"})


class Attribution(Enum):
    """How payment transactions are told apart by refund (contract newstore 4.4 and section 6)."""

    GRAPHQL = "graphql"
    """By GraphQL's `correlationId`, where this tenant shows it; else the REST account."""
    REST = "rest"
    """By the correlation id of the REST payment account."""
    GRAPHQL_ONLY = "graphql_only"
    """By amounts alone, as the playbook's query allows: only a sum that leaves no doubt counts."""


@dataclass(frozen=True, slots=True)
class PaymentTransaction:
    """One transaction of a payment account. `amount` is its magnitude (≥ 0) by kind."""

    kind: str
    amount: Decimal
    currency: str
    correlation_id: str | None
    method: str
    provider: str
    gift_card_last4: str | None = None
    created_at: datetime | None = None
    """Aware UTC; NewStore leaves it out of gift cards issued and of voids."""


@dataclass(frozen=True, slots=True)
class PaymentAccount:
    """A payment account as one API shows it."""

    transactions: tuple[PaymentTransaction, ...]
    issued_on: tuple[str, ...] = ()
    """Other orders whose issued value paid this one: those an exchange came from (4.5)."""


@dataclass(frozen=True, slots=True)
class RefundFacts:
    """What NewStore's refund resource and order add to the event (contract newstore 2.3, 2.5)."""

    return_id: str | None
    is_historical: bool
    status: str
    """Lower case, such as `pending`, `succeeded` or `failed`; may be empty."""


@dataclass(frozen=True, slots=True)
class PaymentLine:
    """Money that went back to the customer on one tender; `amount` > 0 in the refund's currency."""

    method: str
    provider: str
    amount: Decimal
    currency: str
    gift_card_last4: str | None = None


@dataclass(frozen=True, slots=True)
class PaymentsAvailable:
    """The payment lines prove the refund to the last minor unit."""

    lines: tuple[PaymentLine, ...]


@dataclass(frozen=True, slots=True)
class PaymentsAwaited:
    """Not yet: no account, or payment lines that sum to less than the refund."""

    detail: str


@dataclass(frozen=True, slots=True)
class PaymentsHeld:
    """The account contradicts the event; a person decides."""

    reason: str
    detail: str


Payments: TypeAlias = PaymentsAvailable | PaymentsAwaited | PaymentsHeld


def match_payments(
    event: RefundEvent,
    account: PaymentAccount | None,
    *,
    siblings: Sequence[RefundEvent] = (),
    foreign_issue_within: timedelta = timedelta(0),
    adopt_foreign_issue: bool = False,
) -> Payments:
    """Decide by correlation id what the account (None: not visible yet) says about `event`.

    NewStore issues some store credit under an id of its own (contract newstore 4.4). Such an issue
    is adopted if it completes the amount exactly, was made within `foreign_issue_within` of the
    request, and nothing else could be meant: neither a second issue nor one of the order's other
    known refunds (`siblings`). Else, and always without `adopt_foreign_issue`, a person decides.
    """
    if account is None:
        return PaymentsAwaited("the payment account is not visible yet")
    ours = _of_refund(event, account)
    booked = _booked(ours)
    doubt = _unknown_kinds(ours) or _other_currency(event, booked)
    if doubt is not None:
        return doubt
    found = total(t.amount for t in booked)
    if found < event.amount:
        return _incomplete(
            event,
            account,
            booked,
            siblings,
            within=foreign_issue_within,
            adopt=adopt_foreign_issue,
        )
    if found > event.amount:
        return PaymentsHeld(
            "overpaid",
            f"payments show {found}, more than the refund's {event.amount} {event.currency}",
        )
    return PaymentsAvailable(_lines(booked))


def match_by_amounts(
    event: RefundEvent, account: PaymentAccount | None, *, siblings: Sequence[RefundEvent]
) -> Payments:
    """Decide without correlation ids: all money that went back must be all that was asked for.

    That is all the playbook's query can tell (contract newstore 4.4, point 5). Several refunds of
    one order are told apart only where all the money went back on one tender.
    """
    if account is None:
        return PaymentsAwaited("the payment account is not visible yet")
    booked = _booked(account.transactions)
    doubt = _unknown_kinds(account.transactions) or _other_currency(event, booked)
    if doubt is not None:
        return doubt
    found = total(t.amount for t in booked)
    asked = event.amount + total(sibling.amount for sibling in siblings)
    if found < asked:
        return PaymentsAwaited(
            f"the order's payments show {found} of {asked} {event.currency} asked for in "
            f"{len(siblings) + 1} refund(s)"
        )
    tenders = {(t.method, t.provider, t.gift_card_last4) for t in booked}
    if found > asked or (siblings and len(tenders) > 1):
        return PaymentsHeld(
            "ambiguous_payments",
            f"the order's payments show {found} {event.currency} on {len(tenders)} tender(s) for "
            f"{len(siblings) + 1} refund(s) of {asked}; without correlation ids nobody can tell "
            "which is this refund's",
        )
    if not siblings:
        return PaymentsAvailable(_lines(booked))
    one = booked[0]
    line = PaymentLine(one.method, one.provider, event.amount, event.currency, one.gift_card_last4)
    return PaymentsAvailable((line,))


def mentions(event: RefundEvent, account: PaymentAccount) -> bool:
    """Whether the account shows money that went back under the refund's id."""
    return bool(_booked(_of_refund(event, account)))


def _of_refund(event: RefundEvent, account: PaymentAccount) -> list[PaymentTransaction]:
    return [t for t in account.transactions if _refund_of(t) == event.refund_id]


def _refund_of(transaction: PaymentTransaction) -> str:
    return canonical_id(transaction.correlation_id or "")


def _booked(transactions: Sequence[PaymentTransaction]) -> list[PaymentTransaction]:
    return [t for t in transactions if t.kind in REFUND_KINDS | ISSUE_KINDS and t.amount]


def _unknown_kinds(transactions: Sequence[PaymentTransaction]) -> PaymentsHeld | None:
    unknown = {t.kind for t in transactions} - REFUND_KINDS - ISSUE_KINDS - _IGNORED_KINDS
    if not unknown:
        return None
    kinds = ", ".join(kind[:40] for kind in sorted(unknown))
    return PaymentsHeld("ambiguous_payments", f"transactions of unknown kind: {kinds}")


def _other_currency(
    event: RefundEvent, booked: Sequence[PaymentTransaction]
) -> PaymentsHeld | None:
    foreign = sorted({t.currency for t in booked} - {event.currency})
    if not foreign:
        return None
    return PaymentsHeld(
        "currency_mismatch",
        f"the refund is in {event.currency}, its payments are in {', '.join(foreign)}",
    )


def _incomplete(
    event: RefundEvent,
    account: PaymentAccount,
    booked: Sequence[PaymentTransaction],
    siblings: Sequence[RefundEvent],
    *,
    within: timedelta,
    adopt: bool,
) -> Payments:
    """Wait for the rest, unless value issued under another id may be it."""
    found = total(t.amount for t in booked)
    shown = f"payments show {found} of {event.amount} {event.currency}"
    known = {event.refund_id, *(sibling.refund_id for sibling in siblings)}
    issues = [
        t
        for t in _booked(account.transactions)
        if t.kind in ISSUE_KINDS
        and t.method.lower() in _ISSUED_METHODS
        and (t.amount, t.currency) == (event.amount - found, event.currency)
        and _refund_of(t) not in known
        and t.created_at is not None
        and abs(t.created_at - event.requested_at) <= within
    ]
    if not issues:
        return PaymentsAwaited(shown)
    rivals = [s for s in siblings if abs(s.requested_at - event.requested_at) <= 2 * within]
    if adopt and len(issues) == 1 and not rivals:
        return PaymentsAvailable(_lines((*booked, *issues)))
    return PaymentsHeld(
        "ambiguous_payments",
        f"{shown}; value issued under another id at the time of the request may be the rest",
    )


def _lines(booked: Sequence[PaymentTransaction]) -> tuple[PaymentLine, ...]:
    return tuple(
        PaymentLine(t.method, t.provider, t.amount, t.currency, t.gift_card_last4) for t in booked
    )
