"""A very large landing day through the real job, against a sandbox that answers at once.

Beside it a day of 100,000 that is done, its ledger filled without the steps: a rerun at every size.
"""

from datetime import timedelta

from refund_pipeline_tests.bench.full_ledger import LAST_DAY, grow, new_ledger
from refund_pipeline_tests.bench.job_run import JobRun, run_day
from refund_pipeline_tests.bench.own_process import measured
from refund_pipeline_tests.bench.results import Budget, Result, Settings, count
from refund_pipeline_tests.bench.steps import utc_now
from refund_pipeline_tests.bench.world import other_world

_STEPS = (
    *("refund_events", "order_payments", "refund_transactions", "erp_postings"),
    "refund_reconciliation",
)
_MEMORY, _RERUN = 500.0, 10.0


def big_day(settings: Settings) -> Result:
    """Run the day, then run it again with nothing to do; each run is a process of its own."""
    number = settings.pick(full=100_000, quick=2_000, tiny=3)
    files = settings.pick(full=288, quick=24, tiny=2)
    day = utc_now().date() - timedelta(days=1)
    home = settings.place / "home"
    with other_world(settings.seed, settings.place) as world:
        environment = {
            **world.environment(str(settings.place / "mapping.yaml")),
            "REFUNDS_LEDGER_URL": f"sqlite:///{settings.place / 'ledger.db'}",
            "NETSUITE_CONCURRENCY": "15",
        }
        world.land(day, number, files=files)
        world.read_meter()
        first, _, peak = measured(run_day, environment, home, day)
        meter, records = world.read_meter(), world.records()
        again, _, peak_again = measured(run_day, environment, home, day)
        assert records == world.records() == (number, number)
        idle = world.read_meter()
        done = settings.pick(full=100_000, quick=100_000, tiny=10)
        ledger_file = settings.place / "done.db"
        new_ledger(ledger_file).close()
        grow(ledger_file, begin=0, end=done, per_day=done)
        filled = {**environment, "REFUNDS_LEDGER_URL": f"sqlite:///{ledger_file}"}
        rerun, _, peak_rerun = measured(run_day, filled, home, LAST_DAY)
        assert not world.read_meter().erp_requests
    rows = (
        _row(f"{count(number)} refunds", first, peak, meter.erp_requests),
        _row("again, with nothing to do", again, peak_again, idle.erp_requests),
        _row(f"{count(done)} refunds that are done, again", rerun, peak_rerun, 0),
    )
    budgets = (
        Budget(
            f"memory of a run of {count(number)} refunds",
            f"< {_MEMORY:.0f} MB",
            f"{peak:.0f} MB",
            peak < _MEMORY,
        ),
        Budget(
            f"rerun of {count(done)} refunds with nothing to do",
            f"≤ {_RERUN:.0f} s",
            f"{rerun.took:.1f} s",
            rerun.took <= _RERUN,
        ),
    )
    headings = (
        *("landing day", "seconds", "of CPU", *(f"`{name}`" for name in _STEPS)),
        *("ERP requests", "peak memory"),
    )
    return Result(headings, rows, budgets)


def _row(name: str, run: JobRun, peak: float, requests: int) -> tuple[object, ...]:
    return (
        *(
            name,
            f"{run.took:.1f}",
            f"{run.cpu:.1f}",
            *(f"{run.steps[step]:.1f}" for step in _STEPS),
        ),
        *(count(requests), f"{peak:.0f} MB"),
    )
