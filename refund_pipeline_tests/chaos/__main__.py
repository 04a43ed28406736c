"""`make chaos`: every campaign, long; their rows go into docs/reliability.md.

    python -m refund_pipeline_tests.chaos [NAME ...] [--seed 7]

Exit code 0 if every campaign kept the promise, else 1. Campaigns are in CAMPAIGNS.
"""

import os
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

import click

from refund_pipeline_tests.chaos.report import replace_rows, table
from refund_pipeline_tests.chaos.rows import Campaign, Row

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
CAMPAIGNS: dict[str, str] = {
    "guards": "guards:mutations",
    "model": "model:interleavings",
    "clock-skew": "calendar:clock_skew",
    "first-deployment": "first_deployment:first_deployment",
    "recovery": "recovery:recovery",
    "dagster-storage-lost": "disasters:dagster_storage_lost",
    "ledger-deleted": "disasters:ledger_deleted",
    "ledger-restored": "disasters:ledger_restored",
    "kills-postgresql": "kills:on_postgresql",
    "kills-sqlite": "kills:on_sqlite",
    "overlapping-runs": "overlaps:same_day_at_once",
    "special-days": "calendar:special_days",
    "upgrade": "upgrade:upgrade",
    "outage-erp": "outages:erp",
    "outage-newstore": "outages:newstore",
    "outage-bucket": "outages:bucket",
    "outage-daemon": "outages:daemon",
    "outage-dns": "outages:dns",
    "outage-tokens": "outages:tokens",
    "outage-database": "ledger_outages:database",
    "outage-disk": "ledger_outages:disk",
}
"""Name to `module:function` under refund_pipeline_tests.chaos; the function is a `Campaign`."""


def campaign(name: str) -> Campaign:
    module, function = CAMPAIGNS[name].split(":")
    found: Campaign = getattr(import_module(f"refund_pipeline_tests.chaos.{module}"), function)
    return found


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(sorted(CAMPAIGNS)))
@click.option("--seed", default=7, show_default=True, help="The same seed does the same things.")
def main(names: tuple[str, ...], seed: int) -> None:
    """Run the campaigns named, or all of them."""
    os.environ["REFUNDS_CHAOS"] = "1"
    rows: list[Row] = []
    for name in names or tuple(CAMPAIGNS):
        started = time.monotonic()
        click.echo(f"{name} ...", err=True)
        with tempfile.TemporaryDirectory(prefix=f"chaos-{name}-") as place:
            rows.append(campaign(name)(seed, Path(place)))
        click.echo(f"{name}: {time.monotonic() - started:.0f} s", err=True)
        replace_rows(PAGE, rows)
    click.echo(table(rows))
    sys.exit(0 if all(row.holds for row in rows) else 1)


if __name__ == "__main__":
    main()
