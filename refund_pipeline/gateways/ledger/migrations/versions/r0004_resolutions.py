"""What a person decided, and what a refund is looked for by.

Decisions beyond yes: which tender, why a line was released, and a skip by hand.

A skip also fills `refund_event.conflict`, which keeps the steps of older versions away too; they
show such a refund as held.
"""

import sqlalchemy as sa
from alembic import op

from refund_pipeline.gateways.ledger.migrations.versions.r0001_first_schema import _VIEW
from refund_pipeline.gateways.ledger.tables import UtcTime

revision = "0004"
down_revision = "0003"

# Skipped, unless it is posted after all, or a write of it may be on its way.
_PERSON = """WHEN e.by_hand_at IS NOT NULL AND COALESCE(p.state, '') NOT IN
        ('intended', 'uncertain') THEN 'person'
      WHEN e.conflict IS NOT NULL AND e.conflict <> 'handled_by_hand' THEN"""
_DETAIL = "a person handled it by hand; its history says who and why"
_CHANGES = {
    "WHEN e.conflict IS NOT NULL THEN": _PERSON,
    "WHEN 'conflict' THEN 'held'": "WHEN 'conflict' THEN 'held' WHEN 'person' THEN 'skipped'",
    "WHEN 'conflict' THEN 'conflicting_event'": "WHEN 'conflict' THEN 'conflicting_event'"
    " WHEN 'person' THEN 'handled_by_hand'",
    "WHEN 'conflict' THEN conflict\n": f"WHEN 'conflict' THEN conflict"
    f" WHEN 'person' THEN '{_DETAIL}'\n",
    "WHEN 'conflict' THEN conflict_at": "WHEN 'conflict' THEN conflict_at"
    " WHEN 'person' THEN by_hand_at",
    "e.conflict, e.conflict_at,": "e.conflict, e.conflict_at, e.by_hand_at,",
}


def upgrade() -> None:
    """Add columns, and put another view in the place of the first one."""
    op.add_column("resolution", sa.Column("tenders", sa.Text()))
    op.add_column("rejected_line", sa.Column("released_note", sa.Text()))
    op.add_column("refund_event", sa.Column("by_hand_at", UtcTime()))
    _add_what_is_looked_for()
    view = _VIEW
    for before, after in _CHANGES.items():
        view = view.replace(before, after)
    if op.get_bind().dialect.name == "postgresql":  # keeps grants, and views of others upon it
        op.execute(view.replace("CREATE VIEW", "CREATE OR REPLACE VIEW"))
    else:
        op.execute("DROP VIEW refund_status")
        op.execute(view)


def _add_what_is_looked_for() -> None:
    """Find an order number, an ERP id and the external id once sent without reading every row."""
    op.add_column("order_payment", sa.Column("order_number", sa.Text()))
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    number = (
        "CAST(order_record AS json) ->> 'order_number'"
        if is_postgresql
        else "json_extract(order_record, '$.order_number')"
    )
    op.execute(f"UPDATE order_payment SET order_number = {number}")  # noqa: S608  (our own words)
    for table, column in (
        ("order_payment", "order_number"),
        ("erp_posting", "erp_id"),
        ("erp_posting", "external_id"),
    ):
        op.create_index(f"ix_{table}_{column}", table, [column])
