"""Makers of refunds and transactions for the ledger's tests, and shortcuts to each state."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from refund_pipeline.domain.events import RefundEvent
from refund_pipeline.domain.orders import Order, OrderItem
from refund_pipeline.domain.payments import PaymentLine, Payments, PaymentsAvailable
from refund_pipeline.domain.transactions import (
    Built,
    Ready,
    RefundTransaction,
    TransactionLine,
)
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import (
    FileCounts,
    LandedFile,
    PaymentRow,
    RejectedLine,
    TransactionRow,
)

DAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=timezone.utc)
ORDER = Order(
    "order-1",
    "US-1001",
    NOON - timedelta(days=2),
    "store-1",
    "USD",
    None,
    "store",
    (OrderItem("sku", "1", "20.00", None, "0.50", "1.10", None, "loc-1"),),
)


class SetClock:
    """A clock that shows what it was set to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def make_event(number: int = 1, **changes: Any) -> RefundEvent:
    event = RefundEvent(
        refund_id=str(uuid.UUID(int=number)),
        tenant="acme",
        order_id=f"order-{number}",
        payment_account_id=f"account-{number}",
        amount=Decimal("12.30"),
        currency="USD",
        requested_at=NOON - timedelta(hours=1),
        published_at=NOON - timedelta(minutes=59),
        reason_code="7",
        reason="late delivery",
        return_id=None,
        is_historical=False,
    )
    return replace(event, **changes)


def make_transaction(event: RefundEvent, **changes: Any) -> RefundTransaction:
    transaction = RefundTransaction(
        refund_id=event.refund_id,
        external_id="apz-" + event.refund_id.replace("-", ""),
        business_date=DAY,
        amount=event.amount,
        currency=event.currency,
        currency_id="1",
        order_number="US-1001",
        memo=f"Appeasement refund {event.refund_id}",
        entity="601",
        subsidiary="1",
        location="11",
        created_from=None,
        custom_form="131",
        custom_fields=(("custbody_order", "US-1001"),),
        gift_card_field=None,
        lines=(
            TransactionLine("9001", event.amount, "appeasement"),
            TransactionLine("8101", -event.amount, "credit_card/adyen"),
        ),
    )
    return replace(transaction, **changes)


def file_named(name: str = "a", *, etag: str = "e1", day: date = DAY, **more: Any) -> LandedFile:
    return LandedFile(f"events/acme/{name}.export", etag, day, 100, **more)


def land(
    ledger: Ledger,
    *events: RefundEvent,
    file: LandedFile | None = None,
    rejected: Sequence[RejectedLine] = (),
    other: dict[str, int] | None = None,
) -> FileCounts:
    other = other or {}
    return ledger.record_file(
        file or file_named(),
        events=list(enumerate(events, start=1)),
        rejected=rejected,
        other_events=other,
        lines=len(events) + len(rejected) + sum(other.values()),
    )


def proven(event: RefundEvent) -> PaymentsAvailable:
    return PaymentsAvailable(
        (PaymentLine("credit_card", "adyen", event.amount, event.currency, "1234"),)
    )


def pay(
    ledger: Ledger,
    event: RefundEvent,
    payments: Payments | None = None,
    *,
    next_attempt_at: datetime | None = None,
) -> None:
    found = proven(event) if payments is None else payments
    ledger.save_payments([PaymentRow(event.refund_id, ORDER, found, 1, next_attempt_at)])


def build(
    ledger: Ledger,
    event: RefundEvent,
    built: Built | None = None,
    *,
    next_attempt_at: datetime | None = None,
) -> None:
    result = Ready(make_transaction(event)) if built is None else built
    row = TransactionRow(event.refund_id, result, 1, next_attempt_at)
    ledger.save_transactions([row], mapping_version="m1")


def make_ready(ledger: Ledger, event: RefundEvent, *, landed: bool = False) -> RefundTransaction:
    if not landed:
        land(ledger, event)
    pay(ledger, event)
    build(ledger, event)
    return make_transaction(event)


def statuses(ledger: Ledger, event: RefundEvent) -> list[tuple[str, str | None]]:
    return [(entry.to_status, entry.reason) for entry in ledger.history(event.refund_id)]


def post_different(ledger: Ledger, event: RefundEvent) -> str:
    """Post a refund that has landed, and find that the ERP shows it differently."""
    assert ledger.begin_posting(make_ready(ledger, event, landed=True))
    ledger.finish_posting(event.refund_id, state="posted", erp_id="77", amount=event.amount)
    ledger.record_verifications([(event.refund_id, "record 77 is missing from the ERP")])
    return event.refund_id
