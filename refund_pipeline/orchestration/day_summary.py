"""One readable page per landing day: what landed, where it is, and what a person has to do."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import dagster as dg

from refund_pipeline.domain.advice import advice
from refund_pipeline.domain.statuses import OUTSTANDING, STANDINGS, standing_of
from refund_pipeline.orchestration.summaries import (
    markdown,
    plain,
)

if TYPE_CHECKING:
    from refund_pipeline.gateways.ledger.ledger import Ledger
    from refund_pipeline.gateways.ledger.rows import FileTotals, RefundStatus, StatusTotal

_ROWS = 50


def day_summary(
    ledger: "Ledger", day: date, totals: Sequence["StatusTotal"], *, now: datetime
) -> dg.MetadataValue:
    """Write the page of a landing day as it stands `now`; `totals` are the day's."""
    held = ledger.refunds(day=day, statuses=("held",), limit=_ROWS)
    waiting = ledger.refunds(day=day, statuses=OUTSTANDING, limit=_ROWS)
    parts = [
        f"## Landing day {day}",
        _verdict(totals),
        _where_it_is(totals),
        _what_landed(ledger.file_totals(day)),
    ]
    if held:
        parts += [f"### A person decides: {_count(totals, 'held')}"]
        parts += [
            f"{_name(row)}: `{row.reason}` since {_since(ledger, row, now)}\n\n> {_to_do(row)}"
            for row in held
        ]
    if waiting:
        parts += [f"### On its way: {_count(totals, 'outstanding')}"]
        parts += [
            f"{_name(row)}: `{row.status}` since {_since(ledger, row, now)}, "
            f"next attempt {_next(row)}\n\n> {_why(row)}"
            for row in waiting
        ]
    return dg.MetadataValue.md("\n\n".join(parts))


def _verdict(totals: Sequence["StatusTotal"]) -> str:
    if not totals:
        return "No refund landed."
    held, waiting = _count(totals, "held"), _count(totals, "outstanding")
    if held:
        return f"**{held} refund(s) wait for a person**, {waiting} more are on their way."
    if waiting:
        return f"**Nothing to do.** {waiting} refund(s) are on their way and tried again by itself."
    return "**Nothing to do.** Every refund is posted, or not ours to post."


def _where_it_is(totals: Sequence["StatusTotal"]) -> str:
    """Landed = posted + outstanding + held + skipped, per currency, to the last minor unit."""
    if not totals:
        return ""
    currencies = sorted({item.currency for item in totals})
    rows = [
        (standing, _count(totals, standing), *(_sum(totals, standing, one) for one in currencies))
        for standing in STANDINGS
    ]
    landed = ("**landed**", sum(item.count for item in totals))
    sums = tuple(
        f"**{sum((item.amount for item in totals if item.currency == one), Decimal(0))}**"
        for one in currencies
    )
    return markdown(("", "refunds", *currencies), [*rows, (*landed, *sums)])


def _what_landed(files: "FileTotals") -> str:
    others = sum(files.other_events.values())
    return (
        f"{files.files} file(s) with {files.lines} line(s): {files.events} refund(s), "
        f"{files.duplicates} duplicate(s), {others} event(s) of other kinds, "
        f"{files.rejected} rejected line(s)."
    )


def _of(totals: Iterable["StatusTotal"], standing: str) -> list["StatusTotal"]:
    return [item for item in totals if standing_of(item.status) == standing]


def _count(totals: Iterable["StatusTotal"], standing: str) -> int:
    return sum(item.count for item in _of(totals, standing))


def _sum(totals: Iterable["StatusTotal"], standing: str, currency: str) -> Decimal:
    chosen = (item.amount for item in _of(totals, standing) if item.currency == currency)
    return sum(chosen, Decimal(0))


def _name(row: "RefundStatus") -> str:
    return f"**{row.amount} {row.currency}** refund `{row.refund_id}`, order `{row.order_id}`"


def _next(row: "RefundStatus") -> str:
    return _moment(row.next_attempt_at) if row.next_attempt_at else "with the next run"


def _why(row: "RefundStatus") -> str:
    return plain(row.detail or row.reason or "not looked at yet")


def _to_do(row: "RefundStatus") -> str:
    said = advice(row.status, row.reason)
    return f"{plain(row.detail or said.means)}\n>\n> {said.about(row.refund_id, row.landing_day)}"


def _since(ledger: "Ledger", row: "RefundStatus", now: datetime) -> str:
    """Say since when a refund has this status, whatever its reason was meanwhile."""
    began = row.updated_at
    for entry in reversed(ledger.history(row.refund_id)):
        if entry.to_status != row.status:
            break
        began = entry.at
    return f"{_moment(began)} ({age(now - began)})"


def age(duration: timedelta) -> str:
    """Write how long something lasts, as people say it."""
    minutes = max(0, int(duration.total_seconds() // 60))
    if minutes < 60:  # noqa: PLR2004  (minutes of an hour)
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"  # noqa: PLR2004


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
