"""`refund-pipeline newstore subscription ...` against a server that says what it is told."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
import stamina
from click.testing import CliRunner, Result

from refund_pipeline.cli import main
from refund_pipeline.commands.moments import first_moment, last_moment
from refund_pipeline.steps.replay import Time
from refund_pipeline_tests.fakes import FakeClock
from refund_pipeline_tests.gateways.scripted_server import (
    DROPPED,
    Reply,
    ScriptedServer,
    json_reply,
    scripted_server,
)

PATH = "/api/v1/org/integrations/eventstream"
URL = "https://receiver.example/events"
SECRETS = ("planted-receiver-key", "PLANTED-AWS-ID", "PLANTED-AWS-SECRET", "planted-client-secret")
TOKEN = json_reply({"access_token": "planted-token", "expires_in": 300})
GONE = json_reply({"error_code": "resource_not_found"}, 404)

Run = Callable[..., Result]


def shown(integration_id: str = "ours", **changes: Any) -> dict[str, Any]:
    document = {
        "id": integration_id,
        "integration_type": "permanent",
        "status": "running",
        "callback_parameters": {"callback_url": URL, "api_key": SECRETS[0]},
        "filter_conditions": {"event_filter": ["refund_request.issued"]},
    }
    return {**document, **changes}


EXPORT = shown(
    callback_parameters=None,
    s3_parameters={
        "aws_access_key_id": SECRETS[1],
        "aws_secret_access_key": SECRETS[2],
        "aws_region": "eu-west-1",
        "bucket": "landing",
        "key_prefix": "newstore/events",
    },
)


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running


@pytest.fixture
def run(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> Run:
    variables = {
        "NEWSTORE_BASE_URL": server.url,
        "NEWSTORE_TOKEN_URL": server.url + "/token",
        "NEWSTORE_CLIENT_ID": "client",
        "NEWSTORE_CLIENT_SECRET": SECRETS[3],
        "NEWSTORE_INTEGRATION_ID": "ours",
        "REFUNDS_RECEIVER_KEY": SECRETS[0],
        "REFUNDS_LANDING_URL": "s3://landing/newstore/events/",
        "REFUNDS_TENANT": "demo",
        "NEWSTORE_EXPORT_AWS_REGION": "eu-west-1",
        "NEWSTORE_EXPORT_AWS_ACCESS_KEY_ID": SECRETS[1],
        "NEWSTORE_EXPORT_AWS_SECRET_ACCESS_KEY": SECRETS[2],
        "COLUMNS": "200",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    clock = FakeClock()

    def invoke(*arguments: str, replies: tuple[Reply, ...] = (), typed: str = "") -> Result:
        server.say(TOKEN, *replies)
        command = ["newstore", "subscription", *arguments]
        time = Time(clock.now, clock.sleep)
        result = CliRunner().invoke(main, command, obj=time, input=typed)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert not any(secret in result.output for secret in (*SECRETS, "planted-token"))
        return result

    return invoke


def asked(server: ScriptedServer) -> list[tuple[str, str]]:
    return [(seen.method, seen.path) for seen in server.seen if seen.path != "/token"]


# status


def test_status_shows_all_integrations_and_marks_ours(run: Run) -> None:
    others = shown("other", status="stopped", filter_conditions=None, integration_type="temporary")
    others |= {"starts_at": "2026-11-01T00:00:00Z", "ends_at": "2026-11-02T00:00:00Z"}
    strange = {"id": "strange", "status": "\x1b[31m[bold]odd"}
    result = run("status", replies=(json_reply({"integrations": [others, shown(), strange]}),))
    assert result.exit_code == 0
    text = result.stdout
    assert "3 of at most 25 event stream integrations" in text
    (ours,) = [line for line in text.splitlines() if "ours" in line]
    assert "webhook" in ours
    assert "running" in ours
    assert "refund_request.issued" in ours
    assert "all events" in text
    assert "https://receiver.example" in text
    assert "from 2026-11-01 00:00:00Z" in text
    assert "to 2026-11-02 00:00:00Z" in text
    assert "\x1b[31m" not in text
    assert "?[31m[bold]odd" in text
    assert "/events" not in text, "the path of a webhook may bear a token"


def test_status_as_json_is_for_machines(run: Run) -> None:
    result = run("status", "--json", replies=(json_reply([EXPORT, shown("other")]),))
    document = json.loads(result.stdout)
    assert (document["ours"], document["most_integrations"]) == ("ours", 25)
    assert document["integrations"][0] == {
        "id": "ours",
        "is_ours": True,
        "type": "permanent",
        "transport": "s3",
        "target": "s3://landing/newstore/events",
        "status": "running",
        "event_filter": ["refund_request.issued"],
        "entity_filter": [],
        "starts_at": None,
        "ends_at": None,
    }
    assert document["integrations"][1]["is_ours"] is False


@pytest.mark.parametrize(
    ("reply", "code", "sentence"),
    [
        (json_reply([shown()]), 0, ""),
        (json_reply([shown(status="stopped")]), 1, "ours is not running; start it"),
        (json_reply([]), 1, "ours does not exist; make it"),
        (json_reply([{"id": "ours"}]), 3, "another shape than expected ($[0].status: missing)"),
        (json_reply({"items": []}), 3, "another shape"),
        (Reply(200, b"<html>"), 3, "another shape"),
        (Reply(503), 3, "NewStore answered 503"),
        (DROPPED, 3, "no answer"),
        (Reply(403, b"<html>blocked"), 3, "blocks this address"),
        (json_reply({"message": SECRETS[0]}, 400), 3, "NewStore answered 400"),
    ],
)
def test_the_exit_code_of_status_tells_running_from_not_and_from_not_known(
    run: Run, reply, code, sentence
) -> None:
    result = run("status", replies=(reply,))
    assert result.exit_code == code
    assert sentence in result.stderr
    assert "Traceback" not in result.output


def test_a_block_is_kept_for_the_job_and_the_next_command(
    run: Run, server, monkeypatch, tmp_path
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    assert run("status", replies=(Reply(403, b"<html>blocked"),)).exit_code == 3
    assert "blocks this address" in run("status", replies=(json_reply([shown()]),)).stderr
    assert server.seen == []


def test_status_without_an_id_shows_what_there_is(run: Run, monkeypatch) -> None:
    monkeypatch.delenv("NEWSTORE_INTEGRATION_ID")
    result = run("status", replies=(json_reply([shown()]),))
    assert result.exit_code == 1
    assert "NEWSTORE_INTEGRATION_ID is not set" in result.stderr
    assert "ours" in result.stdout


def test_a_missing_setting_is_named(run: Run, monkeypatch) -> None:
    monkeypatch.delenv("NEWSTORE_CLIENT_SECRET")
    result = run("status")
    assert (result.exit_code, result.stderr) == (3, "Error: NEWSTORE_CLIENT_SECRET is not set\n")


# create


def test_a_webhook_is_created_with_the_key_of_the_environment(run: Run, server) -> None:
    replies = (GONE, json_reply(shown(), 201), json_reply(shown()))
    result = run(
        "create", "--webhook", URL, "--since", "2026-11-19T06:00:00+02:00", replies=replies
    )
    assert (result.exit_code, result.stdout) == (0, "ours was created and is running\n")
    assert server.seen[2].document == {
        "id": "ours",
        "integration_type": "permanent",
        "callback_parameters": {"callback_url": URL, "api_key": SECRETS[0]},
        "filter_conditions": {"event_filter": ["refund_request.issued"]},
        "starts_at": "2026-11-19T04:00:00.000Z",
    }


def test_an_export_goes_to_the_landing_bucket_with_keys_of_its_own(run: Run, server) -> None:
    result = run("create", "--s3", replies=(GONE, json_reply(EXPORT, 201), json_reply(EXPORT)))
    assert result.exit_code == 0
    assert server.seen[2].document["s3_parameters"] == EXPORT["s3_parameters"]


def test_what_exists_and_is_equal_is_left_alone(run: Run, server) -> None:
    result = run("create", "--webhook", URL, replies=(json_reply(shown(status="stopped")),))
    assert result.exit_code == 0
    assert result.stdout == "ours exists already and is stopped; nothing done\n"
    hint = run("create", "--webhook", URL, "--since", "2026-11-01", replies=(json_reply(shown()),))
    assert "--since counts at creation only: use replay" in hint.stdout
    assert [method for method, _ in asked(server)] == ["GET"]


def test_what_exists_and_differs_is_left_alone_and_refused(run: Run, server) -> None:
    result = run("create", "--s3", replies=(json_reply(shown()),))
    assert result.exit_code == 1
    assert "ours exists already with another transport; nothing was done" in result.stderr
    assert [method for method, _ in asked(server)] == ["GET"]


def test_a_lost_answer_is_looked_up(run: Run, server) -> None:
    result = run("create", "--webhook", URL, replies=(GONE, DROPPED, json_reply(shown())))
    assert (result.exit_code, result.stdout) == (0, "ours was created and is running\n")
    assert [method for method, _ in asked(server)] == ["GET", "POST", "GET"]


def test_a_refusal_repeats_no_secret(run: Run) -> None:
    echo = {"error_code": SECRETS[0], "messages": [SECRETS[0]], "received": {"k": SECRETS[0]}}
    replies = (GONE, json_reply(echo, 422), GONE, json_reply([]))
    result = run("create", "--webhook", URL, replies=replies)
    assert result.exit_code == 1
    assert result.stderr == "Error: ours was not created: NewStore answered 422\n"


def test_what_newstore_made_otherwise_is_said(run: Run) -> None:
    made = json_reply(shown(filter_conditions=None))
    result = run("create", "--webhook", URL, replies=(GONE, Reply(201), made))
    assert result.exit_code == 1
    assert "ours was created, but NewStore shows another event_filter" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ((), 2, "--webhook URL or --s3"),
        (("--webhook", URL, "--s3"), 3, "exclude each other"),
        (("--webhook", "http://receiver.example/events"), 3, "must be an https:// URL"),
        (("--webhook", "https://user:pw@receiver.example"), 3, "without credentials"),
        (("--webhook", URL, "--since", "2026-11-21"), 2, "lies in the future"),
        (("--webhook", URL, "--since", "2026-11-19T06:00:00"), 2, "with its zone"),
        (("--webhook", URL, "--since", "yesterday"), 2, "with its zone"),
    ],
)
def test_what_cannot_be_created_asks_nothing(run: Run, server, arguments, code, sentence) -> None:
    result = run("create", *arguments)
    assert result.exit_code == code
    assert sentence in result.stderr
    assert server.seen == []


@pytest.mark.parametrize(
    ("name", "value", "arguments", "sentence"),
    [
        ("REFUNDS_RECEIVER_KEY", None, ("--webhook", URL), "REFUNDS_RECEIVER_KEY is not set"),
        ("NEWSTORE_INTEGRATION_ID", None, ("--s3",), "NEWSTORE_INTEGRATION_ID is not set: choose"),
        ("NEWSTORE_INTEGRATION_ID", "no id", ("--s3",), "NEWSTORE_INTEGRATION_ID is no id"),
        ("NEWSTORE_EXPORT_AWS_REGION", None, ("--s3",), "region is not set"),
        ("NEWSTORE_EXPORT_AWS_ACCESS_KEY_ID", None, ("--s3",), "ACCESS_KEY_ID is not set"),
        ("NEWSTORE_EXPORT_AWS_SECRET_ACCESS_KEY", None, ("--s3",), "ACCESS_KEY is not set"),
        ("REFUNDS_LANDING_URL", "s3://landing/", ("--s3",), "has no prefix"),
        ("REFUNDS_LANDING_URL", "landing", ("--s3",), "is not an S3 URL"),
    ],
)
def test_what_create_needs_of_the_environment_is_named(
    run: Run, server, monkeypatch, name, value, arguments, sentence
) -> None:
    for region in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(region, raising=False)
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    result = run("create", *arguments)
    assert result.exit_code == 3
    assert sentence in result.stderr
    assert server.seen == []


def test_a_key_cannot_be_given_on_the_command_line() -> None:
    for command in ("create", "replay", "rotate-keys"):
        arguments = ["newstore", "subscription", command, "--help"]
        shown_help = CliRunner().invoke(main, arguments).output
        options = [word for word in shown_help.split() if word.startswith("--")]
        assert not [option for option in options if "key" in option or "secret" in option]


# start, stop, rotate-keys


def test_start_starts_what_is_stopped(run: Run, server) -> None:
    stopped, running = json_reply(shown(status="stopped")), json_reply(shown())
    result = run("start", replies=(stopped, Reply(202, b""), running))
    assert result.exit_code == 0
    assert "ours was started and is running; replay what was missed" in result.stdout
    assert asked(server)[1] == ("POST", f"{PATH}/ours/_start")


@pytest.mark.parametrize(
    ("replies", "code", "sentence"),
    [
        ((json_reply(shown()),), 0, "ours is running already; nothing done"),
        ((GONE,), 1, "ours does not exist"),
        ((json_reply(shown(status="stopped")), json_reply({}, 409)) * 2, 1, "not started: NewS"),
        ((json_reply(shown(status="stopped")),), 1, "NewStore accepted the start"),
    ],
)
def test_start_says_what_it_found(run: Run, replies, code, sentence) -> None:
    result = run("start", replies=replies)
    assert result.exit_code == code
    assert sentence in result.output


def test_stop_asks_first(run: Run, server) -> None:
    result = run("stop", typed="n\n")
    assert result.exit_code == 1
    assert server.seen == []
    stopped = json_reply(shown(status="stopped"))
    result = run("stop", replies=(json_reply(shown()), Reply(202, b""), stopped), typed="y\n")
    assert result.exit_code == 0
    assert "ours is stopped" in result.stdout


def test_stop_can_be_told_not_to_ask_and_which(run: Run, server) -> None:
    replies = (
        json_reply(shown("other")),
        Reply(202, b""),
        json_reply(shown("other", status="stopped")),
    )
    result = run("stop", "--yes", "--integration", "other", replies=replies)
    assert result.exit_code == 0
    assert asked(server)[1] == ("POST", f"{PATH}/other/_stop")


@pytest.mark.parametrize(
    ("replies", "sentence"),
    [
        ((GONE,), "ours does not exist"),
        ((json_reply(shown()), json_reply({}, 409), json_reply(shown())), "was not stopped: NewS"),
        ((json_reply(shown()),), "still runs, although NewStore accepted the stop"),
    ],
)
def test_stop_says_when_it_did_not(run: Run, replies, sentence) -> None:
    result = run("stop", "--yes", replies=replies)
    assert result.exit_code == 1
    assert sentence in result.stderr


@pytest.mark.parametrize(
    ("document", "sent"),
    [
        (shown(), {"callback_parameters": {"callback_url": URL, "api_key": SECRETS[0]}}),
        (EXPORT, {"s3_parameters": EXPORT["s3_parameters"]}),
    ],
)
def test_new_keys_are_sent_for_the_same_target(run: Run, server, document, sent) -> None:
    result = run("rotate-keys", replies=(json_reply(document),))
    assert (result.exit_code, result.stdout) == (0, "NewStore has the new keys of ours\n")
    assert asked(server)[1] == ("PATCH", f"{PATH}/ours")
    assert server.seen[-1].document == sent


@pytest.mark.parametrize(
    ("replies", "code", "sentence"),
    [
        ((GONE,), 1, "ours does not exist"),
        ((json_reply(shown(callback_parameters=None)),), 1, "has no target NewStore shows"),
        ((json_reply(shown()), json_reply({"code": SECRETS[0]}, 422)), 1, "NewStore answered 422"),
        (
            (json_reply({**EXPORT, "s3_parameters": {"bucket": "other", "key_prefix": "x"}}),),
            3,
            "writes to s3://other/x, REFUNDS_LANDING_URL is s3://landing/newstore/events",
        ),
    ],
)
def test_keys_that_were_not_changed_are_said(run: Run, replies, code, sentence) -> None:
    result = run("rotate-keys", replies=replies)
    assert result.exit_code == code
    assert sentence in result.stderr


# replay: what needs no bucket; the rest is in test_subscription_replay.py


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--to", "2026-11-19"), "Missing option '--from'"),
        (("--from", "2026-11-19", "--to", "2026-11-18"), "--from must lie before --to"),
        (("--from", "2026-11-21"), "--from must lie before --to, and in the past"),
        (("--from", "2026-11-19", "--wait", "0"), "--wait"),
        (("--from", "2026-11-19T00:00:00"), "with its zone"),
    ],
)
def test_a_window_that_is_none_is_wrong_usage(run: Run, server, arguments, sentence) -> None:
    result = run("replay", *arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert server.seen == []


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-11-20", (2026, 11, 20), (2026, 11, 21)),
        ("2026-11-20T10:00:00Z", (2026, 11, 20, 10), (2026, 11, 20, 10)),
        (" 2026-11-20T10:00:00.250-05:00 ", (2026, 11, 20, 15, 0, 0, 250_000), None),
    ],
)
def test_a_date_is_a_day_in_utc_and_a_time_has_its_zone(text, first, last) -> None:
    context: Any = None
    assert first_moment(context, context, text) == datetime(*first, tzinfo=timezone.utc)
    expected = datetime(*(last or first), tzinfo=timezone.utc)
    assert last_moment(context, context, text) == expected


def test_the_command_line_imports_nothing_heavy_before_a_command_runs() -> None:
    heavy = {"dagster", "requests", "pydantic", "rich", "sqlalchemy", "boto3"}
    code = (
        "import sys, refund_pipeline.cli; "
        f"print(sorted({heavy!r} & {{name.split('.')[0] for name in sys.modules}}))"
    )
    found = subprocess.run(  # noqa: S603  (our own code)
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.strip() == "[]"
