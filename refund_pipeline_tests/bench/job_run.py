"""One run of the real job in this process, with Dagster's own storage, and how long each step took.

To be called in a process of its own: it changes the environment and imports the definitions.
"""

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

SETTINGS = Path(__file__).resolve().parents[2] / "dagster.yaml"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, slots=True)
class JobRun:
    """Seconds: the run and each of its steps.

    `cpu` is what this process computed meanwhile: it tells on a machine that others use, too.
    """

    took: float
    cpu: float
    steps: Mapping[str, float]


def _range(days: Sequence[date]) -> dict[str, str]:
    return {
        "dagster/asset_partition_range_start": days[0].isoformat(),
        "dagster/asset_partition_range_end": days[-1].isoformat(),
    }


def import_ours() -> float:
    """Return the seconds of importing our definitions, once Dagster is there."""
    import_module("dagster")
    started = time.perf_counter()
    import_module("refund_pipeline.definitions")
    return time.perf_counter() - started


def run_day(environment: Mapping[str, str], home: Path, day: date) -> JobRun:
    """Run a landing day.

    Raises:
        RuntimeError: the run failed.
    """
    return _run(environment, home, [day], "refund_pipeline.definitions", "sync_refunds")


def run_empty(environment: Mapping[str, str], home: Path, day: date) -> JobRun:
    """Run a job of as many steps and checks, which do nothing."""
    return _run(environment, home, [day], "refund_pipeline_tests.bench.empty_job", "empty")


def run_range(environment: Mapping[str, str], home: Path, days: Sequence[date]) -> JobRun:
    """Run several landing days that follow each other, in one run."""
    return _run(environment, home, days, "refund_pipeline_tests.bench.ranged_job", "ranged")


def _run(
    environment: Mapping[str, str], home: Path, days: Sequence[date], module: str, name: str
) -> JobRun:
    home.mkdir(exist_ok=True)
    shutil.copy(SETTINGS, home)
    with mock.patch.dict(os.environ, {**environment, "DAGSTER_HOME": str(home)}):
        dg: Any = import_module("dagster")
        with dg.DagsterInstance.get() as instance:  # before the definitions, as in a run's process
            job = import_module(module).defs.resolve_job_def(name)
            started, computed = time.perf_counter(), time.process_time()
            result = job.execute_in_process(
                instance=instance,
                partition_key=days[0].isoformat() if len(days) == 1 else None,
                tags=_range(days) if len(days) > 1 else {},
                run_config=QUIET,
                raise_on_error=False,
            )
            took, cpu = time.perf_counter() - started, time.process_time() - computed
            if not result.success:
                raise RuntimeError(f"the run of {days[0]} failed")
            steps = {
                one.step_key: (one.end_time or 0) - (one.start_time or 0)
                for one in instance.get_run_step_stats(result.run_id)
            }
    return JobRun(took, cpu, steps)
