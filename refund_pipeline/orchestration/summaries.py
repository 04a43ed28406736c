"""What a run shows people: counts, amounts per currency, a table of refunds by id."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import dagster as dg

from refund_pipeline.domain.statuses import STANDINGS, standing_of

if TYPE_CHECKING:
    from refund_pipeline.domain.transactions import RefundTransaction
    from refund_pipeline.gateways.ledger.ledger import Ledger
    from refund_pipeline.gateways.ledger.rows import RefundStatus, StatusTotal
    from refund_pipeline.steps.plan import PostingPlan

_PREVIEW_ROWS = 50
_PREVIEW_BODIES = 20


def amounts(totals: Iterable["StatusTotal"]) -> str:
    """Write totals as `12.50 EUR, 300 JPY`; `0` where there is none."""
    sums: dict[str, Decimal] = {}
    for item in totals:
        sums[item.currency] = sums.get(item.currency, Decimal(0)) + item.amount
    return ", ".join(f"{amount} {currency}" for currency, amount in sorted(sums.items())) or "0"


def status_metadata(totals: Sequence["StatusTotal"]) -> dict[str, dg.MetadataValue]:
    """Return count and amounts of each standing, and of all refunds of the day.

    Counts and the sums per currency are numbers, zero included, so that Dagster plots them over the
    days. The sums that count are the texts; a plotted one is a float and only ever drawn.
    """
    metadata: dict[str, dg.MetadataValue] = {
        "refunds": dg.MetadataValue.int(sum(item.count for item in totals)),
        "dagster/partition_row_count": dg.MetadataValue.int(sum(item.count for item in totals)),
        "amount": dg.MetadataValue.text(amounts(totals)),
    }
    currencies = sorted({item.currency for item in totals})
    for standing in STANDINGS:
        chosen = [item for item in totals if standing_of(item.status) == standing]
        metadata[standing] = dg.MetadataValue.int(sum(item.count for item in chosen))
        metadata[f"{standing}_amount"] = dg.MetadataValue.text(amounts(chosen))
        for currency in currencies:
            summed = sum((item.amount for item in chosen if item.currency == currency), Decimal(0))
            metadata[f"plot_{standing}_{currency}"] = dg.MetadataValue.float(float(summed))
    return metadata


def plan_metadata(
    plan: "PostingPlan", render: "Callable[[RefundTransaction], str]"
) -> dict[str, dg.MetadataValue]:
    """Show what a dry run would post: a balance of accounts, and the first exact bodies."""
    shown = plan.postings[:_PREVIEW_BODIES]
    bodies = [body for posting in shown for body in posting.bodies(render)]
    sums = [("**sum**", "", "", one.currency, one.debit, one.credit) for one in plan.sums]
    accounts = [
        (one.booked_to, one.what, one.location, one.currency, one.debit or None, one.credit or None)
        for one in plan.accounts
    ]
    header = ("booked to", "what", "location", "currency", "debit", "credit")
    return {
        "dry_run": dg.MetadataValue.bool(True),
        "would_post": dg.MetadataValue.int(plan.written),
        "would_look_up_first": dg.MetadataValue.int(plan.looked_up_first),
        "balance": table(header, [*accounts, *sums]),
        "bodies": dg.MetadataValue.md("\n".join(f"```json\n{body}\n```" for body in bodies)),
    }


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> dg.MetadataValue:
    """Show a table."""
    return dg.MetadataValue.md(markdown(header, rows))


def markdown(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return "" if value is None else plain(value).replace("|", "\\|")


def plain(value: object) -> str:
    """Write text of other systems on one line, so that it is no markup."""
    return str(value).replace("\n", " ").replace("<", "&lt;").replace("![", "!&#91;")


def _no_pages(erp_id: str) -> Sequence[str]:
    del erp_id
    return ()


def refunds_table(
    ledger: "Ledger",
    day: date,
    *,
    statuses: Collection[str] | None = None,
    pages: Callable[[str], Sequence[str]] = _no_pages,
) -> dg.MetadataValue:
    """Preview the refunds of a day; `pages` knows where people see a record of the ERP."""
    rows = ledger.refunds(day=day, statuses=statuses, limit=_PREVIEW_ROWS)
    return table(
        ("refund", "order", "amount", "status", "reason", "detail", "ERP record", "next attempt"),
        (_refund_cells(row, pages) for row in rows),
    )


def _refund_cells(row: "RefundStatus", pages: Callable[[str], Sequence[str]]) -> tuple[object, ...]:
    next_attempt = row.next_attempt_at
    return (
        row.refund_id,
        row.order_id,
        f"{row.amount} {row.currency}",
        row.status,
        row.reason,
        row.detail,
        _linked(row.erp_id, pages(row.erp_id)) if row.erp_id else None,
        f"{next_attempt:%Y-%m-%d %H:%M:%S} UTC" if next_attempt else None,
    )


def _linked(erp_id: str, pages: Sequence[str]) -> str:
    names = erp_id.split(", ")
    if len(pages) != len(names):
        return erp_id
    return ", ".join(f"[{name}]({page})" for name, page in zip(names, pages, strict=True))
