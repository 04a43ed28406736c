"""`refund-pipeline report`: the refund report as files, with its sums at the shell."""

import json
from collections.abc import Hashable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import click

from refund_pipeline.commands import environment
from refund_pipeline.commands.endings import sentences
from refund_pipeline.commands.wording import number_text

if TYPE_CHECKING:
    import pandas as pd

    from refund_pipeline.steps.replay import Time

_DAY = click.DateTime(["%Y-%m-%d"])
_DAYS = 35


@click.command()
@click.option("--from", "first", type=_DAY, help=f"The first landing day; {_DAYS} days by default.")
@click.option("--to", "last", type=_DAY, help="The last landing day; today (UTC) by default.")
@click.option(
    "--directory", default="", help="Where files go, or s3://bucket/prefix; else REFUNDS_REPORTS."
)
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
@click.pass_obj
def report(
    clock: "Time | None",
    *,
    first: datetime | None,
    last: datetime | None,
    directory: str,
    as_json: bool,
) -> None:
    """Write the refund report over some landing days: a workbook, and a CSV per table.

    Per day, currency, tender, store and reason it counts what landed and where it stands. Exit code
    0 once the files are written, 3 if the ledger or the place cannot be used.
    """
    time = environment.clock(clock)
    now = time.now()
    end = last.date() if last else now.date()
    begin = first.date() if first else end - timedelta(days=_DAYS - 1)
    if end < begin:
        raise click.UsageError("--to is before --from")
    with sentences():
        from refund_pipeline.gateways.report_place import put_report
        from refund_pipeline.steps.report import make_report, totals
        from refund_pipeline.steps.report_files import report_files

        with environment.ledger(time) as ledger:
            made = make_report(ledger, begin, end, now=now)
        folder = f"{begin}--{end}"
        where = put_report(directory or environment.report_location(), folder, report_files(made))
        sums = totals(made)
    if as_json:
        tables = {name: _document(table) for name, table in made.tables.items()}
        document = {"from": begin, "to": end, "files": where, "totals": _document(sums), **tables}
        click.echo(json.dumps(document, indent=2, default=str))
    else:
        _print(sums)
        click.echo(f"Landing days {begin} to {end}; files: {where}")


def _document(table: "pd.DataFrame") -> object:
    return table.to_dict(orient="records")


def _print(sums: "pd.DataFrame") -> None:
    from rich.console import Console
    from rich.table import Table

    standings = [str(name).removesuffix("_count") for name in sums.columns if "_count" in name]
    shown = Table("currency")
    for name in standings:
        shown.add_column(name, justify="right")
    for row in sums.to_dict(orient="records"):
        currency = str(row["currency"])
        shown.add_row(currency, *(_cell(row, name, currency) for name in standings))
    Console().print(shown)


def _cell(row: Mapping[Hashable, object], name: str, currency: str) -> str:
    count, amount = row[f"{name}_count"], Decimal(str(row[f"{name}_amount"]))
    return f"{count}  {number_text(amount, currency)}" if count else "-"
