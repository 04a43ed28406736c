"""Concurrency, latency, language and the audit (contract netsuite 8, points 39, 40, 43 to 45)."""

import statistics
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from refund_pipeline.sandbox.netsuite.governance import Blocked, Tier, pool_of
from refund_pipeline.sandbox.netsuite.latency import Latency
from refund_pipeline.sandbox.netsuite.preferences import Language
from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline_tests.sandbox.netsuite_raw_client import RawClient, error, refund
from refund_pipeline_tests.sandbox.netsuite_signed_client import SignedClient

REFUNDS = "record/v1/cashRefund"


@pytest.fixture
def sandbox():
    with NetSuiteSandbox() as running:
        yield running


@pytest.fixture
def client(sandbox):
    with RawClient(sandbox) as client:
        yield client


def post_at_once(client: RawClient, count: int, **changes: str) -> list[requests.Response]:
    """Post so many refunds side by side, each under its own external id unless one is given."""
    client.get(REFUNDS)

    def _post(number: int) -> requests.Response:
        return client.post_refund(refund(**{"externalId": f"apz-{number}", **changes}))

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(_post, range(count)))


# point 39
@pytest.mark.parametrize(
    ("tier", "licences", "pool"),
    [
        (Tier.STANDARD, 0, 5),
        (Tier.STANDARD, 1, 15),
        (Tier.PREMIUM, 0, 15),
        (Tier.ENTERPRISE, 0, 20),
        (Tier.ULTIMATE, 5, 70),
    ],
)
def test_the_pool_of_an_account_follows_from_its_tier_and_licences(tier, licences, pool):
    assert pool_of(tier, licences) == pool


# point 39
def test_what_other_integrations_have_in_flight_is_taken_from_the_pool(client, sandbox):
    client.get(REFUNDS)
    sandbox.governance.others = 5
    answer = client.post_refund(refund())
    assert (answer.status_code, error(answer)["o:errorCode"]) == (429, "CONCURRENCY_LIMIT_EXCEEDED")
    assert sandbox.cash_refunds() == []
    sandbox.governance.others = 4
    assert client.post_refund(refund()).status_code == 204


# point 39
def test_an_integration_may_not_use_more_than_its_own_part_of_the_pool():
    with NetSuiteSandbox(concurrency_limit=20, latency=0.3) as sandbox:
        sandbox.governance.integration_limit = 1
        with RawClient(sandbox) as client:
            statuses = [answer.status_code for answer in post_at_once(client, 6)]
        assert set(statuses) == {204, 429}
        assert len(sandbox.cash_refunds()) == statuses.count(204)


# point 39
def test_a_client_is_told_how_long_to_wait_only_where_that_is_switched_on(client, sandbox):
    client.get(REFUNDS)
    sandbox.faults.too_many_requests(1)
    assert "Retry-After" not in client.post_refund(refund()).headers
    sandbox.governance.retry_after = 7
    sandbox.faults.too_many_requests(1)
    assert client.post_refund(refund()).headers["Retry-After"] == "7"


# point 39
def test_a_client_that_parses_every_answer_fails_at_the_one_oracle_prints(client, sandbox):
    client.get(REFUNDS)
    sandbox.governance.blocked = Blocked.AS_PRINTED
    sandbox.faults.too_many_requests(1)
    answer = client.post_refund(refund())
    assert answer.status_code == 429
    with pytest.raises(ValueError, match="Expecting"):
        answer.json()


# point 39
def test_the_limit_can_come_as_the_code_of_restlets(client, sandbox):
    client.get(REFUNDS)
    sandbox.governance.blocked = Blocked.RESTLET
    sandbox.faults.too_many_requests(1)
    answer = client.post_refund(refund())
    assert (answer.status_code, error(answer)["o:errorCode"]) == (400, "SSS_REQUEST_LIMIT_EXCEEDED")


# point 40
@pytest.mark.parametrize(
    ("writes", "median", "slowest"), [(False, 0.45, 2.5), (True, 1.5, 8.0)], ids=["GET", "POST"]
)
def test_latencies_have_the_median_and_the_tail_of_the_contract(writes, median, slowest):
    latency = Latency(scale=0.001)
    drawn = sorted(latency.draw(writes=writes) for _ in range(5000))
    assert statistics.median(drawn) == pytest.approx(median, rel=0.1)
    assert drawn[int(len(drawn) * 0.99)] == pytest.approx(slowest, rel=0.2)


# point 40
def test_the_audit_tells_how_long_a_request_would_have_taken():
    with NetSuiteSandbox(latency_scale=0.0) as sandbox, RawClient(sandbox) as client:
        for number in range(20):
            client.post_refund(refund(externalId=f"apz-{number}"))
        posts = [one for one in sandbox.audit.requests if one.path.endswith("/cashRefund")]
        assert 0.5 < statistics.median(one.latency for one in posts) < 4.0


# point 40
def test_a_client_that_gives_up_on_a_stalled_write_and_takes_another_id_pays_twice():
    with NetSuiteSandbox(latency_scale=0.05) as sandbox, RawClient(sandbox) as client:
        client.get(REFUNDS)
        sandbox.latency.stalls = 1.0
        url, headers = f"{client.base}/{REFUNDS}", {"Authorization": f"Bearer {client.token}"}
        with pytest.raises(requests.Timeout):
            requests.post(url, json=refund(), headers=headers, timeout=0.1)
        assert sandbox.cash_refunds() == []  # a look-up now would find nothing
        sandbox.latency.stalls = 0.0
        assert client.post_refund(refund(externalId="apz-again")).status_code == 204
    assert len(sandbox.cash_refunds()) == 2  # once every request is through


# point 43
def test_of_creates_that_race_under_one_external_id_one_makes_a_record():
    with NetSuiteSandbox(concurrency_limit=20, latency=0.05) as sandbox:
        with RawClient(sandbox) as client:
            answers = post_at_once(client, 8, externalId="apz-race")
        assert sorted(answer.status_code for answer in answers) == [204, *[400] * 7]
        assert len(sandbox.cash_refunds()) == 1


# point 44
@pytest.mark.parametrize("language", [Language.GERMAN, Language.ITALIAN])
def test_a_client_that_reads_texts_takes_a_duplicate_for_something_else(client, sandbox, language):
    client.post_refund(refund())
    assert "already exists" in client.post_refund(refund()).text
    sandbox.preferences.language = language
    answer = client.post_refund(refund())
    assert (answer.status_code, error(answer)["o:errorCode"]) == (400, "USER_ERROR")
    assert "already exists" not in answer.text


# point 44
def test_codes_and_paths_are_the_same_in_every_language(client, sandbox):
    bodies = [refund(location={"id": "999"}), refund(location=None), refund(memo=7)]
    english = [error(client.post_refund(body)) for body in bodies]
    sandbox.preferences.language = Language.GERMAN
    german = [error(client.post_refund(body)) for body in bodies]
    for one, other in zip(english, german, strict=True):
        assert one.keys() == other.keys()
        assert one["o:errorCode"] == other["o:errorCode"]
        assert one.get("o:errorPath") == other.get("o:errorPath")
    assert [one["detail"] for one in english] != [other["detail"] for other in german]


# point 45
def test_the_most_requests_at_once_are_counted_the_refused_ones_too():
    with NetSuiteSandbox(concurrency_limit=2, latency=0.3) as sandbox:
        with RawClient(sandbox) as client:
            post_at_once(client, 6)
        assert sandbox.audit.peak_in_flight > 2
        assert max(one.in_flight for one in sandbox.audit.requests) == sandbox.audit.peak_in_flight


# point 45
def test_a_put_without_replace_is_counted(client, sandbox):
    url = f"{REFUNDS}/eid:apz-0001"
    body = refund(externalId=None)
    assert client.request("PUT", f"{url}?replace=item", json=body).status_code == 204
    assert sandbox.audit.without_replace == {}
    client.request("PUT", url, json=body)
    assert sum(sandbox.audit.without_replace.values()) == 1


# point 45
def test_a_nonce_used_twice_is_counted(sandbox):
    with SignedClient(sandbox) as client:
        header = client.header()
        assert client.request(header=header).status_code == 200
        assert client.request(header=header).status_code == 401
    assert sandbox.logins.nonces_reused == 1


# point 45
def test_a_refund_that_netsuite_would_pay_out_is_counted(client, sandbox):
    client.post_refund(refund())
    assert sandbox.audit.second_payouts == 0
    client.post_refund(refund(externalId="apz-2", handlingMode={"id": "PROCESS"}))
    assert sandbox.audit.second_payouts == 1


# point 45
def test_the_audit_tells_how_each_request_was_meant_and_keeps_no_secret(client, sandbox):
    client.query("SELECT id FROM item", limit=5)
    (entry,) = [one for one in sandbox.audit.requests if one.path.endswith("/suiteql")]
    assert entry.headers["prefer"] == "transient"
    assert entry.parameters == ("limit",)
    assert "authorization" not in entry.headers
    assert client.token is not None
    assert client.token not in repr(sandbox.audit.requests)
