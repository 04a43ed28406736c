from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from refund_pipeline.sandbox.netsuite.audit import NO_ANSWER, AuditEntry
from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline_tests.sandbox.netsuite_raw_client import MovableClock, RawClient, error, refund

REFUNDS = "/services/rest/record/v1/cashRefund"


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


# point 41
def test_a_lost_answer_leaves_the_refund_behind(client, sandbox):
    sandbox.faults.lose_answers(1)
    with pytest.raises(requests.ConnectionError):
        client.post_refund(refund())
    assert len(sandbox.cash_refunds()) == 1
    assert "already exists" in client.post_refund(refund()).text


# point 41
def test_a_connection_dropped_before_the_commit_leaves_nothing(client, sandbox):
    sandbox.faults.drop_before_commit(1)
    with pytest.raises(requests.ConnectionError):
        client.post_refund(refund())
    assert sandbox.cash_refunds() == []
    assert client.post_refund(refund()).status_code == 204


# point 41
def test_an_error_500_after_the_commit_leaves_the_refund_behind(client, sandbox):
    sandbox.faults.fail_after_commit(1)
    answer = client.post_refund(refund())
    assert (answer.status_code, error(answer)["o:errorCode"]) == (500, "UNEXPECTED_ERROR")
    assert len(sandbox.cash_refunds()) == 1


# point 41
def test_a_refusal_can_be_a_lie(client, sandbox):
    sandbox.faults.refuse_but_create(1)
    answer = client.post_refund(refund())
    assert (answer.status_code, error(answer)["o:errorCode"]) == (400, "USER_ERROR")
    assert "already exists" not in answer.text
    assert len(sandbox.cash_refunds()) == 1


def test_commit_faults_wait_for_a_request_that_commits(client, sandbox):
    sandbox.faults.fail_after_commit(1)
    assert client.get("record/v1/cashRefund").status_code == 200
    assert client.post_refund(refund(memo=7)).status_code == 400
    assert client.post_refund(refund()).status_code == 500


# point 39
def test_the_next_requests_can_be_refused_for_concurrency(client, sandbox):
    client.get("record/v1/cashRefund")
    sandbox.faults.too_many_requests(2)
    answers = [client.post_refund(refund()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 204]
    assert error(answers[0])["o:errorCode"] == "CONCURRENCY_LIMIT_EXCEEDED"
    assert "Retry-After" not in answers[0].headers
    assert len(sandbox.cash_refunds()) == 1


# point 41
def test_an_outage_answers_html_to_everything_the_token_endpoint_included(client, sandbox):
    client.get("record/v1/cashRefund")
    sandbox.faults.start_outage()
    for answer in (client.get("record/v1/cashRefund"), client.ask_token(client.assertion())):
        assert answer.status_code == 503
        assert answer.headers["Content-Type"] == "text/html"
    sandbox.faults.end_outage()
    assert client.get("record/v1/cashRefund").status_code == 200


def test_an_outage_can_end_by_itself(client, sandbox, clock):
    client.get("record/v1/cashRefund")
    sandbox.faults.outage_for(60)
    assert client.get("record/v1/cashRefund").status_code == 503
    clock.move(60)
    assert client.get("record/v1/cashRefund").status_code == 200


def test_the_token_endpoint_alone_can_be_down(client, sandbox):
    client.get("record/v1/cashRefund")
    sandbox.faults.start_outage(tokens_only=True)
    assert client.ask_token(client.assertion()).status_code == 503
    assert client.get("record/v1/cashRefund").status_code == 200
    sandbox.faults.end_outage()
    assert client.ask_token(client.assertion()).status_code == 200


# point 39
def test_requests_above_the_concurrency_limit_are_refused_and_do_nothing():
    with NetSuiteSandbox(concurrency_limit=2, latency=0.15) as sandbox:
        client = RawClient(sandbox)
        client.get("record/v1/cashRefund")
        with ThreadPoolExecutor(6) as pool:
            statuses = list(
                pool.map(
                    lambda number: client.post_refund(refund(externalId=f"a-{number}")).status_code,
                    range(6),
                )
            )
        assert len(sandbox.cash_refunds()) == statuses.count(204)
        assert set(statuses) == {204, 429}
        assert sandbox.audit.peak_in_flight > 2


# point 39
def test_requests_within_the_limit_are_served_side_by_side():
    with NetSuiteSandbox(concurrency_limit=3, latency=0.1) as sandbox:
        client = RawClient(sandbox)
        client.get("record/v1/cashRefund")
        with ThreadPoolExecutor(3) as pool:
            statuses = list(
                pool.map(
                    lambda number: client.post_refund(refund(externalId=f"a-{number}")).status_code,
                    range(3),
                )
            )
        assert statuses == [204, 204, 204]
        assert sandbox.audit.peak_in_flight <= 3


# point 45
def test_the_audit_lists_every_request_with_its_status(client, sandbox):
    client.post_refund(refund())
    client.post_refund(refund())
    sandbox.faults.drop_before_commit(1)
    with pytest.raises(requests.ConnectionError):
        client.post_refund(refund(externalId="apz-2"))
    assert sandbox.audit.requests[1:] == [
        AuditEntry("POST", REFUNDS, 204),
        AuditEntry("POST", REFUNDS, 400),
        AuditEntry("POST", REFUNDS, NO_ANSWER),
    ]


def test_the_audit_counts_by_method_and_kind(client, sandbox):
    client.post_refund(refund())
    client.get("record/v1/cashRefund/eid:apz-0001")
    client.get("record/v1/metadata-catalog/cashRefund")
    client.rows("SELECT id FROM item")
    assert sandbox.audit.posts == 1
    assert sandbox.audit.counts == {
        "POST token": 1,
        "POST cashRefund": 1,
        "GET cashRefund": 1,
        "GET metadata": 1,
        "POST suiteql": 1,
    }


def test_a_sandbox_can_be_stopped_and_another_started():
    for _ in range(2):
        with NetSuiteSandbox() as sandbox:
            assert RawClient(sandbox).get("record/v1/cashRefund").status_code == 200
