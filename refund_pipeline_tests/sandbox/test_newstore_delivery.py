"""Webhooks are delivered as the contract says (1.2): retried, disturbed, rejected, interrupted."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from refund_pipeline.sandbox.newstore import NewStoreSandbox
from refund_pipeline.sandbox.newstore_events.disturbances import Disturbances
from refund_pipeline.sandbox.newstore_events.rules import DeliveryRules, Interruption
from refund_pipeline.sandbox.newstore_events.timetable import Timetable
from refund_pipeline_tests.sandbox.newstore_raw_client import (
    INTEGRATIONS,
    NOON,
    PUBLISHED,
    Caller,
    Clock,
    Receiver,
    event,
    receiving,
    webhook,
)


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[NewStoreSandbox, Clock]]:
    clock = Clock()
    with NewStoreSandbox(clock=clock, token_ttl=100_000, connections=1) as newstore:
        yield newstore, clock


@pytest.fixture
def clock(running: tuple[NewStoreSandbox, Clock]) -> Clock:
    running[1].now = NOON
    return running[1]


@pytest.fixture(scope="module")
def listening() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def receiver(listening: Receiver) -> Receiver:
    listening.reset()
    return listening


@pytest.fixture
def caller(running: tuple[NewStoreSandbox, Clock], clock: Clock) -> Iterator[Caller]:
    """One server for all tests; every test begins without integrations and with plain rules."""
    newstore, _ = running
    for integration, _ in newstore.stream.integrations.all():
        newstore.stream.integrations.delete(integration.id)
    newstore.stream.rules, newstore.stream.disturbances = DeliveryRules(), Disturbances()
    with Caller(newstore) as caller:
        yield caller


def subscribe(caller: Caller, receiver: Receiver, **changes: Any) -> None:
    assert caller.call("POST", INTEGRATIONS, json=webhook(receiver, **changes)).status_code == 201


def publish(caller: Caller, *numbers: int) -> None:
    for number in numbers:
        caller.newstore.stream.publish(event(number))


def status(caller: Caller) -> str:
    return str(caller.get(f"{INTEGRATIONS}/erp").json()["status"])


def test_an_event_is_posted_exactly_as_it_is_with_the_key(
    caller: Caller, receiver: Receiver
) -> None:
    subscribe(caller, receiver)
    line = event(1, note="Größe").replace("12.5", "12.50")
    caller.newstore.stream.publish(line)
    caller.newstore.stream.wait_until_delivered()
    ((headers, body),) = receiver.calls
    assert body == line
    assert headers["authorization"] == "Bearer key-of-the-hook"
    assert headers["content-type"] == "application/json"


def test_without_a_key_nothing_authorizes_the_call(caller: Caller, receiver: Receiver) -> None:
    subscribe(caller, receiver, callback_parameters={"callback_url": receiver.url})
    publish(caller, 1)
    caller.newstore.stream.wait_until_delivered()
    assert "authorization" not in receiver.calls[0][0]


def test_a_changed_key_is_used_from_then_on(caller: Caller, receiver: Receiver) -> None:
    subscribe(caller, receiver)
    change = {"callback_parameters": {"callback_url": receiver.url, "api_key": "rotated"}}
    caller.call("PATCH", f"{INTEGRATIONS}/erp", json=change)
    publish(caller, 1)
    caller.newstore.stream.wait_until_delivered()
    assert receiver.calls[0][0]["authorization"] == "Bearer rotated"


def test_only_what_the_filter_admits_is_delivered(caller: Caller, receiver: Receiver) -> None:
    both = {"event_filter": ["order.created", "return.processed"], "entity_filter": ["order"]}
    subscribe(caller, receiver, filter_conditions=both)
    for number, name in enumerate(("refund_request.issued", "order.created", "return.processed")):
        caller.newstore.stream.publish(event(number, name))
    caller.newstore.stream.wait_until_delivered()
    assert receiver.ids == ["event-1"]


def test_a_deleted_or_stopped_integration_gets_nothing(caller: Caller, receiver: Receiver) -> None:
    subscribe(caller, receiver)
    subscribe(caller, receiver, name="other")
    caller.call("POST", f"{INTEGRATIONS}/erp/_stop")
    caller.call("DELETE", f"{INTEGRATIONS}/other")
    publish(caller, 1)
    caller.newstore.stream.wait_until_delivered()
    assert receiver.ids == []


def test_what_is_created_while_stopped_is_not_made_up_for(
    caller: Caller, receiver: Receiver
) -> None:
    subscribe(caller, receiver)
    caller.call("POST", f"{INTEGRATIONS}/erp/_stop")
    publish(caller, 1)
    caller.call("POST", f"{INTEGRATIONS}/erp/_start")
    publish(caller, 2)
    caller.newstore.stream.wait_until_delivered()
    assert receiver.ids == ["event-2"]


def test_an_event_of_the_future_comes_in_its_time(
    caller: Caller, receiver: Receiver, clock: Clock
) -> None:
    subscribe(caller, receiver)
    clock.advance(seconds=60)
    later, clock.now = clock.now, NOON
    caller.newstore.stream.publish(event(1), at=later)
    caller.newstore.stream.wait_until_idle()
    before = (receiver.ids, len(caller.newstore.stream.events))
    clock.now = later
    caller.newstore.stream.wait_until_delivered()
    assert (before[0], receiver.ids) == ([], ["event-1"])
    assert len(caller.newstore.stream.events) == before[1] + 1


def test_an_event_may_be_given_as_a_mapping(caller: Caller, receiver: Receiver) -> None:
    subscribe(caller, receiver)
    envelope = json.loads(event(1), parse_float=Decimal)
    caller.newstore.stream.publish(envelope)
    caller.newstore.stream.wait_until_delivered()
    assert json.loads(receiver.bodies[0], parse_float=Decimal) == envelope


def test_waiting_for_what_does_not_come_ends(caller: Caller, receiver: Receiver) -> None:
    """The clock stands still, so the retry is never due."""
    subscribe(caller, receiver)
    receiver.answer = lambda _number: 500
    publish(caller, 1)
    caller.newstore.stream.wait_until_idle()
    with pytest.raises(TimeoutError, match="1 are still to come"):
        caller.newstore.stream.wait_until_delivered(timeout=0.01)
    with pytest.raises(TimeoutError, match="erp runs"):
        caller.newstore.stream.wait_until_stopped("erp", timeout=0.01)


def mistaken() -> None:
    raise KeyError("a mistake")


def test_a_mistake_of_the_sandbox_is_told_to_whoever_waits() -> None:
    timetable = Timetable(lambda: NOON, workers=1)
    timetable.start()
    timetable.at(NOON, mistaken, owner=None)
    with pytest.raises(RuntimeError, match="event stream failed"):
        timetable.wait_until_idle(5)
    timetable.stop()


@pytest.mark.parametrize("wrong", [{"time_scale": 0}, {"connections": 0}])
def test_a_stream_that_could_not_deliver_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        NewStoreSandbox(**wrong)


def test_what_is_no_event_of_the_tenant_is_not_published(caller: Caller) -> None:
    for line in ("", "[]", event(1) + "\n", event(1).replace('"demo"', '"other"'), '{"name": 1}'):
        with pytest.raises(ValueError, match="an event"):
            caller.newstore.stream.publish(line)


def test_a_refused_event_is_retried_with_growing_pauses(
    caller: Caller, receiver: Receiver, clock: Clock
) -> None:
    subscribe(caller, receiver)
    receiver.answer = lambda number: 200 if number == 3 else 500
    publish(caller, 1)
    seen = []
    for pause in (0, 1, 1.999, 0.001, 4, 100):
        clock.advance(seconds=pause)
        caller.newstore.stream.wait_until_idle()
        seen.append(len(receiver.calls))
    assert seen == [1, 2, 2, 3, 4, 4]
    assert receiver.bodies == [event(1)] * 4
    assert status(caller) == "running"


def test_after_ten_retries_the_event_is_rejected_and_the_stream_stops(
    caller: Caller, receiver: Receiver, clock: Clock
) -> None:
    subscribe(caller, receiver)
    receiver.answer = lambda _number: 503
    publish(caller, 1)
    for _ in range(10):
        assert status(caller) == "running"
        caller.newstore.stream.wait_until_idle()
        clock.advance(minutes=15)
    caller.newstore.stream.wait_until_delivered()
    assert (len(receiver.calls), status(caller)) == (11, "stopped")
    (rejected,) = caller.newstore.stream.rejected("erp")
    assert rejected.event.line == event(1)
    left = [one["retries_remaining"] for one in caller.get(PUBLISHED).json()]
    assert left == list(range(10, -1, -1))


def test_an_interruption_rejects_everything_that_was_on_its_way(
    caller: Caller, receiver: Receiver
) -> None:
    caller.newstore.stream.rules = DeliveryRules(interruption=Interruption.AT_FIRST_FAILURE)
    caller.newstore.stream.disturbances = Disturbances(burst=3)
    subscribe(caller, receiver)
    receiver.answer = lambda _number: 500
    publish(caller, 1, 2, 3)
    caller.newstore.stream.wait_until_delivered()
    assert (receiver.ids, status(caller)) == (["event-1"], "stopped")
    assert len(caller.newstore.stream.rejected("erp")) == 3


@pytest.mark.parametrize(
    ("interruption", "answered", "after"),
    [
        (Interruption.AT_FIRST_REFUSAL, 401, "stopped"),
        (Interruption.AT_FIRST_REFUSAL, 500, "running"),
        (Interruption.AT_FIRST_FAILURE, 302, "stopped"),
        (Interruption.AFTER_RETRIES, 400, "running"),
    ],
)
def test_when_a_failure_stops_the_stream_is_a_switch(
    caller: Caller, receiver: Receiver, interruption: Interruption, answered: int, after: str
) -> None:
    caller.newstore.stream.rules = DeliveryRules(interruption=interruption)
    subscribe(caller, receiver)
    receiver.answer = lambda _number: answered
    publish(caller, 1)
    caller.newstore.stream.wait_until_idle()
    assert (len(receiver.calls), status(caller)) == (1, after)


def test_any_2xx_is_delivered_and_no_answer_is_not(caller: Caller, receiver: Receiver) -> None:
    caller.newstore.stream.rules = DeliveryRules(interruption=Interruption.AT_FIRST_FAILURE)
    subscribe(caller, receiver)
    with receiving() as gone:
        subscribe(caller, gone, name="gone")
    receiver.answer = lambda _number: 204
    publish(caller, 1)
    caller.newstore.stream.wait_until_delivered()
    shown = {one["integration_id"]: one for one in caller.get(PUBLISHED).json()}
    assert (shown["erp"]["status"], shown["gone"]["status"]) == ("SUCCESS", "FAILURE")
    assert shown["gone"]["response"]["status_code"] is None


def test_a_receiver_that_takes_too_long_has_not_answered(
    caller: Caller, receiver: Receiver
) -> None:
    caller.newstore.stream.rules = DeliveryRules(
        timeout_seconds=0.3, interruption=Interruption.AT_FIRST_FAILURE
    )
    receiver.never_answers = True
    subscribe(caller, receiver)
    publish(caller, 1)
    caller.newstore.stream.wait_until_delivered()
    assert status(caller) == "stopped"
    assert caller.get(PUBLISHED).json()[0]["response"]["body"].endswith("TimeoutError")


def test_a_rejected_event_is_published_again_on_demand(caller: Caller, receiver: Receiver) -> None:
    caller.newstore.stream.rules = DeliveryRules(interruption=Interruption.AT_FIRST_FAILURE)
    subscribe(caller, receiver)
    receiver.answer = lambda number: 500 if number < 2 else 200
    publish(caller, 1)
    found = []
    for _ in range(3):
        caller.newstore.stream.wait_until_delivered()
        found.append(caller.newstore.stream.republish_rejected("erp"))
    caller.newstore.stream.wait_until_delivered()
    assert found == [1, 1, 0]
    assert receiver.bodies == [event(1)] * 3
    assert status(caller) == "stopped"


def test_deleting_an_integration_deletes_its_log_and_its_rejected_events(
    caller: Caller, receiver: Receiver
) -> None:
    subscribe(caller, receiver)
    publish(caller, 1)
    caller.newstore.stream.wait_until_delivered()
    before = len(caller.get(PUBLISHED).json())
    caller.call("DELETE", f"{INTEGRATIONS}/erp")
    subscribe(caller, receiver)
    assert (before, caller.get(PUBLISHED).json()) == (1, [])
    assert caller.newstore.stream.rejected("erp") == []


def test_an_event_may_come_twice_at_once_and_once_more_later(
    caller: Caller, receiver: Receiver, clock: Clock
) -> None:
    caller.newstore.stream.disturbances = Disturbances(duplicated_at_once=1, duplicated_later=1)
    subscribe(caller, receiver)
    publish(caller, 1)
    caller.newstore.stream.wait_until_idle()
    at_once = list(receiver.ids)
    clock.advance(minutes=15)
    caller.newstore.stream.wait_until_delivered()
    assert (at_once, receiver.ids) == (["event-1"] * 2, ["event-1"] * 3)


def test_a_duplicate_that_fails_does_not_reject_what_is_delivered(
    caller: Caller, receiver: Receiver
) -> None:
    caller.newstore.stream.disturbances = Disturbances(duplicated_at_once=1)
    caller.newstore.stream.rules = DeliveryRules(interruption=Interruption.AT_FIRST_FAILURE)
    subscribe(caller, receiver)
    receiver.answer = lambda number: 200 if number == 0 else 500
    publish(caller, 1)
    caller.newstore.stream.wait_until_delivered()
    assert (receiver.ids, status(caller)) == (["event-1"] * 2, "stopped")
    assert caller.newstore.stream.rejected("erp") == []


def test_a_delivery_under_way_at_the_stop_is_not_retried(
    caller: Caller, receiver: Receiver
) -> None:
    def stop_and_fail(_number: int) -> int:
        caller.newstore.stream.integrations.stop("erp")
        return 500

    subscribe(caller, receiver)
    receiver.answer = stop_and_fail
    publish(caller, 1)
    caller.newstore.stream.wait_until_delivered()
    assert receiver.ids == ["event-1"]
    assert len(caller.newstore.stream.rejected("erp")) == 1


def test_an_event_may_be_late_but_not_later_than_the_service_level(
    caller: Caller, receiver: Receiver, clock: Clock
) -> None:
    caller.newstore.stream.disturbances = Disturbances(delayed=1)
    subscribe(caller, receiver)
    publish(caller, *range(20))
    caller.newstore.stream.wait_until_idle()
    at_once = list(receiver.ids)
    clock.advance(minutes=15)
    caller.newstore.stream.wait_until_delivered()
    assert at_once == []
    assert receiver.ids != sorted(receiver.ids, key=lambda one: int(one[6:]))
    assert len(set(receiver.ids)) == 20


def test_a_burst_comes_together_in_another_order(caller: Caller, receiver: Receiver) -> None:
    caller.newstore.stream.disturbances = Disturbances(burst=4, reordered=True)
    subscribe(caller, receiver)
    publish(caller, 1, 2, 3)
    caller.newstore.stream.wait_until_idle()
    before = list(receiver.ids)
    publish(caller, 4)
    caller.newstore.stream.wait_until_delivered()
    assert before == []
    assert sorted(receiver.ids) == ["event-1", "event-2", "event-3", "event-4"]
    assert receiver.ids != sorted(receiver.ids)


def test_a_burst_that_does_not_fill_comes_after_a_minute(
    caller: Caller, receiver: Receiver, clock: Clock
) -> None:
    caller.newstore.stream.disturbances = Disturbances(burst=4)
    subscribe(caller, receiver)
    publish(caller, 1, 2)
    clock.advance(seconds=60)
    caller.newstore.stream.wait_until_delivered()
    assert receiver.ids == ["event-1", "event-2"]


def test_the_same_seed_makes_the_same_disturbances() -> None:
    shares: dict[str, Any] = {"duplicated_at_once": 0.3, "duplicated_later": 0.3, "delayed": 0.3}
    fates = [
        [Disturbances(seed=seed, **shares).pauses("erp", number) for number in range(200)]
        for seed in (1, 1, 2)
    ]
    assert fates[0] == fates[1] != fates[2]
    assert max(pause for copies in fates[0] for pause in copies) <= 900
    assert 20 < sum(len(copies) > 1 for copies in fates[0]) < 180


@pytest.mark.parametrize(
    "wrong", [{"delayed": 1.5}, {"longest_delay": 901}, {"burst": 0}, {"reordered": True}]
)
def test_impossible_disturbances_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"share|longest_delay|burst"):
        Disturbances(**wrong)


def test_published_events_are_filtered(caller: Caller, receiver: Receiver, clock: Clock) -> None:
    subscribe(caller, receiver)
    subscribe(caller, receiver, name="other")
    receiver.answer = lambda number: 500 if number == 0 else 200
    publish(caller, 1)
    caller.newstore.stream.wait_until_idle()
    clock.advance(seconds=30)
    caller.newstore.stream.publish(event(2, "order.created", order_id=None))
    caller.newstore.stream.wait_until_delivered()

    def count(**query: str) -> int:
        return len(caller.call("GET", PUBLISHED, params=query).json())

    assert count() == 5
    assert count(status="failure") == 1
    assert count(integration_id="other") == 2
    assert count(event_name="order.created", status="success") == 2
    assert count(domain_entity_type="order", domain_entity_id="event-2") == 2
    assert count(to="2026-05-02T12:00:10Z") == 2
    assert count(**{"from": "2026-05-02T12:00:10+00:00"}) == 3
    assert count(event_name="return.processed") == 0


def test_a_publication_has_the_documented_fields(caller: Caller, receiver: Receiver) -> None:
    subscribe(caller, receiver)
    publish(caller, 1)
    caller.newstore.stream.wait_until_delivered()
    (shown,) = caller.get(PUBLISHED).json()
    assert shown.pop("response_time_ms") >= 0
    assert shown.pop("id")
    assert shown == {
        "integration_id": "erp",
        "subscription_type": "event_stream",
        "target": "webhook",
        "status": "SUCCESS",
        "attempted_at": "2026-05-02T12:00:00.000Z",
        "retries_remaining": 10,
        "entity_id": "event-1",
        "domain_entity_id": "9d0e2f60-5a0e-4b9e-8c3e-111111111111",
        "domain_entity_type": "order",
        "event_name": "refund_request.issued",
        "response": {"status_code": 200, "body": "noted"},
    }


@pytest.mark.parametrize(
    "query", [{"page": "2"}, {"status": "SUCCESS"}, {"from": "2026-05-02"}, {"to": ""}]
)
def test_other_parameters_of_published_events_are_refused(
    caller: Caller, query: dict[str, str]
) -> None:
    assert caller.call("GET", PUBLISHED, params=query).status_code == 400
    assert caller.call("POST", PUBLISHED).status_code == 405
