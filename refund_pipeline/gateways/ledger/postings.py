"""Postings: the intent before a write, its outcome after it, and whether the ERP still agrees.

Each call is one refund and one commit; "posted" is final. What is to be posted is `refund_work.py`.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from refund_pipeline.domain.reasons import known_reason
from refund_pipeline.domain.transactions import RefundTransaction
from refund_pipeline.gateways.ledger.database import fetch
from refund_pipeline.gateways.ledger.history import Writing
from refund_pipeline.gateways.ledger.rows import Intent, PostedRefund, PostingEnd
from refund_pipeline.gateways.ledger.snapshots import read_transaction
from refund_pipeline.gateways.ledger.tables import (
    erp_posting,
    refund_event,
    refund_transaction,
    unknown_record,
)


def _of_refund(*columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """Select from what is known of one refund; made once, since every write asks."""
    own_id = refund_event.c.refund_id
    source = refund_event.outerjoin(
        refund_transaction, refund_transaction.c.refund_id == own_id
    ).outerjoin(erp_posting, erp_posting.c.refund_id == own_id)
    return sa.select(*columns).select_from(source).where(own_id == sa.bindparam("of_refund"))


_INTENT = (sa.func.coalesce(erp_posting.c.attempts, 0).label("made"), erp_posting.c.intended_at)
_TO_BEGIN = _of_refund(
    refund_event.c.conflict,
    refund_transaction.c.state.label("built"),
    refund_transaction.c.record,
    erp_posting.c.state.label("posting"),
    *_INTENT,
)
_TO_FINISH = _of_refund(
    refund_transaction.c.external_id,
    refund_transaction.c.fingerprint,
    erp_posting.c.state,
    *_INTENT,
)
_INSERT = sa.insert(erp_posting)
_CHANGE = sa.update(erp_posting).where(erp_posting.c.refund_id == sa.bindparam("of_refund"))
_VERIFIED = erp_posting.c.verified_at.is_not(None) & erp_posting.c.difference.is_(None)


def begin(
    writing: Writing, transaction: RefundTransaction, *, seen: Intent | None, again: bool
) -> Intent | None:
    """Write the intent to post `transaction`, unless the ledger no longer stands behind it.

    With `again` the intent `seen` is ours and is confirmed: a later moment, the same attempt.
    """
    found = _one(writing.connection, _TO_BEGIN, transaction.refund_id)
    if (
        found is None
        or found.conflict is not None
        or found.built != "ready"
        # The records, not their fingerprints: those of another version are of other fields.
        or read_transaction(found.record) != transaction
        or found.posting in {"posted", "held"}
        or (seen is not None and seen != Intent(found.made, found.intended_at))
        or (again and found.posting != "intended")
    ):
        return None
    begun = Intent(found.made if again else found.made + 1, writing.now)
    intent = {
        "refund_id": transaction.refund_id,
        "external_id": transaction.external_id,
        "state": "intended",
        "reason": "erp_uncertain",
        "detail": "a write was begun; its outcome is not recorded yet",
        "fingerprint": transaction.fingerprint,
        "attempts": begun.attempts,
        "intended_at": begun.at,
        "next_attempt_at": None,
        "updated_at": writing.now,
        "run_id": writing.run_id,
    }
    _put(writing.connection, intent, exists=found.posting is not None)
    return begun


def finish(
    writing: Writing,
    refund_id: str,
    *,
    state: PostingEnd,
    seen: Intent | None,
    erp_id: str | None,
    amount: Decimal | None,
    reason: str | None,
    detail: str | None,
    next_attempt_at: datetime | None,
) -> None:
    """Write what became of a posting; what is posted stays posted.

    Less than posted is not written once another run has begun since `seen`: what that one comes to
    is later, and its write is not undone by what happened to ours.
    """
    found = _one(writing.connection, _TO_FINISH, refund_id)
    if found is None:
        raise LookupError(f"refund {refund_id} is not in the ledger")
    overtaken = seen is not None and seen != Intent(found.made, found.intended_at)
    if found.state == "posted" or (overtaken and state != "posted"):
        return
    outcome: dict[str, object] = {
        "refund_id": refund_id,
        "state": state,
        "reason": reason,
        "detail": detail,
        "erp_id": erp_id,
        "amount": amount,
        "posted_at": writing.now if state == "posted" else None,
        "next_attempt_at": next_attempt_at if state in {"retry", "uncertain"} else None,
        "updated_at": writing.now,
        "run_id": writing.run_id,
    }
    if found.state is None:  # never attempted: found in the ERP
        outcome |= {
            "attempts": 0,
            "external_id": found.external_id,
            "fingerprint": found.fingerprint,
        }
    _put(writing.connection, outcome, exists=found.state is not None)


def _put(connection: Connection, row: dict[str, object], *, exists: bool) -> None:
    """Insert or update; unlike an upsert, which compiles each time, both are compiled once."""
    if exists:
        connection.execute(_CHANGE, {**row, "of_refund": row["refund_id"]})
    else:
        connection.execute(_INSERT, row)


def reason_for(state: PostingEnd, reason: str | None, erp_id: str | None) -> str | None:
    """Return the reason to store; refuse an outcome that says too little (a caller's defect)."""
    if state == "posted":
        if not erp_id:
            raise ValueError("a posted refund has an ERP id")
        return None
    if state == "held" and reason is None:
        raise ValueError("a held posting has a reason")
    default = "erp_uncertain" if state == "uncertain" else "erp_unavailable"
    return known_reason(reason or default)


def _one(connection: Connection, statement: sa.Select[Any], refund_id: str) -> sa.Row[Any] | None:
    return connection.execute(statement, {"of_refund": refund_id}).one_or_none()


def ids_to_verify(connection: Connection, day: date, *, everything: bool) -> list[str]:
    """Return the ids of the posted refunds of `day` to compare with the ERP, in landing order."""
    statement = (
        sa.select(refund_event.c.refund_id)
        .select_from(_posted())
        .where(*_to_compare(day, everything=everything))
        .order_by(refund_event.c.source_key, refund_event.c.source_line)
    )
    return list(connection.scalars(statement))


def to_verify(
    connection: Connection, day: date, *, everything: bool, refund_ids: Collection[str] | None
) -> list[PostedRefund]:
    """Return the posted refunds of `day` to compare with the ERP, in landing order."""
    posting, event = erp_posting.c, refund_event.c
    statement = (
        sa.select(
            refund_transaction.c.record,
            posting.erp_id,
            posting.posted_at,
            sa.case((_VERIFIED, 1), else_=0).label("verified"),
            event.source_key,
            event.source_line,
        )
        .select_from(_posted())
        .where(*_to_compare(day, everything=everything))
    )
    rows = fetch(connection, statement, event.refund_id, refund_ids)
    return [
        PostedRefund(
            read_transaction(row.record), row.erp_id, row.posted_at, verified=bool(row.verified)
        )
        for row in sorted(rows, key=lambda row: (row.source_key, row.source_line))
    ]


def _to_compare(day: date, *, everything: bool) -> list[sa.ColumnElement[bool]]:
    posted = [refund_event.c.landing_day == day, erp_posting.c.state == "posted"]
    return posted if everything else [*posted, ~_VERIFIED]


def known_external_ids(connection: Connection, external_ids: Collection[str]) -> frozenset[str]:
    """Return those of these external ids that a transaction or a posting bears.

    Not that of a refund somebody handled by hand without our knowing of a record: one that is there
    all the same must be seen.
    """
    found: set[str] = set()
    event, posting, built = refund_event.c, erp_posting.c, refund_transaction.c
    by_hand = sa.select(event.refund_id).where(event.by_hand_at.is_not(None))
    for column, is_known in (
        (built.external_id, built.refund_id.not_in(by_hand)),
        (posting.external_id, posting.refund_id.not_in(by_hand) | posting.erp_id.is_not(None)),
    ):
        rows = fetch(connection, sa.select(column).where(is_known), column, external_ids)
        found.update(row.external_id for row in rows)
    return frozenset(found)


def record_verifications(writing: Writing, rows: Sequence[tuple[str, str | None]]) -> None:
    """Write what comparing with the ERP showed; a posting with a difference stays posted."""
    if not rows:
        return
    writing.connection.execute(
        sa.update(erp_posting)
        .where(
            erp_posting.c.refund_id == sa.bindparam("of_refund"), erp_posting.c.state == "posted"
        )
        .values(verified_at=sa.bindparam("at"), difference=sa.bindparam("found")),
        [{"of_refund": refund_id, "at": writing.now, "found": found} for refund_id, found in rows],
    )


def differences(connection: Connection, day: date) -> list[tuple[str, str]]:
    """Return the posted refunds of `day` that the ERP shows differently, in landing order."""
    event, posting = refund_event.c, erp_posting.c
    statement = (
        sa.select(posting.refund_id, posting.difference)
        .select_from(refund_event.join(erp_posting, posting.refund_id == event.refund_id))
        .where(event.landing_day == day, posting.state == "posted", posting.difference.is_not(None))
        .order_by(event.source_key, event.source_line)
    )
    return [(row.refund_id, row.difference) for row in connection.execute(statement)]


def record_unknown(writing: Writing, day: date, records: Sequence[tuple[str, str]]) -> None:
    """Replace what the ERP has around `day` and the ledger does not know: (external id, ERP id)."""
    writing.connection.execute(sa.delete(unknown_record).where(unknown_record.c.landing_day == day))
    if records:
        common = {"landing_day": day, "found_at": writing.now}
        writing.connection.execute(
            sa.insert(unknown_record),
            [{"external_id": name, "erp_id": erp_id, **common} for name, erp_id in records],
        )


def _posted() -> sa.FromClause:
    own_id = refund_event.c.refund_id
    return refund_event.join(erp_posting, erp_posting.c.refund_id == own_id).join(
        refund_transaction, refund_transaction.c.refund_id == own_id
    )
