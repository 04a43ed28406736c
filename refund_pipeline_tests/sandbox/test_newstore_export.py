"""The S3 export writes what the contract says (1.3), where and as whom it was told."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from refund_pipeline.sandbox.landing import LandingSandbox
from refund_pipeline.sandbox.newstore import NewStoreSandbox
from refund_pipeline.sandbox.newstore_events.disturbances import Disturbances
from refund_pipeline.sandbox.newstore_events.rules import DeliveryRules
from refund_pipeline_tests.sandbox.newstore_raw_client import (
    INTEGRATIONS,
    NOON,
    PUBLISHED,
    Caller,
    Clock,
    event,
    event_id,
    receiving,
    webhook,
)


@pytest.fixture(scope="module")
def landing() -> Iterator[LandingSandbox]:
    with LandingSandbox() as landing:
        yield landing


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def caller(landing: LandingSandbox, clock: Clock) -> Iterator[Caller]:
    """A sandbox whose bucket is empty."""
    for name in keys(landing):
        landing.client.delete_object(Bucket=landing.bucket, Key=name)
    with (
        NewStoreSandbox(clock=clock, token_ttl=100_000, landing=landing) as newstore,
        Caller(newstore) as caller,
    ):
        yield caller


def keys(landing: LandingSandbox) -> list[str]:
    listed = landing.client.list_objects_v2(Bucket=landing.bucket)
    return [found["Key"] for found in listed.get("Contents", [])]


def text(landing: LandingSandbox, key: str) -> str:
    return landing.client.get_object(Bucket=landing.bucket, Key=key)["Body"].read().decode()


def export(landing: LandingSandbox, **changes: str) -> dict[str, Any]:
    parameters = {
        "aws_access_key_id": landing.access_key_id,
        "aws_secret_access_key": landing.secret_access_key,
        "aws_region": landing.region,
        "bucket": landing.bucket,
        "key_prefix": "exported/events",
    }
    return {
        "id": "export",
        "integration_type": "permanent",
        "s3_parameters": {**parameters, **changes},
    }


def register(caller: Caller, body: dict[str, Any]) -> None:
    assert caller.call("POST", INTEGRATIONS, json=body).status_code == 201


def test_a_file_is_written_every_five_minutes_with_all_events_since(
    caller: Caller, landing: LandingSandbox, clock: Clock
) -> None:
    register(caller, export(landing))
    stream = caller.newstore.stream
    stream.publish(event(1))
    clock.advance(minutes=4, seconds=59)
    stream.publish(event(2).replace("12.5", "12.50"))
    stream.wait_until_idle()
    before = keys(landing)
    clock.advance(seconds=1)
    stream.wait_until_delivered()
    (key,) = keys(landing)
    assert before == []
    milliseconds = int(NOON.timestamp() * 1_000) + 300_000
    assert re.fullmatch(f"exported/events/demo/{milliseconds}-data-[A-Za-z0-9]{{12}}[.]export", key)
    assert text(landing, key) == event(1) + "\n" + event(2).replace("12.5", "12.50") + "\n"


def test_no_event_is_no_file_and_the_cadence_goes_on(
    caller: Caller, landing: LandingSandbox, clock: Clock
) -> None:
    register(caller, export(landing))
    clock.advance(minutes=12)
    caller.newstore.stream.wait_until_idle()
    before = keys(landing)
    caller.newstore.stream.publish(event(1))
    clock.advance(minutes=3)
    caller.newstore.stream.wait_until_delivered()
    (key,) = keys(landing)
    assert before == []
    assert f"/{int(NOON.timestamp() * 1_000) + 900_000}-data-" in key


def test_the_cadence_is_shortened_by_the_time_scale(landing: LandingSandbox) -> None:
    with (
        NewStoreSandbox(landing=landing, time_scale=6_000) as newstore,
        Caller(newstore) as caller,
    ):
        register(caller, export(landing, key_prefix="scaled"))
        newstore.stream.publish(event(1))
        newstore.stream.wait_until_delivered()
    assert [key.split("/")[0] for key in keys(landing)].count("scaled") == 1


def test_webhook_and_export_may_both_tell_of_the_same_event(
    caller: Caller, landing: LandingSandbox, clock: Clock
) -> None:
    with receiving() as receiver:
        register(caller, webhook(receiver))
        register(caller, export(landing))
        caller.newstore.stream.publish(event(1))
        clock.advance(minutes=5)
        caller.newstore.stream.wait_until_delivered()
        assert receiver.bodies == [event(1)]
    assert text(landing, keys(landing)[0]) == event(1) + "\n"


def test_a_duplicate_may_be_in_the_same_file_and_in_a_later_one(
    caller: Caller, landing: LandingSandbox, clock: Clock
) -> None:
    register(caller, export(landing))
    caller.newstore.stream.disturbances = Disturbances(duplicated_at_once=1, duplicated_later=1)
    for number in range(5):
        caller.newstore.stream.publish(event(number))
    for _ in range(4):
        caller.newstore.stream.wait_until_idle()
        clock.advance(minutes=5)
    caller.newstore.stream.wait_until_delivered()
    files = [text(landing, key).splitlines() for key in sorted(keys(landing))]
    assert len(files) > 1
    assert sum(len(lines) for lines in files) == 15
    assert {event_id(line) for lines in files for line in lines} == {
        f"event-{number}" for number in range(5)
    }


@pytest.mark.parametrize(
    ("wrong", "refused"),
    [
        ({"aws_access_key_id": "somebody"}, "InvalidAccessKeyId"),
        ({"aws_secret_access_key": "guessed"}, "SignatureDoesNotMatch"),
        ({"bucket": "elsewhere"}, "NoSuchBucket"),
        ({"aws_region": "eu-central-1"}, "AuthorizationHeaderMalformed"),
    ],
)
def test_an_export_with_wrong_parameters_fails_and_stops(
    caller: Caller, landing: LandingSandbox, clock: Clock, wrong: dict[str, str], refused: str
) -> None:
    caller.newstore.stream.rules = DeliveryRules(retries=1)
    register(caller, export(landing, **wrong))
    caller.newstore.stream.publish(event(1))
    clock.advance(minutes=5)
    caller.newstore.stream.wait_until_idle()
    clock.advance(minutes=5)
    caller.newstore.stream.wait_until_stopped("export")
    shown = caller.get(PUBLISHED).json()
    assert [one["response"]["body"] for one in shown] == [refused, refused]
    assert {one["target"] for one in shown} == {"s3"}
    assert keys(landing) == []
    assert len(caller.newstore.stream.rejected("export")) == 1


def test_without_a_bucket_every_export_is_refused(landing: LandingSandbox, clock: Clock) -> None:
    with NewStoreSandbox(clock=clock) as newstore, Caller(newstore) as caller:
        newstore.stream.rules = DeliveryRules(retries=0)
        register(caller, export(landing))
        newstore.stream.publish(event(1))
        clock.advance(minutes=5)
        newstore.stream.wait_until_stopped("export")


def test_an_export_to_a_bucket_that_is_gone_fails(clock: Clock) -> None:
    with (
        LandingSandbox() as landing,
        NewStoreSandbox(clock=clock, landing=landing) as newstore,
        Caller(newstore) as caller,
    ):
        newstore.stream.rules = DeliveryRules(retries=0)
        register(caller, export(landing))
        landing.client.delete_bucket(Bucket=landing.bucket)
        newstore.stream.publish(event(1))
        clock.advance(minutes=5)
        newstore.stream.wait_until_stopped("export")
        (failed,) = newstore.stream.publications()
    assert failed.answer.body == "NoSuchBucket"


def test_corrected_parameters_are_used_from_the_next_attempt_on(
    caller: Caller, landing: LandingSandbox, clock: Clock
) -> None:
    register(caller, export(landing, bucket="elsewhere"))
    caller.newstore.stream.publish(event(1))
    clock.advance(minutes=5)
    caller.newstore.stream.wait_until_idle()
    change = {"s3_parameters": export(landing)["s3_parameters"]}
    caller.call("PATCH", f"{INTEGRATIONS}/export", json=change)
    clock.advance(seconds=1)
    caller.newstore.stream.wait_until_delivered()
    assert text(landing, keys(landing)[0]) == event(1) + "\n"


def test_a_replay_can_be_exported(caller: Caller, landing: LandingSandbox, clock: Clock) -> None:
    caller.newstore.stream.publish(event(1))
    body = {**export(landing), "integration_type": "temporary"}
    register(
        caller, {**body, "starts_at": "2026-05-02T11:00:00Z", "ends_at": "2026-05-02T12:00:01Z"}
    )
    clock.advance(minutes=5)
    caller.newstore.stream.wait_until_stopped("export")
    (line,) = text(landing, keys(landing)[0]).splitlines()
    assert json.loads(line)["payload"] == json.loads(event(1))["payload"]
