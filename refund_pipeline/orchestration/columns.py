"""What the rows behind each asset hold, for Dagster's catalogue; every asset is a ledger table."""

from collections.abc import Mapping

import dagster as dg

REFUND = ("refund_id", "text", "The refund request's id in NewStore: its identity everywhere")
_REASON = ("reason", "text", "Why it is not further, from the closed list of reasons")
_DETAIL = ("detail", "text", "The same in words, such as the mapping row to add")
_ATTEMPTS = ("attempts", "integer", "How often it was tried")
_NEXT = ("next_attempt_at", "timestamp", "When it is tried again by itself, UTC")
_EXTERNAL_ID = (
    "external_id",
    "text",
    "Its external id in the ERP, made from the refund's id alone",
)

COLUMNS: Mapping[str, tuple[str, tuple[tuple[str, str, str], ...]]] = {
    "refund_events": (
        "refund_event",
        (
            REFUND,
            ("landing_day", "date", "UTC day of the file that brought it: the partition"),
            ("order_id", "text", "The order in NewStore"),
            ("amount", "decimal", "What the customer gets back"),
            ("currency", "text", "ISO 4217"),
            ("reason_code", "text", "Why the customer was appeased, as the retailer codes it"),
            ("requested_at", "timestamp", "When the refund was asked for, UTC"),
            ("landed_at", "timestamp", "When it was read, UTC"),
            ("source_key", "text", "The landed file that brought it first"),
            ("source_line", "integer", "Its line there"),
        ),
    ),
    "order_payments": (
        "order_payment",
        (
            REFUND,
            ("state", "text", "available, awaiting or held"),
            _REASON,
            _DETAIL,
            ("payment_lines", "text", "Tender by tender what went back, as JSON"),
            _ATTEMPTS,
            _NEXT,
        ),
    ),
    "refund_transactions": (
        "refund_transaction",
        (
            REFUND,
            _EXTERNAL_ID,
            ("state", "text", "ready, awaiting_origin, held or skipped"),
            _REASON,
            _DETAIL,
            ("record", "text", "The balanced transaction, as JSON"),
            ("mapping_version", "text", "The mapping it was built with"),
            _ATTEMPTS,
            _NEXT,
        ),
    ),
    "erp_postings": (
        "erp_posting",
        (
            REFUND,
            _EXTERNAL_ID,
            ("state", "text", "intended, uncertain, retry, posted or held"),
            ("erp_id", "text", "The record's internal id in the ERP"),
            ("amount", "decimal", "What the ERP shows"),
            ("posted_at", "timestamp", "When it was known to be there, UTC"),
            _REASON,
            _DETAIL,
            _ATTEMPTS,
            _NEXT,
        ),
    ),
    "refund_reconciliation": (
        "erp_posting",
        (
            REFUND,
            ("verified_at", "timestamp", "When it was last read back from the ERP, UTC"),
            ("difference", "text", "What differed then; empty if nothing did"),
        ),
    ),
}
"""Per asset its ledger table, and the columns people ask for."""


def definition_metadata(asset: str) -> dict[str, object]:
    """Return what an asset's page shows of its table."""
    table, columns = COLUMNS[asset]
    schema = dg.TableSchema(
        [dg.TableColumn(name, type=kind, description=text) for name, kind, text in columns]
    )
    return {
        "dagster/column_schema": schema,
        "dagster/table_name": table,
        "runbook": "docs/operations.md",
    }
