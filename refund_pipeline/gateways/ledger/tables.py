"""The ledger's tables, as the code sees them, and the column types that keep money and time exact.

How they come to exist is `migrations/`; a test holds the two together. No queries here.
"""

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine


class Money(TypeDecorator[Decimal]):
    """Exact money, scale kept: NUMERIC on PostgreSQL, TEXT on SQLite (whose NUMERIC is a float)."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column type."""
        return dialect.type_descriptor(sa.Numeric() if dialect.name == "postgresql" else sa.Text())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Decimal | str | None:
        """Refuse anything but a finite `Decimal`."""
        if value is None:
            return None
        if not isinstance(value, Decimal) or not value.is_finite():
            raise TypeError(f"money must be a finite Decimal, not {type(value).__name__}")
        return value if dialect.name == "postgresql" else format(value, "f")

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Decimal | None:
        """Return the `Decimal` that went in."""
        del dialect
        return None if value is None else Decimal(value)


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC time: TIMESTAMPTZ on PostgreSQL; on SQLite text that sorts by time."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column type."""
        return dialect.type_descriptor(sa.DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError("a time in the ledger must be aware")
        in_utc = value.astimezone(timezone.utc)
        return in_utc if dialect.name == "postgresql" else in_utc.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time in UTC whatever the session's zone is."""
        if value is None:
            return None
        if dialect.name == "postgresql":
            return value.astimezone(timezone.utc)
        return value.replace(tzinfo=timezone.utc)


RowId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A counted key; SQLite counts only INTEGER PRIMARY KEY by itself."""

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _one_of(column: str, *values: str) -> sa.CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


def _refund_id() -> sa.Column[str]:
    return sa.Column(
        "refund_id", sa.Text, sa.ForeignKey("refund_event.refund_id"), primary_key=True
    )


landed_file = sa.Table(
    "landed_file",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("etag", sa.Text, primary_key=True),
    sa.Column("landing_day", sa.Date, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("lines", sa.Integer, nullable=False),
    sa.Column("new", sa.Integer, nullable=False),
    sa.Column("duplicates", sa.Integer, nullable=False),
    sa.Column("conflicts", sa.Integer, nullable=False),
    sa.Column("rejected", sa.Integer, nullable=False),
    sa.Column("other", sa.Integer, nullable=False),
    sa.Column("other_events", sa.Text, nullable=False),
    sa.Column("read_at", UtcTime, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    _one_of("kind", "export", "stray"),
    sa.Index(None, "landing_day"),
)

refund_event = sa.Table(
    "refund_event",
    metadata,
    sa.Column("refund_id", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("landing_day", sa.Date, nullable=False),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("payment_account_id", sa.Text, nullable=False),
    sa.Column("amount", Money, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("requested_at", UtcTime, nullable=False),
    sa.Column("published_at", UtcTime, nullable=False),
    sa.Column("reason_code", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("return_id", sa.Text),
    sa.Column("is_historical", sa.Boolean, nullable=False),
    sa.Column("content_hash", sa.Text, nullable=False),
    sa.Column("source_key", sa.Text, nullable=False),
    sa.Column("source_etag", sa.Text, nullable=False),
    sa.Column("source_line", sa.Integer, nullable=False),
    sa.Column("landed_at", UtcTime, nullable=False),
    # Why no step touches the refund: two events disagree, or HANDLED_BY_HAND where none do.
    sa.Column("conflict", sa.Text),
    sa.Column("conflict_at", UtcTime),
    # When a person said that they had handled it.
    sa.Column("by_hand_at", UtcTime),
    # Kept by `history.tracked` from the view: neither posted nor skipped. Finds the few open
    # refunds among millions.
    sa.Column("unsettled", sa.Boolean, nullable=False),
    # Only true if the posting is, and where an older version wrote that, false all the same.
    sa.Column("is_posted", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.ForeignKeyConstraint(["source_key", "source_etag"], ["landed_file.key", "landed_file.etag"]),
    sa.Index(None, "landing_day", "source_key", "source_line"),
    sa.Index(None, "order_id"),
    sa.Index(
        "ix_refund_event_unsettled",
        "landing_day",
        sqlite_where=sa.text("unsettled = 1"),
        postgresql_where=sa.text("unsettled"),
    ),
    sa.Index(
        "ix_refund_event_unposted",
        "landing_day",
        sqlite_where=sa.text("is_posted = 0"),
        postgresql_where=sa.text("NOT is_posted"),
    ),
)

rejected_line = sa.Table(
    "rejected_line",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("etag", sa.Text, primary_key=True),
    sa.Column("line_number", sa.Integer, primary_key=True),
    sa.Column("landing_day", sa.Date, nullable=False),
    sa.Column("problems", sa.Text, nullable=False),
    sa.Column("line_sha256", sa.Text, nullable=False),
    sa.Column("line_bytes", sa.BigInteger, nullable=False),
    sa.Column("released_at", UtcTime),
    sa.Column("released_by", sa.Text),
    sa.Column("released_note", sa.Text),
    sa.ForeignKeyConstraint(["key", "etag"], ["landed_file.key", "landed_file.etag"]),
    sa.Index(None, "landing_day"),
)

order_payment = sa.Table(
    "order_payment",
    metadata,
    _refund_id(),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("detail", sa.Text),
    sa.Column("order_record", sa.Text),
    sa.Column("order_number", sa.Text, index=True),
    sa.Column("payment_lines", sa.Text),
    sa.Column("refund_record", sa.Text),
    # The record says that the refund belongs to a return or is historical.
    sa.Column("not_ours", sa.Boolean),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("checked_at", UtcTime, nullable=False),
    sa.Column("next_attempt_at", UtcTime),
    sa.Column("run_id", sa.Text, nullable=False),
    _one_of("state", "available", "awaiting", "held"),
)

refund_transaction = sa.Table(
    "refund_transaction",
    metadata,
    _refund_id(),
    sa.Column("external_id", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("detail", sa.Text),
    sa.Column("record", sa.Text),
    sa.Column("fingerprint", sa.Text),
    sa.Column("mapping_version", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("built_at", UtcTime, nullable=False),
    sa.Column("next_attempt_at", UtcTime),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.UniqueConstraint("external_id"),
    _one_of("state", "ready", "awaiting_origin", "held", "skipped"),
)

erp_posting = sa.Table(
    "erp_posting",
    metadata,
    _refund_id(),
    sa.Column("external_id", sa.Text, index=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("detail", sa.Text),
    sa.Column("fingerprint", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("intended_at", UtcTime),
    sa.Column("erp_id", sa.Text, index=True),
    sa.Column("amount", Money),
    sa.Column("posted_at", UtcTime),
    sa.Column("next_attempt_at", UtcTime),
    sa.Column("verified_at", UtcTime),
    sa.Column("difference", sa.Text),
    sa.Column("updated_at", UtcTime, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    _one_of("state", "intended", "uncertain", "retry", "posted", "held"),
    # Finds the few that differ among millions.
    sa.Index(
        "ix_erp_posting_difference",
        "refund_id",
        sqlite_where=sa.text("difference IS NOT NULL"),
        postgresql_where=sa.text("difference IS NOT NULL"),
    ),
)

unknown_record = sa.Table(
    "unknown_record",
    metadata,
    sa.Column("landing_day", sa.Date, primary_key=True),
    sa.Column("external_id", sa.Text, primary_key=True),
    sa.Column("erp_id", sa.Text, nullable=False),
    sa.Column("found_at", UtcTime, nullable=False),
)

alert = sa.Table(
    "alert",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("runbook", sa.Text, nullable=False),
    sa.Column("since", UtcTime, nullable=False),
    sa.Column("first_seen_at", UtcTime, nullable=False),
    sa.Column("last_seen_at", UtcTime, nullable=False),
    sa.Column("rounds", sa.Integer, nullable=False),
    sa.Column("sent_at", UtcTime),
    # Names of channels, a JSON list; without their secrets.
    sa.Column("pending", sa.Text, nullable=False),
    sa.Column("cleared_at", UtcTime),
    sa.Column("claimed_until", UtcTime),
    _one_of("severity", "error", "warning"),
)

resolution = sa.Table(
    "resolution",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("refund_id", sa.Text, sa.ForeignKey("refund_event.refund_id"), nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("note", sa.Text),
    sa.Column("tenders", sa.Text),
    sa.Column("resolved_at", UtcTime, nullable=False),
    sa.Index(None, "refund_id"),
)

refund_history = sa.Table(
    "refund_history",
    metadata,
    sa.Column("id", RowId, primary_key=True),
    sa.Column("refund_id", sa.Text, sa.ForeignKey("refund_event.refund_id"), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("from_status", sa.Text),
    sa.Column("to_status", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("detail", sa.Text),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Index(None, "refund_id", "id"),
)

refund_status = sa.table(
    "refund_status",
    sa.column("refund_id", sa.Text),
    sa.column("order_id", sa.Text),
    sa.column("landing_day", sa.Date),
    sa.column("amount", Money),
    sa.column("currency", sa.Text),
    sa.column("status", sa.Text),
    sa.column("reason", sa.Text),
    sa.column("detail", sa.Text),
    sa.column("attempts", sa.Integer),
    sa.column("next_attempt_at", UtcTime),
    sa.column("external_id", sa.Text),
    sa.column("erp_id", sa.Text),
    sa.column("updated_at", UtcTime),
)
"""The view: one row per refund; migrations 0001 and 0004 say how the status is decided."""
