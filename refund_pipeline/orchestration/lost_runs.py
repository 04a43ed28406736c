"""Runs whose process has gone without anybody noticing: failed here, so that Dagster tries again.

A run is a child of the code server, which reports a child's death: unless it died as well, or could
not reach Dagster's storage at that moment. Dagster then takes the run for running until
`max_runtime_seconds`; no other run of its day begins, and its pool slot keeps others from posting.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import dagster as dg

_INTERVAL = 30
_LAUNCHED_BY_CODE_SERVER = ".dagster/grpc_info"
_CHILD_OF_CODE_SERVER = b"multiprocessing"
"""In the command line of every process that Python's multiprocessing makes, as the server's are."""
_PROCESSES = Path("/proc")
_DEAD = frozenset("ZX")


@dg.sensor(
    name="lost_runs_sensor",
    minimum_interval_seconds=_INTERVAL,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Fails runs whose process is gone although Dagster takes them for running: after a "
    "crash of the machine or of the code server. Dagster then tries them again. Requests no run.",
)
def lost_runs_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Look for the processes of our running runs; a tick runs in the code server, beside them."""
    if not (_PROCESSES / "self" / "stat").exists():
        return dg.SkipReason("this system does not show its processes in /proc")
    origin = context.code_location_origin
    location = origin.location_name if origin else None
    lost = list(fail_lost_runs(context.instance, location=location))
    for run_id in lost:
        context.log.warning("The process of run %s is gone; the run is failed.", run_id)
    return dg.SkipReason(f"{len(lost)} run(s) without a process")


def fail_lost_runs(instance: dg.DagsterInstance, *, location: str | None) -> Iterator[str]:
    """Fail the runs of a code location whose process is gone, and yield their ids.

    Runs that were launched otherwise (a shell, Kubernetes) have their process elsewhere.
    """
    running = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    ours = [run for run in running if _is_child_of(location, run)]
    for run_id in _without_process(instance, ours):
        # Once its process is gone a run changes no more; before, it may just have ended.
        run = instance.get_run_by_id(run_id)
        if run is not None and run.status is dg.DagsterRunStatus.STARTED:
            instance.report_run_failed(
                run,
                "The process of this run is gone: the machine or the code server crashed. Nothing "
                "is lost, the next run of the day goes on.",
            )
            yield run_id


def _is_child_of(location: str | None, run: dg.DagsterRun) -> bool:
    origin = run.remote_job_origin
    return (
        _LAUNCHED_BY_CODE_SERVER in run.tags
        and origin is not None
        and origin.repository_origin.code_location_origin.location_name == location
    )


def _without_process(instance: dg.DagsterInstance, runs: Iterable[dg.DagsterRun]) -> Iterator[str]:
    """Yield the ids of runs whose process is gone.

    Numbers of processes are used again, soon so in a container that has restarted: one belongs to
    the run that wrote it down last.
    """
    latest: dict[int, tuple[float, str]] = {}
    for run in runs:
        found = _process_of(instance, run.run_id)
        if found is None:
            continue
        pid, noted_at = found
        if pid in latest:
            yield min(latest[pid], (noted_at, run.run_id))[1]
        latest[pid] = max(latest.get(pid, (noted_at, run.run_id)), (noted_at, run.run_id))
    for pid, (_, run_id) in latest.items():
        if not _is_alive(pid):
            yield run_id


def _process_of(instance: dg.DagsterInstance, run_id: str) -> tuple[int, float] | None:
    """Return the process a run is in, as it wrote it down when it began, and when that was."""
    events = instance.get_records_for_run(
        run_id, of_type=dg.DagsterEventType.ENGINE_EVENT, limit=20, ascending=True
    )
    for record in events.records:
        event = record.event_log_entry.dagster_event
        noted = event.engine_event_data.metadata.get("pid") if event else None
        if noted is not None:
            return int(str(noted.value)), record.event_log_entry.timestamp
    return None


def _is_alive(pid: int) -> bool:
    place = _PROCESSES / str(pid)
    try:
        state = (place / "stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1]
        command = (place / "cmdline").read_bytes()
    except OSError:
        return False
    return state.split()[0] not in _DEAD and _CHILD_OF_CODE_SERVER in command
