"""Read posted refunds back from the ERP in batches, compare them, and name each that differs."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from refund_pipeline.domain.outcomes import ErpRecord, differences
from refund_pipeline.domain.transactions import RefundTransaction
from refund_pipeline.gateways.erp import Erp
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import PostedRefund

INDEX_GRACE = timedelta(minutes=10)
"""A younger record may be in the ERP without being in its index yet (contract suiteql 6)."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Count and amount of one currency on both sides, for the refunds read back in this run."""

    currency: str
    ledger_count: int
    ledger_amount: Decimal
    erp_count: int
    erp_amount: Decimal


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """`problems` holds (refund id, sentence) for each missing or differing record."""

    checked: int
    too_young: int
    agreements: tuple[Agreement, ...]
    problems: tuple[tuple[str, str], ...]
    erp_requests: int


def reconcile(
    day: date,
    *,
    ledger: Ledger,
    erp: Erp,
    clock: Callable[[], datetime],
    everything: bool = False,
) -> Reconciliation:
    """Compare the posted refunds of `day` with the ERP.

    Those not compared yet or found different before, or all with `everything`.

    Raises:
        Unavailable, Misconfigured: the ERP or the ledger cannot be used.
    """
    before = erp.requests_made
    posted = ledger.postings_to_verify(day, everything=everything)
    records = erp.find([key for item in posted for key in _keys(item)]) if posted else {}
    verdicts: list[tuple[str, str | None]] = []
    found: list[tuple[RefundTransaction, ErpRecord]] = []
    too_young = 0
    for item in posted:
        record = next((records[key] for key in _keys(item) if key in records), None)
        if record is not None:
            found.append((item.transaction, record))
            verdicts.append((item.transaction.refund_id, _verdict(item, record)))
        elif clock() - item.posted_at < INDEX_GRACE:
            too_young += 1
        else:
            verdicts.append(
                (item.transaction.refund_id, f"record {item.erp_id} is missing from the ERP")
            )
    ledger.record_verifications(verdicts)
    return Reconciliation(
        checked=len(verdicts),
        too_young=too_young,
        agreements=_agreements([item.transaction for item in posted], found),
        problems=tuple(ledger.posting_differences(day)),
        erp_requests=erp.requests_made - before,
    )


def _keys(item: PostedRefund) -> tuple[str, str]:
    return item.transaction.external_id, item.transaction.refund_id


def _verdict(item: PostedRefund, record: ErpRecord) -> str | None:
    found = list(differences(item.transaction, record))
    if record.erp_id != item.erp_id:
        found.insert(0, f"it is record {record.erp_id}, the ledger says {item.erp_id}")
    return "; ".join(found) or None


def _agreements(
    transactions: list[RefundTransaction], found: list[tuple[RefundTransaction, ErpRecord]]
) -> tuple[Agreement, ...]:
    counts = Counter(item.currency for item in transactions)
    erp_counts = Counter(item.currency for item, _ in found)
    return tuple(
        Agreement(
            currency=currency,
            ledger_count=counts[currency],
            ledger_amount=sum(
                (item.amount for item in transactions if item.currency == currency), Decimal(0)
            ),
            erp_count=erp_counts[currency],
            erp_amount=sum(
                (
                    line.amount
                    for item, record in found
                    if item.currency == currency
                    for line in record.lines
                    if line.amount > 0
                ),
                Decimal(0),
            ),
        )
        for currency in sorted(counts)
    )
