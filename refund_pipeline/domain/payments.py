"""Which payment lines of an order's account belong to a refund, and whether they prove its amount.

Attribution is by correlation id (contract newstore 4.4, design decision 13); magnitude is by kind,
never by sign (4.2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
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
    event: RefundEvent, transactions: Sequence[PaymentTransaction] | None
) -> Payments:
    """Decide what the account (None: not visible yet) says about `event`."""
    if transactions is None:
        return PaymentsAwaited("the payment account is not visible yet")
    ours = [t for t in transactions if canonical_id(t.correlation_id or "") == event.refund_id]
    unknown = sorted({t.kind for t in ours} - REFUND_KINDS - ISSUE_KINDS - _IGNORED_KINDS)
    if unknown:
        kinds = ", ".join(kind[:40] for kind in unknown)
        return PaymentsHeld("ambiguous_payments", f"transactions of unknown kind: {kinds}")
    booked = [t for t in ours if t.kind in REFUND_KINDS | ISSUE_KINDS and t.amount]
    foreign = sorted({t.currency for t in booked} - {event.currency})
    if foreign:
        return PaymentsHeld(
            "currency_mismatch",
            f"the refund is in {event.currency}, its payments are in {', '.join(foreign)}",
        )
    found = total(t.amount for t in booked)
    if found < event.amount:
        return PaymentsAwaited(f"payments show {found} of {event.amount} {event.currency}")
    if found > event.amount:
        return PaymentsHeld(
            "overpaid",
            f"payments show {found}, more than the refund's {event.amount} {event.currency}",
        )
    return PaymentsAvailable(
        tuple(
            PaymentLine(t.method, t.provider, t.amount, t.currency, t.gift_card_last4)
            for t in booked
        )
    )
