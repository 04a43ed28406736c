"""`make bench`: every benchmark; their tables go into docs/performance.md.

    python -m refund_pipeline_tests.bench [NAME ...] [--seed 7] [--quick]

No benchmark fails by time: the tables say which budget of the design is met. BENCHMARKS has them.
"""

import logging
import os
import tempfile
import time
from importlib import import_module
from pathlib import Path

import click

from refund_pipeline_tests.bench.machine import machine
from refund_pipeline_tests.bench.results import Benchmark, Budget, Result, Settings
from refund_pipeline_tests.marked_page import replace_marked, replace_rows, table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
BENCHMARKS: dict[str, str] = {
    "posting": "posting:posting",
    "reading": "reading:reading",
    "sensor": "sensor:sensor",
    "ledger": "ledger:ledger",
    "fetching": "fetching:fetching",
    "start": "start:start",
    "launchers": "launchers:launchers",
    "idle-run": "idle_run:idle_run",
    "backfill": "backfill:backfill",
    "big-day": "big_day:big_day",
}
"""Name to `module:function` under refund_pipeline_tests.bench; the function is a `Benchmark`."""


def benchmark(name: str) -> Benchmark:
    module, function = BENCHMARKS[name].split(":")
    found: Benchmark = getattr(import_module(f"refund_pipeline_tests.bench.{module}"), function)
    return found


def budget_table(budgets: tuple[Budget, ...]) -> str:
    return table(
        ("budget", "allowed", "measured", ""),
        [(one.what, one.allowed, one.measured, "met" if one.met else "not met") for one in budgets],
    )


def write(page: Path, name: str, result: Result, *, conditions: str) -> None:
    replace_marked(page, name, f"{table(result.headings, result.rows)}\n\n{conditions}")
    if result.budgets:
        replace_rows(page, "budgets", budget_table(result.budgets))


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(sorted(BENCHMARKS)))
@click.option("--seed", default=7, show_default=True, help="The same seed makes the same data.")
@click.option("--quick", is_flag=True, help="Smaller sizes; the page is left as it is.")
def main(names: tuple[str, ...], seed: int, *, quick: bool) -> None:
    """Run the benchmarks named, or all of them."""
    logging.disable(logging.INFO)
    for name in names or tuple(BENCHMARKS):
        started, load = time.monotonic(), os.getloadavg()[0]
        click.echo(f"{name} ...", err=True)
        with tempfile.TemporaryDirectory(prefix=f"bench-{name}-") as place:
            result = benchmark(name)(Settings(seed, Path(place), "quick" if quick else "full"))
        took = time.monotonic() - started
        conditions = (
            f"Seed {seed}, {took:,.0f} s in all; {machine()}; load average before: {load:.1f}."
        )
        click.echo(f"\n{table(result.headings, result.rows)}\n\n{conditions}\n")
        click.echo(budget_table(result.budgets) if result.budgets else "")
        if not quick:
            write(PAGE, name, result, conditions=conditions)


if __name__ == "__main__":
    main()
