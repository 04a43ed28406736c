"""The sandbox's NewStore delivers to the receiver, over HTTP, as the contract says (1.2)."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from refund_pipeline.receiver.app import create_app
from refund_pipeline.sandbox.newstore import NewStoreSandbox
from refund_pipeline.sandbox.newstore_events.disturbances import Disturbances
from refund_pipeline.sandbox.newstore_events.rules import DeliveryRules, Interruption
from refund_pipeline.sandbox.serving import serving
from refund_pipeline_tests.receiver.asgi import KEY, SETTINGS, KeptFiles
from refund_pipeline_tests.sandbox.newstore_raw_client import (
    INTEGRATIONS,
    PUBLISHED,
    Caller,
    Clock,
    event,
    webhook,
)


@pytest.fixture
def bucket() -> KeptFiles:
    return KeptFiles()


@pytest.fixture
def newstore(bucket: KeptFiles) -> Iterator[tuple[Caller, Clock]]:
    """A tenant with an integration that delivers everything to the receiver."""
    clock = Clock()
    app = create_app(replace(SETTINGS, interval=0.01), writer=bucket)
    with serving(app) as url, NewStoreSandbox(clock=clock) as sandbox, Caller(sandbox) as caller:
        callback = {"callback_url": f"{url}/events", "api_key": KEY}
        asked = caller.call("POST", INTEGRATIONS, json=webhook(callback_parameters=callback))
        assert asked.status_code == 201
        yield caller, clock


def shown(caller: Caller) -> tuple[list[int], str]:
    """Return the statuses of all answers, and the integration's."""
    answers = [one["response"]["status_code"] for one in caller.get(PUBLISHED).json()]
    return answers, str(caller.get(f"{INTEGRATIONS}/erp").json()["status"])


def test_refunds_are_stored_other_events_are_not_and_the_stream_never_stops(
    newstore: tuple[Caller, Clock], bucket: KeptFiles
) -> None:
    caller, _ = newstore
    stream = caller.newstore.stream
    stream.rules = DeliveryRules(interruption=Interruption.AT_FIRST_FAILURE)
    stream.disturbances = Disturbances(burst=3, reordered=True, duplicated_at_once=1)
    refunds = [event(number, note="Größe") for number in range(3)]
    others = [event(number, name=name) for number, name in enumerate(("order.opened", "x", " y "))]
    for line in (*refunds, *others):
        stream.publish(line)
    stream.wait_until_delivered()
    assert sorted(bucket.lines) == sorted(line.encode() for line in refunds * 2)
    assert shown(caller) == ([200] * 12, "running")


def test_an_event_the_bucket_did_not_take_comes_again(
    newstore: tuple[Caller, Clock], bucket: KeptFiles
) -> None:
    caller, clock = newstore
    bucket.failures = 2
    caller.newstore.stream.publish(event(1))
    for _ in range(2):
        caller.newstore.stream.wait_until_idle()
        clock.advance(minutes=1)
    caller.newstore.stream.wait_until_delivered()
    assert bucket.lines == [event(1).encode()]
    answers, status = shown(caller)
    assert (sorted(answers), status) == ([200, 500, 500], "running")


def test_what_newstore_keeps_of_a_failure_says_what_to_do(
    newstore: tuple[Caller, Clock], bucket: KeptFiles
) -> None:
    caller, _ = newstore
    bucket.failures = 1
    caller.newstore.stream.publish(event(1))
    caller.newstore.stream.wait_until_idle()
    (attempt,) = caller.get(PUBLISHED).json()
    assert "send it again" in json.loads(attempt["response"]["body"])["detail"]
