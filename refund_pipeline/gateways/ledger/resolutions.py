"""What people decide about refunds: who, what, why and when, and what that changes at once.

Decisions are never changed, only added to. Whether one fits is looked at again here, under the lock
of the write, so that none is made about a refund that has moved on meanwhile.
"""

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from refund_pipeline.domain.actions import Action
from refund_pipeline.domain.reasons import HANDLED_BY_HAND
from refund_pipeline.domain.resolutions import (
    ACTIONS,
    Decision,
    Resolution,
    TenderChoice,
    needs_look_up,
)
from refund_pipeline.gateways.ledger.database import batches, fetch
from refund_pipeline.gateways.ledger.history import Writing
from refund_pipeline.gateways.ledger.rows import RefundStatus, ResolutionWork
from refund_pipeline.gateways.ledger.snapshots import (
    read_payment_lines,
    read_tenders,
    write_tenders,
)
from refund_pipeline.gateways.ledger.tables import (
    erp_posting,
    order_payment,
    refund_event,
    refund_status,
    refund_transaction,
    resolution,
)

_REREAD = frozenset({"held", "awaiting_payment"})
"""Statuses whose cure may lie in NewStore, so that a retry asks it again."""


def work(connection: Connection, refund_ids: Collection[str]) -> list[ResolutionWork]:
    """Return what deciding about these refunds depends on, oldest landing day first."""
    made = of(connection, refund_ids)
    rows = fetch(connection, _standings(order_payment.c.payment_lines), _ID, refund_ids)
    found = [
        ResolutionWork(
            standing=RefundStatus(*row[: len(RefundStatus.__slots__)]),
            external_id=row.sent_as,
            posting_state=row.posting_state,
            posting_attempts=row.posting_attempts,
            posting_updated_at=row.posting_updated_at,
            lines=read_payment_lines(row.payment_lines),
            resolutions=tuple(made.get(row.refund_id, ())),
        )
        for row in rows
    ]
    return sorted(found, key=lambda one: (one.standing.landing_day, one.standing.refund_id))


def of(connection: Connection, refund_ids: Collection[str]) -> dict[str, list[Resolution]]:
    """Return the decisions about these refunds, oldest first."""
    row = resolution.c
    statement = sa.select(
        row.id, row.refund_id, row.action, row.actor, row.note, row.resolved_at, row.tenders
    )
    found: dict[str, list[Resolution]] = {}
    rows = fetch(connection, statement, row.refund_id, refund_ids)
    for one in sorted(rows, key=lambda one: int(one.id)):
        found.setdefault(one.refund_id, []).append(
            Resolution(
                Action(one.action),
                one.actor,
                one.note or "",
                one.resolved_at,
                read_tenders(one.tenders),
            )
        )
    return found


def record(
    writing: Writing,
    refund_ids: Collection[str],
    decision: Decision,
    *,
    tenders: Mapping[str, tuple[TenderChoice, ...]],
    looked_up: Mapping[str, int],
) -> list[str]:
    """Add one decision per refund it fits, let it take effect, and return their ids, sorted."""
    rows = fetch(writing.connection, _standings(), _ID, refund_ids)
    fitting = [row for row in rows if _fits(decision.action, row, looked_up)]
    if not fitting:
        return []
    names = sorted(row.refund_id for row in fitting)
    common = {
        "action": decision.action.value,
        "actor": decision.actor.strip(),
        "note": decision.note.strip(),
        "resolved_at": writing.now,
    }
    writing.connection.execute(
        sa.insert(resolution),
        [
            {"refund_id": name, "tenders": write_tenders(tenders.get(name, ())), **common}
            for name in names
        ],
    )
    match decision.action:
        case Action.SKIP:
            _skip(writing, names)
        case Action.RETRY:
            _retry(writing, fitting)
        case _:
            if decision.action is Action.REOPEN:
                _unmark(writing, names)
            _forget(writing, names, refund_transaction)
            _write_again(writing, names)
    return names


_ID = refund_status.c.refund_id


def _standings(*more: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """Select the view's columns, then the posting's, then `more`."""
    posting = erp_posting.c
    source = refund_status.outerjoin(erp_posting, posting.refund_id == _ID)
    if more:
        source = source.outerjoin(order_payment, order_payment.c.refund_id == _ID)
    return sa.select(
        *(refund_status.c[name] for name in RefundStatus.__slots__),
        posting.external_id.label("sent_as"),
        posting.state.label("posting_state"),
        posting.attempts.label("posting_attempts"),
        posting.updated_at.label("posting_updated_at"),
        *more,
    ).select_from(source)


def _fits(action: Action, row: sa.Row[Any], looked_up: Mapping[str, int]) -> bool:
    if row.status == "posted" or action not in ACTIONS[row.reason]:
        return False
    return (
        not needs_look_up(action, row.reason, row.posting_state)
        or looked_up.get(row.refund_id) == row.posting_attempts
    )


def _skip(writing: Writing, names: list[str]) -> None:
    """Mark refunds as handled by hand; a write that had no answer was looked up: nothing came.

    `conflict` is what keeps every step away from a refund, also those of a version before this.
    """
    event = refund_event.c
    for batch in batches(names):
        writing.connection.execute(
            sa.update(refund_event)
            .where(event.refund_id.in_(batch))
            .values(
                by_hand_at=writing.now,
                conflict=sa.func.coalesce(event.conflict, HANDLED_BY_HAND),
                conflict_at=sa.func.coalesce(event.conflict_at, writing.now),
            )
        )
    _change_postings(writing, names, ("intended", "uncertain"), "looked up, and not in the ERP")


def _unmark(writing: Writing, names: list[str]) -> None:
    event = refund_event.c
    for batch in batches(names):
        chosen = sa.update(refund_event).where(event.refund_id.in_(batch))
        writing.connection.execute(
            chosen.where(event.conflict == HANDLED_BY_HAND).values(conflict=None, conflict_at=None)
        )
        writing.connection.execute(chosen.values(by_hand_at=None))


def _retry(writing: Writing, rows: list[sa.Row[Any]]) -> None:
    begun = [row.refund_id for row in rows if row.status in {"ready", "uncertain"}]
    posting = erp_posting.c
    for batch in batches(begun):  # an intended one has no date: it is due already
        writing.connection.execute(
            sa.update(erp_posting)
            .where(posting.refund_id.in_(batch), posting.state.in_(("retry", "uncertain")))
            .values(next_attempt_at=writing.now)
        )
    anew = [row.refund_id for row in rows if row.status not in {"ready", "uncertain"}]
    _forget(writing, anew, refund_transaction)
    _forget(writing, [row.refund_id for row in rows if row.status in _REREAD], order_payment)
    _write_again(writing, anew)


def _forget(writing: Writing, names: list[str], table: sa.Table) -> None:
    for batch in batches(names):
        writing.connection.execute(sa.delete(table).where(table.c.refund_id.in_(batch)))


def _write_again(writing: Writing, names: list[str]) -> None:
    """Let what the ERP refused, or had another record of, be looked up and written again."""
    _change_postings(writing, names, ("held",), "a person had it tried again")


def _change_postings(
    writing: Writing, names: list[str], states: tuple[str, ...], detail: str
) -> None:
    """Let postings be tried again; a run that is still at one has no intent any more."""
    posting = erp_posting.c
    for batch in batches(names):
        writing.connection.execute(
            sa.update(erp_posting)
            .where(posting.refund_id.in_(batch), posting.state.in_(states))
            .values(
                state="retry",
                reason=None,
                detail=detail,
                intended_at=None,
                next_attempt_at=writing.now,
                updated_at=writing.now,
                run_id=writing.run_id,
            )
        )
