"""The integrations API against a server that says what it is told."""

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
import stamina

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.gateways.newstore_api import NewStoreApi
from refund_pipeline.gateways.newstore_integrations import (
    Integration,
    NewIntegration,
    S3Delivery,
    S3Target,
    WebhookDelivery,
    WebhookTarget,
    checked_id,
    rfc3339,
)
from refund_pipeline.gateways.newstore_subscriptions import Refused, Subscriptions
from refund_pipeline_tests.gateways.scripted_server import (
    DROPPED,
    Reply,
    ScriptedServer,
    closed_port,
    json_reply,
    scripted_server,
)

PATH = "/api/v1/org/integrations/eventstream"
SECRETS = ("planted_api_key", "PLANTED-SECRET-KEY", "AKIAPLANTED")
TOKEN = json_reply({"access_token": "token-1", "expires_in": 300})
GONE = json_reply({"messages": ["none"], "error_code": "resource_not_found"}, 404)
WEBHOOK = NewIntegration(
    "refund-pipeline", WebhookDelivery(WebhookTarget("https://receiver.example/events"), SECRETS[0])
)
EXPORT = NewIntegration(
    "refund-pipeline",
    S3Delivery(
        S3Target("bucket", "newstore/events", "eu-west-1"),
        access_key_id=SECRETS[2],
        secret_access_key=SECRETS[1],
    ),
    starts_at=datetime(2026, 11, 1, tzinfo=timezone.utc),
    ends_at=datetime(2026, 11, 2, 12, 30, tzinfo=timezone.utc),
)


def shown(**changes: Any) -> dict[str, Any]:
    """What NewStore shows of the webhook; it may repeat the secrets."""
    document = {
        "id": "refund-pipeline",
        "integration_type": "permanent",
        "status": "running",
        "callback_parameters": {
            "callback_url": "https://receiver.example/events",
            "api_key": SECRETS[0],
        },
        "filter_conditions": {"event_filter": ["refund_request.issued"], "entity_filter": []},
        "starts_at": "2026-11-01T00:00:00.000Z",
        "ends_at": None,
    }
    return {**document, **changes}


SHOWN = json_reply(shown())


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=4, cap=True):
        yield


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running


@pytest.fixture
def subscriptions(server: ScriptedServer) -> Iterator[Subscriptions]:
    opened = Subscriptions(
        NewStoreApi(
            base_url=server.url,
            token_url=server.url + "/token",
            client_id="client",
            client_secret="client-secret",
            concurrency=1,
        )
    )
    yield opened
    opened.close()


def asked(server: ScriptedServer) -> list[tuple[str, str]]:
    return [(seen.method, seen.path) for seen in server.seen if seen.path != "/token"]


# Looking up


def test_an_integration_is_read_without_its_secrets(server, subscriptions) -> None:
    server.say(TOKEN, SHOWN)
    found = subscriptions.find("refund-pipeline")
    assert found == Integration(
        integration_id="refund-pipeline",
        status="running",
        integration_type="permanent",
        target=WebhookTarget("https://receiver.example/events"),
        event_filter=("refund_request.issued",),
        entity_filter=(),
        starts_at=datetime(2026, 11, 1, tzinfo=timezone.utc),
        ends_at=None,
    )
    assert found.is_running
    assert found.delivers_refunds
    assert SECRETS[0] not in repr(found)
    assert asked(server) == [("GET", f"{PATH}/refund-pipeline")]
    assert server.seen[-1].headers["authorization"] == "Bearer token-1"


def test_only_id_and_status_have_to_be_shown(server, subscriptions) -> None:
    server.say(TOKEN, json_reply({"id": "refund-pipeline", "status": "stopped"}))
    found = subscriptions.find("refund-pipeline")
    assert not found.is_running
    assert found.target is None
    assert found.delivers_refunds, "no filter is all events"


def test_a_time_without_an_offset_is_utc(server, subscriptions) -> None:
    server.say(TOKEN, json_reply(shown(starts_at="2026-11-01T08:00:00")))
    found = subscriptions.find("refund-pipeline")
    assert found.starts_at == datetime(2026, 11, 1, 8, tzinfo=timezone.utc)


def test_a_404_that_names_the_resource_is_an_integration_that_does_not_exist(
    server, subscriptions
) -> None:
    server.say(TOKEN, GONE)
    assert subscriptions.find("refund-pipeline") is None


@pytest.mark.parametrize(
    "reply",
    [
        json_reply({"error_code": "no_route"}, 404),
        Reply(404, b"<html>resource_not_found</html>"),
        json_reply({"error_code": "moved"}, 301),
        json_reply({"error_code": "bad_request"}, 400),
    ],
)
def test_any_other_answer_is_no_proof_that_it_does_not_exist(server, subscriptions, reply) -> None:
    server.say(TOKEN, reply)
    with pytest.raises(Misconfigured, match=f"NewStore answered {reply.status}"):
        subscriptions.find("refund-pipeline")


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ([], r"\$: "),
        (None, r"\$: "),
        ({}, r"\$\.id: missing; \$\.status: missing"),
        (shown(status=None), r"\$\.status: "),
        (shown(status=7), r"\$\.status: "),
        (shown(starts_at="PLANTED-SECRET-KEY"), r"\$\.starts_at: "),
        (shown(callback_parameters="PLANTED-SECRET-KEY"), r"\$\.callback_parameters: "),
        (shown(filter_conditions={"event_filter": [1]}), r"event_filter\[0\]: "),
        (shown(id="another"), "another integration"),
    ],
)
def test_an_answer_of_another_shape_is_a_sentence_with_its_path(
    server, subscriptions, document, problem
) -> None:
    server.say(TOKEN, json_reply(document))
    with pytest.raises(Misconfigured, match=problem) as error:
        subscriptions.find("refund-pipeline")
    assert not any(secret in str(error.value) for secret in SECRETS)


@pytest.mark.parametrize("body", [b"", b"not json", b"<html></html>", b"[1, {]", b"NaN"])
def test_an_answer_that_is_no_json_is_a_sentence_too(server, subscriptions, body) -> None:
    server.say(TOKEN, Reply(200, body))
    with pytest.raises(Misconfigured, match="another shape"):
        subscriptions.find("refund-pipeline")
    with pytest.raises(Misconfigured, match="another shape"):
        subscriptions.all()


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"integrations": rows}])
def test_all_integrations_are_listed(server, subscriptions, wrap) -> None:
    server.say(TOKEN, json_reply(wrap([shown(), shown(id="other", status="stopped")])))
    assert [each.integration_id for each in subscriptions.all()] == ["refund-pipeline", "other"]
    assert asked(server) == [("GET", PATH)]


def test_a_list_names_the_integration_that_is_not_understood(server, subscriptions) -> None:
    server.say(TOKEN, json_reply([shown(), {"id": "other"}]))
    with pytest.raises(Misconfigured, match=r"\$\[1\]\.status: missing"):
        subscriptions.all()


def test_an_outage_is_unavailable(server, subscriptions) -> None:
    server.say(TOKEN, Reply(503))
    with pytest.raises(Unavailable, match="NewStore answered 503"):
        subscriptions.find("refund-pipeline")


def test_nobody_there_is_unavailable() -> None:
    nowhere = closed_port()
    subscriptions = Subscriptions(
        NewStoreApi(
            base_url=nowhere,
            token_url=nowhere,
            client_id="client",
            client_secret="client-secret",
            concurrency=1,
        )
    )
    with pytest.raises(Unavailable, match="no answer"):
        subscriptions.all()
    subscriptions.close()


# Creating


def test_a_webhook_is_registered_with_its_key_for_issued_refunds_only(
    server, subscriptions
) -> None:
    server.say(TOKEN, json_reply(shown(), 201), SHOWN)
    assert subscriptions.create(WEBHOOK).is_running
    assert server.seen[1].document == {
        "id": "refund-pipeline",
        "integration_type": "permanent",
        "callback_parameters": {
            "callback_url": "https://receiver.example/events",
            "api_key": SECRETS[0],
        },
        "filter_conditions": {"event_filter": ["refund_request.issued"]},
    }
    assert server.seen[1].headers["content-type"] == "application/json"


def test_an_export_with_an_end_is_temporary(server, subscriptions) -> None:
    server.say(TOKEN, Reply(201, b""), SHOWN)
    subscriptions.create(EXPORT)
    assert server.seen[1].document == {
        "id": "refund-pipeline",
        "integration_type": "temporary",
        "s3_parameters": {
            "aws_access_key_id": SECRETS[2],
            "aws_secret_access_key": SECRETS[1],
            "aws_region": "eu-west-1",
            "bucket": "bucket",
            "key_prefix": "newstore/events",
        },
        "filter_conditions": {"event_filter": ["refund_request.issued"]},
        "starts_at": "2026-11-01T00:00:00.000Z",
        "ends_at": "2026-11-02T12:30:00.000Z",
    }


@pytest.mark.parametrize("lost", [DROPPED, Reply(500), Reply(502), Reply(504)])
def test_a_lost_answer_is_looked_up_and_not_sent_again(server, subscriptions, lost) -> None:
    server.say(TOKEN, lost, SHOWN)
    assert subscriptions.create(WEBHOOK).integration_id == "refund-pipeline"
    assert asked(server) == [("POST", PATH), ("GET", f"{PATH}/refund-pipeline")]


@pytest.mark.parametrize("lost", [DROPPED, Reply(503), Reply(429, headers={"Retry-After": "0"})])
def test_what_is_not_there_after_a_lost_answer_is_sent_again(server, subscriptions, lost) -> None:
    server.say(TOKEN, lost, GONE, json_reply(shown(), 201), SHOWN)
    assert subscriptions.create(WEBHOOK).is_running
    assert [method for method, _ in asked(server)] == ["POST", "GET", "POST", "GET"]


def test_what_a_late_first_request_made_is_no_refusal_of_the_second(server, subscriptions) -> None:
    conflict = json_reply({"error_code": "already_exists"}, 409)
    server.say(TOKEN, DROPPED, GONE, conflict, SHOWN)
    assert subscriptions.create(WEBHOOK).is_running


def test_an_answer_that_stays_lost_says_that_the_command_may_be_repeated(
    server, subscriptions
) -> None:
    lost_and_gone = [DROPPED, GONE] * 4
    server.say(TOKEN, *lost_and_gone)
    with pytest.raises(Unavailable, match="it is not there; the same command is safe to repeat"):
        subscriptions.create(WEBHOOK)
    assert [method for method, _ in asked(server)].count("POST") == 4


def test_a_look_up_that_fails_after_a_lost_answer_sends_nothing_more(server, subscriptions) -> None:
    server.say(TOKEN, DROPPED, Reply(503))
    with pytest.raises(Unavailable):
        subscriptions.create(WEBHOOK)
    assert [method for method, _ in asked(server)].count("POST") == 1


def test_a_token_that_ended_is_renewed_before_creating(server, subscriptions) -> None:
    expired = json_reply({"message": "forbidden"}, 403)
    server.say(TOKEN, expired, TOKEN, json_reply(shown(), 201), SHOWN)
    assert subscriptions.create(WEBHOOK).is_running


def test_a_refusal_has_status_and_code(server, subscriptions) -> None:
    server.say(TOKEN, json_reply({"error_code": "limit_reached"}, 422), GONE)
    assert subscriptions.create(WEBHOOK) == Refused("NewStore answered 422 (limit_reached)")


@pytest.mark.parametrize(("new", "secrets"), [(WEBHOOK, SECRETS[:1]), (EXPORT, SECRETS[1:])])
@pytest.mark.parametrize("status", [400, 404, 409, 422, 500])
def test_secrets_an_answer_repeats_are_not_shown(
    server, subscriptions, new, secrets, status
) -> None:
    for name in ("error_code", "code", "error", "message"):
        for secret in secrets:
            error = {name: secret, "messages": [f"bad key {secret}"], "request": {"key": secret}}
            server.say(TOKEN, json_reply(error, status), *([GONE, json_reply(error, status)] * 5))
            subscriptions._api._tokens._token = None
            try:
                said = repr(subscriptions.create(new))
            except (Misconfigured, Unavailable) as raised:
                said = f"{raised!r} {raised.__cause__!r} {raised}"
            assert str(status) in said
            assert not any(planted in said for planted in SECRETS)


def test_secrets_are_not_in_what_is_shown_of_a_delivery() -> None:
    assert not any(secret in repr((WEBHOOK, EXPORT)) for secret in SECRETS)


# Changing, starting, stopping, deleting


def test_keys_are_changed_for_the_same_target(server, subscriptions) -> None:
    server.say(TOKEN, SHOWN)
    assert subscriptions.change_delivery("refund-pipeline", WEBHOOK.delivery) is None
    assert asked(server) == [("PATCH", f"{PATH}/refund-pipeline")]
    assert server.seen[-1].document == {
        "callback_parameters": {
            "callback_url": "https://receiver.example/events",
            "api_key": SECRETS[0],
        }
    }


@pytest.mark.parametrize(
    ("command", "method", "path"),
    [
        ("start", "POST", f"{PATH}/refund-pipeline/_start"),
        ("stop", "POST", f"{PATH}/refund-pipeline/_stop"),
        ("delete", "DELETE", f"{PATH}/refund-pipeline"),
    ],
)
@pytest.mark.parametrize("reply", [SHOWN, Reply(202, b""), Reply(204, b"")])
def test_each_command_has_its_address(server, subscriptions, command, method, path, reply) -> None:
    server.say(TOKEN, reply)
    assert getattr(subscriptions, command)("refund-pipeline") is None
    assert asked(server) == [(method, path)]
    assert server.seen[-1].body == b""


@pytest.mark.parametrize("command", ["start", "stop", "delete"])
def test_commands_are_repeated_after_a_lost_answer_and_can_be_refused(
    server, subscriptions, command
) -> None:
    server.say(TOKEN, DROPPED, json_reply({"error_code": "not_allowed"}, 409))
    refused = Refused("NewStore answered 409 (not_allowed)")
    assert getattr(subscriptions, command)("refund-pipeline") == refused


def test_what_is_gone_is_deleted(server, subscriptions) -> None:
    server.say(TOKEN, DROPPED, GONE)
    assert subscriptions.delete("refund-pipeline") is None


def test_a_missing_integration_cannot_be_started(server, subscriptions) -> None:
    server.say(TOKEN, GONE)
    refused = Refused("NewStore answered 404 (resource_not_found)")
    assert subscriptions.start("refund-pipeline") == refused


def test_an_id_cannot_leave_its_place_in_the_address(server, subscriptions) -> None:
    server.say(TOKEN, GONE)
    subscriptions.find("../x?y")
    assert asked(server)[0][1].startswith(f"{PATH}/")


# Ids, times and addresses


@pytest.mark.parametrize("text", ["", "-a", "a b", "a/b", "a" * 65, "ä", "a\n"])
def test_an_id_that_is_none_names_the_setting(text) -> None:
    with pytest.raises(Misconfigured, match="NEWSTORE_INTEGRATION_ID is no id"):
        checked_id(text, name="NEWSTORE_INTEGRATION_ID")


def test_times_are_written_in_utc_with_milliseconds() -> None:
    text = rfc3339(datetime.fromisoformat("2026-11-20T10:00:00.123456+02:00"))
    assert text == "2026-11-20T08:00:00.123Z"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://user:pass@host.example/path?key=1", "https://host.example"),
        ("http://127.0.0.1:8080/events", "http://127.0.0.1:8080"),
        ("https://host:port/x", "no URL"),
        ("nothing", "://"),
    ],
)
def test_an_address_is_shown_by_scheme_and_host(url, expected) -> None:
    assert WebhookTarget(url).shown == expected
    assert "pass" not in repr(WebhookTarget(url))
