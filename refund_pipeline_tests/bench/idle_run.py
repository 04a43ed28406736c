"""A run with nothing to do beside Dagster's own time for an empty job of as many steps."""

import statistics
from collections.abc import Callable
from datetime import timedelta

from refund_pipeline_tests.bench.job_run import JobRun, import_ours, run_day, run_empty
from refund_pipeline_tests.bench.own_process import measured
from refund_pipeline_tests.bench.results import Budget, Result, Settings
from refund_pipeline_tests.bench.steps import utc_now
from refund_pipeline_tests.bench.world import other_world

_MOST = 0.5
_HEADINGS = ("job", "run, s", "of CPU, s")


def idle_run(settings: Settings) -> Result:
    """Run both in turns, each in a process of its own, and compare medians."""
    number, rounds = settings.pick(full=(200, 7), quick=(50, 3), tiny=(2, 1))
    day = utc_now().date() - timedelta(days=1)
    jobs: dict[str, Callable[..., JobRun]] = {"empty": run_empty, "sync_refunds": run_day}
    runs: dict[str, list[JobRun]] = {name: [] for name in jobs}
    imports: list[float] = []
    with other_world(settings.seed, settings.place) as world:
        environment = {
            **world.environment(str(settings.place / "mapping.yaml")),
            "REFUNDS_LEDGER_URL": f"sqlite:///{settings.place / 'ledger.db'}",
        }
        world.land(day, number, files=min(number, 24))
        measured(run_day, environment, settings.place / "sync_refunds", day)
        for _ in range(rounds):
            imports.append(measured(import_ours)[0])
            for name, run in jobs.items():
                found, _, _ = measured(run, environment, settings.place / name, day)
                runs[name].append(found)
        assert world.records() == (number, number)
    empty = _medians(runs["empty"])
    rows = [
        (f"`{name}`", *(f"{one:.2f}" for one in found))
        for name in jobs
        for found in [_medians(runs[name])]
    ]
    ours = _medians(runs["sync_refunds"])
    budgets = (
        Budget(
            "time our steps add to an empty run",
            f"≤ {_MOST} s",
            f"{ours[0] - empty[0]:.2f} s",
            ours[0] - empty[0] <= _MOST,
        ),
        Budget(
            "`import refund_pipeline.definitions` over `import dagster`",
            f"≤ {_MOST} s",
            f"{statistics.median(imports):.2f} s",
            statistics.median(imports) <= _MOST,
        ),
    )
    return Result(_HEADINGS, tuple(rows), budgets)


def _medians(runs: list[JobRun]) -> tuple[float, float]:
    return statistics.median(one.took for one in runs), statistics.median(one.cpu for one in runs)
