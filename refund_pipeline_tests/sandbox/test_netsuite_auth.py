from datetime import timedelta
from urllib.parse import urlencode

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc.jwk import ECKey

from refund_pipeline.sandbox.netsuite.auth import TOKEN_PATH
from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline_tests.sandbox.netsuite_raw_client import (
    ASSERTION_TYPE,
    MovableClock,
    RawClient,
    _load,
)


@pytest.fixture
def clock():
    return MovableClock()


@pytest.fixture
def sandbox(clock):
    with NetSuiteSandbox(clock=clock) as running:
        yield running


@pytest.fixture
def client(sandbox):
    with RawClient(sandbox) as client:
        yield client


@pytest.fixture(scope="module")
def shared():
    """A client of one sandbox for all tests that change nothing."""
    with NetSuiteSandbox() as sandbox, RawClient(sandbox) as client:
        yield client


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


EC_KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize("algorithm", ["PS256", "PS384", "PS512"])
def test_a_right_assertion_gets_a_bearer_token(shared, algorithm):
    answer = shared.ask_token(shared.assertion(algorithm=algorithm))
    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "expires_in", "token_type"}
    assert answer.json()["expires_in"] == 3600
    assert answer.json()["token_type"] == "Bearer"


CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}


@pytest.mark.parametrize("algorithm", CURVES)
def test_an_elliptic_key_is_taken_once_its_certificate_is_mapped(shared, algorithm):
    key = pem(ec.generate_private_key(CURVES[algorithm]))
    assertion = shared.assertion(algorithm=algorithm, key=key, kid=algorithm)
    assert shared.ask_token(assertion).status_code == 400
    shared.sandbox.tokens.map_certificate(algorithm, ECKey.import_key(key))
    assert shared.ask_token(assertion).status_code == 200


def test_an_assertion_under_the_certificate_of_another_kind_of_key_is_refused(shared):
    key = pem(ec.generate_private_key(ec.SECP256R1()))
    assertion = shared.assertion(algorithm="ES256", key=key)
    assert shared.ask_token(assertion).json() == {"error": "invalid_grant"}


def test_an_assertion_that_is_no_jwt_is_refused(shared):
    untyped = jwt.encode(
        shared.claims(),
        _load(shared.sandbox.private_key_pem),
        algorithm="PS256",
        headers={"kid": shared.sandbox.certificate_id, "typ": None},
    )
    assert "typ" not in jwt.get_unverified_header(untyped)
    assert shared.ask_token(untyped).json() == {"error": "invalid_grant"}


def test_a_list_of_audiences_is_not_the_exact_audience(shared):
    audience = shared.claims()["aud"]
    assert shared.ask_token(shared.assertion(aud=[audience])).status_code == 400


# point 4
@pytest.mark.parametrize(
    "changes",
    [
        {"algorithm": "RS256"},
        {"algorithm": "HS256", "key": "a shared secret that is long enough for sha256"},
        {"kid": "unknown"},
        {"iss": "someone-else"},
        {"iss": None},
        {"aud": "https://1234567-sb1.suitetalk.api.netsuite.com" + TOKEN_PATH},
        {"aud": None},
        {"aud": "https://127.0.0.1"},
        {"scope": None},
        {"scope": "rest_webservices"},
        {"scope": []},
        {"scope": ["rest_webservices", "everything"]},
        {"iat": None},
        {"exp": None},
        {"exp": 0},
        {"iat": 0},
        {"iat": True},
        {"iat": "1800000000"},
    ],
    ids=str,
)
def test_a_wrong_assertion_is_an_invalid_grant(shared, changes):
    answer = shared.ask_token(shared.assertion(**changes))
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_grant"})


# point 4
def test_an_assertion_may_live_an_hour_and_not_a_second_more(shared):
    issued = shared.claims()["iat"]
    assert shared.ask_token(shared.assertion(iat=issued, exp=issued + 3600)).status_code == 200
    assert shared.ask_token(shared.assertion(iat=issued, exp=issued + 3601)).status_code == 400


# point 4
# point 42
def test_an_expired_assertion_is_refused(client, clock):
    assertion = client.assertion()
    clock.move(301)
    assert client.ask_token(assertion).status_code == 400


def test_an_assertion_from_the_future_is_refused(shared):
    later = shared.claims()["iat"] + 120
    assert shared.ask_token(shared.assertion(iat=later, exp=later + 60)).status_code == 400


# point 4
def test_an_assertion_signed_with_another_key_is_refused(shared):
    other = pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    assert shared.ask_token(shared.assertion(key=other)).json() == {"error": "invalid_grant"}


# point 4
def test_an_unsigned_assertion_is_refused(shared):
    unsigned = jwt.encode(
        shared.claims(), None, algorithm="none", headers={"kid": shared.sandbox.certificate_id}
    )
    assert shared.ask_token(unsigned).json() == {"error": "invalid_grant"}


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "é.b.c"])
def test_text_that_is_no_token_is_refused(shared, text):
    assert shared.ask_token(text).status_code == 400


# point 4
def test_a_revoked_certificate_opens_nothing(client, sandbox):
    sandbox.tokens.revoke_certificate(sandbox.certificate_id)
    assert client.ask_token(client.assertion()).json() == {"error": "invalid_grant"}


# point 4
# point 42
def test_an_expired_certificate_opens_nothing(client, sandbox, clock):
    key = ECKey.import_key(pem(EC_KEY))
    sandbox.tokens.map_certificate("ec-1", key, ends=clock() + timedelta(seconds=10))
    assertion = client.assertion(algorithm="ES256", key=pem(EC_KEY), kid="ec-1")
    assert client.ask_token(assertion).status_code == 200
    clock.move(10)
    assert client.ask_token(assertion).json() == {"error": "invalid_grant"}
    assert sandbox.logins.reasons == ["the certificate has expired"]


def test_a_certificate_ends_after_two_years_whatever_it_says(client, sandbox, clock):
    key = ECKey.import_key(pem(EC_KEY))
    sandbox.tokens.map_certificate("ec-1", key, ends=clock() + timedelta(days=3650))
    clock.move(2 * 365 * 24 * 3600)
    now = int(clock().timestamp())
    assertion = client.assertion(
        algorithm="ES256", key=pem(EC_KEY), kid="ec-1", iat=now, exp=now + 60
    )
    assert client.ask_token(assertion).status_code == 400


@pytest.mark.parametrize(
    "switch", ["integration_enabled", "user_active", "role_may_log_in", "oauth2_feature_enabled"]
)
def test_a_switch_of_the_administrator_refuses_tokens_old_and_new(client, sandbox, switch):
    assert client.get("record/v1/cashRefund").status_code == 200
    setattr(sandbox.logins.access, switch, False)
    assert client.get("record/v1/cashRefund").status_code == 401
    assert client.ask_token(client.assertion()).json() == {"error": "invalid_grant"}
    setattr(sandbox.logins.access, switch, True)
    assert client.get("record/v1/cashRefund").status_code == 200


def test_the_feature_of_the_other_way_does_not_matter(client, sandbox):
    sandbox.logins.access.token_feature_enabled = False
    assert client.get("record/v1/cashRefund").status_code == 200


# point 5
def test_a_token_for_another_scope_is_no_token_for_rest(client, sandbox):
    answer = client.ask_token(client.assertion(scope=["restlets", "suite_analytics"]))
    client.token = answer.json()["access_token"]
    refused = client.get("record/v1/cashRefund")
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Bearer ")
    assert sandbox.logins.reasons == ["the access token is for another scope"]


# point 4
@pytest.mark.parametrize(
    "changes",
    [{"grant_type": "password"}, {"client_assertion_type": "jwt"}, {"scope": "rest_webservices"}],
    ids=str,
)
def test_a_wrong_form_is_an_invalid_request(shared, changes):
    answer = shared.ask_token(shared.assertion(), **changes)
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})


def test_a_token_request_in_json_is_an_invalid_request(shared):
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": shared.assertion(),
    }
    answer = shared.session.post(shared.sandbox.base_url + TOKEN_PATH, json=form, timeout=10)
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})


@pytest.mark.parametrize(
    ("missing", "twice", "query"),
    [
        ("grant_type", "", ""),
        ("client_assertion_type", "", ""),
        ("client_assertion", "", ""),
        ("", "grant_type", ""),
        ("", "", "?grant_type=client_credentials"),
    ],
)
def test_a_form_field_stands_in_the_body_exactly_once(shared, missing, twice, query):
    form = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", shared.assertion()),
    ]
    sent = [pair for pair in form if pair[0] != missing]
    sent += [pair for pair in form if pair[0] == twice]
    answer = shared.session.post(
        shared.sandbox.base_url + TOKEN_PATH + query,
        data=urlencode(sent),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        timeout=10,
    )
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})


def test_a_token_cannot_be_had_with_get(shared):
    assert shared.session.get(shared.sandbox.base_url + TOKEN_PATH, timeout=10).status_code == 405


# point 5
@pytest.mark.parametrize("header", [None, "Bearer", "Bearer nonsense", "Basic YTpi"])
@pytest.mark.parametrize("path", ["record/v1/cashRefund", "query/v1/suiteql", "nowhere"])
def test_without_a_known_token_everything_answers_401_with_a_challenge(shared, header, path):
    headers = {"Authorization": header} if header else {}
    answer = shared.session.get(f"{shared.base}/{path}", headers=headers, timeout=10)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="1234567_SB1", error="inv')
    assert answer.json()["o:errorDetails"][0]["o:errorCode"] == "INVALID_LOGIN"


# point 5
# point 42
def test_a_token_dies_after_its_time(client, clock):
    assert client.get("record/v1/cashRefund").status_code == 200
    clock.move(3600)
    assert client.get("record/v1/cashRefund").status_code == 401


def test_expired_tokens_can_be_replaced_by_new_ones(client, sandbox):
    assert client.get("record/v1/cashRefund").status_code == 200
    sandbox.tokens.expire_tokens()
    assert client.get("record/v1/cashRefund").status_code == 401
    client.token = None
    assert client.get("record/v1/cashRefund").status_code == 200


# point 5
def test_a_token_of_another_account_is_worth_nothing(client):
    with NetSuiteSandbox(account="7654321") as other:
        stranger = RawClient(other)
        stranger.get("record/v1/cashRefund")
        client.token = stranger.token
    assert client.get("record/v1/cashRefund").status_code == 401


# point 1
def test_another_host_name_is_not_this_account(shared):
    headers = {"Host": "1234567-sb1.suitetalk.api.netsuite.com"}
    assert shared.get("record/v1/cashRefund", headers=headers).status_code == 401


def test_a_token_is_not_given_to_another_host_name(shared):
    answer = shared.session.post(
        shared.sandbox.base_url + TOKEN_PATH,
        data={"client_assertion": shared.assertion()},
        headers={"Host": "1234567-sb1.suitetalk.api.netsuite.com"},
        timeout=10,
    )
    assert answer.status_code == 401


# point 1
def test_a_path_outside_the_services_is_not_found(shared):
    assert shared.session.get(f"{shared.sandbox.base_url}/app/login", timeout=10).status_code == 404


# point 45
def test_the_audit_holds_no_secret(client, sandbox):
    client.get("record/v1/cashRefund?limit=10")
    text = repr(sandbox.audit.requests)
    assert client.token not in text
    assert "limit" not in text
