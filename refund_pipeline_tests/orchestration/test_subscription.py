"""The hourly watch under a real Dagster instance, against a server that says what it is told."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import pytest
import stamina

from refund_pipeline.definitions import build_definitions
from refund_pipeline.orchestration.failures import will_be_retried
from refund_pipeline.orchestration.resources import Clock, SubscriptionResource
from refund_pipeline.orchestration.subscription import (
    WATCH_SUBSCRIPTION,
    watch_subscription,
    watch_subscription_hourly,
)
from refund_pipeline_tests.gateways.scripted_server import (
    Reply,
    ScriptedServer,
    json_reply,
    scripted_server,
)

TOKEN = json_reply({"access_token": "token-1", "expires_in": 300})
GONE = json_reply({"error_code": "resource_not_found"}, 404)


def shown(status: str, **changes: Any) -> Reply:
    document = {
        "id": "ours",
        "status": status,
        "callback_parameters": {"callback_url": "https://receiver.example/x", "api_key": "planted"},
        "filter_conditions": {"event_filter": ["refund_request.issued"]},
    }
    return json_reply({**document, **changes})


class StillClock(Clock):
    """A clock nobody waits for."""

    def sleep(self, seconds: float) -> None:
        del seconds


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def watch(
    server: ScriptedServer,
    instance: dg.DagsterInstance,
    *replies: Reply,
    integration_id: str = "ours",
) -> dg.ExecuteInProcessResult:
    server.say(TOKEN, *replies)
    return watch_subscription.execute_in_process(
        instance=instance,
        raise_on_error=False,
        resources={
            "clock": StillClock(),
            "subscription": SubscriptionResource(
                base_url=server.url,
                token_url=server.url + "/token",
                client_id="client",
                client_secret="client-secret",
                integration_id=integration_id,
            ),
        },
    )


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    assert not result.success
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    return failed.step_failure_data.error_display_string


def test_a_running_integration_is_a_green_run_that_says_what_it_saw(server, instance) -> None:
    result = watch(server, instance, shown("running"))
    assert result.success
    (output,) = [event for event in result.all_events if event.is_successful_output]
    metadata = output.step_output_data.metadata
    assert metadata["status"].value == "running"
    assert metadata["target"].value == "https://receiver.example"
    assert "planted" not in str(result.all_events)


def test_a_stopped_one_is_started_and_the_run_fails_with_the_command_for_the_gap(
    server, instance
) -> None:
    good = watch(server, instance, shown("running"))
    result = watch(server, instance, shown("stopped"), Reply(202, b""), shown("running"))
    sentence = failure_of(result)
    assert "ours was stopped and has been started again" in sentence
    (record,) = instance.get_run_records(dg.RunsFilter(run_ids=[good.run_id]))
    began = datetime.fromtimestamp(record.start_time).astimezone() - timedelta(minutes=20)
    begins = sentence.partition("replay --from ")[2].partition(" ")[0]
    assert abs(datetime.fromisoformat(begins.replace("Z", "+00:00")) - began) < timedelta(seconds=1)
    assert [seen.path[-7:] for seen in server.seen][-2:] == ["/_start", "am/ours"]


@pytest.mark.parametrize(
    ("replies", "sentence"),
    [
        ([GONE], "ours does not exist at NewStore"),
        (
            [shown("stopped"), json_reply({}, 409), shown("stopped")],
            "could not be started again (NewStore answered 409)",
        ),
        ([shown("stopped"), Reply(202), shown("stopped")], "could not be started again"),
        ([json_reply({"id": "ours"})], r"another shape than expected ($.status: missing)"),
        ([Reply(503)], "NewStore answered 503"),
        ([json_reply({}, 401), TOKEN, json_reply({}, 401)], "NewStore answered 401"),
        (
            [shown("running", filter_conditions={"event_filter": ["order.opened"]})],
            "leaves out refund_request.issued",
        ),
    ],
)
def test_whatever_else_is_found_fails_with_a_sentence_and_is_not_retried(
    server, instance, replies, sentence
) -> None:
    result = watch(server, instance, *replies)
    assert sentence in failure_of(result)
    assert "planted" not in failure_of(result)
    run = instance.get_run_by_id(result.run_id)
    assert not will_be_retried(run.tags)
    assert run.tags["dagster/max_retries"] == "0"


def test_what_does_not_exist_is_not_created(server, instance) -> None:
    watch(server, instance, GONE)
    assert [seen.method for seen in server.seen if seen.path != "/token"] == ["GET"]


@pytest.mark.parametrize("integration_id", ["", "not/an id"])
def test_a_watch_without_an_id_fails_and_asks_nothing(server, instance, integration_id) -> None:
    result = watch(server, instance, shown("running"), integration_id=integration_id)
    assert "NEWSTORE_INTEGRATION_ID" in failure_of(result)
    assert server.seen == []


def test_the_schedule_requests_the_watch_once_there_is_something_to_watch(monkeypatch) -> None:
    monkeypatch.delenv("NEWSTORE_INTEGRATION_ID", raising=False)
    assert isinstance(watch_subscription_hourly(), dg.SkipReason)
    monkeypatch.setenv("NEWSTORE_INTEGRATION_ID", "ours")
    assert isinstance(watch_subscription_hourly(), dg.RunRequest)


def test_the_watch_runs_hourly_by_itself_and_in_one_process() -> None:
    repository = build_definitions().get_repository_def()
    schedule = repository.get_schedule_def("watch_subscription_hourly")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert schedule.job_name == WATCH_SUBSCRIPTION
    minute, *rest = schedule.cron_schedule.split()
    assert minute.isdecimal()
    assert rest == ["*"] * 4
    assert repository.get_job(WATCH_SUBSCRIPTION).executor_def.name == "in_process"
