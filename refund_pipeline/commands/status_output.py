"""How the standing of landing days is shown: tables and sentences for people, JSON for programs."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from refund_pipeline.commands.whole_tables import print_whole
from refund_pipeline.commands.wording import (
    amount_json,
    amount_text,
    amounts_text,
    moment_json,
    number_text,
)
from refund_pipeline.domain.advice import advice, happens_by_itself
from refund_pipeline.domain.alerts import length, moment
from refund_pipeline.domain.statuses import STANDINGS
from refund_pipeline.gateways.ledger.landed_days import OpenRefund
from refund_pipeline.steps.status import DayStatus, Group, Status, Sums, Tally

_STYLES = {"held": "bold red", "outstanding": "yellow"}
_COLUMNS = ("landed", *STANDINGS)


def as_json(found: Status) -> str:
    """Write the standing as JSON."""
    document = {
        "at": moment_json(found.at),
        "days": [_day_json(day) for day in found.days],
        "totals": [_sums_json(one) for one in found.totals],
        "waiting": [_group_json(group) for group in found.waiting],
        "oldest_outstanding": _refund_json(found.oldest_outstanding, found.at),
        "oldest_held": _refund_json(found.oldest_held, found.at),
        "rejected_lines": found.rejected,
    }
    return json.dumps(document, indent=2)


def _day_json(day: DayStatus) -> dict[str, Any]:
    return {
        "landing_day": day.day.isoformat(),
        "files": day.files,
        "rejected_lines": day.rejected,
        "ties": day.ties,
        "sums": [_sums_json(one) for one in day.sums],
    }


def _sums_json(sums: Sums) -> dict[str, Any]:
    tallies = {"landed": sums.landed, **sums.standings}
    return {
        "currency": sums.currency,
        **{
            name: {"count": tallies[name].count, "amount": f"{tallies[name].amount:f}"}
            for name in _COLUMNS
        },
    }


def _group_json(group: Group) -> dict[str, Any]:
    return {
        "status": group.status,
        "reason": group.reason,
        "count": group.count,
        "amounts": [amount_json(amount, name) for name, amount in group.amounts.items()],
        "what_it_means": advice(group.status, group.reason).means,
        "what_to_do": group.to_do,
    }


def _refund_json(row: OpenRefund | None, now: datetime) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        "refund_id": row.refund_id,
        "order_id": row.order_id,
        "landing_day": row.landing_day.isoformat(),
        **amount_json(row.amount, row.currency),
        "status": row.status,
        "reason": row.reason,
        "landed_at": moment_json(row.landed_at),
        "age_seconds": max(0, int((now - row.landed_at).total_seconds())),
        "next_attempt_at": moment_json(row.next_attempt_at),
    }


def print_status(found: Status) -> None:
    """Print the days, what waits, and what is to be done."""
    console = Console()
    if not any(day.sums or day.files for day in found.days):
        console.print("nothing has landed in these days")
    else:
        _print_days(console, found)
    held = [group for group in found.waiting if group.status == "held"]
    rest = [group for group in found.waiting if group.status != "held"]
    if held:
        _say(console, f"A person decides: {_refunds(held)}", style="bold red")
        for group in held:
            _say(console, f"  {group.reason}: {_refunds([group])}. {_means(group)}")
            _say(console, f"    {group.to_do}")
        _say(console, "  Which ones: refund-pipeline list --status held", style="dim")
    if found.rejected:
        _say(
            console,
            f"{found.rejected} landed line(s) could not be read; what they say is in no refund:"
            " refund-pipeline rejected list",
            style="bold red",
        )
    if rest:
        _say(console, f"On its way, tried again by itself: {_refunds(rest)}", style="bold")
        for group in rest:
            reason = f" ({group.reason})" if group.reason else ""
            _say(console, f"  {group.status}{reason}: {_refunds([group])}")
    _print_oldest(console, found)
    if not found.waiting and not found.rejected and any(day.sums for day in found.days):
        _say(console, "Nothing to do: every refund is posted, or not ours to post.")


def _print_days(console: Console, found: Status) -> None:
    tallies = [*(one for day in found.days for one in day.sums), *found.totals]
    widths = _widths(tallies)
    wide = sum(sum(pair) + 4 for pair in widths.values()) + 30 <= console.width
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("landing day", no_wrap=True)
    table.add_column("", no_wrap=True)
    for name in _COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("rejected", justify="right", no_wrap=True)
    for day in found.days:
        rejected = Text(str(day.rejected or ""), style="bold red")
        first = Text(day.day.isoformat(), style="" if day.ties else "bold red")
        if not day.sums:
            table.add_row(first, "", *([""] * len(_COLUMNS)), rejected)
        for sums in day.sums:
            table.add_row(first, sums.currency, *_cells(sums, widths, wide=wide), rejected)
            first, rejected = Text(""), Text("")
    table.add_section()
    for number, sums in enumerate(found.totals if len(found.days) > 1 else ()):
        last = Text(str(found.rejected or "")) if number == 0 else Text("")
        title = "all" if number == 0 else ""
        table.add_row(title, sums.currency, *_cells(sums, widths, wide=wide), last, style="bold")
    print_whole(console, table)
    if found.totals:
        tie = "in every row landed = posted + outstanding + held + skipped"
        tie = "the sums do not tie" if found.untied else tie
        _say(console, f"As of {moment(found.at)}; {tie}.", style="dim")


def _widths(rows: Sequence[Sums]) -> dict[str, tuple[int, int]]:
    """Return by column how wide its counts and its amounts are."""
    return {
        name: (
            max((len(str(_tally(row, name).count)) for row in rows), default=1),
            max((len(_amount(row, name)) for row in rows), default=1),
        )
        for name in _COLUMNS
    }


def _cells(sums: Sums, widths: dict[str, tuple[int, int]], *, wide: bool) -> list[Text]:
    return [_cell(sums, name, widths[name], wide=wide) for name in _COLUMNS]


def _cell(sums: Sums, name: str, widths: tuple[int, int], *, wide: bool) -> Text:
    tally = _tally(sums, name)
    if not tally.count:
        return Text("-", style="dim")
    amount = f"{_amount(sums, name):>{widths[1]}}"
    text = f"{tally.count:>{widths[0]}}  {amount}" if wide else f"{amount}\n{tally.count}"
    return Text(text, style=_STYLES.get(name, ""))


def _tally(sums: Sums, name: str) -> Tally:
    return sums.landed if name == "landed" else sums.standings[name]


def _amount(sums: Sums, name: str) -> str:
    return number_text(_tally(sums, name).amount, sums.currency)


def _print_oldest(console: Console, found: Status) -> None:
    row = found.oldest_outstanding
    if row is None:
        return
    then = happens_by_itself(row.status, row.next_attempt_at, now=found.at)
    _say(
        console,
        f"  The oldest: refund {row.refund_id}, order {row.order_id},"
        f" {amount_text(row.amount, row.currency)}, landed {length(found.at - row.landed_at)} ago;"
        f" {then}.",
    )
    if found.overdue:
        _say(console, f"    {advice(row.status, row.reason).about(row.refund_id, row.landing_day)}")


def _refunds(groups: Sequence[Group]) -> str:
    count = sum(group.count for group in groups)
    noun = "refund" if count == 1 else "refunds"
    return f"{count} {noun}, {amounts_text(_summed(groups))}"


def _summed(groups: Iterable[Group]) -> dict[str, Any]:
    sums: dict[str, Any] = {}
    for group in groups:
        for currency, amount in group.amounts.items():
            sums[currency] = sums.get(currency, 0) + amount
    return dict(sorted(sums.items()))


def _means(group: Group) -> str:
    means = advice(group.status, group.reason).means
    return f"{means[0].upper()}{means[1:]}."


def _say(console: Console, sentence: str, *, style: str = "") -> None:
    console.print(Text(sentence, style=style), soft_wrap=True)
