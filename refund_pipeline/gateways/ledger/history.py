"""History: whatever a write does to a refund's status or reason is appended here.

One place for all writers: read the view before and after, within the writer's transaction. Also
keeps `refund_event.unsettled`, by which open refunds are found. Decides nothing itself.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from refund_pipeline.domain.statuses import SETTLED
from refund_pipeline.gateways.ledger.database import batches, fetch
from refund_pipeline.gateways.ledger.rows import HistoryEntry
from refund_pipeline.gateways.ledger.status_lines import StatusChange
from refund_pipeline.gateways.ledger.tables import refund_event, refund_history, refund_status

_NOTHING_TOLD: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Writing:
    """One write transaction: where, when and by which run."""

    connection: Connection
    now: datetime
    run_id: str
    changes: list[StatusChange] = field(default_factory=list)
    """What was appended to the history, to be told once it is committed."""


@dataclass(frozen=True, slots=True)
class _Standing:
    status: str
    reason: str | None
    detail: str | None
    order_id: str
    landing_day: date


@contextmanager
def tracked(
    writing: Writing, refund_ids: Collection[str], *, told: Mapping[str, str] = _NOTHING_TOLD
) -> Iterator[None]:
    """Append to the history what the body changes about these refunds; it must touch no others.

    Those in `told`, which the body may fill, get an entry that says it, changed or not.
    Writers of one refund wait for each other, so that each sees what the one before left.
    """
    ids = sorted(set(refund_ids))
    _lock(writing.connection, ids)
    before = _standings(writing.connection, ids)
    yield
    after = _standings(writing.connection, ids)
    changed = {
        refund_id: standing
        for refund_id, standing in after.items()
        if refund_id in told
        or refund_id not in before
        or (before[refund_id].status, before[refund_id].reason)
        != (standing.status, standing.reason)
    }
    if not changed:
        return
    writing.connection.execute(
        sa.insert(refund_history),
        [
            {
                "refund_id": refund_id,
                "at": writing.now,
                "from_status": before[refund_id].status if refund_id in before else None,
                "to_status": standing.status,
                "reason": standing.reason,
                "detail": told.get(refund_id, standing.detail),
                "run_id": writing.run_id,
            }
            for refund_id, standing in changed.items()
        ],
    )
    writing.changes.extend(
        StatusChange(
            writing.now,
            refund_id,
            standing.order_id,
            standing.landing_day,
            before[refund_id].status if refund_id in before else None,
            standing.status,
            standing.reason,
            writing.run_id,
        )
        for refund_id, standing in changed.items()
    )
    _keep_unsettled(writing.connection, before, changed)


def _lock(connection: Connection, ids: list[str]) -> None:
    """Lock the refunds on PostgreSQL, in one order; on SQLite the whole file is ours already."""
    if connection.dialect.name != "postgresql":
        return
    refund_id = refund_event.c.refund_id
    for batch in batches(ids):
        connection.execute(
            sa.select(refund_id)
            .where(refund_id.in_(batch))
            .order_by(sa.collate(refund_id, "C"))
            .with_for_update(key_share=True)
        )


def _standings(connection: Connection, ids: list[str]) -> dict[str, _Standing]:
    view = refund_status.c
    columns = (view.status, view.reason, view.detail, view.order_id, view.landing_day)
    statement = sa.select(view.refund_id, *columns)
    return {
        refund_id: _Standing(*standing)
        for refund_id, *standing in fetch(connection, statement, view.refund_id, ids)
    }


def _keep_unsettled(
    connection: Connection, before: dict[str, _Standing], changed: dict[str, _Standing]
) -> None:
    for unsettled in (True, False):
        moved = [
            refund_id
            for refund_id, standing in changed.items()
            if (standing.status not in SETTLED) is unsettled
            and _was_unsettled(before.get(refund_id)) is not unsettled
        ]
        for batch in batches(moved):
            connection.execute(
                sa.update(refund_event)
                .where(refund_event.c.refund_id.in_(batch))
                .values(unsettled=unsettled)
            )


def _was_unsettled(standing: _Standing | None) -> bool:
    return standing is None or standing.status not in SETTLED  # rows are inserted unsettled


def entries(connection: Connection, refund_id: str) -> list[HistoryEntry]:
    """Return a refund's history, oldest first."""
    row = refund_history.c
    statement = (
        sa.select(row.at, row.from_status, row.to_status, row.reason, row.detail, row.run_id)
        .where(row.refund_id == refund_id)
        .order_by(row.id)
    )
    return [HistoryEntry(*found) for found in connection.execute(statement)]
