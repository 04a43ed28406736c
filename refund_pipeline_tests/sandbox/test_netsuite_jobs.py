"""Asynchronous requests, by clients that take a job for a success (netsuite 3.1 and 4.1)."""

from uuid import uuid4

import pytest

from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline_tests.sandbox.netsuite_raw_client import (
    MovableClock,
    RawClient,
    error,
    refund,
)

ASYNC = {"Prefer": "respond-async"}


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


def submit(client, body, key=None):
    headers = {**ASYNC, **({"X-NetSuite-Idempotency-Key": key} if key is not None else {})}
    return client.post_refund(body, headers)


def follow(client, answer, more=""):
    return client.get(answer.headers["Location"].removeprefix(f"{client.base}/") + more)


# point 19
def test_a_submitted_refund_is_a_job_and_no_refund_yet(client, sandbox, clock):
    sandbox.jobs.delay = 30
    answer = submit(client, refund())
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "respond-async")
    assert follow(client, answer).json()["progress"] == "pending"
    assert follow(client, answer, "/task/1/result").status_code == 404
    assert client.get("record/v1/cashRefund/eid:apz-0001").status_code == 404
    clock.move(31)
    assert follow(client, answer).json()["completed"] is True
    assert len(sandbox.cash_refunds()) == 1


# point 19
def test_a_job_succeeds_although_its_only_task_failed(client, sandbox):
    answer = submit(client, refund(entity={"id": "999"}))
    assert answer.status_code == 202
    assert follow(client, answer).json()["progress"] == "succeeded"
    assert follow(client, answer, "/task/1").json()["progress"] == "failed"
    result = follow(client, answer, "/task/1/result")
    assert (result.status_code, error(result)["o:errorPath"]) == (400, "entity")
    assert sandbox.cash_refunds() == []


# point 19
def test_the_result_of_a_task_is_what_a_synchronous_call_would_have_answered(client, sandbox):
    answer = submit(client, refund())
    result = follow(client, answer, "/task/1/result")
    [stored] = sandbox.cash_refunds()
    assert (result.status_code, result.content) == (204, b"")
    assert result.headers["Location"].endswith(f"/cashRefund/{stored.id}")
    assert follow(client, answer, "/task").json()["totalResults"] == 1


# point 19
@pytest.mark.parametrize("status", [400, 409])
def test_a_repeated_key_is_refused_with_the_address_of_the_first_job(client, sandbox, status):
    sandbox.jobs.conflict_status = status
    key = str(uuid4())
    first = submit(client, refund(externalId=None), key)
    second = submit(client, refund(externalId=None), key.upper())
    assert (second.status_code, error(second)["o:errorCode"]) == (status, "IDEMPOTENCY_ERROR")
    assert second.headers["Location"] == first.headers["Location"]
    assert len(sandbox.cash_refunds()) == 1


# point 19
def test_without_a_key_a_repeated_submission_refunds_twice(client, sandbox):
    for _ in range(2):
        submit(client, refund(externalId=None))
    assert len(sandbox.cash_refunds()) == 2


# point 19
@pytest.mark.parametrize("key", ["apz-0001", "", "8f6d6c6e3c1f4f0e9d2a1f2e3d4c5b6a"])
def test_a_key_that_is_no_uuid_is_refused(client, sandbox, key):
    assert submit(client, refund(), key).status_code == 400
    assert sandbox.cash_refunds() == []


# point 17
# point 19
def test_a_key_of_a_job_protects_no_synchronous_call(client, sandbox):
    key = str(uuid4())
    submit(client, refund(externalId=None), key)
    client.post_refund(refund(externalId=None), {"X-NetSuite-Idempotency-Key": key})
    assert len(sandbox.cash_refunds()) == 2


# point 19
@pytest.mark.parametrize("path", ["job/7", "job/x", "job/1/task/2", "job", "job/1/nosuch"])
def test_a_job_that_does_not_exist_is_not_found(client, path):
    submit(client, refund())
    assert client.get(f"async/v1/{path}").status_code == 404


# point 8
# point 19
def test_a_job_can_only_be_read(client):
    submit(client, refund())
    assert client.request("DELETE", "async/v1/job/1").status_code == 405


# point 18
# point 19
def test_a_query_cannot_be_asynchronous(client):
    answer = client.request(
        "POST", "query/v1/suiteql", json={"q": "SELECT id FROM transaction"}, headers=ASYNC
    )
    assert (answer.status_code, error(answer)["o:errorHeader"]) == (400, "Prefer")
