"""The schedule that looks, and the job that does the same for a person."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest
from dagster._grpc.impl import get_external_schedule_execution

from refund_pipeline.definitions import build_definitions
from refund_pipeline.domain.payments import PaymentsHeld
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.orchestration.watching import WATCH_REFUNDS
from refund_pipeline_tests.fakes import event
from refund_pipeline_tests.gateways.ledger_makers import land, pay
from refund_pipeline_tests.gateways.scripted_server import (
    Reply,
    ScriptedServer,
    scripted_server,
)

SCHEDULE = "watch_refunds_schedule"
OK = Reply(200, b"ok")


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running


@pytest.fixture(scope="module")
def instance(tmp_path_factory) -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test(temp_dir=str(tmp_path_factory.mktemp("dagster"))) as made:
        yield made


@pytest.fixture
def ledger(tmp_path: Path, server, instance, monkeypatch) -> Iterator[Ledger]:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    server.say(OK)
    variables = {
        "DAGSTER_HOME": str(tmp_path),
        "REFUNDS_TENANT": "acme",
        "REFUNDS_LANDING_URL": "s3://landing/events",
        "REFUNDS_LEDGER_URL": url,
        "REFUNDS_START_DATE": datetime.now(timezone.utc).date().isoformat(),
        "REFUNDS_ALERTS": f"{server.url}/planted",
        "REFUNDS_HEARTBEAT_URL": f"{server.url}/heartbeat",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for name in ("REFUNDS_OUTSTANDING_LIMIT_HOURS", "REFUNDS_TICK_LIMIT_MINUTES"):
        monkeypatch.delenv(name, raising=False)
    book = Ledger(url, clock=lambda: datetime.now(timezone.utc) - timedelta(hours=5))
    yield book
    book.close()


def tick(instance: dg.DagsterInstance):
    """Evaluate the schedule as Dagster's code server does."""
    repository = build_definitions().get_repository_def()
    now = datetime.now(timezone.utc).timestamp()
    return get_external_schedule_execution(
        repository, instance.get_ref(), SCHEDULE, now, "UTC", None
    )


def hold(ledger: Ledger) -> None:
    land(ledger, event(1))
    pay(ledger, event(1), PaymentsHeld("overpaid", "too much"))


def alerts(server: ScriptedServer) -> list[tuple[str, str]]:
    return [
        (alert["news"], alert["key"])
        for seen in server.seen
        if seen.path == "/planted"
        for alert in seen.document["alerts"]
    ]


def test_a_tick_looks_tells_and_requests_no_run(ledger, server, instance) -> None:
    hold(ledger)
    for _ in range(2):
        found = tick(instance)
        assert found.run_requests == []
        assert "held:overpaid: 1 refund held: overpaid" in found.skip_message
    assert alerts(server) == [("new", "held:overpaid"), ("new", "landing_sensor")]
    assert [seen.path for seen in server.seen].count("/heartbeat") == 2
    assert "planted" not in found.skip_message


def test_a_tick_without_channels_shows_what_it_saw_and_that_nobody_is_told(
    ledger, server, instance, monkeypatch
) -> None:
    monkeypatch.setenv("REFUNDS_ALERTS", "")
    hold(ledger)
    assert tick(instance).skip_message.endswith("REFUNDS_ALERTS is not set, so nobody is told")
    assert alerts(server) == []


def test_a_channel_that_cannot_be_right_is_shown_and_the_other_is_told(
    ledger, server, instance, monkeypatch
) -> None:
    monkeypatch.setenv("REFUNDS_ALERTS", f"http://10.0.0.1/planted {server.url}/planted")
    hold(ledger)
    shown = tick(instance).skip_message
    assert "entry 1 of REFUNDS_ALERTS was not told" in shown
    assert "heartbeat: withheld" in shown
    assert "planted" not in shown
    assert len(alerts(server)) == 2


@pytest.mark.parametrize("name", ["REFUNDS_OUTSTANDING_LIMIT_HOURS", "REFUNDS_TICK_LIMIT_MINUTES"])
@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", "10000", "٣"])
def test_a_limit_that_is_no_number_fails_the_tick_by_its_name(
    ledger, instance, monkeypatch, name, value
) -> None:
    monkeypatch.setenv(name, value)
    assert name in str(tick(instance).error)


def test_limits_come_from_the_environment(ledger, server, instance, monkeypatch) -> None:
    land(ledger, event(1))
    tick(instance)
    assert ("new", "outstanding") not in alerts(server)
    monkeypatch.setenv("REFUNDS_OUTSTANDING_LIMIT_HOURS", "4")
    assert "outstanding: 1 refund not posted after 4 h 0 min" in tick(instance).skip_message


def test_the_job_does_the_same_for_a_person(ledger, server, instance) -> None:
    hold(ledger)
    result = (
        build_definitions().resolve_job_def(WATCH_REFUNDS).execute_in_process(instance=instance)
    )
    (output,) = [one for one in result.all_events if one.is_successful_output]
    metadata = output.step_output_data.metadata
    assert metadata["situations"].value == 2
    assert "1 refund held: overpaid (`held:overpaid`)" in metadata["seen"].value
    assert metadata["heartbeat"].value == "sent"
    assert alerts(server) == [("new", "held:overpaid"), ("new", "landing_sensor")]
    assert "planted" not in str(result.all_events)


def test_it_looks_every_ten_minutes_by_itself() -> None:
    repository = build_definitions().get_repository_def()
    schedule = repository.get_schedule_def(SCHEDULE)
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert schedule.job_name == WATCH_REFUNDS
    assert schedule.cron_schedule.split()[0].endswith("/10")
    assert repository.get_job(WATCH_REFUNDS).tags["dagster/max_retries"] == "0"


def test_urls_of_channels_are_not_shown_where_dagster_shows_resources(ledger) -> None:
    repository = build_definitions().get_repository_def()
    assert "planted" not in json.dumps(str(repository.get_top_level_resources()["watch"]))
