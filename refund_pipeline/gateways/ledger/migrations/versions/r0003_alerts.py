"""What people have been told of, and ERP records the ledger does not know.

Only adds: what an older version of the code writes goes on being written and read.
"""

import sqlalchemy as sa
from alembic import op

from refund_pipeline.gateways.ledger.tables import UtcTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add two tables, and an index on the postings that differ from the ERP."""
    op.create_table(
        "unknown_record",
        sa.Column("landing_day", sa.Date(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("erp_id", sa.Text(), nullable=False),
        sa.Column("found_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("landing_day", "external_id", name="pk_unknown_record"),
    )
    op.create_table(
        "alert",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("runbook", sa.Text(), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        sa.Column("first_seen_at", UtcTime(), nullable=False),
        sa.Column("last_seen_at", UtcTime(), nullable=False),
        sa.Column("rounds", sa.Integer(), nullable=False),
        sa.Column("sent_at", UtcTime()),
        sa.Column("pending", sa.Text(), nullable=False),
        sa.Column("cleared_at", UtcTime()),
        sa.Column("claimed_until", UtcTime()),
        sa.CheckConstraint("severity IN ('error', 'warning')", name="ck_alert_severity"),
        sa.PrimaryKeyConstraint("key", name="pk_alert"),
    )
    op.create_index(
        "ix_erp_posting_difference",
        "erp_posting",
        ["refund_id"],
        sqlite_where=sa.text("difference IS NOT NULL"),
        postgresql_where=sa.text("difference IS NOT NULL"),
    )
