"""Access tokens: signed by a certificate's key, cached, renewed early, by one thread for all."""

import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc.jwk import ECKey

from refund_pipeline.domain.errors import Misconfigured, PipelineError, Unavailable
from refund_pipeline.gateways.http import Answer, Http, RetryPolicy
from refund_pipeline.gateways.netsuite_oauth2 import OAuth2ClientCredentials
from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline_tests.gateways.scripted_server import (
    DROPPED,
    Reply,
    ScriptedServer,
    json_reply,
    scripted_server,
)

AT_ONCE = RetryPolicy(attempts=3, first_pause=0.0, longest_pause=0.0)
ANY = ("GET", "https://x/services/rest")
EC_KEY = ec.generate_private_key(ec.SECP256R1())
CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}


def pem(key: Any, password: str = "") -> str:
    encryption: Any = serialization.NoEncryption()
    if password:
        encryption = serialization.BestAvailableEncryption(password.encode())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    ).decode()


def public_pem(key: Any) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


class Clock:
    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def running_server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def server(running_server: ScriptedServer) -> ScriptedServer:
    running_server.say(token("t1"), token("t2"), token("t3"))
    return running_server


@pytest.fixture(scope="module")
def sandbox() -> Iterator[NetSuiteSandbox]:
    with NetSuiteSandbox() as running:
        yield running


def token(value: object, **more: object) -> Reply:
    return json_reply({"access_token": value, "expires_in": 3600, "token_type": "Bearer", **more})


def credentials(base_url: str, **changes: Any) -> OAuth2ClientCredentials:
    values: dict[str, Any] = {
        "account": "1234567_SB1",
        "base_url": base_url,
        "client_id": "client-1",
        "certificate_id": "certificate-1",
        "private_key_pem": pem(EC_KEY),
        "http": Http("NetSuite", policy=AT_ONCE),
    }
    return OAuth2ClientCredentials(**{**values, **changes})


def sandbox_credentials(sandbox: NetSuiteSandbox, **changes: Any) -> OAuth2ClientCredentials:
    values = {
        "client_id": sandbox.client_id,
        "certificate_id": sandbox.certificate_id,
        "private_key_pem": sandbox.private_key_pem,
    }
    return credentials(sandbox.base_url, **{**values, **changes})


def assertion_of(server: ScriptedServer) -> str:
    return parse_qs(server.seen[-1].body.decode())["client_assertion"][0]


# The assertion


def test_the_sandbox_takes_an_assertion_signed_by_an_rsa_key(sandbox):
    issued = sandbox_credentials(sandbox).headers(*ANY)["Authorization"]

    assert issued.startswith("Bearer ")
    assert issued.removeprefix("Bearer ") in sandbox.tokens._issued


@pytest.mark.parametrize("algorithm", CURVES)
def test_the_sandbox_takes_an_assertion_signed_by_an_ec_key(sandbox, algorithm):
    key = ec.generate_private_key(CURVES[algorithm])
    sandbox.tokens.map_certificate(algorithm, ECKey.import_key(public_pem(key)))
    own = sandbox_credentials(sandbox, certificate_id=algorithm, private_key_pem=pem(key))

    assert own.headers(*ANY)["Authorization"].removeprefix("Bearer ") in sandbox.tokens._issued


@pytest.mark.parametrize("algorithm", ["PS256", *CURVES])
def test_the_assertion_says_who_asks_whom_for_what_and_for_how_long(server, sandbox, algorithm):
    key: Any = serialization.load_pem_private_key(sandbox.private_key_pem.encode(), None)
    if algorithm in CURVES:
        key = ec.generate_private_key(CURVES[algorithm])
    clock = Clock()
    credentials(server.url, private_key_pem=pem(key), clock=clock).headers(*ANY)

    token_url = f"{server.url}/services/rest/auth/oauth2/v1/token"
    claims = jwt.decode(
        assertion_of(server),
        public_pem(key),
        algorithms=[algorithm],
        audience=token_url,
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims.pop("jti")
    assert claims == {
        "iss": "client-1",
        "scope": ["rest_webservices"],
        "aud": token_url,
        "iat": clock.now - 30,
        "exp": clock.now + 300,
    }
    header = jwt.get_unverified_header(assertion_of(server))
    assert header == {"alg": algorithm, "typ": "JWT", "kid": "certificate-1"}


@pytest.mark.parametrize("seconds", [-240, 85])
def test_a_clock_that_is_a_little_off_is_no_obstacle(sandbox, seconds):
    off = Clock(time.time() + seconds)

    assert sandbox_credentials(sandbox, clock=off).headers(*ANY)


def test_the_token_is_asked_for_by_a_form(server):
    credentials(server.url).headers(*ANY)

    (asked,) = server.seen
    form = parse_qs(asked.body.decode(), strict_parsing=True)
    assert asked.method == "POST"
    assert asked.path == "/services/rest/auth/oauth2/v1/token"
    assert asked.query == {}
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert "authorization" not in asked.headers
    assert form.pop("client_assertion")
    assert form == {
        "grant_type": ["client_credentials"],
        "client_assertion_type": ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"],
    }


def test_no_two_assertions_are_the_same(server):
    clock = Clock()
    own = credentials(server.url, clock=clock)
    first = own.headers(*ANY)
    before = assertion_of(server)
    own.refused(first)
    own.headers(*ANY)

    assert assertion_of(server) != before


# The cache


def test_a_token_is_used_until_a_minute_before_its_end(server):
    clock = Clock()
    own = credentials(server.url, clock=clock)

    assert own.headers(*ANY) == {"Authorization": "Bearer t1"}
    clock.now += 3539
    assert own.headers(*ANY) == {"Authorization": "Bearer t1"}
    clock.now += 1
    assert own.headers(*ANY) == {"Authorization": "Bearer t2"}
    assert own.requests_made == len(server.seen) == 2


@pytest.mark.parametrize(
    ("expires_in", "life"),
    [(60, 30), (100, 50), (600, 540), ("600", 540), (None, 3540), ("\u00b2", 3540), (-5, 3540)],
)
def test_a_token_lives_as_long_as_netsuite_says(server, expires_in, life):
    server.say(token("t1", expires_in=expires_in), token("t2"))
    clock = Clock()
    own = credentials(server.url, clock=clock)
    own.headers(*ANY)
    clock.now += life - 1
    assert own.headers(*ANY) == {"Authorization": "Bearer t1"}
    clock.now += 1
    assert own.headers(*ANY) == {"Authorization": "Bearer t2"}


def test_a_refused_token_is_forgotten(server):
    own = credentials(server.url)
    own.refused(own.headers(*ANY))

    assert own.headers(*ANY) == {"Authorization": "Bearer t2"}


def test_an_old_token_refused_late_does_not_cost_the_new_one(server):
    own = credentials(server.url)
    old = own.headers(*ANY)
    assert own.refused(old)
    assert not own.refused(old)  # the same token in another thread is the same refusal
    new = own.headers(*ANY)
    assert not own.refused(old)

    assert own.headers(*ANY) == new
    assert len(server.seen) == 2


def in_threads(count: int, own: OAuth2ClientCredentials) -> list[object]:
    """Ask for headers in threads that start at once; return what each got or met."""
    barrier = threading.Barrier(count)
    got: list[object] = []

    def _ask() -> None:
        barrier.wait(10)
        try:
            got.append(own.headers(*ANY)["Authorization"])
        except PipelineError as error:
            got.append(str(error))

    threads = [threading.Thread(target=_ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    return got


def test_eight_threads_share_one_token_request(server):
    assert in_threads(8, credentials(server.url)) == ["Bearer t1"] * 8
    assert len(server.seen) == 1


class WatchedLock:
    """A lock that knows how many have come for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._came = threading.Semaphore(0)

    def __enter__(self) -> None:
        self._came.release()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def wait_for(self, count: int) -> None:
        for _ in range(count):
            assert self._came.acquire(timeout=10)


class OutageOnceAllWait(Http):
    """Fails a read only when every thread waits for its result."""

    def __init__(self, lock: WatchedLock, threads: int) -> None:
        super().__init__("NetSuite")
        self.reads = 0
        self._watched = lock
        self._threads = threads

    def read(self, doing: str, *_: object, **__: object) -> Answer:
        self.reads += 1
        if self.reads == 1:
            self._watched.wait_for(self._threads)
        raise Unavailable(doing)


def test_threads_that_waited_for_a_renewal_share_its_failure():
    lock = WatchedLock()
    http = OutageOnceAllWait(lock, 8)
    own = credentials("http://127.0.0.1", http=http)
    own._lock = lock  # type: ignore[assignment]

    assert in_threads(8, own) == ["asking NetSuite for an access token"] * 8
    assert http.reads == 1


def test_a_failed_renewal_is_tried_again_by_the_next_call(server):
    server.say(Reply(400, b'{"error": "invalid_grant"}'), token("t1"))
    own = credentials(server.url)
    with pytest.raises(Misconfigured):
        own.headers(*ANY)

    assert own.headers(*ANY) == {"Authorization": "Bearer t1"}


# Refusals


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "other"},
        {"certificate_id": "other"},
        {"private_key_pem": pem(EC_KEY)},
        {"clock": lambda: 1_000_000_000.0},
    ],
    ids=["client", "certificate", "key", "clock"],
)
def test_credentials_netsuite_does_not_know_are_a_setting_to_correct(sandbox, wrong):
    asked = sandbox.audit.counts.get("POST token", 0)
    with pytest.raises(Misconfigured, match=r"refuses the credentials \(400, invalid_grant\)"):
        sandbox_credentials(sandbox, **wrong).headers(*ANY)

    assert sandbox.audit.counts["POST token"] == asked + 1


@pytest.mark.parametrize("status", [400, 401, 403, 404])
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"error": "invalid_request"}', "invalid_request"),
        (b'{"error": "invalid_client"}', "invalid_client"),
        (b'{"error": "s3cret"}', "no code"),
        (b'["s3cret"]', "no code"),
        (b"<html>s3cret</html>", "no code"),
    ],
)
def test_a_refusal_shows_known_codes_only(server, status, body, code):
    server.say(Reply(status, body))
    with pytest.raises(Misconfigured) as refused:
        credentials(server.url).headers(*ANY)

    assert f"({status}, {code})" in str(refused.value)
    assert "s3cret" not in str(refused.value)
    assert assertion_of(server) not in str(refused.value)


def test_an_outage_is_worth_trying_again_later(sandbox):
    sandbox.faults.start_outage()
    try:
        with pytest.raises(Unavailable, match="access token: NetSuite answered 503"):
            sandbox_credentials(sandbox).headers(*ANY)
    finally:
        sandbox.faults.end_outage()


def test_a_token_request_survives_a_short_outage(server):
    server.say(Reply(503), DROPPED, token("t1"))

    assert credentials(server.url).headers(*ANY) == {"Authorization": "Bearer t1"}


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>Maintenance</html>"),
        Reply(200, b"[]"),
        Reply(200, b"{}"),
        token(""),
        token(7),
        Reply(302, headers={"Location": "https://elsewhere.example"}),
    ],
)
def test_an_answer_without_a_token_is_worth_trying_again_later(server, reply):
    server.say(reply)
    with pytest.raises(Unavailable, match=f"token endpoint answered {reply.status}"):
        credentials(server.url).headers(*ANY)


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("", "not an unencrypted PEM"),
        ("s3cret", "not an unencrypted PEM"),
        ("-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----\n", "not an unencrypted"),
        (pem(EC_KEY, "password"), "not an unencrypted PEM"),
        (public_pem(EC_KEY), "not an unencrypted PEM"),
        (pem(ed25519.Ed25519PrivateKey.generate()), "must be an RSA key or an EC key on P-256"),
        (pem(ec.generate_private_key(ec.SECP256K1())), "must be an RSA key or an EC key on P-256"),
        (pem(rsa.generate_private_key(65537, 2048)), "RSA key of 2048 bits; NetSuite takes"),
    ],
    ids=["empty", "text", "damaged", "encrypted", "public", "ed25519", "secp256k1", "RSA 2048"],
)
def test_a_key_that_cannot_sign_is_a_setting_to_correct(server, key, why):
    with pytest.raises(Misconfigured, match=why) as refused:
        credentials(server.url, private_key_pem=key).headers(*ANY)

    assert server.seen == []
    assert "s3cret" not in str(refused.value)
