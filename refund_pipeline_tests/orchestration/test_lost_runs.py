"""Runs whose process is gone: failed, so that Dagster retries them. The processes here are real."""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.utils import make_new_run_id

from refund_pipeline.orchestration.lost_runs import fail_lost_runs, lost_runs_sensor

HERE = "acme"
STARTED, FAILURE = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.FAILURE
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc, so does the sensor")


def origin(location: str) -> InProcessCodeLocationOrigin:
    return InProcessCodeLocationOrigin(LoadableTargetOrigin(), location_name=location)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test(
        overrides={"run_retries": {"enabled": True}, "telemetry": {"enabled": False}}
    ) as opened:
        yield opened


@pytest.fixture
def spawn() -> Iterator[Callable[[], BaseProcess]]:
    """Start processes as the code server starts its runs; they wait until they are killed."""
    children: list[BaseProcess] = []

    def start() -> BaseProcess:
        child = multiprocessing.get_context("spawn").Process(target=signal.pause)
        child.start()
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.join()


def run_in(
    instance: dg.DagsterInstance,
    pid: int | None,
    *,
    location: str = HERE,
    launched_by: str = ".dagster/grpc_info",
) -> str:
    run = instance.create_run_for_job(
        dg.GraphDefinition(name="sync_refunds").to_job(),
        run_id=make_new_run_id(),
        status=STARTED,
        tags={launched_by: "{}", "dagster/max_retries": "3"},
        remote_job_origin=RemoteJobOrigin(
            RemoteRepositoryOrigin(origin(location), "__repository__"), "sync_refunds"
        ),
    )
    if pid is not None:
        began = f"Started process for run (pid: {pid})."
        instance.report_engine_event(began, run, EngineEventData.in_process(pid))
    return run.run_id


def lost(instance: dg.DagsterInstance) -> list[str]:
    return list(fail_lost_runs(instance, location=HERE))


def test_a_run_is_failed_once_its_process_is_gone_and_dagster_will_retry_it(
    instance, spawn
) -> None:
    process = spawn()
    run_id = run_in(instance, process.pid)
    assert lost(instance) == []
    process.kill()
    process.join()
    assert lost(instance) == [run_id]
    run = instance.get_run_by_id(run_id)
    assert run.status is FAILURE
    assert run.tags["dagster/will_retry"] == "true"
    assert lost(instance) == [], "it is failed once"


def test_a_dead_process_that_its_code_server_does_not_notice_is_gone(instance, spawn) -> None:
    process = spawn()
    run_id = run_in(instance, process.pid)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie: nobody took it in
    assert lost(instance) == [run_id]


def test_another_programs_process_of_the_same_number_is_not_the_runs(instance) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        assert lost(instance) == []
        run_id = run_in(instance, other.pid)
        assert lost(instance) == [run_id]
        other.kill()


def test_a_process_of_the_same_number_belongs_to_the_run_that_began_last(instance, spawn) -> None:
    process = spawn()
    earlier = run_in(instance, process.pid)
    later = run_in(instance, process.pid)
    assert lost(instance) == [earlier]
    assert instance.get_run_by_id(later).status is STARTED


@pytest.mark.parametrize(
    "how",
    [
        {"location": "another tenant's"},
        {"launched_by": "launched/elsewhere"},
        {"pid": None},
    ],
)
def test_runs_whose_process_is_elsewhere_or_unknown_are_left_alone(instance, spawn, how) -> None:
    gone = spawn()
    gone.kill()
    gone.join()
    run_in(instance, **{"pid": gone.pid, **how})
    assert lost(instance) == []


def test_the_sensor_looks_after_the_runs_of_its_own_code_location(instance, spawn) -> None:
    gone = spawn()
    gone.kill()
    gone.join()
    run_id = run_in(instance, gone.pid)
    for location, count in (("another tenant's", 0), (HERE, 1)):
        context = dg.build_sensor_context(instance=instance)
        context._code_location_origin = origin(location)
        assert lost_runs_sensor(context).skip_message == f"{count} run(s) without a process"
    assert instance.get_run_by_id(run_id).status is FAILURE
