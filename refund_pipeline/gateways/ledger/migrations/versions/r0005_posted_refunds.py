"""Which refunds are posted, beside the event: a day that is done is told without a join.

An older version of the code does not keep it. What that one posts is told by the posting, as
before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add a column that is true for what is posted, which is final, and an index of the rest."""
    op.add_column(
        "refund_event",
        sa.Column("is_posted", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.execute(
        "UPDATE refund_event SET is_posted = true"
        " WHERE refund_id IN (SELECT refund_id FROM erp_posting WHERE state = 'posted')"
    )
    op.create_index(
        "ix_refund_event_unposted",
        "refund_event",
        ["landing_day"],
        sqlite_where=sa.text("is_posted = 0"),
        postgresql_where=sa.text("NOT is_posted"),
    )
