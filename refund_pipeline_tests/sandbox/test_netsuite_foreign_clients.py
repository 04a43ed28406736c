"""Clients we did not write, against the sandbox: what works in the field must work here.

The `netsuite` package and `requests-oauthlib`, both by token-based authentication. They connect by
plain HTTP on loopback; where a vector was printed for NetSuite's own host, the sandbox answers for
that host.
"""

import asyncio
import warnings
from collections.abc import Awaitable, Callable, Iterator
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from requests_oauthlib import OAuth1

from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline.sandbox.netsuite.tba import TokenCredentials
from refund_pipeline_tests.sandbox.netsuite_raw_client import refund, sell

with warnings.catch_warnings(record=True):  # of a part of Authlib that is to go
    from netsuite import Config, NetSuiteRestApi, TokenAuth
    from netsuite.exceptions import NetsuiteAPIRequestError

pytestmark = [  # the `netsuite` package's use of what its libraries want to drop
    pytest.mark.filterwarnings("ignore:use sign_hmac_sha256_with_client:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),
]
ORACLE = TokenCredentials(
    consumer_key="ef40afdd8abaac111b13825dd5e5e2ddddb44f86d5a0dd6dcf38c20aae6b67e4",
    token_id="2b0ce516420110bcbd36b69e99196d1b7f6de3c6234c5afb799b73d87569f5cc",
    consumer_secret="d26ad321a4b2f23b0741c8d38392ce01c3e23e109df6c96eac6d099e9ab9e8b5",
    token_secret="c29a677df7d5439a458c063654187e3d678d73aca8e3c9d8bea1478a3eb0d295",
)
ORACLE_HOST = "https://123456.suitetalk.api.netsuite.com"
ORACLE_SIGNATURE = "B5OIWznZ2YP0OB7VrJrGkYsTh%2B8H%2B5T9Hag%2Bo92q0zY%3D"


@pytest.fixture
def sandbox() -> Iterator[NetSuiteSandbox]:
    with NetSuiteSandbox() as running:
        yield running


# The `netsuite` package


class LoopbackRestApi(NetSuiteRestApi):
    """The package's client; only where it connects to is ours."""

    def __init__(self, sandbox: NetSuiteSandbox, **changes: str) -> None:
        keys = {
            name: getattr(sandbox, name)
            for name in ("consumer_key", "consumer_secret", "token_id", "token_secret")
        }
        account = changes.pop("account", sandbox.account)
        options: dict[str, Any] = {}
        if "signature_method" in changes:
            options["signature_method"] = changes.pop("signature_method")
        super().__init__(Config(account=account, auth=TokenAuth(**{**keys, **changes})), **options)
        self._sandbox_url = sandbox.base_url

    def _make_url(self, subpath: str) -> str:
        return f"{self._sandbox_url}/services/rest{subpath}"


def ask(call: Callable[[], Awaitable[Any]]) -> Any:
    async def _run() -> Any:
        return await call()

    return asyncio.run(_run())


def test_the_netsuite_package_posts_and_reads_a_refund(sandbox):
    sale = sell(sandbox)
    api = LoopbackRestApi(sandbox)
    body = refund(createdFrom={"id": sale})
    answer = ask(lambda: api.request("POST", "/record/v1/cashRefund", json=body))
    assert answer.status_code == 204
    (stored,) = sandbox.cash_refunds()
    assert answer.headers["location"].endswith(f"/services/rest/record/v1/cashRefund/{stored.id}")

    path = "/record/v1/cashRefund/eid:apz-0001"
    read = ask(lambda: api.get(path, params={"expandSubResources": "true"}))
    assert (read["id"], read["externalId"]) == (stored.id, "apz-0001")
    assert [Decimal(str(line["amount"])) for line in read["item"]["items"]] == [
        Decimal("12.5"),
        Decimal("-12.5"),
    ]
    assert sandbox.logins.failures == []


def test_the_netsuite_package_queries(sandbox):
    sale = sell(sandbox)
    api = LoopbackRestApi(sandbox)
    query = (
        "SELECT t.id, t.externalid FROM transaction t WHERE t.externalid = 'O-1001' ORDER BY t.id"
    )
    found = ask(lambda: api.suiteql(query, limit=5, offset=0))
    rows = [{k: v for k, v in row.items() if k != "links"} for row in found["items"]]
    assert rows == [{"id": sale, "externalid": "O-1001"}]
    assert (found["count"], found["hasMore"], found["totalResults"]) == (1, False, 1)
    assert sandbox.logins.failures == []


def test_the_netsuite_package_is_told_of_a_wrong_query(sandbox):
    api = LoopbackRestApi(sandbox)
    with pytest.raises(NetsuiteAPIRequestError) as refused:
        ask(lambda: api.suiteql("SELECT nothing FROM nowhere"))
    assert refused.value.status_code == 400
    assert sandbox.logins.failures == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"token_secret": "0" * 64}, "InvalidSignature"),
        ({"consumer_secret": "0" * 64}, "InvalidSignature"),
        ({"token_id": "0" * 64}, "token_rejected"),
        ({"consumer_key": "0" * 64}, "consumer_key_unknown"),
        ({"account": "7654321"}, "the realm is not this account"),
        ({"account": "1234567-sb1"}, "the realm is not this account"),
        ({"signature_method": "HMAC-SHA1"}, "UnknownAlgorithm"),
    ],
)
def test_the_netsuite_package_set_up_wrongly_is_refused(sandbox, changes, reason):
    api = LoopbackRestApi(sandbox, **changes)
    with pytest.raises(NetsuiteAPIRequestError) as refused:
        ask(lambda: api.get("/record/v1/cashRefund"))
    assert refused.value.status_code == 401
    assert "INVALID_LOGIN" in refused.value.response_text
    assert sandbox.logins.reasons == [reason]


# requests-oauthlib


class Loopback(HTTPAdapter):
    """Delivers requests to NetSuite's host to the sandbox, as they were signed."""

    def __init__(self, sandbox: NetSuiteSandbox) -> None:
        super().__init__()
        self._sandbox_url = sandbox.base_url

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:
        assert request.url is not None
        request.headers["Host"] = request.url.split("/")[2]
        request.url = request.url.replace(ORACLE_HOST, self._sandbox_url)
        return super().send(request, *args, **options)


@pytest.fixture
def oracles_sandbox() -> Iterator[NetSuiteSandbox]:
    """The account of the printed example, at the time of the printed example."""
    with NetSuiteSandbox(
        account="123456",
        token_credentials=ORACLE,
        address=ORACLE_HOST,
        clock=lambda: datetime.fromtimestamp(1508242306, timezone.utc),
    ) as running:
        yield running


def oracles_session(sandbox: NetSuiteSandbox) -> requests.Session:
    session = requests.Session()
    session.mount(ORACLE_HOST, Loopback(sandbox))
    return session


def oauth1(**changes: str) -> OAuth1:
    values: dict[str, Any] = {
        "client_key": ORACLE.consumer_key,
        "client_secret": ORACLE.consumer_secret,
        "resource_owner_key": ORACLE.token_id,
        "resource_owner_secret": ORACLE.token_secret,
        "signature_method": "HMAC-SHA256",
        "realm": "123456",
    }
    return OAuth1(**{**values, **changes})


def test_requests_oauthlib_signs_oracles_example_as_printed_and_is_let_in(oracles_sandbox):
    example = oauth1(nonce="fjaLirsIcCGVZWzBX0pg", timestamp="1508242306")
    with oracles_session(oracles_sandbox) as session:
        url = f"{ORACLE_HOST}/services/rest/record/v1/employee/40"
        answer = session.get(url, auth=example, timeout=10)
        sent = answer.request.headers["Authorization"]
        assert f'oauth_signature="{ORACLE_SIGNATURE}"' in str(sent)
        assert answer.status_code == 404  # let in; the sandbox has no employees
        assert oracles_sandbox.logins.failures == []

        again = session.get(url, auth=example, timeout=10)
        assert again.status_code == 401
        assert oracles_sandbox.logins.reasons == ["NonceUsed"]


def test_oracles_header_as_printed_is_let_in(oracles_sandbox):
    """Order, blanks and encoding as the page `The Authorization Headers` has them."""
    header = (
        'OAuth realm="123456", '
        f'oauth_token="{ORACLE.token_id}", '
        f'oauth_consumer_key="{ORACLE.consumer_key}", '
        'oauth_nonce="fjaLirsIcCGVZWzBX0pg", oauth_timestamp="1508242306", '
        'oauth_signature_method="HMAC-SHA256", oauth_version="1.0", '
        f'oauth_signature="{ORACLE_SIGNATURE}"'
    )
    with oracles_session(oracles_sandbox) as session:
        url = f"{ORACLE_HOST}/services/rest/record/v1/employee/40"
        answer = session.get(url, headers={"Authorization": header}, timeout=10)
    assert answer.status_code == 404
    assert oracles_sandbox.logins.failures == []


@pytest.fixture
def signed(sandbox) -> Iterator[requests.Session]:
    """A session that signs each request to the sandbox anew."""
    with requests.Session() as session:
        session.auth = OAuth1(
            sandbox.consumer_key,
            sandbox.consumer_secret,
            sandbox.token_id,
            sandbox.token_secret,
            signature_method="HMAC-SHA256",
            realm=sandbox.account,
        )
        yield session


def test_requests_oauthlib_posts_reads_and_queries(sandbox, signed):
    sale = sell(sandbox, on=date(2026, 3, 1))
    base = f"{sandbox.base_url}/services/rest"
    posted = signed.post(
        f"{base}/record/v1/cashRefund", json=refund(createdFrom={"id": sale}), timeout=10
    )
    assert posted.status_code == 204
    read = signed.get(f"{base}/record/v1/cashRefund/eid:apz-0001", timeout=10)
    assert read.json()["externalId"] == "apz-0001"
    queried = signed.post(
        f"{base}/query/v1/suiteql",
        params={"limit": "5", "offset": "0"},
        json={"q": "SELECT t.id FROM transaction t WHERE t.externalid = ?", "params": ["apz-0001"]},
        headers={"Prefer": "transient"},
        timeout=10,
    )
    assert queried.json()["count"] == 1
    searched = signed.get(
        f"{base}/record/v1/cashRefund", params={"q": 'externalId IS "apz-0001"'}, timeout=10
    )
    assert searched.status_code != 401
    assert sandbox.logins.failures == []


def test_a_signature_sent_again_is_refused(sandbox, signed):
    """What a retrying adapter of urllib3 does: the same header, the same nonce."""
    url = f"{sandbox.base_url}/services/rest/record/v1/cashRefund"
    prepared = signed.prepare_request(requests.Request("GET", url))
    assert signed.send(prepared, timeout=10).status_code == 200
    assert signed.send(prepared, timeout=10).status_code == 401
    assert sandbox.logins.nonces_reused == 1


def test_requests_oauthlib_left_at_its_default_method_is_refused(sandbox):
    """HMAC-SHA1, which NetSuite has refused since 2023.1."""
    auth = OAuth1(
        sandbox.consumer_key,
        sandbox.consumer_secret,
        sandbox.token_id,
        sandbox.token_secret,
        realm=sandbox.account,
    )
    url = f"{sandbox.base_url}/services/rest/record/v1/cashRefund"
    assert requests.get(url, auth=auth, timeout=10).status_code == 401
    assert sandbox.logins.reasons == ["UnknownAlgorithm"]


def test_requests_oauthlib_without_a_realm_is_refused(sandbox):
    auth = OAuth1(
        sandbox.consumer_key,
        sandbox.consumer_secret,
        sandbox.token_id,
        sandbox.token_secret,
        signature_method="HMAC-SHA256",
    )
    url = f"{sandbox.base_url}/services/rest/record/v1/cashRefund"
    assert requests.get(url, auth=auth, timeout=10).status_code == 401
    assert sandbox.logins.reasons == ["MissingTokenPassportRequiredFields"]
