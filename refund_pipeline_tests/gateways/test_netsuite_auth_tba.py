"""Token-based authentication: the contract's and Oracle's vectors, and a fresh signature each."""

import base64
import hashlib
import hmac
import logging
import re
from typing import Any
from urllib.parse import unquote

import pytest

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.gateways.netsuite_tba import TokenBasedAuthentication, TokenCredentials

HOST = "https://1234567-sb1.suitetalk.api.netsuite.com/services/rest"
CONTRACT = TokenCredentials("ck-demo-0001", "tk-demo-0001", "cs demo+/=&~", "ts-demo%25")
ORACLE = TokenCredentials(
    consumer_key="ef40afdd8abaac111b13825dd5e5e2ddddb44f86d5a0dd6dcf38c20aae6b67e4",
    token_id="2b0ce516420110bcbd36b69e99196d1b7f6de3c6234c5afb799b73d87569f5cc",
    consumer_secret="d26ad321a4b2f23b0741c8d38392ce01c3e23e109df6c96eac6d099e9ab9e8b5",
    token_secret="c29a677df7d5439a458c063654187e3d678d73aca8e3c9d8bea1478a3eb0d295",
)


def signer(credentials: TokenCredentials = CONTRACT, **changes: Any) -> TokenBasedAuthentication:
    return TokenBasedAuthentication(credentials, **{"account": "1234567_SB1", **changes})


def parameters(own: TokenBasedAuthentication, method: str = "GET", url: str = HOST) -> dict:
    """Return the decoded parameters of a signed header."""
    headers = own.headers(method, url)
    assert list(headers) == ["Authorization"]
    scheme, _, rest = headers["Authorization"].partition(" ")
    assert scheme == "OAuth"
    pairs = [re.fullmatch(r'([a-z_]+)="([^"]*)"', part) for part in rest.split(", ")]
    return {pair[1]: unquote(pair[2]) for pair in pairs if pair}


@pytest.mark.parametrize(
    ("method", "path", "signature"),
    [
        (
            "GET",
            "/record/v1/cashSale/eid:SO-1001",
            "4eLaIifpfwr8SLbs4q6jFch2K6t+IcBr12BWTwMNJ0Q=",
        ),
        (
            "POST",
            "/record/v1/cashSale/77/!transform/cashRefund?replace=item",
            "MOZJR0lhX2y/rXI/uUo7bTB1tBOE7J37QVO3FpWipcU=",
        ),
        (
            "POST",
            "/query/v1/suiteql?limit=5&offset=0",
            "yBaiL9t2l3MbULskkUCJ1T+zPN3Uw9KYuubGnM6aq74=",
        ),
        (
            "GET",
            "/record/v1/cashRefund?q=externalId+IS+%22a%7Cb%22",
            "77MffENjmXUTlejqg/V0WntFnQJzquPNmQUY8KuCjyg=",
        ),
        (
            "PUT",
            "/record/v1/cashRefund/eid:apz_6f1c",
            "C+bEGTAkxYUoYg3HB17jeg1aADFaB4CxkdjZbdjE5UM=",
        ),
    ],
)
def test_the_vectors_of_the_contract(method, path, signature):
    own = signer(clock=lambda: 1760000000.9, nonce=lambda: "nonce0000000000000001")

    assert parameters(own, method, HOST + path) == {
        "realm": "1234567_SB1",
        "oauth_consumer_key": "ck-demo-0001",
        "oauth_token": "tk-demo-0001",
        "oauth_nonce": "nonce0000000000000001",
        "oauth_timestamp": "1760000000",
        "oauth_signature_method": "HMAC-SHA256",
        "oauth_version": "1.0",
        "oauth_signature": signature,
    }


def test_the_vector_oracle_prints_for_rest():
    own = signer(
        ORACLE, account="123456", clock=lambda: 1508242306.0, nonce=lambda: "fjaLirsIcCGVZWzBX0pg"
    )
    url = "https://123456.suitetalk.api.netsuite.com/services/rest/record/v1/employee/40"

    signature = parameters(own, url=url)["oauth_signature"]
    assert signature == "B5OIWznZ2YP0OB7VrJrGkYsTh+8H+5T9Hag+o92q0zY="


def test_the_signature_is_encoded_in_the_header():
    own = signer(clock=lambda: 1760000000.0, nonce=lambda: "nonce0000000000000001")
    header = own.headers("GET", f"{HOST}/record/v1/cashSale/eid:SO-1001")["Authorization"]

    assert 'oauth_signature="4eLaIifpfwr8SLbs4q6jFch2K6t%2BIcBr12BWTwMNJ0Q%3D"' in header


@pytest.mark.parametrize("account", ["1234567_SB1", "1234567-sb1"])
def test_the_realm_comes_from_either_spelling(account):
    assert parameters(signer(account=account))["realm"] == "1234567_SB1"


def test_an_account_that_is_none_is_a_setting_to_correct():
    with pytest.raises(Misconfigured, match="NETSUITE_ACCOUNT"):
        signer(account="evil.example")


def test_every_signature_has_a_nonce_of_its_own():
    own = signer()
    nonces = [parameters(own)["oauth_nonce"] for _ in range(100)]

    assert len(set(nonces)) == 100
    assert all(re.fullmatch(r"[0-9a-f]{32}", nonce) for nonce in nonces)


def test_every_signature_has_the_time_of_its_attempt():
    times = iter([1_800_000_000.0, 1_800_000_007.5])
    own = signer(clock=lambda: next(times))

    assert [parameters(own)["oauth_timestamp"] for _ in range(2)] == ["1800000000", "1800000007"]


def test_the_body_takes_no_part():
    assert "oauth_body_hash" not in parameters(signer(), "POST")


def test_the_key_is_made_of_both_secrets():
    """Signed by hand, so that an error of the library would show too."""
    own = signer(clock=lambda: 1.0, nonce=lambda: "abcdefgh")
    text = (
        "GET&https%3A%2F%2Fx%2Fy&oauth_consumer_key%3Dck-demo-0001%26oauth_nonce%3Dabcdefgh%26"
        "oauth_signature_method%3DHMAC-SHA256%26oauth_timestamp%3D1%26oauth_token%3Dtk-demo-0001%26"
        "oauth_version%3D1.0"
    )
    digest = hmac.new(b"cs%20demo%2B%2F%3D%26~&ts-demo%2525", text.encode(), hashlib.sha256)

    expected = base64.b64encode(digest.digest()).decode()
    assert parameters(own, url="https://x/y")["oauth_signature"] == expected


def test_secrets_are_neither_shown_nor_logged(caplog):
    with caplog.at_level(logging.DEBUG):
        shown = f"{signer().headers('GET', HOST)} {CONTRACT!r}"

    for secret in (CONTRACT.consumer_secret, CONTRACT.token_secret):
        assert secret not in shown + caplog.text
    assert caplog.text == ""


def test_each_401_is_another_refusal():
    own = signer()
    headers = own.headers("GET", HOST)

    assert own.refused(headers)
    assert own.refused(headers)
    assert own.requests_made == 0
