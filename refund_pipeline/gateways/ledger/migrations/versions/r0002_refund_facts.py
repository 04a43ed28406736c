"""What NewStore says of the refund itself, and an index to find the refunds of an order."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add two columns and an index; existing refunds were not asked about yet."""
    op.add_column("order_payment", sa.Column("refund_record", sa.Text()))
    op.add_column("order_payment", sa.Column("not_ours", sa.Boolean()))
    op.create_index("ix_refund_event_order_id", "refund_event", ["order_id"])
