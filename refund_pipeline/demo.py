"""`make demo` and `make dev`: the real job under a real Dagster, against the sandbox.

The demo ends by itself when every refund is posted or held. Its verdict is asked from the sandbox's
ERP, not from the ledger.
"""

import os
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from rich.console import Console
from rich.live import Live
from rich.table import Table

from refund_pipeline.domain.statuses import OUTSTANDING
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import StatusTotal
from refund_pipeline.local_dagster import PROJECT_ROOT, LocalDagster
from refund_pipeline.sandbox.retailer import DemoDay, SandboxRefund
from refund_pipeline.sandbox.sandbox import Sandbox, run_until_stopped

if TYPE_CHECKING:
    from refund_pipeline.sandbox.netsuite.records import StoredCashRefund

_LONGEST = 300.0
"""Seconds after which the demo gives up; it usually needs about seventy."""
_OUTAGE_AFTER_POSTS = 25
_OUTAGE_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the ERP has, beside what landed; refund ids."""

    lost: tuple[str, ...]
    twice: tuple[str, ...]
    wrong: tuple[str, ...]
    """Posted with another amount or currency, unbalanced, or although it should be held."""

    @property
    def good(self) -> bool:
        """Whether the promise was kept."""
        return not (self.lost or self.twice or self.wrong)


def judge(
    refunds: Sequence[SandboxRefund], records: Sequence["StoredCashRefund"], held: set[str]
) -> Verdict:
    """Compare what landed with what the ERP has; `held` are refunds a person has to look at."""
    by_refund: dict[str, list[StoredCashRefund]] = {}
    for record in records:
        by_refund.setdefault(record.custom.get("custbody_nst_refund_id", "?"), []).append(record)
    wrong = set(by_refund) - {refund.refund_id for refund in refunds}
    lost, twice = [], []
    for refund in refunds:
        found = by_refund.get(refund.refund_id, [])
        if len(found) > 1:
            twice.append(refund.refund_id)
        if not found and refund.refund_id not in held:
            lost.append(refund.refund_id)
        for record in found:
            amounts = [line.amount for line in record.lines]
            if (
                refund.expected != "posted"
                or record.currency != refund.currency
                or sum(amounts) != 0
                or sum(amount for amount in amounts if amount > 0) != refund.amount
            ):
                wrong.add(refund.refund_id)
    return Verdict(tuple(lost), tuple(twice), tuple(sorted(wrong)))


def run_demo(*, seed: int) -> int:
    """Run the demo and return its exit code."""
    console = Console()
    home = PROJECT_ROOT / ".demo"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    os.environ["DAGSTER_HOME"] = str(home)
    started = time.monotonic()
    with Sandbox(seed=seed, state=home) as sandbox:
        environment = {**sandbox.environment(), "NETSUITE_CONCURRENCY": "3"}
        with LocalDagster(home, environment) as dagster:
            console.print("The sandbox answers; Dagster is starting ...")
            dagster.wait_until_ready()
            console.print(f"Dagster's UI, while the demo runs: [bold]{dagster.url}[/bold]")
            day = sandbox.retailer.demo_day(datetime.now(timezone.utc))
            sandbox.netsuite.faults.lose_answers(1)
            ledger = Ledger(
                f"sqlite:///{home / 'refund_ledger.db'}", clock=lambda: datetime.now(timezone.utc)
            )
            done = _watch(console, sandbox, ledger, day, started)
            runs = _finished_runs()
        verdict = judge(
            day.refunds,
            sandbox.netsuite.cash_refunds(),
            {row.refund_id for row in ledger.refunds(statuses=("held",), limit=1000)},
        )
        _print_result(console, ledger, day, runs)
        ledger.close()
    seconds = time.monotonic() - started
    return _print_verdict(console, verdict, done=done, seconds=seconds, log=dagster.log)


def _watch(
    console: Console, sandbox: Sandbox, ledger: Ledger, day: DemoDay, started: float
) -> bool:
    """Show progress until all is posted or held, and stage a short ERP outage; False: too slow."""
    outage_over = False
    with Live(console=console, refresh_per_second=2) as live:
        while time.monotonic() - started < _LONGEST:
            totals = ledger.status_totals()
            counts = Counter[str]()
            for item in totals:
                counts[item.status] += item.count
            if not outage_over and len(sandbox.netsuite.cash_refunds()) >= _OUTAGE_AFTER_POSTS:
                sandbox.netsuite.faults.outage_for(_OUTAGE_SECONDS)
                outage_over = True
                console.print(f"The ERP is down for {_OUTAGE_SECONDS:.0f} s ...")
            live.update(_progress(counts, len(day.refunds), time.monotonic() - started))
            landed = sum(counts.values())
            if landed == len(day.refunds) and not any(counts[status] for status in OUTSTANDING):
                return True
            time.sleep(0.5)
    return False


def _progress(counts: Counter[str], expected: int, seconds: float) -> Table:
    table = Table(box=None)
    for name in ("landed", "posted", "held", "outstanding", "seconds"):
        table.add_column(name, justify="right")
    outstanding = sum(counts[status] for status in OUTSTANDING)
    table.add_row(
        f"{sum(counts.values())} of {expected}",
        str(counts["posted"]),
        str(counts["held"]),
        str(outstanding),
        f"{seconds:.0f}",
    )
    return table


def _finished_runs() -> tuple[int, int]:
    """Return how many runs Dagster made, and how many of them were its own retries."""
    with dg.DagsterInstance.get() as instance:
        runs = instance.get_runs()
    return len(runs), sum("dagster/retry_number" in run.tags for run in runs)


def _print_result(console: Console, ledger: Ledger, day: DemoDay, runs: tuple[int, int]) -> None:
    import pandas as pd

    totals: list[StatusTotal] = ledger.status_totals()
    frame = pd.DataFrame(
        [(item.status, item.currency, item.count, item.amount) for item in totals],
        columns=["status", "currency", "count", "amount"],
    )
    table = Table(title="Where the refunds are, by the ledger")
    table.add_column("status")
    table.add_column("count", justify="right")
    currencies = sorted(frame["currency"].unique())
    for currency in currencies:
        table.add_column(currency, justify="right")
    rows = [("landed", frame)]
    rows += [(name, frame[frame["status"] == name]) for name in ("posted", "held", "skipped")]
    for name, part in rows:
        sums = part.groupby("currency")["amount"].sum()
        table.add_row(
            name,
            str(part["count"].sum()),
            *(str(sums.get(currency, 0)) for currency in currencies),
        )
    files = ledger.file_totals(day.landing_day)
    table.add_row("rejected", str(files.rejected), *("" for _ in currencies))
    console.print()
    console.print(table)
    console.print(
        f"{files.files} files, {files.lines} lines: {files.events} refunds, {files.duplicates} "
        f"duplicates, {sum(files.other_events.values())} other events, {files.rejected} rejected"
    )
    for line in ledger.rejected_lines(day.landing_day):
        problems = "; ".join(line.problems)
        console.print(f"  rejected: {line.key} line {line.line_number}: {problems}", soft_wrap=True)
    for row in ledger.refunds(statuses=("held",)):
        console.print(f"  held: {row.refund_id}: {row.reason}: {row.detail}", soft_wrap=True)
    console.print(f"runs: {runs[0]}, run retries by Dagster: {runs[1]}")


def _print_verdict(
    console: Console, verdict: Verdict, *, done: bool, seconds: float, log: Path
) -> int:
    console.print("Asked from the sandbox ERP, not from the ledger:")
    good = verdict.good and done
    console.print(
        f"{len(verdict.lost)} lost, {len(verdict.twice)} twice",
        style="bold green" if good else "red",
    )
    for name in ("lost", "twice", "wrong"):
        for refund_id in getattr(verdict, name):
            console.print(f"  {name}: {refund_id}", style="red")
    if not done:
        console.print(f"Not everything was settled in {seconds:.0f} s; see {log}", style="red")
    console.print(f"{seconds:.0f} s in all")
    return 0 if good else 1


def run_dev(*, seed: int, port: int) -> int:
    """Run sandbox and Dagster until stopped; the data is new at every start."""
    console = Console()
    home = PROJECT_ROOT / ".dagster"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()

    def dagster_beside(environment: dict[str, str]) -> LocalDagster:
        dagster = LocalDagster(home, environment, port=port)
        dagster.start()
        dagster.wait_until_ready()
        console.print(f"Dagster's UI: [bold]{dagster.url}[/bold]; stop with Ctrl-C")
        return dagster

    run_until_stopped(env_file=home / "sandbox.env", seed=seed, state=home, beside=dagster_beside)
    return 0
