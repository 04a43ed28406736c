"""History: whatever a write does to a refund's status or reason is appended here.

One place for all writers: read the view before and after, within the writer's transaction. Also
keeps `refund_event.unsettled` and `is_posted`, by which open refunds are found. Decides nothing
itself.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from refund_pipeline.domain.statuses import SETTLED
from refund_pipeline.gateways.ledger.database import batches
from refund_pipeline.gateways.ledger.rows import HistoryEntry
from refund_pipeline.gateways.ledger.status_lines import StatusChange
from refund_pipeline.gateways.ledger.tables import refund_event, refund_history, refund_status

_STANDING = sa.select(
    refund_status.c.refund_id,
    *(refund_status.c[name] for name in ("status", "reason", "detail", "order_id", "landing_day")),
).where(refund_status.c.refund_id.in_(sa.bindparam("ids", expanding=True)))
_APPEND = sa.insert(refund_history)
_KEEP_MARKS = sa.update(refund_event).where(
    refund_event.c.refund_id.in_(sa.bindparam("ids", expanding=True))
)
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
        _APPEND,
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
    _keep_marks(writing.connection, before, changed)


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
    return {
        refund_id: _Standing(*standing)
        for batch in batches(ids)
        for refund_id, *standing in connection.execute(_STANDING, {"ids": batch})
    }


def _keep_marks(
    connection: Connection, before: dict[str, _Standing], changed: dict[str, _Standing]
) -> None:
    moved: dict[tuple[bool, bool], list[str]] = {}
    for refund_id, standing in changed.items():
        if _marks(standing) != _marks(before.get(refund_id)):
            moved.setdefault(_marks(standing), []).append(refund_id)
    for (unsettled, is_posted), refund_ids in moved.items():
        for batch in batches(refund_ids):
            marks = {"unsettled": unsettled, "is_posted": is_posted}
            connection.execute(_KEEP_MARKS, {"ids": batch, **marks})


def _marks(standing: _Standing | None) -> tuple[bool, bool]:
    """Return whether a refund is unsettled, as rows are inserted, and whether it is posted."""
    if standing is None:
        return True, False
    return standing.status not in SETTLED, standing.status == "posted"


def entries(connection: Connection, refund_id: str) -> list[HistoryEntry]:
    """Return a refund's history, oldest first."""
    row = refund_history.c
    statement = (
        sa.select(row.at, row.from_status, row.to_status, row.reason, row.detail, row.run_id)
        .where(row.refund_id == refund_id)
        .order_by(row.id)
    )
    return [HistoryEntry(*found) for found in connection.execute(statement)]
