"""How lists of refunds are shown: a table for people, JSON for programs, CSV for spreadsheets."""

import csv
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from refund_pipeline.commands.whole_tables import print_whole
from refund_pipeline.commands.wording import amount_json, amount_text, moment_json, plain
from refund_pipeline.domain.advice import advice
from refund_pipeline.domain.spreadsheets import harmless
from refund_pipeline.gateways.ledger.listing import Listed

COLUMNS = (
    *("refund_id", "order_id", "order_number", "store", "landing_day", "landed_at"),
    *("amount", "currency", "tenders", "reason_code"),
    *("status", "reason", "detail", "what_to_do", "attempts", "next_attempt_at"),
    *("external_id", "erp_id", "updated_at"),
)
"""The columns of the CSV; they stay, new ones come behind them."""
_WIDE = 124
"""From so many columns on a refund takes one line."""
_STYLES = {"posted": "green", "held": "bold red", "skipped": "dim"}


def as_json(rows: Sequence[Listed], now: datetime, *, more: bool) -> str:
    """Write a page as JSON; `next` is what --after takes for the page behind it."""
    document = {
        "at": moment_json(now),
        "refunds": [_document(row) for row in rows],
        "next": rows[-1].standing.refund_id if more else None,
    }
    return json.dumps(document, indent=2)


def _document(row: Listed) -> dict[str, Any]:
    standing = row.standing
    return {
        "refund_id": standing.refund_id,
        "order_id": standing.order_id,
        "order_number": row.order.order_number if row.order else None,
        "store": row.store,
        "landing_day": standing.landing_day.isoformat(),
        "landed_at": moment_json(row.landed_at),
        **amount_json(standing.amount, standing.currency),
        "tenders": list(row.tenders),
        "reason_code": row.reason_code,
        "status": standing.status,
        "reason": standing.reason,
        "detail": standing.detail,
        "what_to_do": advice(standing.status, standing.reason).about(
            standing.refund_id, standing.landing_day
        ),
        "attempts": standing.attempts,
        "next_attempt_at": moment_json(standing.next_attempt_at),
        "external_id": standing.external_id,
        "erp_id": standing.erp_id,
        "updated_at": moment_json(standing.updated_at),
    }


class _Output:
    """Standard output by click, which ends quietly when whoever reads it has enough."""

    def write(self, text: str) -> None:
        """Write a row."""
        click.echo(text, nl=False)


def print_csv(rows: Iterable[Listed]) -> None:
    """Print rows as CSV, with a header; lists are joined by a space."""
    writer = csv.writer(_Output(), lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        document = _document(row)
        writer.writerow([_cell(document[name]) for name in COLUMNS])


def _cell(value: object) -> object:
    if value is None:
        return ""
    return harmless(plain(" ".join(value) if isinstance(value, list) else str(value)))


def print_table(rows: Sequence[Listed], now: datetime, *, more: bool) -> None:
    """Print a page."""
    console = Console()
    if not rows:
        console.print("no refund is as you say")
        return
    wide = console.width >= _WIDE
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=not wide)
    for name in ("landed", "refund", "order") if wide else ("landed", "refund, order, reason"):
        table.add_column(name, no_wrap=True)
    table.add_column("amount", justify="right", no_wrap=True)
    for name in ("stands", "next attempt, ERP record") if wide else ("stands",):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(_one_line(row, now) if wide else _some_lines(row, now)))
    if wide:
        console.print(table)
    else:
        print_whole(console, table)
    last = rows[-1].standing.refund_id
    end = f"{len(rows)} shown; there are more: add --after {last}" if more else f"{len(rows)} shown"
    console.print(Text(end, style="dim"), soft_wrap=True)


def _one_line(row: Listed, now: datetime) -> list[Text]:
    standing = row.standing
    stands = f"{standing.status} ({standing.reason})" if standing.reason else standing.status
    return [
        Text(standing.landing_day.isoformat()),
        Text(standing.refund_id),
        Text(_order(row)),
        Text(amount_text(standing.amount, standing.currency)),
        Text(stands, style=_style(row)),
        Text(_then(row, now)),
    ]


def _some_lines(row: Listed, now: datetime) -> list[Text]:
    standing = row.standing
    below = f"{_order(row)}\n{standing.reason}" if standing.reason else _order(row)
    return [
        Text(standing.landing_day.isoformat()),
        Text(f"{standing.refund_id}\n{below}"),
        Text(amount_text(standing.amount, standing.currency)),
        Text.assemble((standing.status, _style(row)), f"\n{_then(row, now)}"),
    ]


def _order(row: Listed) -> str:
    return plain(row.order.order_number if row.order else row.standing.order_id)


def _style(row: Listed) -> str:
    return _STYLES.get(row.standing.status, "yellow")


def _then(row: Listed, now: datetime) -> str:
    standing = row.standing
    if standing.next_attempt_at is not None and standing.erp_id is None:
        due = standing.next_attempt_at
        return "due" if due <= now else f"{due:%m-%d %H:%M} UTC"
    return standing.erp_id or ""
