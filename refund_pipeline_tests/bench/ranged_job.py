"""The five steps as assets that take several landing days in a run (`BackfillPolicy.multi_run`).

The pipeline's own assets take one day per run; these are what they are compared with.
"""

import contextlib
import os
from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path

import dagster as dg

from refund_pipeline.orchestration.partitions import day_of, landing_days
from refund_pipeline_tests.bench.steps import Steps, opened

LEDGER = "BENCH_LEDGER"
"""The variable that names the ledger's file."""
_MOST = 91
_SEED = 7
_OPEN = contextlib.ExitStack()
_STEPS: dict[str, Callable[[Steps, date], object]] = {
    "read": Steps.read,
    "fetch": Steps.fetch,
    "build": Steps.build,
    "post": lambda steps, day: steps.post(day, concurrency=2),
    "compare": Steps.compare,
}


@cache
def _steps() -> Steps:
    return _OPEN.enter_context(opened(os.environ, Path(os.environ[LEDGER]), _SEED))


def _ranged(
    name: str, step: Callable[[Steps, date], object], deps: list[dg.AssetsDefinition]
) -> dg.AssetsDefinition:
    @dg.asset(
        name=name,
        partitions_def=landing_days(date(2025, 1, 1)),
        deps=deps,
        backfill_policy=dg.BackfillPolicy.multi_run(_MOST),
    )
    def _asset(context: dg.AssetExecutionContext) -> None:
        for key in context.partition_keys:
            step(_steps(), day_of(key))

    return _asset


def _definitions() -> dg.Definitions:
    assets: list[dg.AssetsDefinition] = []
    for name, step in _STEPS.items():
        assets.append(_ranged(name, step, assets[-1:]))
    job = dg.define_asset_job("ranged", selection=assets, executor_def=dg.in_process_executor)
    return dg.Definitions(assets=assets, jobs=[job])


defs = _definitions()
