"""Token-based authentication: a client that is wrong in one thing is refused, and why is noted."""

import hashlib
from collections.abc import Iterator
from datetime import datetime, timezone

import pytest

from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline.sandbox.netsuite.tba import TokenCredentials
from refund_pipeline_tests.sandbox.netsuite_raw_client import MovableClock, RawClient, error, refund
from refund_pipeline_tests.sandbox.netsuite_signed_client import (
    PATH,
    SignedClient,
    header_of,
)

HOST = "https://1234567-sb1.suitetalk.api.netsuite.com"


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def sandbox(clock) -> Iterator[NetSuiteSandbox]:
    with NetSuiteSandbox(clock=clock) as running:
        yield running


@pytest.fixture
def client(sandbox) -> Iterator[SignedClient]:
    with SignedClient(sandbox) as client:
        yield client


@pytest.fixture(scope="module")
def running_client() -> Iterator[SignedClient]:
    with NetSuiteSandbox() as sandbox, SignedClient(sandbox) as client:
        yield client


@pytest.fixture
def shared(running_client) -> SignedClient:
    """A client of one sandbox for tests that change nothing but the trail, which is emptied."""
    logins = running_client.sandbox.logins
    logins._failures.clear()
    logins._counted.clear()
    return running_client


def refused_for(client: SignedClient, header: str, **options) -> str:
    """Send a request that must be refused without a reason; return the reason in the trail."""
    answer = client.request(header=header, **options)
    assert answer.status_code == 401
    detail = error(answer)
    assert detail == {
        "detail": "Invalid login attempt. For more details, see the Login Audit Trail in NetSuite.",
        "o:errorCode": "INVALID_LOGIN",
    }
    return client.sandbox.logins.reasons[-1]


# What is right


def test_a_right_signature_reads_posts_and_queries(client, sandbox):
    assert client.request("POST", json=refund()).status_code == 204
    assert client.request("GET", f"{PATH}/eid:apz-0001?expandSubResources=true").ok
    query = client.request(
        "POST",
        "query/v1/suiteql?limit=5&offset=0",
        json={"q": "SELECT t.id FROM transaction t WHERE t.externalid = ?", "params": ["apz-0001"]},
        headers={"Prefer": "transient"},
    )
    assert query.json()["count"] == 1
    assert sandbox.logins.failures == []


@pytest.mark.parametrize(
    ("method", "path", "signature"),
    [
        (
            "GET",
            "record/v1/cashSale/eid:SO-1001",
            "4eLaIifpfwr8SLbs4q6jFch2K6t+IcBr12BWTwMNJ0Q=",
        ),
        (
            "POST",
            "record/v1/cashSale/77/!transform/cashRefund?replace=item",
            "MOZJR0lhX2y/rXI/uUo7bTB1tBOE7J37QVO3FpWipcU=",
        ),
        (
            "POST",
            "query/v1/suiteql?limit=5&offset=0",
            "yBaiL9t2l3MbULskkUCJ1T+zPN3Uw9KYuubGnM6aq74=",
        ),
        (
            "GET",
            "record/v1/cashRefund?q=externalId+IS+%22a%7Cb%22",
            "77MffENjmXUTlejqg/V0WntFnQJzquPNmQUY8KuCjyg=",
        ),
        (
            "PUT",
            "record/v1/cashRefund/eid:apz_6f1c",
            "C+bEGTAkxYUoYg3HB17jeg1aADFaB4CxkdjZbdjE5UM=",
        ),
    ],
)
def test_the_vectors_of_the_contract_are_let_in_and_their_neighbours_are_not(
    method, path, signature
):
    with (
        NetSuiteSandbox(
            token_credentials=TokenCredentials(
                "ck-demo-0001", "tk-demo-0001", "cs demo+/=&~", "ts-demo%25"
            ),
            address=HOST,
            clock=lambda: datetime.fromtimestamp(1760000000, timezone.utc),
        ) as sandbox,
        SignedClient(sandbox) as client,
    ):
        printed = {
            **client.parameters(),
            "oauth_nonce": "nonce0000000000000001",
            "oauth_timestamp": "1760000000",
        }
        host = {"Host": HOST.removeprefix("https://")}
        wrong = header_of({**printed, "oauth_signature": "A" + signature[1:]})
        assert client.request(method, path, header=wrong, headers=host).status_code == 401
        assert sandbox.logins.reasons == ["InvalidSignature"]
        right = header_of({**printed, "oauth_signature": signature})
        assert client.request(method, path, header=right, headers=host).status_code != 401


@pytest.mark.parametrize(
    "path",
    [
        f"{PATH}/eid:A-1",
        f"{PATH}/eid%3AA-1",
        f"{PATH}/eid:a%7Cb",
        f"{PATH}?q=externalId+IS+%22a%22",
        f"{PATH}?q=externalId%20IS%20%22a%22",
        f"{PATH}?limit=10&offset=0",
        f"{PATH}?offset=0&limit=10",
        f"{PATH}?limit=",
        f"{PATH}?a=2&a=1&a=10",
        f"{PATH}?q=%C3%A9",
    ],
)
def test_paths_and_queries_are_signed_as_they_are_sent(shared, path):
    assert shared.request("GET", path).status_code != 401
    assert shared.sandbox.logins.failures == []


# point 2
@pytest.mark.parametrize("seconds", [-299, 300])
def test_a_clock_may_be_five_minutes_off(client, clock, seconds):
    then = str(int(clock().timestamp()) + seconds)
    assert client.request(header=client.header(oauth_timestamp=then)).status_code == 200


def test_a_nonce_may_come_again_with_another_timestamp(client, clock):
    for _ in range(2):
        header = client.header(oauth_nonce="the-same-nonce")
        assert client.request(header=header).status_code == 200
        clock.move(1)


# What is wrong


# point 2
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"realm": "1234567-sb1"}, "the realm is not this account"),
        ({"realm": "1234567_sb1"}, "the realm is not this account"),
        ({"realm": "1234567"}, "the realm is not this account"),
        ({"realm": "7654321"}, "the realm is not this account"),
        ({"oauth_consumer_key": "unknown"}, "consumer_key_unknown"),
        ({"oauth_token": "unknown"}, "token_rejected"),
        ({"oauth_nonce": "five5"}, "nonce_rejected"),
        ({"oauth_timestamp": "tomorrow"}, "InvalidTimestamp"),
        ({"oauth_timestamp": "1800000000.5"}, "InvalidTimestamp"),
        ({"oauth_timestamp": "-1"}, "InvalidTimestamp"),
        ({"oauth_timestamp": "٣"}, "InvalidTimestamp"),
        ({"oauth_version": "1.0a"}, "VersionRejected"),
        ({"oauth_version": "2.0"}, "VersionRejected"),
        ({"oauth_signature_method": "HMAC-SHA1", "digest": hashlib.sha1}, "UnknownAlgorithm"),
        ({"oauth_signature_method": "HMAC-SHA1"}, "UnknownAlgorithm"),
        ({"oauth_signature_method": "HMAC-SHA512", "digest": hashlib.sha512}, "UnknownAlgorithm"),
        ({"oauth_signature_method": "PLAINTEXT"}, "UnknownAlgorithm"),
        ({"oauth_signature_method": "hmac-sha256"}, "UnknownAlgorithm"),
        ({"digest": hashlib.sha1}, "InvalidSignature"),
        ({"secrets_": ("wrong", "wrong")}, "InvalidSignature"),
        ({"oauth_callback": "https://x"}, "parameter_rejected"),
        ({"oauth_verifier": "x"}, "parameter_rejected"),
    ],
    ids=str,
)
def test_a_wrong_parameter_is_refused(shared, changes, reason):
    assert refused_for(shared, shared.header(**changes)) == reason


# point 2
@pytest.mark.parametrize("which", [0, 1])
def test_each_secret_matters(shared, which):
    both = [shared.sandbox.consumer_secret, shared.sandbox.token_secret]
    both[which] = "0" * 64
    header = shared.header(secrets_=(both[0], both[1]))
    assert refused_for(shared, header) == "InvalidSignature"


NAMES = [
    "realm",
    "oauth_consumer_key",
    "oauth_token",
    "oauth_nonce",
    "oauth_timestamp",
    "oauth_signature_method",
    "oauth_version",
]


# point 2
@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_is_needed(shared, name):
    reason = refused_for(shared, shared.header(**{name: None}))
    assert reason == "MissingTokenPassportRequiredFields"


def test_the_signature_is_needed(shared):
    header = header_of(shared.parameters())
    assert refused_for(shared, header) == "MissingTokenPassportRequiredFields"


# point 2
@pytest.mark.parametrize("name", [*NAMES, "oauth_signature"])
def test_no_parameter_may_be_empty_or_come_twice(shared, name):
    header = shared.header()
    (own,) = (
        part for part in header.removeprefix("OAuth ").split(", ") if part.startswith(name + "=")
    )
    assert refused_for(shared, f"{header}, {own}") == "parameter_rejected"
    assert refused_for(shared, header.replace(own, f'{name}=""')) == "parameter_rejected"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda header: header.replace("%3D", "="),
        lambda header: header.replace("%3D", "%3d"),
        lambda header: header.replace("HMAC-SHA256", "HMAC%2DSHA256"),
        lambda header: header.replace('"', ""),
        lambda header: header.replace('"', "'"),
        lambda header: header.replace(", ", "; "),
        lambda header: header + ",",
    ],
    ids=[
        "not encoded",
        "lower case",
        "too much encoded",
        "bare",
        "apostrophes",
        "semicolons",
        "end",
    ],
)
def test_a_header_that_is_not_encoded_as_it_should_be_is_refused(shared, spoil):
    header = shared.header()
    assert spoil(header) != header
    assert refused_for(shared, spoil(header)) == "parameter_rejected"


@pytest.mark.parametrize("header", ["OAuth", "OAuth ", "OAuthentic x", "oauth realm"])
def test_a_header_without_parameters_is_refused(shared, header):
    assert shared.request(header=header).status_code == 401


@pytest.mark.parametrize(
    "signed",
    [
        "{base}record/v1/cashRefund",
        "{base}record/v1/cashRefund?limit=10",
        "{base}record/v1/cashRefund?limit=10&offset=1",
        "{base}record/v1/cashRefund?limit=10&offset=0&x=",
        "{base}record/v1/cashrefund?limit=10&offset=0",
        "{base}record/v1/cashRefund/?limit=10&offset=0",
        "https{rest}record/v1/cashRefund?limit=10&offset=0",
        f"{HOST}/services/rest/record/v1/cashRefund?limit=10&offset=0",
    ],
)
def test_a_signature_for_another_address_is_refused(shared, signed):
    url = signed.format(base=shared.base, rest=shared.base.removeprefix("http"))
    header = shared.header(signed_url=url)
    reason = refused_for(shared, header, path=f"{PATH}?limit=10&offset=0")
    assert reason == "InvalidSignature"


def test_a_host_is_signed_in_lower_case():
    with (
        NetSuiteSandbox(address=HOST) as sandbox,
        SignedClient(sandbox) as client,
    ):
        host = {"Host": HOST.removeprefix("https://")}
        loud = HOST.replace("sb1", "SB1") + f"/services/rest/{PATH}"
        assert refused_for(client, client.header(signed_url=loud), headers=host) == (
            "InvalidSignature"
        )
        quiet = client.header(signed_url=loud.lower().replace("cashrefund", "cashRefund"))
        assert client.request(header=quiet, headers=host).status_code == 200


def test_a_signature_for_another_method_is_refused(shared):
    assert refused_for(shared, shared.header("POST")) == "InvalidSignature"


# point 2
def test_a_signature_over_the_encoded_query_is_refused(shared):
    path = f"{PATH}?q=externalId%20IS%20%22a%22"
    url = shared.base + path.replace("%", "%25")
    assert refused_for(shared, shared.header(signed_url=url), path=path) == "InvalidSignature"


def test_oauth_parameters_in_the_query_are_refused(shared):
    path = f"{PATH}?oauth_token={shared.sandbox.token_id}"
    assert refused_for(shared, shared.header(path=path), path=path) == "parameter_rejected"


def test_a_signature_in_the_query_alone_is_no_login(shared):
    query = "&".join(f"{name}={value}" for name, value in shared.parameters().items())
    answer = shared.session.get(f"{shared.base}{PATH}?{query}", timeout=10)
    assert answer.status_code == 401


# point 1
def test_another_host_is_not_this_account(shared):
    host = {"Host": "7654321.suitetalk.api.netsuite.com"}
    url = f"http://7654321.suitetalk.api.netsuite.com/services/rest/{PATH}"
    answer = shared.request(header=shared.header(signed_url=url), headers=host)
    assert (answer.status_code, error(answer)["o:errorCode"]) == (401, "INVALID_LOGIN")


# point 2
# point 42
@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_clock_more_than_five_minutes_off_is_refused(client, clock, seconds):
    then = str(int(clock().timestamp()) + seconds)
    assert refused_for(client, client.header(oauth_timestamp=then)) == "InvalidTimestamp"


# point 2
# point 45
def test_a_header_used_twice_is_refused_and_counted(client, sandbox):
    header = client.header()
    assert client.request(header=header).status_code == 200
    assert refused_for(client, header) == "NonceUsed"
    assert sandbox.logins.nonces_reused == 1


def test_a_nonce_used_for_another_request_is_refused(client):
    header = client.header(oauth_nonce="the-same-nonce")
    other = client.header("GET", f"{PATH}/1", oauth_nonce="the-same-nonce")
    assert client.request(header=header).status_code == 200
    assert refused_for(client, other, path=f"{PATH}/1") == "NonceUsed"


def test_a_refused_post_creates_nothing(client, sandbox):
    header = client.header("POST", secrets_=("wrong", "wrong"))
    assert client.request("POST", header=header, json=refund()).status_code == 401
    assert sandbox.cash_refunds() == []


# What an administrator switches


# point 2
@pytest.mark.parametrize(
    ("switch", "reason"),
    [
        ("integration_enabled", "consumer_key_refused"),
        ("token_feature_enabled", "FeatureDisabled"),
        ("user_active", "permission_denied"),
        ("role_may_log_in", "permission_denied"),
    ],
)
def test_a_switch_of_the_administrator_refuses_a_right_signature(client, sandbox, switch, reason):
    setattr(sandbox.logins.access, switch, False)
    assert refused_for(client, client.header()) == reason
    setattr(sandbox.logins.access, switch, True)
    assert client.request().status_code == 200


def test_the_feature_of_the_other_way_does_not_matter(client, sandbox):
    sandbox.logins.access.oauth2_feature_enabled = False
    assert client.request().status_code == 200


def test_a_revoked_token_opens_nothing(client, sandbox):
    sandbox.token_logins.token_revoked = True
    assert refused_for(client, client.header()) == "token_rejected"


# The lock


def wrong(client: SignedClient) -> None:
    assert client.request(header=client.header(secrets_=("wrong", "wrong"))).status_code == 401


# point 3
def test_five_failures_lock_the_user_for_half_an_hour(client, sandbox, clock):
    for _ in range(4):
        wrong(client)
    assert client.request().status_code == 200
    assert not sandbox.logins.locked
    wrong(client)
    assert sandbox.logins.locked
    assert refused_for(client, client.header()) == "temporary_locked"
    clock.move(30 * 60 - 1)
    assert refused_for(client, client.header()) == "temporary_locked"
    clock.move(1)
    assert client.request().status_code == 200


def test_after_the_lock_it_takes_five_failures_again(client, sandbox, clock):
    for _ in range(5):
        wrong(client)
    clock.move(30 * 60)
    for _ in range(4):
        wrong(client)
    assert client.request().status_code == 200


def test_attempts_during_the_lock_do_not_count(client, sandbox, clock):
    for _ in range(5):
        wrong(client)
    clock.move(29 * 60)
    for _ in range(5):
        assert refused_for(client, client.header()) == "temporary_locked"
    clock.move(60)
    wrong(client)
    assert client.request().status_code == 200


def test_failures_of_half_an_hour_ago_are_forgotten(client, sandbox, clock):
    for _ in range(4):
        wrong(client)
    clock.move(30 * 60)
    for _ in range(4):
        wrong(client)
    assert client.request().status_code == 200


# point 3
def test_a_locked_user_is_locked_for_access_tokens_too(client, sandbox):
    with RawClient(sandbox) as bearer:
        assert bearer.get(PATH).status_code == 200
        for _ in range(5):
            wrong(client)
        assert bearer.get(PATH).status_code == 401
        assert bearer.ask_token(bearer.assertion()).json() == {"error": "invalid_grant"}


# point 45
def test_the_trail_holds_no_secret(client, sandbox):
    wrong(client)
    trail = repr(sandbox.logins.failures)
    for secret in (sandbox.consumer_secret, sandbox.token_secret, sandbox.token_id):
        assert secret not in trail
        assert secret not in repr(sandbox.audit.requests)
