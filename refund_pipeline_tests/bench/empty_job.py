"""Five assets and five checks that do nothing, partitioned and run as ours: Dagster's own time."""

import warnings
from datetime import date

import dagster as dg

from refund_pipeline.orchestration.partitions import landing_days

_PARTITIONS = landing_days(date(2025, 1, 1))
_CHECKS = (1, 0, 1, 0, 3)
"""How many checks each of our assets has."""


def _empty(number: int, deps: list[dg.AssetsDefinition]) -> dg.AssetsDefinition:
    names = [f"check_{number}_{one}" for one in range(_CHECKS[number])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        specs = [
            dg.AssetCheckSpec(name, asset=f"empty_{number}", partitions_def=_PARTITIONS)
            for name in names
        ]

    @dg.asset(name=f"empty_{number}", partitions_def=_PARTITIONS, deps=deps, check_specs=specs)
    def _asset() -> dg.MaterializeResult:
        return dg.MaterializeResult(
            metadata={"number": number},
            check_results=[dg.AssetCheckResult(check_name=name, passed=True) for name in names],
        )

    return _asset


def _definitions() -> dg.Definitions:
    assets: list[dg.AssetsDefinition] = []
    for number in range(len(_CHECKS)):
        assets.append(_empty(number, assets[-1:]))
    job = dg.define_asset_job("empty", selection=assets, executor_def=dg.in_process_executor)
    return dg.Definitions(assets=assets, jobs=[job])


defs = _definitions()
