"""What people decide about refunds: who, what, why and when. Never changed, only added to."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from refund_pipeline.gateways.ledger.database import fetch
from refund_pipeline.gateways.ledger.history import Writing
from refund_pipeline.gateways.ledger.tables import refund_event, resolution


def record(
    writing: Writing, refund_ids: Collection[str], *, action: str, actor: str, note: str
) -> list[str]:
    """Add one decision per known refund, and return their ids, sorted."""
    if not actor.strip() or not note.strip():
        raise ValueError("a decision names its actor and says why")
    own_id = refund_event.c.refund_id
    known = sorted(
        row.refund_id for row in fetch(writing.connection, sa.select(own_id), own_id, refund_ids)
    )
    if known:
        common = {"action": action, "actor": actor.strip(), "note": note.strip()}
        rows = [{"refund_id": name, "resolved_at": writing.now, **common} for name in known]
        writing.connection.execute(sa.insert(resolution), rows)
    return known


def having(connection: Connection, refund_ids: Collection[str], *, action: str) -> frozenset[str]:
    """Return which of these refunds have a decision `action`."""
    statement = sa.select(resolution.c.refund_id).where(resolution.c.action == action)
    rows = fetch(connection, statement, resolution.c.refund_id, refund_ids)
    return frozenset(row.refund_id for row in rows)
