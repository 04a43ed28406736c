"""What a run shows people: counts, amounts per currency, a table of refunds by id."""

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from refund_pipeline.gateways.ledger.ledger import Ledger
    from refund_pipeline.gateways.ledger.rows import RefundStatus, StatusTotal

OUTSTANDING = ("landed", "awaiting_payment", "awaiting_origin", "ready", "uncertain")
_PREVIEW_ROWS = 50


def amounts(totals: Iterable["StatusTotal"]) -> str:
    """Write totals as `12.50 EUR, 300 JPY`; `0` where there is none."""
    sums: dict[str, Decimal] = {}
    for item in totals:
        sums[item.currency] = sums.get(item.currency, Decimal(0)) + item.amount
    return ", ".join(f"{amount} {currency}" for currency, amount in sorted(sums.items())) or "0"


def status_metadata(totals: Sequence["StatusTotal"]) -> dict[str, dg.MetadataValue]:
    """Return count and amounts of each status, and of all refunds of the day."""
    metadata: dict[str, dg.MetadataValue] = {
        "refunds": dg.MetadataValue.int(sum(item.count for item in totals)),
        "amount": dg.MetadataValue.text(amounts(totals)),
    }
    for status in sorted({item.status for item in totals}):
        chosen = [item for item in totals if item.status == status]
        metadata[status] = dg.MetadataValue.int(sum(item.count for item in chosen))
        metadata[f"{status}_amount"] = dg.MetadataValue.text(amounts(chosen))
    return metadata


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> dg.MetadataValue:
    """Write a markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return dg.MetadataValue.md("\n".join(lines))


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def refunds_table(
    ledger: "Ledger", day: date, *, statuses: Collection[str] | None = None
) -> dg.MetadataValue:
    """Preview the refunds of a day."""
    rows = ledger.refunds(day=day, statuses=statuses, limit=_PREVIEW_ROWS)
    return table(
        ("refund", "order", "amount", "status", "reason", "detail", "ERP record", "next attempt"),
        (_refund_cells(row) for row in rows),
    )


def _refund_cells(row: "RefundStatus") -> tuple[object, ...]:
    next_attempt = row.next_attempt_at
    return (
        row.refund_id,
        row.order_id,
        f"{row.amount} {row.currency}",
        row.status,
        row.reason,
        row.detail,
        row.erp_id,
        f"{next_attempt:%Y-%m-%d %H:%M:%S} UTC" if next_attempt else None,
    )
