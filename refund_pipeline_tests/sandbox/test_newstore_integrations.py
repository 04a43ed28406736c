"""The subscription API says what the contract says (1.1, 1.4), and refuses everything else."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from refund_pipeline.sandbox.newstore import NewStoreSandbox
from refund_pipeline_tests.sandbox.newstore_raw_client import (
    INTEGRATIONS,
    NOON,
    Caller,
    Clock,
    webhook,
)

S3 = {
    "aws_access_key_id": "id-of-the-key",
    "aws_secret_access_key": "secret-of-the-key",
    "aws_region": "us-east-1",
    "bucket": "landing",
    "key_prefix": "newstore/events",
}
WINDOW: dict[str, Any] = {
    "starts_at": "2026-05-01T00:00:00Z",
    "ends_at": "2026-05-02T00:00:00.500Z",
}


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[NewStoreSandbox, Clock]]:
    clock = Clock()
    with NewStoreSandbox(clock=clock) as newstore:
        yield newstore, clock


@pytest.fixture
def caller(running: tuple[NewStoreSandbox, Clock]) -> Iterator[Caller]:
    """One server for all tests; every test begins without integrations."""
    newstore, clock = running
    clock.now = NOON
    for integration, _ in newstore.stream.integrations.all():
        newstore.stream.integrations.delete(integration.id)
    with Caller(newstore) as caller:
        yield caller


def create(caller: Caller, body: Any) -> requests.Response:
    return caller.call("POST", INTEGRATIONS, json=body)


def refusal(answer: requests.Response) -> tuple[int, str]:
    assert set(answer.json()) == {"messages", "request_id", "error_code"}
    return answer.status_code, answer.json()["error_code"]


def test_a_new_integration_runs_without_being_started(caller: Caller) -> None:
    made = create(caller, webhook())
    assert (made.status_code, made.json()["status"]) == (201, "running")
    assert caller.get(f"{INTEGRATIONS}/erp").json()["status"] == "running"


def test_what_is_shown_is_what_was_registered_without_its_secrets(caller: Caller) -> None:
    conditions = {"event_filter": ["refund_request.issued"], "entity_filter": ["refund_request"]}
    create(caller, webhook(starts_at="2026-05-01T02:00:00+02:00", filter_conditions=conditions))
    exported = {"id": "export", "integration_type": "temporary", "s3_parameters": S3, **WINDOW}
    create(caller, exported)
    caller.newstore.stream.wait_until_stopped("export")
    assert caller.get(INTEGRATIONS).json() == {
        "integrations": [
            {
                "id": "erp",
                "status": "running",
                "integration_type": "permanent",
                "starts_at": "2026-05-01T00:00:00.000Z",
                "callback_parameters": {"callback_url": "https://erp.example/newstore"},
                "filter_conditions": conditions,
            },
            {
                "id": "export",
                "status": "stopped",
                "integration_type": "temporary",
                "starts_at": "2026-05-01T00:00:00.000Z",
                "ends_at": "2026-05-02T00:00:00.500Z",
                "s3_parameters": {
                    "aws_region": "us-east-1",
                    "bucket": "landing",
                    "key_prefix": "newstore/events",
                },
            },
        ]
    }


def test_no_answer_shows_a_secret(caller: Caller) -> None:
    answers = [
        create(caller, webhook()),
        create(caller, {"id": "export", "integration_type": "permanent", "s3_parameters": S3}),
        create(caller, webhook(name="bad", callback_parameters={"api_key": "key-of-the-hook"})),
        caller.get(INTEGRATIONS),
        caller.get(f"{INTEGRATIONS}/export"),
    ]
    shown = " ".join(answer.text for answer in answers)
    assert "of-the-hook" not in shown
    assert "of-the-key" not in shown


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"id": None}, "id: is missing"),
        ({"id": 7}, "id: input should be a valid string"),
        ({"id": "a/b"}, "id: string should match"),
        ({"integration_type": None}, "integration_type: is missing"),
        ({"integration_type": "forever"}, "integration_type: input should be"),
        ({"status": "running"}, "status: is not a known field"),
        ({"callback_parameters": None}, "needs callback_parameters or s3_parameters"),
        ({"s3_parameters": S3}, "needs callback_parameters or s3_parameters, and not both"),
        ({"callback_parameters": {"api_key": "k"}}, "callback_parameters.callback_url: is missing"),
        ({"callback_parameters": {"callback_url": "http://erp.example"}}, "must be https"),
        ({"callback_parameters": {"callback_url": "https://a:b@erp.example"}}, "can be called"),
        ({"callback_parameters": {"callback_url": "https://x", "key": "k"}}, "not a known field"),
        ({"callback_parameters": {"callback_url": "https://x", "api_key": "a\nb"}}, "api_key"),
        ({"starts_at": "2026-05-01"}, "starts_at: is not a date-time"),
        ({"starts_at": "2026-05-01T00:00:00"}, "starts_at: is not a date-time with an offset"),
        ({"starts_at": "2026-02-30T00:00:00Z"}, "starts_at: is no date"),
        ({"starts_at": 1_777_000_000}, "starts_at: is not a date-time"),
        (WINDOW, "ends_at makes an integration temporary"),
        ({"integration_type": "temporary"}, "needs starts_at and ends_at"),
        ({"integration_type": "temporary", "ends_at": WINDOW["ends_at"]}, "needs starts_at"),
        (
            {**WINDOW, "integration_type": "temporary", "ends_at": WINDOW["starts_at"]},
            "ends_at is not after starts_at",
        ),
        ({"filter_conditions": {}}, "neither event_filter nor entity_filter"),
        ({"filter_conditions": {"event_filter": []}}, "at least 1"),
        ({"filter_conditions": {"event_filter": "order.created"}}, "event_filter"),
        ({"filter_conditions": {"event_filter": ["created"]}}, "event_filter"),
    ],
)
def test_a_registration_that_is_not_right_is_refused(
    caller: Caller, changes: dict[str, Any], problem: str
) -> None:
    answer = create(caller, webhook(**changes))
    assert refusal(answer) == (400, "invalid_request")
    assert problem in " ".join(answer.json()["messages"])
    assert caller.get(INTEGRATIONS).json() == {"integrations": []}


def test_a_field_that_is_null_is_refused(caller: Caller) -> None:
    answer = create(caller, {**webhook(), "starts_at": None})
    assert answer.json()["messages"] == ["is null at starts_at; leave out what is not set"]


@pytest.mark.parametrize("missing", sorted(S3))
def test_an_export_needs_every_parameter(caller: Caller, missing: str) -> None:
    incomplete = {name: value for name, value in S3.items() if name != missing}
    body = {"id": "export", "integration_type": "permanent", "s3_parameters": incomplete}
    assert create(caller, body).json()["messages"] == [f"s3_parameters.{missing}: is missing"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"null"])
def test_a_body_that_is_no_json_object_is_refused(caller: Caller, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = caller.call("POST", INTEGRATIONS, data=body, headers=headers)
    assert refusal(answer) == (400, "invalid_request")


def test_a_registration_that_is_not_sent_as_json_is_refused(caller: Caller) -> None:
    answer = caller.call("POST", INTEGRATIONS, data={"id": "erp"})
    assert answer.json()["messages"] == ["Content-Type must be application/json"]


def test_an_id_that_is_taken_is_409(caller: Caller) -> None:
    create(caller, webhook())
    assert refusal(create(caller, webhook())) == (409, "already_exists")


def test_the_26th_integration_is_refused_until_one_is_deleted(caller: Caller) -> None:
    for number in range(25):
        create(caller, webhook(name=f"erp-{number}"))
    caller.call("POST", f"{INTEGRATIONS}/erp-0/_stop")
    assert refusal(create(caller, webhook())) == (400, "limit_reached")
    caller.call("DELETE", f"{INTEGRATIONS}/erp-0")
    assert create(caller, webhook()).status_code == 201


@pytest.mark.parametrize(
    ("method", "action"),
    [("GET", ""), ("DELETE", ""), ("PATCH", ""), ("POST", "/_start"), ("POST", "/_stop")],
)
def test_an_integration_nobody_registered_is_404(caller: Caller, method: str, action: str) -> None:
    change = {"filter_conditions": {"entity_filter": ["order"]}} if method == "PATCH" else {}
    answer = caller.call(method, f"{INTEGRATIONS}/nobody{action}", json=change)
    assert refusal(answer) == (404, "resource_not_found")


def test_an_integration_is_stopped_and_started(caller: Caller) -> None:
    create(caller, webhook())
    stopped = caller.call("POST", f"{INTEGRATIONS}/erp/_stop")
    assert (stopped.status_code, stopped.json()) == (200, {})
    assert caller.get(f"{INTEGRATIONS}/erp").json()["status"] == "stopped"
    caller.call("POST", f"{INTEGRATIONS}/erp/_start", json={})
    assert caller.get(f"{INTEGRATIONS}/erp").json()["status"] == "running"


def test_starting_what_runs_and_stopping_what_is_stopped_are_conflicts(caller: Caller) -> None:
    create(caller, webhook())
    running = caller.call("POST", f"{INTEGRATIONS}/erp/_start")
    caller.call("POST", f"{INTEGRATIONS}/erp/_stop")
    stopped = caller.call("POST", f"{INTEGRATIONS}/erp/_stop")
    assert refusal(running) == (409, "already_running")
    assert refusal(stopped) == (409, "already_stopped")


def test_a_start_takes_no_body(caller: Caller) -> None:
    create(caller, webhook())
    answer = caller.call("POST", f"{INTEGRATIONS}/erp/_start", json={"force": True})
    assert refusal(answer) == (400, "invalid_request")


def test_a_temporary_integration_that_has_ended_does_not_start_again(caller: Caller) -> None:
    create(caller, webhook(integration_type="temporary", **WINDOW))
    caller.newstore.stream.wait_until_stopped("erp")
    answer = caller.call("POST", f"{INTEGRATIONS}/erp/_start")
    assert refusal(answer) == (409, "ended")


def test_a_patch_replaces_what_it_names(caller: Caller) -> None:
    create(caller, webhook(filter_conditions={"entity_filter": ["order"]}))
    change = {"callback_parameters": {"callback_url": "https://other.example/hook"}}
    answer = caller.call("PATCH", f"{INTEGRATIONS}/erp", json=change)
    assert answer.status_code == 200
    assert answer.json()["callback_parameters"] == change["callback_parameters"]
    assert answer.json()["filter_conditions"] == {"entity_filter": ["order"]}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"id": "other"},
        {"integration_type": "temporary"},
        {"starts_at": "2026-05-01T00:00:00Z"},
        {"status": "stopped"},
        {"s3_parameters": S3},
        {"callback_parameters": {"api_key": "k"}},
        {"filter_conditions": None},
    ],
)
def test_a_patch_of_anything_else_is_refused(caller: Caller, change: dict[str, Any]) -> None:
    create(caller, webhook())
    before = caller.get(f"{INTEGRATIONS}/erp").json()
    answer = caller.call("PATCH", f"{INTEGRATIONS}/erp", json=change)
    assert refusal(answer) == (400, "invalid_request")
    assert caller.get(f"{INTEGRATIONS}/erp").json() == before


def test_a_deleted_integration_is_gone(caller: Caller) -> None:
    create(caller, webhook())
    deleted = caller.call("DELETE", f"{INTEGRATIONS}/erp")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert caller.get(f"{INTEGRATIONS}/erp").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", INTEGRATIONS, 405),
        ("POST", f"{INTEGRATIONS}/erp", 405),
        ("GET", f"{INTEGRATIONS}/erp/_start", 405),
        ("POST", f"{INTEGRATIONS}/erp/_restart", 404),
        ("GET", f"{INTEGRATIONS}/erp/_start/now", 404),
    ],
)
def test_other_methods_and_paths_are_refused(
    caller: Caller, method: str, path: str, status: int
) -> None:
    create(caller, webhook())
    assert caller.call(method, path).status_code == status


def test_the_integrations_need_a_token_like_everything_else(caller: Caller) -> None:
    del caller.session.headers["Authorization"]
    assert create(caller, webhook()).status_code == 401
    caller.session.headers["Authorization"] = "Bearer made-up"
    assert caller.get(INTEGRATIONS).status_code == 403
    assert caller.newstore.requests["integrations"] >= 2
