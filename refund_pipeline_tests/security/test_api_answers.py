"""APIs that answer nonsense, without end or with traps: documented errors, bounded time and memory.

What an answer of the right form means is tested with each gateway.
"""

import contextlib
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from refund_pipeline.domain.errors import SystemicFailure, Unavailable
from refund_pipeline.domain.outcomes import Busy, Posted, Refused, Uncertain
from refund_pipeline.gateways import http as http_module
from refund_pipeline.gateways.http import Answer, Http, NoAnswer, RetryPolicy
from refund_pipeline.gateways.netsuite import NetSuite
from refund_pipeline.gateways.netsuite_oauth2 import OAuth2ClientCredentials
from refund_pipeline.gateways.netsuite_tba import TokenBasedAuthentication, TokenCredentials
from refund_pipeline.gateways.newstore import NewStore
from refund_pipeline_tests.fakes import transaction
from refund_pipeline_tests.security import hostile_answers as answers
from refund_pipeline_tests.security.hostile_server import HostileServer, hostile_server

SECRETS = ("s3cret-client", "s3cret-consumer", "s3cret-token")
SHORT, LONG = 0.08, 5.0
"""Read time-outs: for what never ends, and for what must not depend on a busy machine."""
ONCE = RetryPolicy(attempts=1, first_pause=0.0, longest_pause=0.0)
LARGEST = 4 * answers.MEGABYTE
ORDER = "9d0e7a52-0000-4000-8000-000000000001"
pytestmark = pytest.mark.timeout(30)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_module, "_LARGEST_BODY", LARGEST)


@pytest.fixture(scope="module")
def running() -> Iterator[HostileServer]:
    with hostile_server() as server:
        yield server


@pytest.fixture
def server(running: HostileServer) -> HostileServer:
    running.requests.clear()
    return running


@pytest.fixture
def http() -> Iterator[Http]:
    client = Http("NetSuite", read_seconds=LONG, policy=ONCE)
    yield client
    client.close()


@pytest.fixture
def impatient() -> Iterator[Http]:
    client = Http("NetSuite", read_seconds=SHORT, policy=ONCE)
    yield client
    client.close()


@contextlib.contextmanager
def bounded_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12 * LARGEST, f"{peak / answers.MEGABYTE:.0f} MB"


def no_value_in(error: BaseException) -> None:
    """A message and what it came from name no secret and quote no body."""
    shown: BaseException | None = error
    while shown is not None:
        text = repr(shown) + str(shown)
        assert not any(secret in text for secret in SECRETS)
        assert "Sorry" not in text
        assert len(text) < 1_000
        shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)


# One request


@pytest.mark.parametrize("what", answers.ENDLESS)
def test_an_answer_without_end_is_no_answer(
    impatient: Http, server: HostileServer, what: str
) -> None:
    server.answer = answers.ENDLESS[what]
    with bounded_memory(), pytest.raises(NoAnswer) as lost:
        impatient.send("GET", server.url)
    assert lost.value.sent


@pytest.mark.parametrize("what", answers.DRIPPING)
def test_an_answer_that_drips_in_for_ever_is_no_answer(
    impatient: Http, server: HostileServer, what: str
) -> None:
    server.answer = answers.DRIPPING[what]
    with pytest.raises(NoAnswer) as lost:
        impatient.send("GET", server.url)
    assert lost.value.sent


@pytest.mark.parametrize("what", [*answers.BROKEN, *answers.BODIES])
def test_a_broken_answer_is_an_answer_or_none_and_nothing_else(
    http: Http, server: HostileServer, what: str
) -> None:
    server.answer = (answers.BROKEN | answers.BODIES)[what]
    with bounded_memory(), contextlib.suppress(NoAnswer):
        assert isinstance(http.send("GET", server.url), Answer)
    with contextlib.suppress(Unavailable):
        assert isinstance(http.read("asking", "GET", server.url), Answer)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_credentials_do_not_follow_a_redirect(
    http: Http, server: HostileServer, status: int, method: str
) -> None:
    with hostile_server() as elsewhere:
        target = elsewhere.url.replace("127.0.0.1", "localhost").encode()
        for location in (target, elsewhere.url.encode(), b"//" + target.partition(b"//")[2]):
            head = b"HTTP/1.1 %d Go\r\nLocation: %s/x\r\n" % (status, location)
            server.answer = answers.plain(b"", head=head)
            body = SECRETS[0].encode() if method == "POST" else None
            answer = http.send(
                method, server.url, body=body, headers={"Authorization": f"Bearer {SECRETS[0]}"}
            )
            assert answer.status == status
    assert elsewhere.requests == []
    assert len(server.requests) == 3


# NewStore


@pytest.fixture
def newstore(server: HostileServer) -> Iterator[NewStore]:
    client = NewStore(
        base_url=server.url,
        token_url=f"{server.url}/token",
        client_id="me",
        client_secret=SECRETS[0],
        tenant="demo",
        attribution="rest",
    )
    client._api._http._read_seconds = LONG
    client._api._http._policy = ONCE
    yield client
    client.close()


NEWSTORE: Mapping[str, Callable[[NewStore], object]] = {
    "attribution": lambda client: client.attribution,
    "orders": lambda client: client.orders([ORDER]),
    "accounts": lambda client: client.payment_accounts([ORDER]),
    "refunds": lambda client: client.refund_facts([(ORDER, ORDER)]),
}
EVERYTHING = [*answers.BODIES, *answers.BROKEN]


def answered(what: str) -> Any:
    return (answers.BODIES | answers.BROKEN)[what]


def token_then(answer: Any, server: HostileServer) -> Any:
    """Give a good token, then the answer."""
    token = answers.document({"access_token": "t0ken", "expires_in": 600})

    def _answer(peer: Any) -> None:
        asked = server.requests[-1].partition(b"\r\n")[0]
        (token if b"/token" in asked else answer)(peer)

    return _answer


@pytest.mark.parametrize("what", EVERYTHING)
def test_newstore_answers_its_token_request_badly(
    newstore: NewStore, server: HostileServer, what: str
) -> None:
    server.answer = answered(what)
    with contextlib.suppress(SystemicFailure):
        try:
            newstore.orders([ORDER])
        except SystemicFailure as failure:
            no_value_in(failure)
            raise


@pytest.mark.parametrize("what", EVERYTHING)
@pytest.mark.parametrize("ask", NEWSTORE)
def test_newstore_answers_badly(
    newstore: NewStore, server: HostileServer, ask: str, what: str
) -> None:
    server.answer = token_then(answered(what), server)
    if ask == "attribution":
        newstore._choice = None
    try:
        NEWSTORE[ask](newstore)
    except SystemicFailure as failure:
        no_value_in(failure)


# NetSuite


def tba() -> TokenBasedAuthentication:
    keys = TokenCredentials("consumer", SECRETS[1], "token", SECRETS[2])
    return TokenBasedAuthentication(keys, account="1234567")


def oauth2(server: HostileServer) -> OAuth2ClientCredentials:
    return OAuth2ClientCredentials(
        account="1234567",
        base_url=server.url,
        client_id="client",
        certificate_id="certificate",
        private_key_pem=PEM,
        http=Http("NetSuite", read_seconds=LONG, policy=ONCE),
    )


PEM = (
    ec.generate_private_key(ec.SECP256R1())
    .private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    .decode()
)
NETSUITE: Mapping[str, Callable[[NetSuite], object]] = {
    "find": lambda client: client.find(["nst-1"]),
    "look up": lambda client: client.look_up("nst-1"),
    "origins": lambda client: client.origins(["SO-1"], fields=["externalid"]),
    "periods": lambda client: client.closed_dates([date(2026, 11, 20)]),
    "ours": lambda client: client.ours("nst-", start=date(2026, 11, 20), end=date(2026, 11, 20)),
}


def netsuite_of(server: HostileServer, authenticator: Any) -> NetSuite:
    return NetSuite(
        account="1234567",
        base_url=server.url,
        authenticator=authenticator,
        read_seconds=LONG,
        policy=ONCE,
    )


@pytest.fixture
def netsuite(server: HostileServer) -> Iterator[NetSuite]:
    client = netsuite_of(server, tba())
    yield client
    client.close()


@pytest.mark.parametrize("what", EVERYTHING)
@pytest.mark.parametrize("ask", NETSUITE)
def test_netsuite_answers_a_read_badly(
    netsuite: NetSuite, server: HostileServer, ask: str, what: str
) -> None:
    server.answer = answered(what)
    try:
        NETSUITE[ask](netsuite)
    except SystemicFailure as failure:
        no_value_in(failure)


@pytest.mark.parametrize("what", answers.DRIPPING)
def test_a_write_whose_answer_drips_in_for_ever_is_uncertain(
    netsuite: NetSuite, server: HostileServer, what: str
) -> None:
    netsuite._http._read_seconds = SHORT
    server.answer = answers.DRIPPING[what]
    assert isinstance(netsuite.post(transaction()), Uncertain)


@pytest.mark.parametrize("what", EVERYTHING)
def test_netsuite_answers_a_write_badly_and_nothing_of_it_is_a_posted_refund(
    netsuite: NetSuite, server: HostileServer, what: str
) -> None:
    server.answer = answered(what)
    try:
        outcome = netsuite.post(transaction())
    except SystemicFailure as failure:
        no_value_in(failure)
    else:
        assert isinstance(outcome, Uncertain | Refused | Busy)
        assert not isinstance(outcome, Posted)
    posts = [one for one in server.requests if one.startswith(b"POST")]
    is_refused = "401" in what or "date header" in what
    assert len(posts) == (2 if is_refused else 1), "a write is never repeated by itself"


@pytest.mark.parametrize("what", EVERYTHING)
def test_netsuite_answers_its_token_request_badly(server: HostileServer, what: str) -> None:
    authenticator = oauth2(server)
    client = netsuite_of(server, authenticator)
    server.answer = answered(what)
    try:
        client.look_up("nst-1")
    except SystemicFailure as failure:
        no_value_in(failure)
    finally:
        client.close()
        authenticator._http.close()


def test_a_token_that_cannot_stand_in_a_header_is_refused(server: HostileServer) -> None:
    authenticator = oauth2(server)
    server.answer = answers.document({"access_token": "a\r\nHost: evil", "expires_in": 60})
    with pytest.raises(SystemicFailure) as refused:
        authenticator.headers("GET", server.url)
    authenticator._http.close()
    assert "evil" not in str(refused.value)
