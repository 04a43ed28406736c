"""The one job: a landing day in one process, retried from the start (decisions 3 and 8)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from refund_pipeline.orchestration.failures import (
    MAX_RETRIES_TAG,
    RETRY_STRATEGY_TAG,
    stop_run_retries,
)

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )

SYNC_REFUNDS = "sync_refunds"


def sync_refunds_job(assets: Sequence[dg.AssetsDefinition]) -> "UnresolvedAssetJobDefinition":
    """Return the job that brings one landing day up to date."""
    return dg.define_asset_job(
        SYNC_REFUNDS,
        selection=list(assets),
        description=(
            "Brings one landing day up to date: reads what landed, asks NewStore, posts what is "
            "proven, reconciles. Always safe to run again."
        ),
        executor_def=dg.in_process_executor,
        hooks={stop_run_retries},
        tags={MAX_RETRIES_TAG: "3", RETRY_STRATEGY_TAG: "ALL_STEPS"},
    )
