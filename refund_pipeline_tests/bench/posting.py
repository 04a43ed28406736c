"""Posting: throughput beside the limit of the ERP's latency, and beside one refund after another.

The sandbox draws its latency as contract netsuite 5.5 has it (POST: median 1.5 s, p99 8 s), scaled.
"""

import time
from datetime import date, timedelta

from refund_pipeline_tests.bench.one_by_one import post_one_by_one
from refund_pipeline_tests.bench.results import Budget, Result, Settings, count
from refund_pipeline_tests.bench.steps import Steps, opened, utc_now
from refund_pipeline_tests.bench.world import World, other_world

_CONCURRENCIES = (5, 15)
_ENOUGH = 0.95
_REQUESTS = 1.1
_HEADINGS = (
    *("posting", "refunds", "limit a second", "refunds a second", "of the limit"),
    *("requests per refund", "times one by one"),
)


def posting(settings: Settings) -> Result:
    """Post one landing day one by one, one per concurrency, and one with no latency at all."""
    scale = settings.pick(full=1 / 4, quick=1 / 20, tiny=1 / 1000)
    alone = settings.pick(full=60, quick=30, tiny=2)
    each = settings.pick(full=200, quick=60, tiny=1)
    today = utc_now().date()
    budgets: list[Budget] = []
    with other_world(settings.seed, settings.place) as world:
        environment = world.environment(str(settings.place / "mapping.yaml"))
        with opened(environment, settings.place / "ledger.db", settings.seed) as steps:
            _make_ready(world, steps, today, alone)
            world.slow_netsuite(scale, settings.seed)
            started = time.monotonic()
            calls = post_one_by_one(steps, today)
            baseline = alone / (time.monotonic() - started)
            rows: list[tuple[object, ...]] = [
                ("one by one", alone, "", f"{baseline:.2f}", "", f"{calls / alone:.1f}", "1")
            ]
            for back, concurrency in enumerate((*_CONCURRENCIES, _CONCURRENCIES[-1]), 1):
                at_once = back > len(_CONCURRENCIES)
                day, number = today - timedelta(days=back), each * concurrency
                world.slow_netsuite(None, settings.seed)
                _make_ready(world, steps, day, number)
                if not at_once:
                    world.slow_netsuite(scale, settings.seed)
                world.read_meter()
                summary = steps.post(day, concurrency=concurrency)
                meter = world.read_meter()
                assert summary.results == {"posted": number}, summary.results
                rate, requests = number / summary.seconds, meter.erp_requests / number
                if at_once:
                    rows.append(
                        (
                            *(f"{concurrency} at a time, answered at once", count(number)),
                            *("our own CPU", f"{rate:.1f}", "", f"{requests:.3f}", ""),
                        )
                    )
                    continue
                limit = concurrency / meter.write_seconds
                rows.append(
                    (
                        *(f"{concurrency} at a time", count(number)),
                        *(f"{limit:.1f}", f"{rate:.1f}", f"{rate / limit:.1%}"),
                        *(f"{requests:.3f}", f"{rate / baseline:.1f}"),
                    )
                )
                budgets += _budgets(concurrency, rate / limit, requests)
    return Result(_HEADINGS, tuple(rows), tuple(budgets))


def _make_ready(world: World, steps: Steps, day: date, number: int) -> None:
    world.land(day, number)
    steps.read(day)
    steps.fetch(day)
    assert steps.build(day).results == {"Ready": number}


def _budgets(concurrency: int, share: float, requests: float) -> list[Budget]:
    return [
        Budget(
            f"posting throughput, {concurrency} at a time",
            f"≥ {_ENOUGH:.0%} of concurrency ÷ latency",
            f"{share:.1%}",
            share >= _ENOUGH,
        ),
        Budget(
            f"ERP requests per posted refund, {concurrency} at a time",
            f"≤ {_REQUESTS}",
            f"{requests:.3f}",
            requests <= _REQUESTS,
        ),
    ]
