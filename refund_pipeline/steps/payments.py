"""Fetch the orders and payment lines of a day's refunds, and decide which refunds are proven.

Every refund whose payments are not proven yet is looked at on every run; `next_attempt_at` only
tells the sensor when to ask for the next run.
"""

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from refund_pipeline.domain.mapping import Mapping as RefundMapping
from refund_pipeline.domain.orders import Order
from refund_pipeline.domain.payments import (
    Payments,
    PaymentsAvailable,
    PaymentsAwaited,
    PaymentTransaction,
    match_payments,
)
from refund_pipeline.domain.retry_policy import next_attempt
from refund_pipeline.domain.transactions import skip_reason
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import PaymentRow, PaymentWork
from refund_pipeline.gateways.newstore import AccountFailed, OrderFailed

_CHUNK = 500


class OrderSource(Protocol):
    """What this step asks of NewStore."""

    def orders(self, order_ids: Sequence[str]) -> Mapping[str, Order | OrderFailed]:
        """Return the visible ones of these orders."""

    def payment_transactions(
        self, account_ids: Sequence[str]
    ) -> Mapping[str, tuple[PaymentTransaction, ...] | AccountFailed | None]:
        """Return the transactions of these payment accounts; None for one that is not visible."""

    @property
    def requests_made(self) -> int:
        """How many requests were made so far."""


@dataclass(frozen=True, slots=True)
class PaymentsFetched:
    """What one run found; `results` counts refunds by the kind of `Payments` they came to."""

    looked_at: int
    results: Mapping[str, int]
    requests: int


def fetch_payments(
    day: date,
    *,
    ledger: Ledger,
    newstore: OrderSource,
    mapping: RefundMapping,
    clock: Callable[[], datetime],
    random_source: random.Random,
    refund_ids: Collection[str] | None = None,
    refresh: bool = False,
) -> PaymentsFetched:
    """Read what NewStore knows of each unproven refund of `day`, and save it chunk by chunk.

    Raises:
        Unavailable, Misconfigured: NewStore or the ledger cannot be used; saved chunks stay saved.
    """
    before = newstore.requests_made
    work = [
        item
        for item in ledger.refunds_to_pay(day, refund_ids=refund_ids, refresh=refresh)
        if skip_reason(item.event, mapping) is None
    ]
    results: Counter[str] = Counter()
    for chunk in _chunks(work):
        orders = newstore.orders(list(dict.fromkeys(item.event.order_id for item in chunk)))
        seen = [
            item.event.payment_account_id
            for item in chunk
            if isinstance(orders.get(item.event.order_id), Order)
        ]
        accounts = newstore.payment_transactions(list(dict.fromkeys(seen)))
        rows = [
            _row(item, orders, accounts, now=clock(), random_source=random_source)
            for item in chunk
            # a failed read is no news about what is proven already
            if not (refresh and _failed(item, orders, accounts))
        ]
        ledger.save_payments(rows)
        results.update(type(row.payments).__name__ for row in rows)
    return PaymentsFetched(
        looked_at=len(work),
        results=dict(results),
        requests=newstore.requests_made - before,
    )


def _failed(
    work: PaymentWork,
    orders: Mapping[str, Order | OrderFailed],
    accounts: Mapping[str, tuple[PaymentTransaction, ...] | AccountFailed | None],
) -> bool:
    return isinstance(orders.get(work.event.order_id), OrderFailed) or isinstance(
        accounts.get(work.event.payment_account_id), AccountFailed
    )


def _row(
    work: PaymentWork,
    orders: Mapping[str, Order | OrderFailed],
    accounts: Mapping[str, tuple[PaymentTransaction, ...] | AccountFailed | None],
    *,
    now: datetime,
    random_source: random.Random,
) -> PaymentRow:
    order = orders.get(work.event.order_id)
    attempts = work.attempts + 1
    payments: Payments
    if order is None:
        payments = PaymentsAwaited("the order is not visible in NewStore yet")
    elif isinstance(order, OrderFailed):
        payments = PaymentsAwaited(f"NewStore could not answer for this order: {order.detail}")
    else:
        account = accounts.get(work.event.payment_account_id)
        if isinstance(account, AccountFailed):
            payments = PaymentsAwaited(
                f"NewStore could not answer for this payment account: {account.detail}"
            )
        else:
            payments = match_payments(work.event, account)
    return PaymentRow(
        refund_id=work.event.refund_id,
        order=order if isinstance(order, Order) else None,
        payments=payments,
        attempts=attempts,
        next_attempt_at=None
        if isinstance(payments, PaymentsAvailable)
        else next_attempt(attempts, now=now, random_source=random_source),
    )


def _chunks(work: Sequence[PaymentWork]) -> Iterator[Sequence[PaymentWork]]:
    for start in range(0, len(work), _CHUNK):
        yield work[start : start + _CHUNK]
