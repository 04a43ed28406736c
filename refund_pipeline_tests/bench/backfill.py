"""A quarter of history: one run per landing day, as the pipeline does it, beside runs of ranges."""

import time
from collections.abc import Callable
from datetime import timedelta

from refund_pipeline_tests.bench.job_run import run_day, run_range
from refund_pipeline_tests.bench.own_process import measured
from refund_pipeline_tests.bench.ranged_job import LEDGER
from refund_pipeline_tests.bench.results import Result, Settings, count
from refund_pipeline_tests.bench.steps import utc_now
from refund_pipeline_tests.bench.world import other_world

_PER_DAY = 4
_HEADINGS = (
    *("backfill", "days", "runs", "seconds", "seconds a day", "times one run per day"),
    "posted a second time",
)


def backfill(settings: Settings) -> Result:
    """Run the same days in each way, one run after the other, each against a sandbox of its own."""
    days = settings.pick(full=91, quick=14, tiny=2)
    ranges = settings.pick(full=(1, 7, 30, 91), quick=(1, 7, 14), tiny=(2,))
    rows: list[tuple[object, ...]] = []
    per_day = 0.0
    for length in ranges:
        place = settings.place / str(length)
        place.mkdir()
        with other_world(settings.seed, place) as world:
            all_days = [utc_now().date() - timedelta(days=back) for back in range(days, 0, -1)]
            environment = {
                **world.environment(str(place / "mapping.yaml")),
                "REFUNDS_START_DATE": all_days[0].isoformat(),
                "REFUNDS_LEDGER_URL": f"sqlite:///{place / 'ledger.db'}",
                LEDGER: str(place / "ledger.db"),
            }
            for day in all_days:
                world.land(day, _PER_DAY)
            runs = [all_days[first : first + length] for first in range(0, days, length)]
            started = time.monotonic()
            for several in runs:
                run: Callable[..., object] = run_day if length == 1 else run_range
                which = several[0] if length == 1 else several
                measured(run, environment, place / "home", which)
            took = time.monotonic() - started
            records, refunds = world.records()
        assert refunds == days * _PER_DAY
        per_day = per_day or took
        rows.append(
            (
                "one run per day" if length == 1 else f"`multi_run({length})`",
                *(count(days), count(len(runs)), f"{took:,.0f}", f"{took / days:.2f}"),
                *(f"{took / per_day:.2f}", records - refunds),
            )
        )
    return Result(_HEADINGS, tuple(rows))
