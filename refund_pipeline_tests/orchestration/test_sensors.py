"""What the sensors ask of Dagster and of the ledger: busy days, and nothing before the start."""

import uuid
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from refund_pipeline.definitions import build_definitions
from refund_pipeline.gateways.landing_bucket import LandingBucket
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.orchestration.resources import (
    Clock,
    LedgerResource,
)
from refund_pipeline.orchestration.sensors import (
    busy_days,
    outstanding_refunds_sensor,
    unread_files,
)
from refund_pipeline_tests.fakes import DAY, NOON, event, event_line
from refund_pipeline_tests.gateways.fake_s3 import FakeS3
from refund_pipeline_tests.gateways.ledger_makers import file_named, land

BEFORE = DAY - timedelta(days=1)
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
ORIGIN = RemoteRepositoryOrigin(
    InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="refund_pipeline.definitions")),
    "__repository__",
).get_job_origin("sync_refunds")
"""Where a run came from, without which Dagster has no queued run."""
RETRIED = {"dagster/will_retry": "true"}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def has_run(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus, key: str | None, **tags: str
) -> None:
    partition = {} if key is None else {"dagster/partition": key}
    instance.add_run(
        dg.DagsterRun(
            job_name="sync_refunds",
            run_id=str(uuid.uuid4()),
            status=status,
            tags=partition | tags,
            remote_job_origin=ORIGIN,
        )
    )


@pytest.mark.parametrize("status", UNFINISHED, ids=lambda status: status.value)
def test_a_run_that_is_not_finished_makes_its_day_busy(instance, status) -> None:
    has_run(instance, status, DAY.isoformat())
    has_run(instance, status, None)
    assert busy_days(instance) == {DAY}


@pytest.mark.parametrize(
    "status",
    [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED],
    ids=lambda status: status.value,
)
def test_a_run_that_is_finished_makes_no_day_busy(instance, status) -> None:
    has_run(instance, status, DAY.isoformat())
    assert busy_days(instance) == set()


def test_a_failed_run_makes_its_day_busy_until_dagster_has_retried_it(instance) -> None:
    has_run(instance, dg.DagsterRunStatus.FAILURE, DAY.isoformat(), **RETRIED)
    done = RETRIED | {"dagster/auto_retry_run_id": "another"}
    has_run(instance, dg.DagsterRunStatus.FAILURE, BEFORE.isoformat(), **done)
    assert busy_days(instance) == {DAY}


class NoonClock(Clock):
    def now(self) -> datetime:
        return NOON


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    monkeypatch.setenv("REFUNDS_START_DATE", DAY.isoformat())
    book = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock=lambda: NOON)
    yield book
    book.close()


def days_requested(sensor: dg.SensorDefinition, ledger: LedgerResource) -> list[str | None]:
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_sensor_context(
            instance=instance,
            definitions=build_definitions(),
            resources={"clock": NoonClock(), "ledger": ledger},
        ) as context,
    ):
        tick = sensor.evaluate_tick(context)
    return [request.partition_key for request in tick.run_requests or ()]


def key_on(day: date) -> str:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=timezone.utc)
    return f"events/demo/{int(noon.timestamp() * 1000)}-data-x.export"


def test_a_file_of_a_day_before_the_start_is_not_asked_for(ledger) -> None:
    s3 = FakeS3()
    for day in (BEFORE, DAY):
        s3.put(key_on(day), event_line().encode())
    bucket = LandingBucket(
        "s3://landing/events", tenant="demo", client=lambda: s3, clock=lambda: NOON
    )
    (page,) = bucket.since(NOON - timedelta(days=9))
    assert [file.day for file in unread_files(page, ledger, start=DAY)] == [DAY]
    assert [file.day for file in unread_files(page, ledger, start=BEFORE)] == [BEFORE, DAY]


def test_outstanding_refunds_of_days_before_the_start_are_not_asked_for(tmp_path, ledger) -> None:
    for number, day in enumerate((BEFORE, DAY)):
        land(ledger, event(number), file=file_named(str(day), day=day))
    book = LedgerResource(url=f"sqlite:///{tmp_path / 'ledger.db'}")
    assert days_requested(outstanding_refunds_sensor, book) == [DAY.isoformat()]
