"""The ledger's first schema: eight tables and the view that says where each refund stands.

A revision is never edited once it has run anywhere; a change is a new module
beside this one and a new `database.HEAD`.
"""

import sqlalchemy as sa
from alembic import op

from refund_pipeline.gateways.ledger.tables import Money, UtcTime

revision = "0001"
down_revision = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# Who decides about a refund, strongest first: a posting that is done; a conflict between events; a
# posting begun or held; the refund transaction; the payments; else it has only landed. A posting to
# be retried gives a ready transaction its due time and its reason.
_VIEW = """
CREATE VIEW refund_status AS
SELECT refund_id, order_id, landing_day, amount, currency,
  CASE decided_by
    WHEN 'retry' THEN 'ready'
    WHEN 'conflict' THEN 'held'
    WHEN 'landing' THEN 'landed'
    WHEN 'posting' THEN CASE posting_state WHEN 'intended' THEN 'uncertain' ELSE posting_state END
    WHEN 'transaction' THEN transaction_state
    WHEN 'payment' THEN CASE payment_state WHEN 'held' THEN 'held' ELSE 'awaiting_payment' END
  END AS status,
  CASE decided_by
    WHEN 'conflict' THEN 'conflicting_event'
    WHEN 'retry' THEN posting_reason
    WHEN 'posting' THEN posting_reason
    WHEN 'transaction' THEN transaction_reason
    WHEN 'payment' THEN payment_reason
  END AS reason,
  CASE decided_by
    WHEN 'conflict' THEN conflict
    WHEN 'retry' THEN posting_detail
    WHEN 'posting' THEN posting_detail
    WHEN 'transaction' THEN transaction_detail
    WHEN 'payment' THEN payment_detail
  END AS detail,
  CASE decided_by
    WHEN 'retry' THEN posting_attempts
    WHEN 'posting' THEN posting_attempts
    WHEN 'transaction' THEN transaction_attempts
    WHEN 'payment' THEN payment_attempts
    ELSE 0
  END AS attempts,
  CASE decided_by
    WHEN 'retry' THEN posting_next_attempt_at
    WHEN 'posting' THEN posting_next_attempt_at
    WHEN 'transaction' THEN transaction_next_attempt_at
    WHEN 'payment' THEN payment_next_attempt_at
  END AS next_attempt_at,
  external_id, erp_id,
  CASE decided_by
    WHEN 'conflict' THEN conflict_at
    WHEN 'retry' THEN posting_updated_at
    WHEN 'posting' THEN posting_updated_at
    WHEN 'transaction' THEN built_at
    WHEN 'payment' THEN checked_at
    ELSE landed_at
  END AS updated_at
FROM (
  SELECT e.refund_id, e.order_id, e.landing_day, e.amount, e.currency,
    e.landed_at, e.conflict, e.conflict_at,
    o.state AS payment_state, o.reason AS payment_reason, o.detail AS payment_detail,
    o.attempts AS payment_attempts, o.next_attempt_at AS payment_next_attempt_at, o.checked_at,
    t.state AS transaction_state, t.reason AS transaction_reason, t.detail AS transaction_detail,
    t.attempts AS transaction_attempts, t.next_attempt_at AS transaction_next_attempt_at,
    t.built_at,
    p.state AS posting_state, p.reason AS posting_reason, p.detail AS posting_detail,
    p.attempts AS posting_attempts, p.next_attempt_at AS posting_next_attempt_at,
    p.updated_at AS posting_updated_at,
    COALESCE(p.external_id, t.external_id) AS external_id, p.erp_id,
    CASE
      WHEN p.state = 'posted' THEN 'posting'
      WHEN e.conflict IS NOT NULL THEN 'conflict'
      WHEN p.state IN ('intended', 'uncertain', 'held') THEN 'posting'
      WHEN t.state = 'ready' AND p.state = 'retry' THEN 'retry'
      WHEN t.state IS NOT NULL THEN 'transaction'
      WHEN o.state IN ('held', 'awaiting') THEN 'payment'
      ELSE 'landing'
    END AS decided_by
  FROM refund_event AS e
  LEFT JOIN order_payment AS o ON o.refund_id = e.refund_id
  LEFT JOIN refund_transaction AS t ON t.refund_id = e.refund_id
  LEFT JOIN erp_posting AS p ON p.refund_id = e.refund_id
) AS joined
"""


def upgrade() -> None:
    """Make the schema."""
    _make_landing_tables()
    _make_refund_tables()
    _make_record_tables()
    op.execute(_VIEW)


def _make_landing_tables() -> None:
    op.create_table(
        "landed_file",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("landing_day", sa.Date(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("new", sa.Integer(), nullable=False),
        sa.Column("duplicates", sa.Integer(), nullable=False),
        sa.Column("conflicts", sa.Integer(), nullable=False),
        sa.Column("rejected", sa.Integer(), nullable=False),
        sa.Column("other", sa.Integer(), nullable=False),
        sa.Column("other_events", sa.Text(), nullable=False),
        sa.Column("read_at", UtcTime(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('export', 'stray')", name="ck_landed_file_kind"),
        sa.PrimaryKeyConstraint("key", "etag", name="pk_landed_file"),
    )
    op.create_index("ix_landed_file_landing_day", "landed_file", ["landing_day"])
    op.create_table(
        "refund_event",
        sa.Column("refund_id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("landing_day", sa.Date(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("payment_account_id", sa.Text(), nullable=False),
        sa.Column("amount", Money(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("requested_at", UtcTime(), nullable=False),
        sa.Column("published_at", UtcTime(), nullable=False),
        sa.Column("reason_code", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column("return_id", sa.Text()),
        sa.Column("is_historical", sa.Boolean(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("source_etag", sa.Text(), nullable=False),
        sa.Column("source_line", sa.Integer(), nullable=False),
        sa.Column("landed_at", UtcTime(), nullable=False),
        sa.Column("conflict", sa.Text()),
        sa.Column("conflict_at", UtcTime()),
        sa.Column("unsettled", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_key", "source_etag"],
            ["landed_file.key", "landed_file.etag"],
            name="fk_refund_event_source_key",
        ),
        sa.PrimaryKeyConstraint("refund_id", name="pk_refund_event"),
    )
    op.create_index(
        "ix_refund_event_landing_day_source_key_source_line",
        "refund_event",
        ["landing_day", "source_key", "source_line"],
    )
    op.create_index(
        "ix_refund_event_unsettled",
        "refund_event",
        ["landing_day"],
        sqlite_where=sa.text("unsettled = 1"),
        postgresql_where=sa.text("unsettled"),
    )
    op.create_table(
        "rejected_line",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("line_number", sa.Integer(), nullable=False),
        sa.Column("landing_day", sa.Date(), nullable=False),
        sa.Column("problems", sa.Text(), nullable=False),
        sa.Column("line_sha256", sa.Text(), nullable=False),
        sa.Column("line_bytes", sa.BigInteger(), nullable=False),
        sa.Column("released_at", UtcTime()),
        sa.Column("released_by", sa.Text()),
        sa.ForeignKeyConstraint(
            ["key", "etag"], ["landed_file.key", "landed_file.etag"], name="fk_rejected_line_key"
        ),
        sa.PrimaryKeyConstraint("key", "etag", "line_number", name="pk_rejected_line"),
    )
    op.create_index("ix_rejected_line_landing_day", "rejected_line", ["landing_day"])


def _make_refund_tables() -> None:
    op.create_table(
        "order_payment",
        sa.Column("refund_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("detail", sa.Text()),
        sa.Column("order_record", sa.Text()),
        sa.Column("payment_lines", sa.Text()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("checked_at", UtcTime(), nullable=False),
        sa.Column("next_attempt_at", UtcTime()),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('available', 'awaiting', 'held')", name="ck_order_payment_state"
        ),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["refund_event.refund_id"], name="fk_order_payment_refund_id"
        ),
        sa.PrimaryKeyConstraint("refund_id", name="pk_order_payment"),
    )
    op.create_table(
        "refund_transaction",
        sa.Column("refund_id", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("detail", sa.Text()),
        sa.Column("record", sa.Text()),
        sa.Column("fingerprint", sa.Text()),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("built_at", UtcTime(), nullable=False),
        sa.Column("next_attempt_at", UtcTime()),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('ready', 'awaiting_origin', 'held', 'skipped')",
            name="ck_refund_transaction_state",
        ),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["refund_event.refund_id"], name="fk_refund_transaction_refund_id"
        ),
        sa.PrimaryKeyConstraint("refund_id", name="pk_refund_transaction"),
        sa.UniqueConstraint("external_id", name="uq_refund_transaction_external_id"),
    )
    op.create_table(
        "erp_posting",
        sa.Column("refund_id", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("detail", sa.Text()),
        sa.Column("fingerprint", sa.Text()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("intended_at", UtcTime()),
        sa.Column("erp_id", sa.Text()),
        sa.Column("amount", Money()),
        sa.Column("posted_at", UtcTime()),
        sa.Column("next_attempt_at", UtcTime()),
        sa.Column("verified_at", UtcTime()),
        sa.Column("difference", sa.Text()),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('intended', 'uncertain', 'retry', 'posted', 'held')",
            name="ck_erp_posting_state",
        ),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["refund_event.refund_id"], name="fk_erp_posting_refund_id"
        ),
        sa.PrimaryKeyConstraint("refund_id", name="pk_erp_posting"),
    )


def _make_record_tables() -> None:
    op.create_table(
        "resolution",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("refund_id", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("note", sa.Text()),
        sa.Column("resolved_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["refund_event.refund_id"], name="fk_resolution_refund_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_resolution"),
    )
    op.create_index("ix_resolution_refund_id", "resolution", ["refund_id"])
    op.create_table(
        "refund_history",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("refund_id", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("from_status", sa.Text()),
        sa.Column("to_status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("detail", sa.Text()),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["refund_event.refund_id"], name="fk_refund_history_refund_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_refund_history"),
    )
    op.create_index("ix_refund_history_refund_id_id", "refund_history", ["refund_id", "id"])
