"""Build the refund transactions of a day: find the origins in batches, then build, in `domain`.

Everything not posted is built again on every run, so that a mended mapping, or a gate that a person
released, takes effect by rerunning the day. What would be held is looked for in the ERP first: a
lost ledger is rebuilt by the same operation, whatever was released or closed since.
"""

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from refund_pipeline.domain.building import booking_dates, build_transaction, skip_reason
from refund_pipeline.domain.events import RefundEvent
from refund_pipeline.domain.gates import GATE_REASONS, Committed, apply_gates
from refund_pipeline.domain.mapping import Gates
from refund_pipeline.domain.mapping import Mapping as RefundMapping
from refund_pipeline.domain.orders import Order
from refund_pipeline.domain.origins import Circumstances
from refund_pipeline.domain.outcomes import ErpRecord
from refund_pipeline.domain.resolutions import NOTHING_DECIDED, Decided, decided
from refund_pipeline.domain.retry_policy import next_attempt
from refund_pipeline.domain.transactions import (
    AwaitingOrigin,
    Built,
    Held,
    Origin,
    Ready,
    external_id,
    ids_of_refund,
)
from refund_pipeline.gateways.erp import Erp
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import AmountToBuild, TransactionRow, TransactionWork
from refund_pipeline.steps.parts import parts_by_order

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
        Unavailable, Misconfigured: the ERP or the ledger cannot be used; of a large day, parts
            that were saved stay saved.
    """
    before = erp.requests_made
    wanted = ledger.amounts_to_build(day, refund_ids=refund_ids)
    committed = _committed(day, ledger) if wanted else Committed()
    results: Counter[str] = Counter()
    for part in _together(wanted, mapping.gates, committed):
        built: list[tuple[TransactionWork, Built]] = []
        ours: list[tuple[TransactionWork, Order]] = []
        for item in ledger.refunds_to_build(day, refund_ids=part):
            skipped = skip_reason(item.event, mapping, item.facts)
            if skipped is not None:
                built.append((item, skipped))
            elif item.lines and item.order is not None:  # else ours after all, and not proven
                ours.append((item, item.order))
        if ours:
            question = _ask(ours, committed, ledger=ledger, erp=erp, mapping=mapping, now=clock())
            answers = question.decide({})
            there = question.records_of(question.doubtful(answers), erp)
            if there:
                answers = question.decide(there)
            built.extend((item, one) for (item, _), one in zip(ours, answers, strict=True))
        rows = [_row(item, one, now=clock(), random_source=random_source) for item, one in built]
        ledger.save_transactions(rows, mapping_version=mapping_version)
        results.update(type(row.built).__name__ for row in rows)
    return TransactionsBuilt(
        looked_at=results.total(),
        results=dict(results),
        erp_requests=erp.requests_made - before,
    )


def _together(
    wanted: Sequence[AmountToBuild], gates: Gates, committed: Committed
) -> Iterator[Sequence[str]]:
    """Yield the ids of refunds that are decided together: those of an order, for its sale's sake.

    All of the day are, where a daily gate could trip: then it matters what comes first.
    """
    most = committed.with_these((one.currency, one.amount) for one in wanted)
    too_many = gates.daily_count is not None and most.count > gates.daily_count
    too_much = any(
        (most.sums or {}).get(currency, Decimal(0)) > limit
        for currency, limit in gates.daily_sum.items()
    )
    if too_many or too_much:
        yield [one.refund_id for one in wanted]
    else:
        yield from parts_by_order(wanted)


@dataclass(frozen=True, slots=True)
class _Question:
    """What becomes of these refunds: all it depends on, asked once."""

    work: Sequence[tuple[TransactionWork, Order]]
    mapping: RefundMapping
    now: datetime
    origins: Mapping[str, Sequence[Origin]]
    closed_dates: frozenset[date]
    taken: Mapping[str, Decimal]
    """By order, what its other refunds take from the sale."""
    committed: Committed
    decisions: Mapping[str, Decided]
    """What people decided, by refund."""

    def decide(self, there: Mapping[str, ErpRecord]) -> list[Built]:
        """Build each, and let the gates hold what goes beyond them.

        `there` are records that the ERP has, by refund: those refunds count first, and nothing
        holds them back any more. The ledger that knew of them is lost, or older than they are.
        """
        built = list(self._build(there))
        pairs = [(item.event, one) for (item, _), one in zip(self.work, built, strict=True)]
        gated = apply_gates(
            [one for event, one in pairs if event.refund_id not in there],
            self.mapping.gates,
            committed=self.committed.with_these(
                (event.currency, event.amount) for event, _ in pairs if event.refund_id in there
            ),
            released={name for name, one in self.decisions.items() if one.released},
        )
        return [one if event.refund_id in there else next(gated) for event, one in pairs]

    def _build(self, there: Mapping[str, ErpRecord]) -> Iterator[Built]:
        taken = dict(self.taken)
        for item, _ in self.work:
            if item.event.refund_id in there:
                taken[item.event.order_id] = (
                    taken.get(item.event.order_id, Decimal(0)) + item.event.amount
                )
        for item, order in self.work:
            event, record = item.event, there.get(item.event.refund_id)
            others = taken.get(event.order_id, Decimal(0))
            built = build_transaction(
                event,
                order,
                item.lines,
                self.origins.get(order.order_number, ()),
                self.mapping,
                Circumstances(
                    self.now,
                    others,
                    self.closed_dates,
                    record,
                    self.decisions.get(event.refund_id, NOTHING_DECIDED),
                ),
            )
            if isinstance(built, Ready) and record is None:
                taken[event.order_id] = others + event.amount
            yield built

    def doubtful(self, answers: Sequence[Built]) -> list[RefundEvent]:
        """Return the refunds that would be decided otherwise if the ERP had them already.

        That is what is not plainly ready; and all, where a gate has counted them.
        """
        gate = any(isinstance(one, Held) and one.reason in GATE_REASONS for one in answers)
        return [
            item.event
            for (item, order), one in zip(self.work, answers, strict=True)
            if gate or not self._is_plain(item.event, order, one)
        ]

    def _is_plain(self, event: RefundEvent, order: Order, answer: Built) -> bool:
        if not isinstance(answer, Ready):
            return False
        own_date, _ = booking_dates(event, order, self.mapping, now=self.now)
        return answer.transaction.business_date == own_date

    def records_of(self, events: Sequence[RefundEvent], erp: Erp) -> dict[str, ErpRecord]:
        """Return by refund what the ERP has under the ids it may have."""
        prefix = self.mapping.external_id_prefix
        refund_of = {
            key: event.refund_id
            for event in events
            for key in ids_of_refund(event.refund_id, external_id(event.refund_id, prefix))
        }
        found = erp.find(list(refund_of)) if refund_of else {}
        return {refund_of[key]: record for key, record in found.items()}


def _ask(
    work: Sequence[tuple[TransactionWork, Order]],
    committed: Committed,
    *,
    ledger: Ledger,
    erp: Erp,
    mapping: RefundMapping,
    now: datetime,
) -> _Question:
    refund_ids = {item.event.refund_id for item, _ in work}
    dates = {
        wanted
        for item, order in work
        for wanted in booking_dates(item.event, order, mapping, now=now)
    }
    return _Question(
        work=work,
        mapping=mapping,
        now=now,
        origins=erp.origins(
            sorted({order.order_number for _, order in work}), fields=mapping.origins
        ),
        closed_dates=erp.closed_dates(sorted(dates)) if dates else frozenset(),
        taken=ledger.committed_amounts(
            {item.event.order_id for item, _ in work}, leaving_out=refund_ids
        ),
        committed=committed,
        decisions={name: decided(made) for name, made in ledger.resolutions(refund_ids).items()},
    )


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
