"""One run of the real job in this process, with Dagster's own storage, and how long each step took.

To be called in a process of its own: it changes the environment and imports the definitions.
"""

import os
import shutil
import time
from collections.abc import Mapping
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
    """Seconds: imports of Dagster and of ours after it, the run, and each of its steps."""

    dagster_imported: float
    ours_imported: float
    took: float
    steps: Mapping[str, float]


def run_day(environment: Mapping[str, str], home: Path, day: date) -> JobRun:
    """Run a landing day.

    Raises:
        RuntimeError: the run failed.
    """
    return _run(environment, home, day, "refund_pipeline.definitions", "sync_refunds")


def run_empty(environment: Mapping[str, str], home: Path, day: date) -> JobRun:
    """Run a job of as many steps and checks, which do nothing."""
    return _run(environment, home, day, "refund_pipeline_tests.bench.empty_job", "empty")


def _run(environment: Mapping[str, str], home: Path, day: date, module: str, name: str) -> JobRun:
    home.mkdir(exist_ok=True)
    shutil.copy(SETTINGS, home)
    with mock.patch.dict(os.environ, {**environment, "DAGSTER_HOME": str(home)}):
        started = time.perf_counter()
        dg: Any = import_module("dagster")
        dagster_imported = time.perf_counter() - started
        started = time.perf_counter()
        job = import_module(module).defs.resolve_job_def(name)
        ours_imported = time.perf_counter() - started
        with dg.DagsterInstance.get() as instance:
            started = time.perf_counter()
            result = job.execute_in_process(
                instance=instance,
                partition_key=day.isoformat(),
                run_config=QUIET,
                raise_on_error=False,
            )
            took = time.perf_counter() - started
            if not result.success:
                raise RuntimeError(f"the run of {day} failed")
            steps = {
                one.step_key: (one.end_time or 0) - (one.start_time or 0)
                for one in instance.get_run_step_stats(result.run_id)
            }
    return JobRun(dagster_imported, ours_imported, took, steps)
