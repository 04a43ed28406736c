"""The account's names, and what a 401 means whoever signs: once more, then stop."""

from collections.abc import Iterator, Mapping

import pytest

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.gateways.http import Answer, Http, RetryPolicy, Sign
from refund_pipeline.gateways.netsuite_auth import (
    Authenticator,
    clock_difference,
    realm_of,
    services_url,
)
from refund_pipeline.gateways.netsuite_circuit import Circuit
from refund_pipeline_tests.gateways.scripted_server import (
    Reply,
    ScriptedServer,
    scripted_server,
)

AT_ONCE = RetryPolicy(attempts=4, first_pause=0.0, longest_pause=0.0)
NOW = 1_800_000_000.0
THEN = "Fri, 15 Jan 2027 08:00:00 GMT"  # the same moment


class Numbered(Authenticator):
    """Signs with 1, 2, 3 and so on, and remembers what it signed and what was refused."""

    refused_hint = "this; check that"

    def __init__(self, circuit: Circuit | None = None) -> None:
        super().__init__(circuit=circuit, clock=lambda: NOW)
        self.signed: list[tuple[str, str]] = []
        self.was_refused: list[str] = []

    def headers(self, method: str, url: str) -> Mapping[str, str]:
        self.signed.append((method, url))
        return {"Authorization": str(len(self.signed))}

    def refused(self, headers: Mapping[str, str]) -> bool:
        self.was_refused.append(headers["Authorization"])
        return True

    @property
    def requests_made(self) -> int:
        return 0


@pytest.fixture(scope="module")
def running_server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def server(running_server: ScriptedServer) -> ScriptedServer:
    running_server.say(Reply())
    return running_server


@pytest.fixture
def http() -> Iterator[Http]:
    client = Http("NetSuite", read_seconds=5, policy=AT_ONCE)
    yield client
    client.close()


def signatures(server: ScriptedServer) -> list[str]:
    return [seen.headers["authorization"] for seen in server.seen]


# Each attempt


def test_each_attempt_of_a_read_is_signed_anew_for_the_url_as_it_is_sent(server, http):
    server.say(Reply(503), Reply(429), Reply(200))
    own = Numbered()
    url = f"{server.url}/record/v1/cashRefund/eid:a!b"
    own.send(lambda sign: http.read("reading", "GET", url, params={"q": "a b|c"}, sign=sign))

    assert signatures(server) == ["1", "2", "3"]
    assert own.signed == [("GET", f"{url}?q=a+b%7Cc")] * 3


def test_a_401_is_answered_by_one_new_signature(server, http):
    server.say(Reply(401), Reply(204))
    own = Numbered()
    answer = own.send(lambda sign: http.send("POST", server.url, body=b"{}", sign=sign))

    assert answer.status == 204
    assert signatures(server) == ["1", "2"]
    assert own.was_refused == ["1"]


def test_a_second_401_stops_and_says_what_to_check(server, http):
    server.say(Reply(401))
    own = Numbered()
    with pytest.raises(Misconfigured, match=r"^NetSuite refuses this; check that(;|$)"):
        own.send(lambda sign: http.read("reading", "GET", server.url, sign=sign))

    assert signatures(server) == ["1", "2"]


def test_a_401_after_a_retry_refuses_the_signature_of_that_retry(server, http):
    server.say(Reply(503), Reply(401), Reply(200))
    own = Numbered()
    own.send(lambda sign: http.read("reading", "GET", server.url, sign=sign))

    assert own.was_refused == ["2"]


def test_a_signature_replaces_no_other_header(server, http):
    Numbered().send(
        lambda sign: http.send("GET", server.url, headers={"Prefer": "transient"}, sign=sign)
    )

    assert server.seen[0].headers["prefer"] == "transient"


# The clock


@pytest.mark.parametrize(
    ("ahead", "says"),
    [
        (400, "; the clock of this machine is 400 s ahead of NetSuite's: set it"),
        (-400, "; the clock of this machine is 400 s behind NetSuite's: set it"),
        (59, ""),
        (-59, ""),
    ],
)
def test_a_clock_that_is_off_is_named(ahead, says):
    answer = Answer(401, {"Date": THEN}, None, is_json=False)

    assert clock_difference(answer, NOW + ahead) == says


@pytest.mark.parametrize("headers", [{}, {"Date": ""}, {"Date": "tomorrow"}])
def test_an_answer_without_a_date_says_nothing_of_the_clock(headers):
    assert clock_difference(Answer(401, headers, None, is_json=False), NOW) == ""


def test_a_refusal_names_the_clock():
    def refusing(sign: Sign) -> Answer:
        sign("GET", "https://x")
        return Answer(401, {"Date": "Fri, 15 Jan 2027 09:00:00 GMT"}, None, is_json=False)

    with pytest.raises(Misconfigured, match="3600 s behind NetSuite's"):
        Numbered().send(refusing)


# The account


@pytest.mark.parametrize(
    ("account", "host"),
    [
        ("1234567", "1234567"),
        ("1234567_SB1", "1234567-sb1"),
        ("1234567-sb1", "1234567-sb1"),
        ("TSTDRV1234567", "tstdrv1234567"),
        (" 1234567_RP \n", "1234567-rp"),
    ],
)
def test_either_spelling_of_an_account_gives_its_host(account, host):
    url = f"https://{host}.suitetalk.api.netsuite.com/services/rest"
    assert services_url(account, None) == services_url(account, "") == url


@pytest.mark.parametrize(
    ("account", "realm"),
    [
        ("1234567", "1234567"),
        ("1234567_SB1", "1234567_SB1"),
        ("1234567-sb1", "1234567_SB1"),
        ("tstdrv1234567", "TSTDRV1234567"),
        (" 1234567-RP \n", "1234567_RP"),
    ],
)
def test_either_spelling_of_an_account_gives_its_realm(account, realm):
    assert realm_of(account) == realm


@pytest.mark.parametrize(
    "account",
    [
        "",
        "evil.example",
        "1234567/",
        "1234567#",
        "https://1234567",
        "1234567_SB1_X",
        "1234567:443",
        "user@1234567",
        "12 34",
        "\u0661\u0662\u0663",
        "_SB1",
        "1" * 50,
    ],
)
def test_an_account_that_would_lead_to_another_host_is_refused(account):
    for derive in (realm_of, lambda account: services_url(account, None)):
        with pytest.raises(Misconfigured, match="NETSUITE_ACCOUNT"):
            derive(account)


@pytest.mark.parametrize(
    "base_url",
    ["http://127.0.0.1:1", "http://127.0.0.1:1/", "http://127.0.0.1:1/services/rest/"],
)
def test_a_base_url_replaces_the_host_with_or_without_its_path(base_url):
    assert services_url("1234567", base_url) == "http://127.0.0.1:1/services/rest"


@pytest.mark.parametrize("base_url", ["http://host", "https://u:p@host", "host", " "])
def test_a_base_url_credentials_must_not_travel_to_is_refused(base_url):
    with pytest.raises(Misconfigured, match="NETSUITE_BASE_URL"):
        services_url("1234567", base_url)
