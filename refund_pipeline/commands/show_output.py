"""A refund's story for people: sentences, a small balanced table, its history."""

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from refund_pipeline.commands.show_json import Pages, story_json
from refund_pipeline.commands.wording import amount_text, number_text, plain
from refund_pipeline.domain.advice import advice, happens_by_itself
from refund_pipeline.domain.transactions import RefundTransaction
from refund_pipeline.gateways.ledger.story import Posting, ReadPayments, Story

_STYLES = {"posted": "bold green", "held": "bold red", "skipped": "bold dim"}
_INDENT = 2
_WIDTH = 14
_RUN = 8
"""So much of a run's id Dagster's UI shows."""


def as_json(which: str, found: Sequence[Story], now: datetime, pages: Pages) -> str:
    """Write the stories as JSON."""
    refunds = [story_json(story, now, pages) for story in found]
    return json.dumps({"asked": which, "refunds": refunds}, indent=2)


def print_stories(found: Sequence[Story], now: datetime, pages: Pages) -> None:
    """Print the stories, one after the other."""
    console = Console()
    for number, story in enumerate(found):
        if number:
            console.print()
        _print_story(console, story, now, pages)
    if len(found) > 1:
        _say(console, f"\n{len(found)} refunds fit.")


def _print_story(console: Console, story: Story, now: datetime, pages: Pages) -> None:
    row = story.standing
    stands = f"{row.status} ({row.reason})" if row.reason else row.status
    console.print(
        Text.assemble(
            (f"Refund {row.refund_id}", "bold"),
            f"  {amount_text(row.amount, row.currency)}  ",
            (stands, _STYLES.get(row.status, "bold yellow")),
        ),
        soft_wrap=True,
    )
    _print_what_comes_next(console, story, now)
    console.print()
    _print_what_happened(console, story)
    if story.built is not None and story.built.transaction is not None:
        _print_transaction(console, story.built.transaction)
    if story.posting is not None:
        _print_posting(console, story.posting, row.currency, pages)
    _print_history(console, story)


def _print_what_comes_next(console: Console, story: Story, now: datetime) -> None:
    row = story.standing
    said = advice(row.status, row.reason)
    _line(console, "what it means", f"{said.means[0].upper()}{said.means[1:]}.")
    if row.detail and row.detail != said.means:
        _line(console, "detail", plain(row.detail))
    by_itself = happens_by_itself(row.status, row.next_attempt_at, now=now)
    if by_itself:
        _line(console, "comes next", f"{by_itself} (after {row.attempts} attempt(s))")
    _line(console, "what to do", said.about(row.refund_id, row.landing_day))
    if said.worked and not by_itself:
        _line(console, "it worked when", said.worked)


def _print_what_happened(console: Console, story: Story) -> None:
    row, event = story.standing, story.event
    number = f"{plain(story.order_number)} " if story.order_number else ""
    _line(console, "order", f"{number}({row.order_id})")
    code = f", reason {plain(event.reason_code)}" if event.reason_code else ""
    why = f" ({plain(event.reason)})" if event.reason else ""
    _line(console, "requested", f"{_second(event.requested_at)}{code}{why}")
    _line(
        console,
        "landed",
        f"{_second(story.landed_at)}, landing day {row.landing_day}, line {story.source_line} of"
        f" {plain(story.source_key)}",
    )
    _line(console, "payments", _payments(story.payments))
    if story.built is None:
        _line(console, "transaction", "not built yet")
    elif story.built.transaction is None:
        _line(
            console,
            "transaction",
            f"{story.built.state} at {_second(story.built.built_at)}, mapping"
            f" {story.built.mapping_version[:_RUN]}",
        )
    else:
        _line(
            console,
            "transaction",
            _transaction(story.built.transaction, story.built.mapping_version),
        )


def _payments(read: ReadPayments | None) -> str:
    if read is None:
        return "NewStore was not asked yet"
    asked = f"asked {read.attempts} time(s), last at {_second(read.checked_at)}"
    if not read.lines:
        return f"{read.state}; {asked}"
    lines = ", ".join(
        f"{plain(line.method)}/{plain(line.provider)} {amount_text(line.amount, line.currency)}"
        for line in read.lines
    )
    return f"{lines}; {asked}"


def _transaction(built: RefundTransaction, mapping_version: str) -> str:
    sale = f"from sale {built.created_from}" if built.created_from else "not made from a sale"
    return (
        f"booked on {built.business_date}, {sale}, customer {built.entity}, subsidiary"
        f" {built.subsidiary}, location {built.location}, external id {built.external_id}, mapping"
        f" {mapping_version[:_RUN]}"
    )


def _print_transaction(console: Console, built: RefundTransaction) -> None:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_footer=True)
    debit = sum((line.amount for line in built.lines if line.amount > 0), Decimal(0))
    credit = -sum((line.amount for line in built.lines if line.amount < 0), Decimal(0))
    table.add_column("item")
    table.add_column("what", footer=f"sum, {built.currency}")
    table.add_column("debit", justify="right", footer=number_text(debit, built.currency))
    table.add_column("credit", justify="right", footer=number_text(credit, built.currency))
    for line in built.lines:
        amount = number_text(abs(line.amount), built.currency)
        booked = line.item or " ".join(
            part for part in (line.payment_option or "", line.account or "") if part
        )
        sides = (amount, "") if line.amount > 0 else ("", amount)
        table.add_row(Text(booked), Text(plain(line.label)), *sides)
    console.print(Padding(table, (0, 0, 0, _INDENT + _WIDTH + 2)))


def _print_posting(console: Console, posting: Posting, currency: str, pages: Pages) -> None:
    record = f", record {posting.erp_id} of the ERP" if posting.erp_id else ""
    when = f" at {_second(posting.posted_at)}" if posting.posted_at else ""
    amount = f", {amount_text(posting.amount, currency)}" if posting.amount is not None else ""
    _line(
        console,
        "posting",
        f"{posting.state}{when}{record}{amount}, external id {posting.external_id},"
        f" {posting.attempts} write(s) begun",
    )
    for page in pages(posting.erp_id) if posting.erp_id else ():
        _line(console, "", page)
    if posting.difference:
        _line(console, "differs", f"read back from the ERP: {plain(posting.difference)}")
    elif posting.verified_at:
        _line(
            console,
            "compared",
            f"read back from the ERP at {_second(posting.verified_at)}, and equal",
        )


def _print_history(console: Console, story: Story) -> None:
    _line(console, "history", "")
    stands = [
        f"{one.to_status} ({one.reason})" if one.reason else one.to_status for one in story.history
    ]
    width = max(map(len, stands), default=0)
    for entry, stood in zip(story.history, stands, strict=True):
        run = f"run {entry.run_id[:_RUN]}" if entry.run_id else "at the shell"
        said = f"  {plain(entry.detail)}" if entry.detail else ""
        _say(console, f"{' ' * _INDENT * 2}{_second(entry.at)}  {stood:<{width}}  {run}{said}")
    for one in story.resolutions:
        tenders = f", {'; '.join(map(str, one.tenders))}" if one.tenders else ""
        _line(
            console,
            "decided",
            f"{one.action.value}{tenders} by {plain(one.actor)} at {_second(one.resolved_at)}:"
            f" {plain(one.note)}",
        )


def _line(console: Console, label: str, sentence: str) -> None:
    _say(console, f"{' ' * _INDENT}{label:<{_WIDTH}}  {sentence}")


def _say(console: Console, sentence: str) -> None:
    console.print(Text(sentence), soft_wrap=True)


def _second(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
