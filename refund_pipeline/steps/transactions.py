"""Build the refund transactions of a day: find the origins in batches, then build, in `domain`.

Everything not posted is built again on every run, so that a mended mapping takes effect by
rerunning the day.
"""

import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from refund_pipeline.domain.mapping import Mapping as RefundMapping
from refund_pipeline.domain.retry_policy import next_attempt
from refund_pipeline.domain.transactions import (
    AwaitingOrigin,
    Built,
    Skipped,
    build_transaction,
    skip_reason,
)
from refund_pipeline.gateways.erp import Erp
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import TransactionRow, TransactionWork


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
    work = ledger.refunds_to_build(day, refund_ids=refund_ids)
    numbers = {
        item.order.order_number
        for item in work
        if item.order is not None and _skipped(item, mapping) is None
    }
    origins = erp.origins(sorted(numbers), fields=mapping.origins) if numbers else {}

    def build(item: TransactionWork) -> Built | None:
        skipped = _skipped(item, mapping)
        if skipped is not None or item.order is None:
            return skipped
        if (
            not item.lines
        ):  # ours after all, and not proven
            return None
        return build_transaction(
            item.event,
            item.order,
            item.lines,
            origins.get(item.order.order_number, ()),
            mapping,
            now=clock(),
        )

    rows = [
        _row(item, built, now=clock(), random_source=random_source)
        for item in work
        if (built := build(item)) is not None
    ]
    ledger.save_transactions(rows, mapping_version=mapping_version)
    return TransactionsBuilt(
        looked_at=len(rows),
        results=dict(Counter(type(row.built).__name__ for row in rows)),
        erp_requests=erp.requests_made - before,
    )


def _skipped(work: TransactionWork, mapping: RefundMapping) -> Skipped | None:
    return skip_reason(work.event, mapping, work.facts)


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
