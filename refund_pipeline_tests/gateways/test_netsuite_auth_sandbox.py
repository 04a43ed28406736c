"""Both ways to authenticate against the sandbox: retries, threads, and a user not locked out."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from refund_pipeline.domain.errors import Misconfigured, SystemicFailure
from refund_pipeline.domain.outcomes import Posted
from refund_pipeline.gateways.netsuite import NetSuite
from refund_pipeline.gateways.netsuite_auth import Authenticator
from refund_pipeline.gateways.netsuite_circuit import Circuit, refusals_file
from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline_tests.fakes import transaction
from refund_pipeline_tests.gateways.netsuite_logins import AT_ONCE, BOTH, login
from refund_pipeline_tests.gateways.scripted_server import (
    Reply,
    ScriptedServer,
    error_reply,
    json_reply,
    scripted_server,
)

TOKEN = json_reply({"access_token": "token-1", "expires_in": 3600})
OTHER_TOKEN = json_reply({"access_token": "token-2", "expires_in": 3600})
WRONG = {
    "oauth2": {"certificate_id": "unknown"},
    "tba": {"token_secret": "0" * 64},
}


@pytest.fixture
def sandbox() -> Iterator[NetSuiteSandbox]:
    with NetSuiteSandbox() as running:
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running


def netsuite(base_url: str, authenticator: Authenticator) -> NetSuite:
    return NetSuite(
        account="1234567_SB1",
        base_url=base_url,
        authenticator=authenticator,
        read_seconds=10,
        policy=AT_ONCE,
    )


def error_of(client: NetSuite) -> str:
    try:
        client.find(["apz-1"])
    except Misconfigured as error:
        return str(error)
    return ""


@pytest.mark.parametrize("account", ["1234567_SB1", "1234567-sb1"])
@pytest.mark.parametrize("auth", BOTH)
def test_either_spelling_of_the_account_is_let_in(sandbox, auth, account):
    netsuite(sandbox.base_url, login(sandbox, auth, account=account)).find(["apz-1"])

    assert sandbox.logins.failures == []


@pytest.mark.parametrize("auth", BOTH)
def test_the_retries_of_a_read_are_let_in(sandbox, auth):
    sandbox.faults.too_many_requests(2)
    netsuite(sandbox.base_url, login(sandbox, auth)).find(["apz-1"])

    assert sandbox.audit.counts["POST suiteql"] == 3
    assert sandbox.logins.failures == []


@pytest.mark.parametrize("auth", BOTH)
def test_an_id_with_characters_to_encode_is_let_in(sandbox, auth):
    client = netsuite(sandbox.base_url, login(sandbox, auth))
    for external_id in ("a b", "a|b", "a+b%c", "é!*'()~", "a?b=c&d=e"):
        client.look_up(external_id)

    assert sandbox.logins.failures == []


@pytest.mark.parametrize("auth", BOTH)
def test_runs_with_wrong_credentials_do_not_lock_the_user(sandbox, tmp_path, auth):
    file = refusals_file(tmp_path, auth)
    errors = []
    for _ in range(10):  # each a new process, as far as it knows
        wrong = login(sandbox, auth, circuit=Circuit(file), **WRONG[auth])
        errors.append(error_of(netsuite(sandbox.base_url, wrong)))

    assert "refuse" in errors[0]
    assert all("3 times in a row" in error for error in errors[3:])
    assert len(sandbox.logins.failures) == 3
    assert not sandbox.logins.locked


@pytest.mark.parametrize("auth", BOTH)
def test_threads_with_wrong_credentials_do_not_lock_the_user(sandbox, auth):
    client = netsuite(sandbox.base_url, login(sandbox, auth, **WRONG[auth]))
    barrier = threading.Barrier(8)
    failed: list[type[Exception]] = []

    def _find() -> None:
        barrier.wait(10)
        try:
            client.find(["apz-1"])
        except SystemicFailure as error:
            failed.append(type(error))

    threads = [threading.Thread(target=_find) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert failed == [Misconfigured] * 8
    assert len(sandbox.logins.failures) == 3
    assert not sandbox.logins.locked


@pytest.mark.parametrize("auth", BOTH)
def test_credentials_withdrawn_in_the_middle_of_a_run_do_not_lock_the_user(sandbox, auth):
    client = netsuite(sandbox.base_url, login(sandbox, auth))
    client.find(["apz-1"])
    sandbox.logins.access.role_may_log_in = False
    for _ in range(4):
        assert error_of(client)

    assert len(sandbox.logins.failures) == 3


def test_a_clock_that_is_off_is_named_with_the_refusal(sandbox):
    slow = login(sandbox, "tba", clock=lambda: time.time() - 1000)
    error = error_of(netsuite(sandbox.base_url, slow))

    assert sandbox.logins.reasons == ["InvalidTimestamp", "InvalidTimestamp"]
    assert "s behind NetSuite's: set it" in error
    assert "Login Audit Trail" in error


def test_a_slow_clock_is_named_with_a_refused_assertion(sandbox):
    slow = login(sandbox, "oauth2", clock=lambda: time.time() - 1000)
    error = error_of(netsuite(sandbox.base_url, slow))

    assert "refuses the credentials (400, invalid_grant)" in error
    assert "s behind NetSuite's: set it" in error


def script(server: ScriptedServer, sandbox: NetSuiteSandbox, *replies: Any) -> NetSuite:
    server.say(*replies)
    return netsuite(server.url, login(sandbox, "oauth2", base_url=server.url))


def test_fresh_tokens_that_are_refused_are_counted_too(server, sandbox):
    refused = error_reply(401, "INVALID_LOGIN")
    client = script(server, sandbox, *[TOKEN, refused] * 6)
    errors = [error_of(client) for _ in range(5)]

    assert errors[0].startswith("NetSuite refuses a fresh access token; check the integration")
    assert all("3 times in a row" in error for error in errors[1:])
    asked = [seen.path.endswith("/token") for seen in server.seen]
    assert asked == [True, False] * 3


def tokens_and_signatures(server: ScriptedServer) -> list[str]:
    return [s.headers["authorization"] for s in server.seen if not s.path.endswith("/token")]


@pytest.mark.parametrize("auth", BOTH)
def test_a_refused_post_is_sent_once_more_with_the_same_body(server, sandbox, auth):
    refused = error_reply(401, "INVALID_LOGIN")
    created = Reply(204, b"", {"Location": "https://x/services/rest/record/v1/cashRefund/7"})
    replies = {"tba": [refused, created], "oauth2": [TOKEN, refused, OTHER_TOKEN, created]}
    server.say(*replies[auth])
    place = {"base_url": server.url} if auth == "oauth2" else {}
    client = netsuite(server.url, login(sandbox, auth, **place))

    assert client.post(transaction()) == Posted("7")
    first, second = tokens_and_signatures(server)
    assert first != second
    bodies = [seen.body for seen in server.seen if seen.path.endswith("/cashRefund")]
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize("auth", BOTH)
@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.post(transaction()),
        lambda client: client.find(["apz-1"]),
        lambda client: client.look_up("apz-1"),
        lambda client: client.origins(["SO-1"], fields=["externalid"]),
    ],
    ids=["post", "find", "look_up", "origins"],
)
def test_a_second_refusal_stops_everything(server, sandbox, auth, call):
    refused = error_reply(401, "INVALID_LOGIN")
    replies = {"tba": [refused], "oauth2": [TOKEN, refused, OTHER_TOKEN, refused]}
    server.say(*replies[auth])
    place = {"base_url": server.url} if auth == "oauth2" else {}
    with pytest.raises(Misconfigured, match=r"^NetSuite refuses a fresh") as raised:
        call(netsuite(server.url, login(sandbox, auth, **place)))

    sent = tokens_and_signatures(server)
    assert len(sent) == 2
    assert not any(one in str(raised.value) for one in (*sent, "token-1", "token-2"))
