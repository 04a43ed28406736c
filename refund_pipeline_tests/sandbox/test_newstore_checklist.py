"""Section 7 of the contract, point by point: what a plain client meets, and a wrong one too.

Stories over several parts of the simulator; the parts themselves have tests of their own.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from refund_pipeline.sandbox.event_lines import refund_event
from refund_pipeline.sandbox.landing import LandingSandbox
from refund_pipeline.sandbox.newstore import NewStoreSandbox, utc_now
from refund_pipeline.sandbox.newstore_events.disturbances import Disturbances
from refund_pipeline.sandbox.newstore_events.rules import DeliveryRules, Interruption
from refund_pipeline.sandbox.newstore_model import (
    PaymentLeg,
    RefundRequest,
    SandboxItem,
    SandboxOrder,
)
from refund_pipeline_tests.sandbox.newstore_raw_client import (
    INTEGRATIONS,
    NOON,
    ORDER_ID,
    PUBLISHED,
    REFUND_ID,
    Caller,
    Clock,
    event,
    event_id,
    leg,
    order,
    receiving,
    webhook,
)

FAST = 5_000
"""Fifteen minutes are 0.18 s, the cadence of the export 0.06 s."""
EVERYTHING_AT_ONCE = Disturbances(
    duplicated_at_once=0.2, duplicated_later=0.2, delayed=0.3, burst=10, reordered=True
)
EVENTS = 200


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def caller(clock: Clock) -> Iterator[Caller]:
    with NewStoreSandbox(clock=clock) as newstore, Caller(newstore) as caller:
        yield caller


@pytest.fixture(scope="module")
def bucket() -> Iterator[LandingSandbox]:
    with LandingSandbox() as landing:
        yield landing


@pytest.fixture
def landing(bucket: LandingSandbox) -> LandingSandbox:
    """An empty bucket."""
    for one in bucket.client.list_objects_v2(Bucket=bucket.bucket).get("Contents", []):
        bucket.client.delete_object(Bucket=bucket.bucket, Key=one["Key"])
    return bucket


@pytest.fixture
def fast(landing: LandingSandbox) -> Iterator[Caller]:
    """A sandbox in a hurry, on the real clock, with a bucket."""
    with (
        NewStoreSandbox(landing=landing, time_scale=FAST) as newstore,
        Caller(newstore) as caller,
    ):
        yield caller


def exporting(landing: LandingSandbox) -> dict[str, Any]:
    return {
        "id": "export",
        "integration_type": "permanent",
        "s3_parameters": {
            "aws_access_key_id": landing.access_key_id,
            "aws_secret_access_key": landing.secret_access_key,
            "aws_region": landing.region,
            "bucket": landing.bucket,
            "key_prefix": landing.prefix,
        },
    }


def landed_ids(landing: LandingSandbox) -> Counter[str]:
    found: Counter[str] = Counter()
    listed = landing.client.list_objects_v2(Bucket=landing.bucket).get("Contents", [])
    for one in listed:
        body = landing.client.get_object(Bucket=landing.bucket, Key=one["Key"])["Body"].read()
        found.update(event_id(line) for line in body.decode().splitlines())
    return found


def test_1_a_client_that_looks_after_its_subscription_keeps_it_running(caller: Caller) -> None:
    def look_after() -> str:
        answer = caller.get(f"{INTEGRATIONS}/erp")
        if answer.status_code == 404:
            assert answer.json()["error_code"] == "resource_not_found"
            return f"created {caller.call('POST', INTEGRATIONS, json=webhook()).status_code}"
        if answer.json()["status"] == "stopped":
            return f"started {caller.call('POST', f'{INTEGRATIONS}/erp/_start').status_code}"
        return "ran"

    seen = [look_after(), look_after()]
    caller.call("POST", f"{INTEGRATIONS}/erp/_stop")
    seen += [look_after(), look_after()]
    caller.call("DELETE", f"{INTEGRATIONS}/erp")
    seen += [look_after()]
    assert seen == ["created 201", "ran", "started 200", "ran", "created 201"]


def test_1_a_client_that_starts_and_creates_blindly_is_refused(caller: Caller) -> None:
    blind = [caller.call("POST", INTEGRATIONS, json=webhook()).status_code for _ in range(2)]
    blind.append(caller.call("POST", f"{INTEGRATIONS}/erp/_start").status_code)
    assert blind == [201, 409, 409]


def test_2_every_event_comes_at_least_once_whatever_happens_on_the_way(fast: Caller) -> None:
    stream = fast.newstore.stream
    stream.disturbances = EVERYTHING_AT_ONCE
    failing = random.Random(1)
    with receiving() as receiver:
        receiver.answer = lambda _number: 500 if failing.random() < 0.2 else 200
        fast.call("POST", INTEGRATIONS, json=webhook(receiver))
        for number in range(EVENTS):
            stream.publish(event(number))
        stream.wait_until_delivered()
        counts = Counter(receiver.ids)
        first_seen = list(dict.fromkeys(receiver.ids))
    assert len(counts) == EVENTS
    assert max(counts.values()) > 1
    assert first_seen != [f"event-{number}" for number in range(EVENTS)]
    assert stream.integrations.status("erp") == "running"
    assert len(fast.get(PUBLISHED).json()) >= counts.total()


def test_2_a_receiver_that_refuses_events_loses_its_stream_until_it_replays(fast: Caller) -> None:
    stream = fast.newstore.stream
    stream.rules = DeliveryRules(interruption=Interruption.AT_FIRST_REFUSAL)
    stream.disturbances = Disturbances(burst=3)
    began = utc_now()
    with receiving() as receiver:
        receiver.answer = lambda _number: 401
        fast.call("POST", INTEGRATIONS, json=webhook(receiver))
        for number in range(3):
            stream.publish(event(number))
        stream.wait_until_stopped("erp")
        last = stream.publish(event(3)).created_at
        stream.wait_until_delivered()
        receiver.reset()
        window = {
            "integration_type": "temporary",
            "starts_at": began.isoformat(timespec="milliseconds"),
            "ends_at": (last + timedelta(milliseconds=1)).isoformat(timespec="milliseconds"),
        }
        made = fast.call("POST", INTEGRATIONS, json=webhook(receiver, name="replay", **window))
        stream.wait_until_stopped("replay")
        replayed = sorted(receiver.ids)
    assert made.status_code == 201
    assert replayed == ["event-0", "event-1", "event-2", "event-3"]
    assert len(stream.rejected("erp")) == 3


def test_3_webhook_and_export_overlap_and_each_has_everything(
    fast: Caller, landing: LandingSandbox
) -> None:
    stream = fast.newstore.stream
    stream.disturbances = EVERYTHING_AT_ONCE
    with receiving() as receiver:
        fast.call("POST", INTEGRATIONS, json=webhook(receiver))
        assert fast.call("POST", INTEGRATIONS, json=exporting(landing)).status_code == 201
        for number in range(EVENTS):
            stream.publish(event(number))
        stream.wait_until_delivered()
        assert len(set(receiver.ids)) == EVENTS
    exported = landed_ids(landing)
    assert len(exported) == EVENTS
    assert max(exported.values()) > 1


def test_3_an_export_to_a_bucket_of_somebody_else_writes_nothing(
    fast: Caller, landing: LandingSandbox
) -> None:
    body = exporting(landing)
    body["s3_parameters"]["aws_secret_access_key"] = "guessed"
    fast.call("POST", INTEGRATIONS, json=body)
    fast.newstore.stream.publish(event(1))
    fast.newstore.stream.wait_until_stopped("export")
    assert not landed_ids(landing)
    assert len(fast.get(PUBLISHED).json()) == 11


def test_4_a_token_that_dies_is_told_from_a_token_that_is_missing(
    caller: Caller, clock: Clock
) -> None:
    caller.newstore.add_order(order())
    clock.advance(seconds=300)
    expired = caller.account()
    caller.authorize()
    renewed = caller.account()
    del caller.session.headers["Authorization"]
    assert (expired.status_code, expired.headers["content-type"]) == (403, "application/json")
    assert renewed.status_code == 200
    assert caller.account().status_code == 401


def test_5_nodes_edges_aliases_and_the_list_tell_the_same(caller: Caller) -> None:
    caller.newstore.add_order(order(payments=(leg(),)))
    one = f'order(id: "{ORDER_ID}", tenant: "demo")'
    some = f'orders(first: 5, filter: {{id: {{in: ["{ORDER_ID}"]}}}})'
    answer = caller.query(
        f"{{ a: {one} {{ placedAt }} b: {some} {{ nodes {{ placedAt }} }}"
        f" c: {some} {{ edges {{ node {{ placedAt }} }} pageInfo {{ hasNextPage }} }} }}"
    )
    found = answer.json()["data"]
    placed = {"placedAt": "2026-05-01T09:30:15.678"}
    assert (found["a"], found["b"]["nodes"]) == (placed, [placed])
    assert found["c"] == {"edges": [{"node": placed}], "pageInfo": {"hasNextPage": False}}


@pytest.mark.parametrize(
    "query",
    [
        "{",
        "{ order(id: 5) { id } }",
        '{ order(id: "x", tenant: "demo") { refunds { id } } }',
        '{ orders(filter: {id: {like: "x"}}) { nodes { id } } }',
        'mutation { deleteOrder(id: "x") }',
    ],
)
def test_5_a_query_the_schema_does_not_know_is_refused(caller: Caller, query: str) -> None:
    answer = caller.query(query)
    assert answer.status_code == 400
    assert answer.json()["errors"]


def test_6_the_refund_resource_tells_returns_and_history_apart(caller: Caller) -> None:
    refund = RefundRequest(REFUND_ID, Decimal("5.00"), "USD", NOON)
    returned = replace(refund, id="return-1", return_id="return-1")
    imported = replace(refund, id="import-1", is_historical=True)
    caller.newstore.add_order(order(refunds=(refund, returned, imported)))
    listed = caller.get(f"/v0/d/orders/{ORDER_ID}/refunds").json()["refunds"]
    told = {one["id"]: (one["return_id"], one["is_historical"]) for one in listed}
    assert told == {
        REFUND_ID: (None, False),
        "return-1": ("return-1", False),
        "import-1": (None, True),
    }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", f"/v0/c/payments/accounts/{ORDER_ID}", 405),
        ("GET", "/v0/c/payments/accounts/", 404),
        ("GET", f"/v0/d/orders/{ORDER_ID}/refunds/{REFUND_ID}/legs", 404),
        ("GET", f"/v1/c/payments/accounts/{ORDER_ID}", 404),
    ],
)
def test_6_other_methods_and_paths_are_refused(
    caller: Caller, method: str, path: str, status: int
) -> None:
    caller.newstore.add_order(order())
    assert caller.call(method, path).status_code == status


def shown_for(caller: Caller, refund_id: str) -> Decimal:
    """What a careful client finds: refunds and issues with the refund's correlation id."""
    body = json.loads(caller.account().text, parse_float=Decimal)
    found = Decimal(0)
    for instrument in body["instruments"]:
        for one in instrument["original_transactions"]:
            if one["correlation_id"] == refund_id and one["reason"] in {"refund", "issue"}:
                found += abs(one["refund_amount"]) + abs(one["capture_amount"])
    return found


@pytest.mark.parametrize(
    ("later", "seen"),
    [
        ([("5.00", 0)], ["5", "5", "5"]),
        ([("5.00", 56)], ["0", "5", "5"]),
        ([("2.00", 0), ("3.00", 60)], ["2", "2", "5"]),
        ([("5.00", 3_600)], ["0", "0", "0"]),
        ([("4.00", 0)], ["4", "4", "4"]),
        ([("6.00", 0)], ["6", "6", "6"]),
        ([("0.00", 0), ("5.00", 0)], ["5", "5", "5"]),
    ],
    ids=["at once", "late", "split", "never", "under", "over", "zero"],
)
def test_7_payments_appear_in_their_time(
    caller: Caller, clock: Clock, later: list[tuple[str, int]], seen: list[str]
) -> None:
    """Beside a return, a reduction and another appeasement of the same amount."""
    legs: list[PaymentLeg] = [
        leg("refund", amount, instrument=str(number), available_at=at(seconds))
        for number, (amount, seconds) in enumerate(later)
    ]
    others = [
        leg("refund", correlation_id=other)
        for other in ("a-return", f"{ORDER_ID}-reduction-cancel-1", "another-refund")
    ]
    caller.newstore.add_order(order(payments=(*legs, *others, leg("void"))))
    found = []
    for seconds in (0, 56, 4):
        clock.advance(seconds=seconds)
        found.append(shown_for(caller, REFUND_ID))
    assert found == [Decimal(amount) for amount in seen]


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_8_a_client_that_waits_as_told_gets_everything(caller: Caller, clock: Clock) -> None:
    caller.newstore.add_order(order())
    caller.newstore.limits.newer(5)
    answered = refused = 0
    while answered < 30:
        answer = caller.account()
        if answer.status_code == 429:
            refused += 1
            clock.advance(seconds=int(answer.headers["Retry-After"]))
        answered += answer.ok
    assert refused == 5
    assert caller.newstore.audit.while_blocked == 0


def test_8_a_client_that_hammers_is_blocked_and_counted(caller: Caller, clock: Clock) -> None:
    caller.newstore.limits.older(10)
    statuses = Counter(caller.account().status_code for _ in range(30))
    clock.advance(minutes=5)
    assert statuses == {404: 10, 403: 20}
    assert caller.newstore.audit.while_blocked == 19


def test_9_orders_of_every_kind_are_shown(caller: Caller) -> None:
    kinds: dict[str, SandboxOrder] = {
        "cash and carry": order(),
        "endless aisle": order(items=(item("REGULAR_PARCEL"),)),
        "mixed cart": order(items=(item("IN_STORE_HANDOVER"), item("REGULAR_PARCEL"))),
        "pick-up": order(items=(item("IN_STORE_PICK_UP"),)),
        "unknown service": order(items=(item(None),)),
        "web": order(channel_type="web", channel="MTLDC1", demand_location_id=""),
        "guest": order(customer_email=None, customer_name=None),
        "exchange": order(is_exchange=True),
        "historical": order(is_historical=True),
        "fiscal": order(demand_location_id="PAR01", customer_name="A B", country="FR"),
        "large": order(items=tuple(item("REGULAR_PARCEL") for _ in range(101))),
    }
    fields = (
        "channelType demandLocationId isExchange isHistorical customerEmail"
        " items(first: 200) { totalCount nodes { shippingServiceLevel } }"
    )
    seen = {}
    for kind, one in kinds.items():
        caller.newstore.add_order(one)
        seen[kind] = caller.order(fields)
    levels = {
        kind: sorted({str(node["shippingServiceLevel"]) for node in found["items"]["nodes"]})
        for kind, found in seen.items()
    }
    assert levels["mixed cart"] == ["IN_STORE_HANDOVER", "REGULAR_PARCEL"]
    assert levels["unknown service"] == ["None"]
    assert (seen["web"]["channelType"], seen["web"]["demandLocationId"]) == ("web", "")
    assert seen["guest"]["customerEmail"] is None
    assert seen["exchange"]["isExchange"] is seen["historical"]["isHistorical"] is True
    assert seen["fiscal"]["demandLocationId"] == "PAR01"
    assert (seen["large"]["items"]["totalCount"], len(seen["large"]["items"]["nodes"])) == (
        101,
        100,
    )


def item(level: str | None) -> SandboxItem:
    return SandboxItem(product_id="SKU-1", price=Decimal("10.00"), shipping_service_level=level)


def test_10_what_events_ask_for_is_what_accounts_prove(caller: Caller, clock: Clock) -> None:
    """Money in = money shown, per refund, once the last leg is there, and never before it."""
    requests_made = [
        RefundRequest(f"refund-{number}", Decimal(amount), "USD", NOON)
        for number, amount in enumerate(("5.00", "5.00", "71.62"))
    ]
    legs = [
        leg(amount="5.00", correlation_id="refund-0"),
        leg("issue", "5.00", correlation_id="refund-1", method="gift_card", provider="gift_card"),
        leg(amount="22.28", correlation_id="refund-2"),
        leg(amount="49.34", correlation_id="refund-2", instrument="B", available_at=at(60)),
    ]
    caller.newstore.add_order(order(payments=tuple(legs), refunds=tuple(requests_made)))
    with receiving() as receiver:
        caller.call("POST", INTEGRATIONS, json=webhook(receiver))
        for one in requests_made:
            told = refund_event(one, order_id=ORDER_ID, tenant="demo", published_at=NOON)
            caller.newstore.stream.publish(told)
        caller.newstore.stream.wait_until_delivered()
        asked = {
            payload["id"]: payload["amount"]
            for payload in (
                json.loads(body, parse_float=Decimal)["payload"] for body in receiver.bodies
            )
        }
    early = {name: shown_for(caller, name) for name in asked}
    clock.advance(seconds=60)
    late = {name: shown_for(caller, name) for name in asked}
    assert early == {**asked, "refund-2": Decimal("22.28")}
    assert late == asked


def test_the_sandbox_answers_two_hundred_at_the_same_time(caller: Caller) -> None:
    caller.newstore.add_order(order(payments=(leg(),)))
    url, headers = caller.newstore.base_url, dict(caller.session.headers)
    query = {"query": f'{{ order(id: "{ORDER_ID}", tenant: "demo") {{ externalId }} }}'}

    def call(number: int) -> int:
        if number % 2:
            path = f"{url}/v0/c/payments/accounts/{ORDER_ID}"
            return requests.get(path, headers=headers, timeout=60).status_code
        path = f"{url}/api/v1/org/data/query"
        return requests.post(path, json=query, headers=headers, timeout=60).status_code

    with ThreadPoolExecutor(200) as callers:
        assert Counter(callers.map(call, range(400))) == {200: 400}
