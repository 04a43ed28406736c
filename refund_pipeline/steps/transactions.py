"""Build the refund transactions of a day: find the origins in batches, then build, in `domain`.

Everything not posted is built again on every run, so that a mended mapping, or a gate that a person
released, takes effect by rerunning the day.
"""

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from refund_pipeline.domain.building import (
    Circumstances,
    booking_dates,
    build_transaction,
    skip_reason,
)
from refund_pipeline.domain.gates import Committed, apply_gates
from refund_pipeline.domain.mapping import Mapping as RefundMapping
from refund_pipeline.domain.orders import Order
from refund_pipeline.domain.retry_policy import next_attempt
from refund_pipeline.domain.transactions import (
    AwaitingOrigin,
    Built,
    Ready,
)
from refund_pipeline.gateways.erp import Erp
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import TransactionRow, TransactionWork

RELEASE = "release"
"""The decision of a person that lets a refund through the gates."""
_IN_ERP = frozenset({"posted", "uncertain"})


@dataclass(frozen=True, slots=True)
class TransactionsBuilt:
    """What one run built; `results` counts refunds by the kind of `Built` they came to."""

    looked_at: int
    results: Mapping[str, int]
    erp_requests: int


def build_transactions(
    day: date,
    *,
    ledger: Ledger,
    erp: Erp,
    mapping: RefundMapping,
    mapping_version: str,
    clock: Callable[[], datetime],
    random_source: random.Random,
    refund_ids: Collection[str] | None = None,
) -> TransactionsBuilt:
    """Build every refund transaction of `day` that can be built and is not posted, and save them.

    Raises:
        Unavailable, Misconfigured: the ERP or the ledger cannot be used; nothing was saved.
    """
    before = erp.requests_made
    built: list[tuple[TransactionWork, Built]] = []
    ours: list[tuple[TransactionWork, Order]] = []
    for item in ledger.refunds_to_build(day, refund_ids=refund_ids):
        skipped = skip_reason(item.event, mapping, item.facts)
        if skipped is not None:
            built.append((item, skipped))
        elif item.lines and item.order is not None:  # else ours after all, and not proven
            ours.append((item, item.order))
    if ours:
        passed = apply_gates(
            list(_build(ours, ledger=ledger, erp=erp, mapping=mapping, now=clock())),
            mapping.gates,
            committed=_committed(day, ledger),
            released=ledger.resolved([item.event.refund_id for item, _ in ours], action=RELEASE),
        )
        built.extend((item, one) for (item, _), one in zip(ours, passed, strict=True))
    rows = [_row(item, one, now=clock(), random_source=random_source) for item, one in built]
    ledger.save_transactions(rows, mapping_version=mapping_version)
    return TransactionsBuilt(
        looked_at=len(rows),
        results=dict(Counter(type(row.built).__name__ for row in rows)),
        erp_requests=erp.requests_made - before,
    )


def _build(
    work: Sequence[tuple[TransactionWork, Order]],
    *,
    ledger: Ledger,
    erp: Erp,
    mapping: RefundMapping,
    now: datetime,
) -> Iterator[Built]:
    origins = erp.origins(sorted({order.order_number for _, order in work}), fields=mapping.origins)
    dates = {
        wanted
        for item, order in work
        for wanted in booking_dates(item.event, order, mapping, now=now)
    }
    closed_dates = erp.closed_dates(sorted(dates)) if dates else frozenset()
    committed = dict(
        ledger.committed_amounts(
            {item.event.order_id for item, _ in work},
            leaving_out={item.event.refund_id for item, _ in work},
        )
    )
    for item, order in work:
        taken = committed.get(item.event.order_id, Decimal(0))
        built = build_transaction(
            item.event,
            order,
            item.lines,
            origins.get(order.order_number, ()),
            mapping,
            Circumstances(now, taken, closed_dates),
        )
        if isinstance(built, Ready):
            committed[item.event.order_id] = taken + item.event.amount
        yield built


def _committed(day: date, ledger: Ledger) -> Committed:
    """Return what of `day` is in the ERP or may be."""
    totals = [item for item in ledger.status_totals(day) if item.status in _IN_ERP]
    sums: dict[str, Decimal] = {}
    for item in totals:
        sums[item.currency] = sums.get(item.currency, Decimal(0)) + item.amount
    return Committed(sum(item.count for item in totals), sums)


def _row(
    work: TransactionWork, built: Built, *, now: datetime, random_source: random.Random
) -> TransactionRow:
    waits = isinstance(built, AwaitingOrigin)
    attempts = work.attempts + 1 if waits else work.attempts
    return TransactionRow(
        refund_id=work.event.refund_id,
        built=built,
        attempts=attempts,
        next_attempt_at=next_attempt(attempts, now=now, random_source=random_source)
        if waits
        else None,
    )
