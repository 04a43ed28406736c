"""Which runs of Dagster can go: nothing prunes them by itself, and the ledger is what proves.

Dagster reads a partition's state from the events of its runs, so the newest good run of each
landing day stays, and of each job the newest good run.
"""

from collections.abc import Sequence
from datetime import datetime

import dagster as dg

_PAGE = 1_000
_MOST = 20_000
"""Runs that go at once; the next launch goes on."""
_FINISHED = (
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
)
_PARTITION_TAG = "dagster/partition"


def finished_runs(instance: dg.DagsterInstance, *, before: datetime) -> list[str]:
    """Return the ids of finished runs made before `before` (aware) that nothing needs, oldest."""
    kept: set[tuple[str, str | None]] = set()
    found: list[str] = []
    cursor: str | None = None
    while True:  # newest first
        page = instance.get_run_records(
            filters=dg.RunsFilter(statuses=list(_FINISHED)), limit=_PAGE, cursor=cursor
        )
        for record in page:
            run = record.dagster_run
            is_good = run.status is dg.DagsterRunStatus.SUCCESS
            key = (run.job_name, run.tags.get(_PARTITION_TAG))
            if is_good and key not in kept:
                kept.add(key)
            elif record.create_timestamp < before:
                found.append(run.run_id)
        if len(page) < _PAGE:
            return found[::-1][:_MOST]
        cursor = page[-1].dagster_run.run_id


def prune_runs(instance: dg.DagsterInstance, run_ids: Sequence[str]) -> None:
    """Delete runs with their events and what they printed."""
    for run_id in run_ids:
        instance.compute_log_manager.delete_logs(prefix=[run_id, "compute_logs"])
        instance.delete_run(run_id)
