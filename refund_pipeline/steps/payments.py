"""Fetch the orders and payments of a day's refunds, and decide which refunds are proven.

Every refund whose payments are not proven yet is looked at on every run; `next_attempt_at` only
tells the sensor when to ask for the next run. How NewStore is asked for what is `NewStoreAnswers`.
"""

import random
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from refund_pipeline.domain.building import skip_reason
from refund_pipeline.domain.mapping import Mapping as RefundMapping
from refund_pipeline.domain.payments import PaymentsAvailable
from refund_pipeline.domain.retry_policy import next_attempt
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import PaymentRow, PaymentWork
from refund_pipeline.steps.parts import parts

if TYPE_CHECKING:
    from refund_pipeline.steps.newstore_answers import Answer, PaymentSource

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class PaymentsFetched:
    """What one run found; `results` counts refunds by the kind of `Payments` they came to."""

    looked_at: int
    results: dict[str, int]
    requests: int
    attribution: str | None
    """How payments were told apart, and why so; None when there was nothing to ask."""


def fetch_payments(
    day: date,
    *,
    ledger: Ledger,
    open_newstore: "Callable[[], PaymentSource]",
    mapping: RefundMapping,
    clock: Callable[[], datetime],
    random_source: random.Random,
    refund_ids: Collection[str] | None = None,
    refresh: bool = False,
) -> PaymentsFetched:
    """Read what NewStore knows of each unproven refund of `day`, and save it chunk by chunk.

    NewStore is opened once there is something to ask.

    Raises:
        Unavailable, Misconfigured: NewStore or the ledger cannot be used; saved chunks stay saved.
    """
    ids_to_pay = ledger.ids_to_pay(day, refund_ids=refund_ids, refresh=refresh)
    if not ids_to_pay:
        return PaymentsFetched(looked_at=0, results={}, requests=0, attribution=None)
    from refund_pipeline.steps.newstore_answers import ask_newstore

    newstore = open_newstore()
    before = newstore.requests_made
    looked_at = 0
    results: Counter[str] = Counter()
    for ids in parts(ids_to_pay, _CHUNK):
        chunk = [
            item
            for item in ledger.refunds_to_pay(day, refund_ids=ids, refresh=refresh)
            if skip_reason(item.event, mapping, None if refresh else item.facts) is None
        ]
        if not chunk:
            continue
        looked_at += len(chunk)
        siblings = ledger.refunds_of_orders({item.event.order_id for item in chunk})
        answers = ask_newstore(
            [item.event for item in chunk], siblings, newstore=newstore, policies=mapping.policies
        )
        rows = [
            _row(item, answers[item.event.refund_id], now=clock(), random_source=random_source)
            for item in chunk
            # a failed read is no news about what is proven already
            if not (refresh and answers[item.event.refund_id].failed)
        ]
        ledger.save_payments(rows)
        results.update(type(row.payments).__name__ for row in rows)
    return PaymentsFetched(
        looked_at=looked_at,
        results=dict(results),
        requests=newstore.requests_made - before,
        attribution=(
            f"{newstore.attribution.value}: {newstore.attribution_reason}" if looked_at else None
        ),
    )


def _row(
    work: PaymentWork, answer: "Answer", *, now: datetime, random_source: random.Random
) -> PaymentRow:
    attempts = work.attempts + 1
    return PaymentRow(
        refund_id=work.event.refund_id,
        order=answer.order,
        payments=answer.payments,
        attempts=attempts,
        next_attempt_at=None
        if isinstance(answer.payments, PaymentsAvailable)
        else next_attempt(attempts, now=now, random_source=random_source),
        facts=answer.facts,
    )
