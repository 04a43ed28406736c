"""What Dagster shows to the watch: runs retried by Dagster's own daemon, and its sensor ticks."""

import logging
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest
from dagster._cli.job import _create_run
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceLoadTarget
from dagster._daemon.auto_run_reexecution.event_log_consumer import (
    DAGSTER_EVENT_TYPES,
    EventLogConsumerDaemon,
    _persist_cursors,
)
from dagster._utils.error import SerializableErrorInfo

from refund_pipeline.domain.standing import FailedRun, SensorTicks
from refund_pipeline.orchestration.dagster_view import RETRY_WITHIN, InstanceView
from refund_pipeline.steps.watching import DagsterUnreadable
from refund_pipeline_tests.orchestration import failing_jobs

DAY = "2026-11-20"
KEY = f"run_failed:sync_refunds:{DAY}"
LOCATION = "acme"


class InThisProcess(WorkspaceLoadTarget):
    def __init__(self, location: str = LOCATION) -> None:
        self._location = location

    def create_origins(self):
        target = LoadableTargetOrigin(
            executable_path=sys.executable, python_file=failing_jobs.__file__, attribute="defs"
        )
        return [InProcessCodeLocationOrigin(target, location_name=self._location)]


class Shown:
    """What the view shows of an instance, now or later."""

    def __init__(self, instance: dg.DagsterInstance, plan: Path) -> None:
        self.instance = instance
        self._plan = plan
        self.later = timedelta(0)

    def plan(self, *outcomes: str) -> None:
        self._plan.write_text("\n".join(outcomes))

    def now(self) -> datetime:
        return datetime.now(timezone.utc) + self.later

    def view(self, *lasting: str, location: str = LOCATION) -> list[FailedRun]:
        view = InstanceView.of(self.instance, location=location, clock=self.now)
        return list(view.failed_runs(lasting=frozenset(lasting)))

    def run_count(self) -> int:
        return self.instance.get_runs_count()


class Shell(Shown):
    """Runs as a person starts them at a shell, in memory."""

    def run(self, job: str = "sync_refunds", *, partition: str = DAY, outcome: str) -> str:
        self.plan(outcome)
        result = failing_jobs.JOBS[job].execute_in_process(
            instance=self.instance,
            tags={"dagster/partition": partition} if partition else {},
            raise_on_error=False,
        )
        return result.run_id


class Stage(Shown):
    """Dagster with its launcher and its retry daemon, all in this process."""

    def __init__(self, instance: dg.DagsterInstance, plan: Path, workspace) -> None:
        super().__init__(instance, plan)
        self._workspace = workspace
        self._daemon = EventLogConsumerDaemon()
        _persist_cursors(instance, dict.fromkeys(DAGSTER_EVENT_TYPES, 0))

    def launch(self, job: str = "sync_refunds", partition: str = DAY, **tags: str) -> str:
        request = self._workspace.create_request_context()
        location = request.get_code_location(LOCATION)
        repository = next(iter(location.get_repositories().values()))
        run = _create_run(
            self.instance,
            location,
            repository,
            repository.get_full_job(job),
            run_config={},
            tags={"dagster/partition": partition, **tags},
            op_selection=None,
            run_id=None,
        )
        self.instance.submit_run(run.run_id, request)
        return run.run_id

    def let_daemon_look(self) -> None:
        for _ in self._daemon.run_iteration(self._workspace):
            pass


@pytest.fixture
def plan(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv(failing_jobs.PLAN, str(tmp_path / "plan"))
    monkeypatch.setattr(logging.getLogger("dagster"), "disabled", True)
    return tmp_path / "plan"


@pytest.fixture(scope="module")
def instance_and_workspace(tmp_path_factory) -> Iterator[tuple]:
    launcher = {
        "module": "dagster._core.launcher.sync_in_memory_run_launcher",
        "class": "SyncInMemoryRunLauncher",
    }
    coordinator = {"module": "dagster._core.run_coordinator", "class": "DefaultRunCoordinator"}
    with (
        dg.instance_for_test(
            temp_dir=str(tmp_path_factory.mktemp("dagster")),
            overrides={
                "run_launcher": launcher,
                "run_coordinator": coordinator,
                "run_retries": {"enabled": True},
            },
        ) as instance,
        WorkspaceProcessContext(instance, InThisProcess()) as workspace,
    ):
        yield instance, workspace


@pytest.fixture
def stage(instance_and_workspace, plan) -> Stage:
    instance, workspace = instance_and_workspace
    instance.wipe()
    instance.schedule_storage.wipe()
    return Stage(instance, plan, workspace)


@pytest.fixture
def shell(plan) -> Iterator[Shell]:
    with dg.DagsterInstance.ephemeral(settings={"run_retries": {"enabled": True}}) as instance:
        yield Shell(instance, plan)


def test_a_run_is_silent_until_its_last_retry_fails_and_a_success_clears_it(stage) -> None:
    stage.plan("outage", "outage", "outage")
    stage.launch()
    for _ in range(2):
        assert stage.view() == []
        stage.let_daemon_look()
    assert stage.run_count() == 3
    (failed,) = stage.view()
    assert (failed.job, failed.partition, failed.given_up) == ("sync_refunds", DAY, False)
    assert failed.why == "NetSuite answered 503; a later run tries again"
    stage.let_daemon_look()
    assert stage.run_count() == 3
    assert [run.job for run in stage.view(location="")] == ["sync_refunds"]
    assert stage.view(location="globex") == []
    stage.plan("well")
    stage.launch()
    assert stage.view(KEY) == []


def test_a_retry_that_succeeds_is_never_news(stage) -> None:
    stage.plan("outage", "well")
    stage.launch()
    stage.let_daemon_look()
    assert stage.run_count() == 2
    stage.later = RETRY_WITHIN * 2
    assert stage.view(KEY) == []


def test_a_run_that_will_be_retried_hides_no_failure_before_it_and_is_news_if_no_retry_comes(
    stage,
) -> None:
    stage.plan("outage", "outage")
    first = stage.launch(**{"dagster/max_retries": "0"})
    second = stage.launch()
    stage.later = RETRY_WITHIN - timedelta(minutes=1)
    assert [run.run_id for run in stage.view()] == [first]
    stage.later = RETRY_WITHIN + timedelta(minutes=1)
    assert [(run.run_id, run.given_up) for run in stage.view()] == [(second, True)]


def test_a_run_whose_retry_is_on_its_way_is_silent_however_long_that_takes(stage) -> None:
    stage.plan("outage")
    run_id = stage.launch()
    stage.instance.add_run_tags(run_id, {"dagster/auto_retry_run_id": "queued"})
    stage.later = RETRY_WITHIN * 2
    assert stage.view() == []


def test_a_run_nothing_is_decided_about_yet_is_silent(stage) -> None:
    stage.plan("refusal")
    run_id = stage.launch()
    assert len(stage.view()) == 1
    stage.instance.add_run_tags(run_id, {"dagster/will_retry": ""})
    assert stage.view() == []


def test_a_refusal_fails_for_good_at_once_and_says_our_sentence(shell) -> None:
    run_id = shell.run(outcome="refusal")
    (failed,) = shell.view()
    assert (failed.run_id, failed.why) == (run_id, "NetSuite refuses the credentials")


def test_what_a_defect_says_stays_in_dagster(shell) -> None:
    shell.run("watch_subscription", partition="", outcome="defect")
    (failed,) = shell.view()
    assert (failed.job, failed.partition, failed.why) == ("watch_subscription", "", "")


def test_a_success_of_another_day_or_another_job_clears_nothing(shell) -> None:
    shell.run(outcome="refusal")
    shell.run(partition="2026-11-21", outcome="well")
    shell.run("watch_subscription", partition="", outcome="well")
    assert [run.partition for run in shell.view()] == [DAY]
    shell.run(outcome="well")
    assert shell.view(KEY) == []


def test_a_success_before_the_failure_clears_nothing_though_it_is_touched_later(shell) -> None:
    well = shell.run(outcome="well")
    shell.run(outcome="refusal")
    shell.instance.report_engine_event("looked at", shell.instance.get_run_by_id(well))
    shell.instance.add_run_tags(well, {"seen": "yes"})
    assert len(shell.view()) == 1


def test_each_day_is_a_failure_of_its_own(shell) -> None:
    for partition in (DAY, "2026-11-21", DAY):
        shell.run(partition=partition, outcome="refusal")
    assert sorted(run.partition for run in shell.view()) == [DAY, "2026-11-21"]


def test_a_failure_that_lasts_is_seen_however_old_it_is(shell) -> None:
    shell.run(outcome="refusal")
    shell.run("watch_subscription", partition="", outcome="refusal")
    shell.later = timedelta(days=30)
    assert shell.view() == []
    found = shell.view(KEY, "subscription", "held:overpaid", "run_failed:sync_refunds:2026-01-01")
    assert {run.job for run in found} == {"sync_refunds", "watch_subscription"}


def test_jobs_of_other_projects_are_not_ours(shell) -> None:
    shell.run("somebody_elses", partition="", outcome="refusal")
    assert shell.view() == []


def test_a_run_started_at_a_shell_is_not_retried_so_it_is_news_at_once(shell) -> None:
    shell.run(outcome="outage")
    assert shell.instance.get_runs()[0].tags["dagster/will_retry"] == "true"
    assert [(run.partition, run.given_up) for run in shell.view()] == [(DAY, False)]


def test_without_run_retries_every_failure_is_for_good(plan) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        shell = Shell(instance, plan)
        shell.run(outcome="outage")
        assert len(shell.view()) == 1


def test_materializing_all_by_hand_is_made_good_by_the_job(shell) -> None:
    """And not the other way round: it may have been a part only."""
    for failing, succeeding, left in (
        ("__ASSET_JOB", "sync_refunds", 0),
        ("sync_refunds", "__ASSET_JOB", 1),
    ):
        partition = f"2026-01-0{left + 1}"
        shell.run(failing, partition=partition, outcome="refusal")
        shell.run(succeeding, partition=partition, outcome="well")
        assert len([run for run in shell.view() if run.partition == partition]) == left


# the landing sensor


class Sensor:
    """The landing sensor's rows in Dagster's storage, as its daemon writes them."""

    def __init__(self, stage: Stage, *, location: str = LOCATION) -> None:
        self._instance = stage.instance
        (code,) = InThisProcess(location).create_origins()
        repository = RemoteRepositoryOrigin(code, "__repository__")
        self.origin = repository.get_instigator_origin("landing_bucket_sensor")

    def is_set(self, status: InstigatorStatus, *, started: float, ticked: float | None) -> None:
        data = SensorInstigatorData(
            last_sensor_start_timestamp=started, last_tick_start_timestamp=ticked
        )
        state = InstigatorState(self.origin, InstigatorType.SENSOR, status, data)
        self._instance.add_instigator_state(state)

    def ticked(self, at: float, status: TickStatus) -> None:
        self._instance.create_tick(
            TickData(
                instigator_origin_id=self.origin.get_id(),
                selector_id=self.origin.get_selector().get_id(),
                instigator_name="landing_bucket_sensor",
                instigator_type=InstigatorType.SENSOR,
                status=status,
                timestamp=at,
                run_ids=[],
                error=SerializableErrorInfo("broken", [], None)
                if status is TickStatus.FAILURE
                else None,
            )
        )


def at(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, tz=timezone.utc)


def ticks(stage: Stage, *, location: str = LOCATION) -> SensorTicks:
    view = InstanceView.of(stage.instance, location=location, clock=stage.now)
    return view.landing_sensor()


def test_a_sensor_dagster_does_not_know_never_ticked(stage) -> None:
    assert ticks(stage) == SensorTicks(None, None, None, stopped=False)


def test_the_last_good_tick_is_told_from_those_that_failed_or_never_ended(stage) -> None:
    sensor = Sensor(stage)
    sensor.is_set(InstigatorStatus.DECLARED_IN_CODE, started=1000.0, ticked=1400.0)
    for moment, status in (
        (1100.0, TickStatus.SUCCESS),
        (1200.0, TickStatus.SKIPPED),
        (1300.0, TickStatus.FAILURE),
        (1400.0, TickStatus.STARTED),
    ):
        sensor.ticked(moment, status)
    assert ticks(stage) == SensorTicks(at(1400), at(1200), at(1000), stopped=False)


def test_a_sensor_a_person_stopped_says_so(stage) -> None:
    sensor = Sensor(stage)
    sensor.is_set(InstigatorStatus.STOPPED, started=1000.0, ticked=None)
    assert ticks(stage) == SensorTicks(None, None, at(1000), stopped=True)


def test_of_several_code_locations_ours_is_looked_at_or_the_one_that_ticked_last(stage) -> None:
    for location, moment in ((LOCATION, 1100.0), ("globex", 1200.0)):
        sensor = Sensor(stage, location=location)
        sensor.is_set(InstigatorStatus.RUNNING, started=1000.0, ticked=moment)
        sensor.ticked(moment, TickStatus.SKIPPED)
    assert ticks(stage).last_good == at(1100)
    assert ticks(stage, location="").last_good == at(1200)


def test_a_dagster_that_cannot_be_opened_is_unreadable_and_says_no_secret(monkeypatch) -> None:
    def fails():
        raise OSError("postgresql://user:s3cret@host")

    for opener in (fails, lambda: nullcontext(None)):
        view = InstanceView(opener, location="", clock=lambda: at(0))
        for question in (
            view.landing_sensor,
            lambda view=view: view.failed_runs(lasting=frozenset()),
        ):
            with pytest.raises(DagsterUnreadable) as caught:
                question()
            assert "s3cret" not in str(caught.value)


def test_the_dagster_of_dagster_home_is_opened_and_closed(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    view = InstanceView.of_home(location="", clock=lambda: at(0))
    assert view.failed_runs(lasting=frozenset()) == []
    assert view.landing_sensor().last is None
    assert list(tmp_path.iterdir())
