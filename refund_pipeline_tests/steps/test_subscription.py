"""Our integration: registered once, kept running, and what is said when it does not."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from refund_pipeline.gateways.newstore_integrations import (
    NewIntegration,
    S3Delivery,
    S3Target,
    WebhookDelivery,
    WebhookTarget,
)
from refund_pipeline.gateways.newstore_subscriptions import Refused
from refund_pipeline.steps.subscription import (
    AlreadyRegistered,
    Missing,
    Registered,
    RegisteredOtherwise,
    Runs,
    StartedAgain,
    StaysStopped,
    alert,
    ensure_running,
    register,
    stop,
)
from refund_pipeline_tests.fake_subscriptions import WEBHOOK, FakeSubscriptions, integration

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
RAN_AT = NOW - timedelta(hours=2)
EXPORT = S3Delivery(S3Target("bucket", "events", "eu-west-1"), "AKIA", "planted-secret")
NEW = NewIntegration("ours", WEBHOOK)


def watch(subscriptions: FakeSubscriptions, slept: list[float] | None = None) -> Any:
    pauses = [] if slept is None else slept
    return ensure_running(subscriptions, "ours", sleep=pauses.append)


# Registering


def test_what_is_not_there_is_registered() -> None:
    subscriptions = FakeSubscriptions()
    assert register(subscriptions, NEW) == Registered(integration())
    assert subscriptions.calls == ["find ours", "create ours"]


def test_what_is_there_and_equal_is_left_alone() -> None:
    subscriptions = FakeSubscriptions().put(integration(status="stopped"))
    assert register(subscriptions, NEW) == AlreadyRegistered(integration(status="stopped"))
    assert subscriptions.calls == ["find ours"]


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"target": WebhookTarget("https://receiver.example/other")}, ("callback_url",)),
        ({"target": EXPORT.target}, ("transport",)),
        ({"integration_type": "temporary"}, ("integration_type",)),
        ({"event_filter": ()}, ("event_filter",)),
        ({"event_filter": ("refund_request.issued", "order.opened")}, ("event_filter",)),
        ({"entity_filter": ("order",)}, ("entity_filter",)),
        ({"target": EXPORT.target, "event_filter": ()}, ("transport", "event_filter")),
    ],
)
def test_what_is_there_and_differs_is_left_alone_and_named(changes, fields) -> None:
    subscriptions = FakeSubscriptions().put(integration(**changes))
    assert register(subscriptions, NEW) == RegisteredOtherwise(fields, is_new=False)
    assert subscriptions.calls == ["find ours"]


@pytest.mark.parametrize(
    ("target", "fields"),
    [
        (S3Target("other", "events", "eu-west-1"), ("bucket",)),
        (S3Target("bucket", "other", "us-east-1"), ("key_prefix", "aws_region")),
        (S3Target("bucket", None, None), None),
        (None, None),
    ],
)
def test_exports_are_compared_as_far_as_newstore_shows_them(target, fields) -> None:
    there = integration(target=target)
    outcome = register(FakeSubscriptions().put(there), NewIntegration("ours", EXPORT))
    expected = RegisteredOtherwise(fields, is_new=False) if fields else AlreadyRegistered(there)
    assert outcome == expected


def test_what_newstore_made_otherwise_is_named() -> None:
    class Careless(FakeSubscriptions):
        def create(self, new):
            super().create(new)
            self.change("ours", event_filter=())
            return self.there["ours"]

    assert register(Careless(), NEW) == RegisteredOtherwise(("event_filter",), is_new=True)


def test_a_refusal_is_passed_on() -> None:
    subscriptions = FakeSubscriptions(refusals={"create": "NewStore answered 422"})
    assert register(subscriptions, NEW) == Refused("NewStore answered 422")


def test_a_refusal_at_the_limit_says_so() -> None:
    subscriptions = FakeSubscriptions(refusals={"create": "NewStore answered 422"})
    subscriptions.put(*(integration(f"other-{number}") for number in range(25)))
    refused = register(subscriptions, NEW)
    assert isinstance(refused, Refused)
    assert "NewStore answered 422; there are 25 integrations and NewStore allows 25" in (
        refused.detail
    )


def test_a_refusal_is_not_lost_when_the_others_cannot_be_counted() -> None:
    subscriptions = FakeSubscriptions(
        refusals={"create": "NewStore answered 422"}, outages={"all": 1}
    )
    assert register(subscriptions, NEW) == Refused("NewStore answered 422")


# Watching


def test_what_runs_is_asked_once_and_not_touched() -> None:
    subscriptions = FakeSubscriptions().put(integration())
    assert watch(subscriptions) == Runs(integration())
    assert subscriptions.calls == ["find ours"]


def test_what_was_stopped_is_started_and_looked_at_again() -> None:
    subscriptions = FakeSubscriptions().put(integration(status="stopped"))
    assert watch(subscriptions) == StartedAgain(integration())
    assert subscriptions.calls == ["find ours", "start ours", "find ours"]


def test_a_start_may_take_a_moment() -> None:
    subscriptions = FakeSubscriptions(ignores={"start"}).put(integration(status="stopped"))

    def started_by_the_third_look() -> None:
        if subscriptions.calls.count("find ours") == 3:
            subscriptions.change("ours", status="running")

    subscriptions.on_find = started_by_the_third_look
    slept: list[float] = []
    assert watch(subscriptions, slept) == StartedAgain(integration())
    assert len(slept) == 1


def test_what_does_not_start_is_told_apart_from_what_does() -> None:
    subscriptions = FakeSubscriptions(ignores={"start"}).put(integration(status="stopped"))
    assert watch(subscriptions) == StaysStopped("stopped", "NewStore accepted the start")
    assert subscriptions.calls.count("start ours") == 1


def test_a_start_can_be_refused() -> None:
    subscriptions = FakeSubscriptions(refusals={"start": "NewStore answered 409"})
    subscriptions.put(integration(status="paused"))
    assert watch(subscriptions) == StaysStopped("paused", "NewStore answered 409")


def test_a_start_that_is_refused_because_its_lost_first_try_worked_is_a_start() -> None:
    subscriptions = FakeSubscriptions(refusals={"start": "NewStore answered 409"})
    subscriptions.put(integration(status="stopped"))
    subscriptions.on_find = lambda: (
        subscriptions.change("ours", status="running")
        if "start ours" in subscriptions.calls
        else None
    )
    assert watch(subscriptions) == StartedAgain(integration())


def test_what_does_not_exist_is_not_created_by_itself() -> None:
    subscriptions = FakeSubscriptions()
    assert watch(subscriptions) == Missing()
    assert subscriptions.calls == ["find ours"]


def test_what_vanishes_after_the_start_is_missing() -> None:
    subscriptions = FakeSubscriptions().put(integration(status="stopped"))
    subscriptions.on_find = lambda: (
        subscriptions.there.clear() if "start ours" in subscriptions.calls else None
    )
    assert watch(subscriptions) == Missing()


# What is said


def said(watched: Any, ran_at: datetime | None = RAN_AT) -> str | None:
    return alert(watched, "ours", ran_at=ran_at, now=NOW)


def test_nothing_is_said_of_what_runs() -> None:
    assert said(Runs(integration())) is None
    assert said(Runs(integration(event_filter=()))) is None


def test_a_filter_without_issued_refunds_is_an_alert_although_it_runs() -> None:
    assert "leaves out refund_request.issued" in str(
        said(Runs(integration(event_filter=("order.opened",))))
    )


def test_a_restart_is_said_with_the_command_that_covers_the_gap() -> None:
    sentence = said(StartedAgain(integration()))
    assert sentence == (
        "ours was stopped and has been started again; replay what was missed: refund-pipeline"
        " newstore subscription replay --from 2026-11-20T09:40:00.000Z"
        " --to 2026-11-20T12:00:00.000Z"
    )


def test_a_gap_that_began_nobody_knows_when_is_not_guessed() -> None:
    assert "--from TIME-IT-LAST-RAN --to" in str(said(StartedAgain(integration()), ran_at=None))


def test_what_stays_stopped_or_is_missing_says_what_to_do() -> None:
    stopped = str(said(StaysStopped("stopped", "NewStore answered 409")))
    assert "ours is stopped and could not be started again (NewStore answered 409)" in stopped
    assert "subscription start, then replay" in stopped
    missing = str(said(Missing()))
    assert "ours does not exist at NewStore" in missing
    assert "subscription create, then replay" in missing


# Stopping


def test_what_runs_is_stopped_and_what_is_stopped_is_left_alone() -> None:
    subscriptions = FakeSubscriptions().put(integration())
    assert stop(subscriptions, "ours") == integration(status="stopped")
    assert stop(subscriptions, "ours") == integration(status="stopped")
    assert subscriptions.calls.count("stop ours") == 1


def test_a_stop_can_be_refused_or_in_vain() -> None:
    refusing = FakeSubscriptions(refusals={"stop": "NewStore answered 409"}).put(integration())
    assert stop(refusing, "ours") == Refused("NewStore answered 409")
    ignoring = FakeSubscriptions(ignores={"stop"}).put(integration())
    assert stop(ignoring, "ours") == integration()
    assert stop(FakeSubscriptions(), "ours") == Missing()


def test_a_stop_that_is_refused_because_it_is_stopped_is_a_stop() -> None:
    subscriptions = FakeSubscriptions(refusals={"stop": "NewStore answered 409"})
    subscriptions.put(integration())
    subscriptions.on_find = lambda: (
        subscriptions.change("ours", status="stopped")
        if "stop ours" in subscriptions.calls
        else None
    )
    assert stop(subscriptions, "ours") == integration(status="stopped")


def test_no_secret_is_in_what_a_registration_comes_to() -> None:
    delivery = WebhookDelivery(WebhookTarget("https://receiver.example"), "planted-key")
    assert "planted" not in repr(register(FakeSubscriptions(), NewIntegration("ours", delivery)))
    assert "planted" not in repr(register(FakeSubscriptions(), NewIntegration("ours", EXPORT)))
