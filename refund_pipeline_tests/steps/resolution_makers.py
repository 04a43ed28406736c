"""Refund 1 at every place where a person may find it, and the ways to decide about it."""

import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from refund_pipeline.domain.actions import Action
from refund_pipeline.domain.payments import (
    PaymentLine,
    PaymentsAvailable,
    PaymentsAwaited,
    PaymentsHeld,
)
from refund_pipeline.domain.resolutions import Decision
from refund_pipeline.domain.transactions import AwaitingOrigin, Held, Ready, Skipped
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import LandedFile, PaymentRow, TransactionRow
from refund_pipeline.gateways.ledger.tables import metadata
from refund_pipeline.steps.payments import fetch_payments
from refund_pipeline.steps.posting import Surroundings, post_refunds
from refund_pipeline.steps.reconciliation import Reconciliation, reconcile
from refund_pipeline.steps.resolution import (
    Places,
    Plan,
    Resolved,
    carry_out,
    plan_resolution,
)
from refund_pipeline.steps.transactions import build_transactions
from refund_pipeline_tests.fakes import (
    DAY,
    FakeClock,
    FakeErp,
    FakeNewStore,
    event,
    example_mapping,
    order,
    payment_lines,
    record_of,
    refund_id,
    transaction,
)

MAPPING = example_mapping()
REFUND = refund_id(1)
PAYMENT_REASONS = {
    *("ambiguous_payments", "overpaid", "refund_failed", "exchange_refund", "payments_incomplete"),
}
POSTING_REASONS = {"conflicting_erp_record", "refused_by_erp"}


def with_a_proven_refund(ledger: Ledger, clock: FakeClock) -> Ledger:
    """Empty the ledger, but for refund 1, which has landed and whose payments are proven."""
    ledger._clock = clock.now
    with ledger._database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    land(ledger)
    pay(ledger)
    return ledger


def land(ledger: Ledger, *, key: str = "key", **changes: Any) -> None:
    ledger.record_file(
        LandedFile(key, "etag", DAY, 1),
        events=[(1, event(1, **changes))],
        rejected=[],
        other_events={},
        lines=1,
    )


def pay(ledger: Ledger, payments: Any = None, lines: Any = None) -> None:
    found = payments or PaymentsAvailable(lines or payment_lines(event(1)))
    ledger.save_payments([PaymentRow(REFUND, order(event(1)), found, 1, None)])


def build(ledger: Ledger, built: Any) -> None:
    ledger.save_transactions([TransactionRow(REFUND, built, 1, None)], mapping_version="v1")


def stand_at(ledger: Ledger, reason: str) -> None:
    """Bring refund 1 to where it stands for `reason`; `-` is ready, with nothing against it."""
    if reason == "conflicting_event":
        land(ledger, key="another", amount=Decimal("99.00"))
    elif reason == "payments_incomplete":
        pay(ledger, PaymentsAwaited("late"))
    elif reason in PAYMENT_REASONS:
        pay(ledger, PaymentsHeld(reason, "why"))
    elif reason == "origin_missing":
        build(ledger, AwaitingOrigin("late"))
    elif reason in {"belongs_to_return", "historical"}:
        build(ledger, Skipped(reason, "why"))
    elif reason == "handled_by_hand":
        ledger.resolve([REFUND], Decision(Action.SKIP, "bert", "booked"))
    elif reason in {*POSTING_REASONS, "erp_uncertain", "erp_unavailable", "-"}:
        build(ledger, Ready(transaction(1)))
        if reason != "-":
            assert ledger.begin_posting(transaction(1))
            state = {"erp_uncertain": "uncertain", "erp_unavailable": "retry"}.get(reason, "held")
            there = "77" if reason == "conflicting_erp_record" else None
            later = ledger._clock() + timedelta(minutes=30) if state != "held" else None
            ledger.finish_posting(
                REFUND, state=state, reason=reason, erp_id=there, next_attempt_at=later
            )
    else:
        build(ledger, Held(reason, "why"))
    row = ledger.refund(REFUND)
    assert row is not None
    assert (row.reason or "-") == reason


def places(ledger: Ledger, clock: FakeClock, erp: FakeErp | None = None) -> Places:
    return Places(ledger, lambda: MAPPING, lambda: erp or FakeErp(), clock.now)


def planned(
    ledger: Ledger,
    clock: FakeClock,
    action: Action,
    *,
    erp: FakeErp | None = None,
    tender: str | None = None,
) -> Plan:
    texts = [tender or "cash"] if action is Action.TENDER else []
    decision = Decision(action, "anna", "why not")
    return plan_resolution([REFUND], decision, places=places(ledger, clock, erp), tenders=texts)


def decide(ledger: Ledger, clock: FakeClock, action: Action, **more: Any) -> Resolved:
    return carry_out(planned(ledger, clock, action, **more), ledger)


def run(
    ledger: Ledger,
    clock: FakeClock,
    erp: FakeErp,
    *,
    newstore: FakeNewStore | None = None,
    mapping: Any = MAPPING,
    refresh: bool = False,
) -> Reconciliation:
    """Run the steps of DAY, as the job does."""
    chance = random.Random(1)
    source = newstore or FakeNewStore()
    if newstore is None:
        source.show(event(1))
    common: dict[str, Any] = {"ledger": ledger, "clock": clock.now, "random_source": chance}
    fetch_payments(DAY, open_newstore=lambda: source, mapping=mapping, refresh=refresh, **common)
    build_transactions(DAY, erp=erp, mapping=mapping, mapping_version="v1", **common)
    around = Surroundings(clock.now, clock.sleep, chance, lambda _: None)
    post_refunds(DAY, ledger=ledger, erp=erp, concurrency=1, surroundings=around)
    return reconcile(DAY, ledger=ledger, erp=erp, prefix="apz-", clock=clock.now, everything=True)


def stands(ledger: Ledger) -> tuple[str, str | None]:
    row = ledger.refund(REFUND)
    assert row is not None
    return row.status, row.reason


def unknown_tender(ledger: Ledger) -> PaymentLine:
    line = PaymentLine("paypal", "paypal", Decimal("12.50"), "USD")
    pay(ledger, lines=(line,))
    build(ledger, Held("unmapped_tender", "why"))
    return line


def stripped(erp: FakeErp) -> None:
    """Take the external id of its record away, as an ERP script can."""
    record = record_of(transaction(1), "500")
    erp.records["somebody"] = replace(record, external_id="somebody")
