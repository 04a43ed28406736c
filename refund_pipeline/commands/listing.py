"""`refund-pipeline list`: refunds by status, reason, day, order or store, page by page."""

from datetime import datetime
from typing import TYPE_CHECKING

import click

from refund_pipeline.commands import environment
from refund_pipeline.commands.endings import sentences
from refund_pipeline.domain.reasons import REASONS
from refund_pipeline.domain.statuses import OUTSTANDING, STATUSES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from refund_pipeline.gateways.ledger.listing import Listed, Wanted
    from refund_pipeline.gateways.ledger.reader import LedgerReader
    from refund_pipeline.steps.replay import Time

_DAY = click.DateTime(["%Y-%m-%d"])
_PAGE = 50
_AT_ONCE = 1_000


@click.command("list")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice([*sorted(STATUSES), "outstanding"]),
    help="Only this status; `outstanding` is all that are tried by themselves. Repeatable.",
)
@click.option(
    "--reason",
    "reasons",
    multiple=True,
    type=click.Choice(sorted(REASONS)),
    metavar="REASON",
    help="Only this reason (docs/operations.md lists them). Repeatable.",
)
@click.option("--since", type=_DAY, help="Landed on this day or later.")
@click.option("--until", type=_DAY, help="Landed on this day or earlier.")
@click.option("--order", help="Of this order, by id or number.")
@click.option("--store", help="Of this store, as NewStore names it.")
@click.option("--oldest", is_flag=True, help="Oldest first; else newest first.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help=f"At most so many; {_PAGE} by default, with --csv all.",
)
@click.option("--after", metavar="REFUND", help="The page behind this refund.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV for a spreadsheet.")
@click.pass_obj
def list_refunds(
    clock: "Time | None",
    *,
    statuses: tuple[str, ...],
    reasons: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    order: str | None,
    store: str | None,
    oldest: bool,
    limit: int | None,
    after: str | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """List refunds with where they stand, newest first.

    Where there are more, the end says how to go on (`next` in JSON). Exit code 0, also if there is
    none, 2 for wrong usage, 3 if the ledger cannot be used.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    time = environment.clock(clock)
    most = limit or (None if as_csv else _PAGE)
    with sentences():
        from refund_pipeline.commands import listing_output
        from refund_pipeline.gateways.ledger.listing import Wanted

        wanted = Wanted(
            statuses=_meant(statuses),
            reasons=frozenset(reasons),
            since=since.date() if since else None,
            until=until.date() if until else None,
            order=order,
            store=store,
        )
        with environment.ledger(time) as ledger:
            found = _pages(
                ledger.for_reading(), wanted, after=after, most=most, newest_first=not oldest
            )
            if as_csv:
                listing_output.print_csv(found)
                return
            rows = list(found)
    more = most is not None and len(rows) > most
    rows = rows[:most]
    if as_json:
        click.echo(listing_output.as_json(rows, time.now(), more=more))
    else:
        listing_output.print_table(rows, time.now(), more=more)


def _meant(names: tuple[str, ...]) -> frozenset[str]:
    outstanding = OUTSTANDING if "outstanding" in names else frozenset()
    return (frozenset(names) - {"outstanding"}) | outstanding


def _pages(
    ledger: "LedgerReader",
    wanted: "Wanted",
    *,
    after: str | None,
    most: int | None,
    newest_first: bool,
) -> "Iterator[Listed]":
    """Yield refunds, and one more than `most` where there is one."""
    left = None if most is None else most + 1
    while left is None or left > 0:
        size = _AT_ONCE if left is None else min(left, _AT_ONCE)
        rows = ledger.page(wanted, after=after, limit=size, newest_first=newest_first)
        if rows is None:
            raise click.BadParameter("there is no such refund", param_hint="--after")
        yield from rows
        if len(rows) < size:
            return
        after = rows[-1].standing.refund_id
        left = None if left is None else left - size
