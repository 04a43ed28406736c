"""Read posted refunds back from the ERP in batches, compare them, and name each that differs."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from refund_pipeline.domain.outcomes import ErpRecord, found_records
from refund_pipeline.domain.transactions import RefundTransaction
from refund_pipeline.gateways.erp import Erp
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import PostedRefund
from refund_pipeline.steps.parts import parts

INDEX_GRACE = timedelta(minutes=10)
"""A younger record may be in the ERP without being in its index yet (contract suiteql 6)."""
_BOOKED_WITHIN = timedelta(days=1)
_SUFFIX = re.compile(r"-\d{1,2}$", re.ASCII)
"""What the posting model `header` appends per tender."""


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
    """What comparing came to."""

    checked: int
    too_young: int
    agreements: tuple[Agreement, ...]
    problems: tuple[tuple[str, str], ...]
    """(refund id, sentence) for each missing or differing refund."""
    extra: tuple[tuple[str, str], ...]
    """(external id, ERP id) of records under our prefix that the ledger does not know."""
    erp_requests: int

    @property
    def agrees(self) -> bool:
        """Whether ledger and ERP say the same, as far as the ERP shows it yet."""
        equal = all(
            (item.ledger_count, item.ledger_amount) == (item.erp_count, item.erp_amount)
            for item in self.agreements
        )
        return not self.problems and not self.extra and (equal or self.too_young > 0)


def reconcile(
    day: date,
    *,
    ledger: Ledger,
    erp: Erp,
    prefix: str,
    clock: Callable[[], datetime],
    everything: bool = False,
) -> Reconciliation:
    """Compare the posted refunds of `day` with the ERP.

    Those not compared yet or found different before. With `everything` all of them, and the other
    way round: what the ERP has under our `prefix`, booked around `day`, must be in the ledger.

    Raises:
        Unavailable, Misconfigured: the ERP or the ledger cannot be used.
    """
    before = erp.requests_made
    checked = too_young = 0
    agreements: list[Agreement] = []
    for ids in parts(ledger.ids_to_verify(day, everything=everything)):
        posted = ledger.postings_to_verify(day, everything=everything, refund_ids=ids)
        records = erp.find([key for item in posted for key in item.transaction.possible_ids])
        verdicts: list[tuple[str, str | None]] = []
        found: list[tuple[RefundTransaction, ErpRecord]] = []
        for item in posted:
            there = list(found_records(item.transaction, records))
            found.extend((item.transaction, record) for record, _ in there)
            complete = len(there) >= len(item.transaction.records)
            if not complete and clock() - item.posted_at < INDEX_GRACE:
                too_young += 1
            else:
                verdicts.append((item.transaction.refund_id, _verdict(item, there)))
        ledger.record_verifications(verdicts)
        checked += len(verdicts)
        agreements += _agreements([item.transaction for item in posted], found)
    extra = _extra(day, ledger, erp, prefix) if everything else ()
    if everything:
        ledger.record_unknown(day, extra)
    return Reconciliation(
        checked=checked,
        too_young=too_young,
        agreements=_summed(agreements),
        problems=tuple(ledger.posting_differences(day)),
        extra=extra,
        erp_requests=erp.requests_made - before,
    )


def _verdict(
    item: PostedRefund, there: list[tuple[ErpRecord, RefundTransaction | tuple[str, ...]]]
) -> str | None:
    ids = {record.erp_id for record, _ in there}
    expected = set(item.erp_id.split(", "))
    others, missing = sorted(ids - expected), sorted(expected - ids)
    sentences = [f"it is record {erp_id}, the ledger says {item.erp_id}" for erp_id in others]
    if not others:
        sentences += [f"record {erp_id} is missing from the ERP" for erp_id in missing]
    for _, found in there:
        if not isinstance(found, RefundTransaction):
            sentences.extend(found)
    return "; ".join(sentences) or None


def _extra(day: date, ledger: Ledger, erp: Erp, prefix: str) -> tuple[tuple[str, str], ...]:
    """Name the ERP's records under our prefix, booked within a day of `day`, we know nothing of."""
    there = erp.ours(prefix, start=day - _BOOKED_WITHIN, end=day + _BOOKED_WITHIN)
    bases = {external_id: _SUFFIX.sub("", external_id) for external_id in there}
    known = ledger.known_external_ids({*there, *bases.values()})
    return tuple(
        sorted(
            (external_id, erp_id)
            for external_id, erp_id in there.items()
            if external_id not in known and bases[external_id] not in known
        )
    )


def _agreements(
    transactions: list[RefundTransaction], found: list[tuple[RefundTransaction, ErpRecord]]
) -> tuple[Agreement, ...]:
    counts = Counter(item.currency for item in transactions)
    refunds_found = {item.refund_id: item.currency for item, _ in found}
    erp_counts = Counter(refunds_found.values())
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


def _summed(agreements: Sequence[Agreement]) -> tuple[Agreement, ...]:
    """Add up what parts of a day came to."""
    sums: dict[str, Agreement] = {}
    for one in agreements:
        so_far = sums.get(one.currency, Agreement(one.currency, 0, Decimal(0), 0, Decimal(0)))
        sums[one.currency] = Agreement(
            one.currency,
            so_far.ledger_count + one.ledger_count,
            so_far.ledger_amount + one.ledger_amount,
            so_far.erp_count + one.erp_count,
            so_far.erp_amount + one.erp_amount,
        )
    return tuple(sums[currency] for currency in sorted(sums))
