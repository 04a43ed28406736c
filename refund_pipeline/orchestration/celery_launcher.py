"""Dagster's Celery run launcher, which also notices that a whole worker is gone.

Celery's own record of a task stays STARTED for ever when the machine of its worker dies, and with
it the run, until Dagster's `max_runtime_seconds`. Only deployments with Celery import this module
(deploy/celery).
"""

from typing import TYPE_CHECKING

from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG
from typing_extensions import override

if TYPE_CHECKING:
    import dagster as dg

_PATIENCE_SECONDS = (2.0, 5.0)
"""How long each of two questions waits: a worker's main process answers while its child works."""


class WatchfulCeleryRunLauncher(CeleryRunLauncher):
    """Launches runs as Celery tasks; a run whose worker does not answer has failed.

    That is safe when the worker lives after all: two runs of a day do not harm each other.
    """

    @override
    def check_run_worker_health(self, run: "dg.DagsterRun") -> CheckRunHealthResult:
        """Ask Celery's record of the task, and then the worker itself."""
        health = super().check_run_worker_health(run)
        if health.status != WorkerStatus.RUNNING:
            return health
        started = self.celery.AsyncResult(run.tags[DAGSTER_CELERY_TASK_ID_TAG]).info
        worker = started.get("hostname") if isinstance(started, dict) else None
        if worker is None or self._answers(str(worker)):
            return health
        return CheckRunHealthResult(WorkerStatus.FAILED, f"The worker {worker} does not answer.")

    def _answers(self, worker: str) -> bool:
        return any(
            self.celery.control.ping(destination=[worker], timeout=seconds)
            for seconds in _PATIENCE_SECONDS
        )
