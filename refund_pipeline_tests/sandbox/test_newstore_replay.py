"""Replay by date: temporary integrations, and permanent ones with a past start (contract 1.4)."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from refund_pipeline.sandbox.newstore import NewStoreSandbox
from refund_pipeline.sandbox.newstore_events.disturbances import Disturbances
from refund_pipeline.sandbox.newstore_events.rules import DeliveryRules, Interruption
from refund_pipeline_tests.sandbox.newstore_raw_client import (
    INTEGRATIONS,
    NOON,
    Caller,
    Clock,
    Receiver,
    event,
    receiving,
    webhook,
)


@pytest.fixture(scope="module")
def listening() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def receiver(listening: Receiver) -> Receiver:
    listening.reset()
    return listening


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def caller(clock: Clock) -> Iterator[Caller]:
    """A sandbox whose log has an event for every hour before noon, the latest first."""
    with (
        NewStoreSandbox(clock=clock, token_ttl=100_000, connections=1) as newstore,
        Caller(newstore) as caller,
    ):
        for hours in range(1, 6):
            newstore.stream.publish(event(hours), at=NOON - timedelta(hours=hours))
        yield caller


def text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def register(caller: Caller, receiver: Receiver, **changes: Any) -> None:
    answer = caller.call("POST", INTEGRATIONS, json=webhook(receiver, **changes))
    assert answer.status_code == 201, answer.text


def window(*, start_hours: float, end_hours: float) -> dict[str, str]:
    return {
        "integration_type": "temporary",
        "starts_at": text(NOON - timedelta(hours=start_hours)),
        "ends_at": text(NOON - timedelta(hours=end_hours)),
    }


def test_a_temporary_integration_gets_the_events_of_its_window_and_stops(
    caller: Caller, receiver: Receiver
) -> None:
    register(caller, receiver, **window(start_hours=4, end_hours=1))
    caller.newstore.stream.wait_until_stopped("erp")
    assert receiver.ids == ["event-4", "event-3", "event-2"]
    assert caller.get(f"{INTEGRATIONS}/erp").json()["status"] == "stopped"


def test_a_replayed_event_is_published_at_another_time(caller: Caller, receiver: Receiver) -> None:
    register(caller, receiver, **window(start_hours=1, end_hours=0))
    caller.newstore.stream.wait_until_stopped("erp")
    replayed, first = json.loads(receiver.bodies[0]), json.loads(event(1))
    assert replayed["published_at"] == "2026-05-02T12:00:00.000Z"
    assert replayed["payload"] == first["payload"]


def test_a_replay_is_filtered(caller: Caller, receiver: Receiver) -> None:
    caller.newstore.stream.publish(event(9, "order.created"), at=NOON - timedelta(hours=2))
    conditions = {"event_filter": ["order.created"]}
    register(caller, receiver, filter_conditions=conditions, **window(start_hours=5, end_hours=1))
    caller.newstore.stream.wait_until_stopped("erp")
    assert receiver.ids == ["event-9"]


def test_a_window_without_events_ends_at_once(caller: Caller, receiver: Receiver) -> None:
    register(caller, receiver, **window(start_hours=90, end_hours=80))
    caller.newstore.stream.wait_until_stopped("erp")
    assert receiver.ids == []


def test_a_window_that_is_still_open_takes_what_comes_and_then_stops(
    caller: Caller, receiver: Receiver, clock: Clock
) -> None:
    register(caller, receiver, **window(start_hours=1, end_hours=-1))
    caller.newstore.stream.publish(event(10))
    caller.newstore.stream.publish(event(11), at=NOON + timedelta(minutes=59))
    caller.newstore.stream.publish(event(12), at=NOON + timedelta(minutes=61))
    caller.newstore.stream.wait_until_idle()
    before = caller.get(f"{INTEGRATIONS}/erp").json()["status"]
    clock.advance(minutes=60)
    caller.newstore.stream.wait_until_stopped("erp")
    assert before == "running"
    assert receiver.ids == ["event-1", "event-10", "event-11"]


def test_a_replay_stops_only_when_the_last_event_has_its_end(
    caller: Caller, receiver: Receiver, clock: Clock
) -> None:
    receiver.answer = lambda number: 500 if number == 0 else 200
    register(caller, receiver, **window(start_hours=1, end_hours=0))
    caller.newstore.stream.wait_until_idle()
    before = caller.get(f"{INTEGRATIONS}/erp").json()["status"]
    clock.advance(seconds=1)
    caller.newstore.stream.wait_until_stopped("erp")
    assert before == "running"
    assert receiver.ids == ["event-1", "event-1"]


def test_a_permanent_integration_with_a_past_start_gets_a_burst_of_old_events_first(
    caller: Caller, receiver: Receiver
) -> None:
    register(caller, receiver, starts_at=text(NOON - timedelta(hours=2)))
    caller.newstore.stream.publish(event(10))
    caller.newstore.stream.wait_until_delivered()
    assert receiver.ids == ["event-2", "event-1", "event-10"]


def test_a_permanent_integration_without_a_start_gets_nothing_old(
    caller: Caller, receiver: Receiver
) -> None:
    register(caller, receiver)
    caller.newstore.stream.wait_until_delivered()
    assert receiver.ids == []


def test_a_permanent_integration_with_a_start_to_come_waits_for_it(
    caller: Caller, receiver: Receiver
) -> None:
    register(caller, receiver, starts_at=text(NOON + timedelta(hours=1)))
    caller.newstore.stream.publish(event(10))
    caller.newstore.stream.wait_until_delivered()
    assert receiver.ids == []


def test_a_replay_brings_back_what_a_stopped_stream_missed(
    caller: Caller, receiver: Receiver
) -> None:
    caller.newstore.stream.rules = DeliveryRules(interruption=Interruption.AT_FIRST_FAILURE)
    receiver.answer = lambda number: 500 if number == 0 else 200
    register(caller, receiver)
    for number in (20, 21):
        caller.newstore.stream.publish(event(number))
        caller.newstore.stream.wait_until_delivered()
    missed = list(receiver.ids)
    register(caller, receiver, name="again", **window(start_hours=0, end_hours=-1))
    caller.newstore.stream.wait_until_delivered()
    assert missed == ["event-20"]
    assert receiver.ids == ["event-20", "event-20", "event-21"]


def test_a_replay_beside_the_running_integration_delivers_twice(
    caller: Caller, receiver: Receiver
) -> None:
    register(caller, receiver)
    caller.newstore.stream.publish(event(30))
    register(caller, receiver, name="again", **window(start_hours=0, end_hours=-1))
    caller.newstore.stream.wait_until_delivered()
    assert receiver.ids == ["event-30", "event-30"]


def test_a_replay_is_disturbed_like_everything_else(caller: Caller, receiver: Receiver) -> None:
    caller.newstore.stream.disturbances = Disturbances(
        duplicated_at_once=1, burst=3, reordered=True
    )
    register(caller, receiver, **window(start_hours=3, end_hours=0))
    caller.newstore.stream.wait_until_stopped("erp")
    assert sorted(receiver.ids) == sorted(["event-1", "event-2", "event-3"] * 2)
    assert receiver.ids[::2] != ["event-3", "event-2", "event-1"]
