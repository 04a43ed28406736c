"""What is decided about a refund before posting: its payments and its refund transaction.

Only writes; the work lists are `refund_work.py`. What a posting has frozen is not touched.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from typing_extensions import assert_never

from refund_pipeline.domain.payments import PaymentsAvailable, PaymentsAwaited, PaymentsHeld
from refund_pipeline.domain.reasons import known_reason
from refund_pipeline.domain.transactions import AwaitingOrigin, Held, Ready, Skipped
from refund_pipeline.gateways.ledger.database import batches, fetch, upsert
from refund_pipeline.gateways.ledger.history import Writing
from refund_pipeline.gateways.ledger.rows import PaymentRow, TransactionRow
from refund_pipeline.gateways.ledger.snapshots import (
    write_facts,
    write_order,
    write_payment_lines,
    write_transaction,
)
from refund_pipeline.gateways.ledger.tables import erp_posting, order_payment, refund_transaction

# The record is in the ERP or may be: what was sent stays as it was sent.
_FROZEN = frozenset({"posted", "intended", "uncertain"})


def save_payments(writing: Writing, rows: Sequence[PaymentRow]) -> None:
    """Write what NewStore said; withdraw transactions whose payments no longer hold."""
    latest = {row.refund_id: row for row in rows}
    common = {"checked_at": writing.now, "run_id": writing.run_id}
    upsert(writing.connection, order_payment, [_payment(row) | common for row in latest.values()])
    unproven = [
        row.refund_id for row in latest.values() if not isinstance(row.payments, PaymentsAvailable)
    ]
    frozen = _posting_rows(writing, unproven)
    withdrawn = [
        refund_id
        for refund_id in unproven
        if refund_id not in frozen or frozen[refund_id].state not in _FROZEN
    ]
    for batch in batches(withdrawn):
        writing.connection.execute(
            sa.delete(refund_transaction).where(refund_transaction.c.refund_id.in_(batch))
        )


def _payment(row: PaymentRow) -> dict[str, object]:
    state, reason, detail, lines = _payment_state(row)
    return {
        "refund_id": row.refund_id,
        "state": state,
        "reason": reason,
        "detail": detail,
        "order_record": write_order(row.order),
        "order_number": row.order.order_number if row.order else None,
        "payment_lines": lines,
        "refund_record": write_facts(row.facts),
        "not_ours": row.facts is not None
        and (row.facts.return_id is not None or row.facts.is_historical),
        "attempts": row.attempts,
        "next_attempt_at": row.next_attempt_at if state == "awaiting" else None,
    }


def _payment_state(row: PaymentRow) -> tuple[str, str | None, str | None, str | None]:
    match row.payments:
        case PaymentsAvailable(lines):
            return "available", None, None, write_payment_lines(lines)
        case PaymentsAwaited(detail):
            return "awaiting", "payments_incomplete", detail, None
        case PaymentsHeld(reason, detail):
            return "held", known_reason(reason), detail, None
        case _:
            assert_never(row.payments)


def save_transactions(
    writing: Writing, rows: Sequence[TransactionRow], *, mapping_version: str
) -> None:
    """Write what building came to, except where a posting froze it or payments do not prove it."""
    latest = {row.refund_id: row for row in rows}
    postings = _posting_rows(writing, latest)
    proven = _proven(writing, latest)
    open_rows = [
        row
        for row in latest.values()
        if (row.refund_id not in postings or postings[row.refund_id].state not in _FROZEN)
        and (row.refund_id in proven or not isinstance(row.built, Ready))
    ]
    common = {
        "mapping_version": mapping_version,
        "built_at": writing.now,
        "run_id": writing.run_id,
    }
    upsert(
        writing.connection, refund_transaction, [_transaction(row) | common for row in open_rows]
    )
    _reopen(writing, open_rows, postings)


def _transaction(row: TransactionRow) -> dict[str, object]:
    values: dict[str, object] = {
        "refund_id": row.refund_id,
        "external_id": None,
        "reason": None,
        "detail": None,
        "record": None,
        "fingerprint": None,
        "attempts": row.attempts,
        "next_attempt_at": None,
    }
    match row.built:
        case Ready(transaction):
            return values | {
                "state": "ready",
                "external_id": transaction.external_id,
                "record": write_transaction(transaction),
                "fingerprint": transaction.fingerprint,
            }
        case AwaitingOrigin(detail):
            return values | {
                "state": "awaiting_origin",
                "reason": "origin_missing",
                "detail": detail,
                "next_attempt_at": row.next_attempt_at,
            }
        case Held(reason, detail):
            return values | {"state": "held", "reason": known_reason(reason), "detail": detail}
        case Skipped(reason, detail):
            return values | {"state": "skipped", "reason": known_reason(reason), "detail": detail}
        case _:
            assert_never(row.built)


def _reopen(
    writing: Writing, rows: Iterable[TransactionRow], postings: dict[str, sa.Row[Any]]
) -> None:
    """Let a refund that the ERP refused be posted again once its transaction reads differently.

    One that is partly in the ERP is uncertain, so that no part of it is written without a look-up.
    """
    reopened: dict[str, list[str]] = {"retry": [], "uncertain": []}
    for row in rows:
        posting = postings.get(row.refund_id)
        if (
            posting is not None
            and isinstance(row.built, Ready)
            and (posting.state, posting.reason) == ("held", "refused_by_erp")
            and posting.fingerprint != row.built.transaction.fingerprint
        ):
            reopened["retry" if posting.erp_id is None else "uncertain"].append(row.refund_id)
    for state, refund_ids in reopened.items():
        changed = {
            "state": state,
            "reason": None if state == "retry" else "erp_uncertain",
            "detail": "the ERP refused an earlier transaction; it has changed since",
            "next_attempt_at": writing.now,
            "updated_at": writing.now,
            "run_id": writing.run_id,
        }
        for batch in batches(refund_ids):
            which = erp_posting.c.refund_id.in_(batch)
            writing.connection.execute(sa.update(erp_posting).where(which).values(changed))


def _posting_rows(writing: Writing, refund_ids: Iterable[str]) -> dict[str, sa.Row[Any]]:
    posting = erp_posting.c
    statement = sa.select(
        posting.refund_id, posting.state, posting.reason, posting.fingerprint, posting.erp_id
    )
    rows = fetch(writing.connection, statement, posting.refund_id, list(refund_ids))
    return {row.refund_id: row for row in rows}


def _proven(writing: Writing, refund_ids: Iterable[str]) -> set[str]:
    payment = order_payment.c
    statement = sa.select(payment.refund_id).where(payment.state == "available")
    rows = fetch(writing.connection, statement, payment.refund_id, list(refund_ids))
    return {row.refund_id for row in rows}
