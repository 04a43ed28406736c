"""What goes wrong on purpose, each shown by a plain client it harms (contract netsuite 8, 41)."""

import time
from collections import Counter
from datetime import timedelta

import pytest
import requests

from refund_pipeline.sandbox.netsuite.audit import NO_ANSWER
from refund_pipeline.sandbox.netsuite.faults import Fault
from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline_tests.sandbox.netsuite_raw_client import MovableClock, RawClient, error, refund

REFUNDS = "record/v1/cashRefund"


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
        client.get(REFUNDS)  # fetches the token, so that no fault meets that
        yield client


def post_plainly(client: RawClient, number: int, *, seconds: float = 10) -> int:
    """Post once, as a client without any care would; `NO_ANSWER` for a connection that breaks."""
    try:
        answer = client.session.post(
            f"{client.base}/{REFUNDS}",
            json=refund(externalId=f"apz-{number}"),
            headers={"Authorization": f"Bearer {client.token}"},
            timeout=seconds,
        )
    except requests.RequestException:
        return NO_ANSWER
    return answer.status_code


# point 41
def test_an_error_500_before_the_commit_leaves_nothing(client, sandbox):
    sandbox.faults.fail_before_commit(1)
    answer = client.post_refund(refund())
    assert (answer.status_code, error(answer)["o:errorCode"]) == (500, "UNEXPECTED_ERROR")
    assert sandbox.cash_refunds() == []


# point 41
@pytest.mark.parametrize("after_commit", [False, True])
def test_the_page_of_a_gateway_does_not_tell_whether_the_write_was_done(
    client, sandbox, after_commit
):
    sandbox.faults.gateway_pages(1, after_commit=after_commit)
    answer = client.post_refund(refund())
    assert answer.status_code == 502
    with pytest.raises(ValueError, match="Expecting"):
        answer.json()
    assert len(sandbox.cash_refunds()) == after_commit


# point 41
def test_a_client_that_waits_too_briefly_has_posted_all_the_same(client, sandbox):
    sandbox.faults.answer_late(1, seconds=1.5)
    assert post_plainly(client, 1, seconds=0.5) == NO_ANSWER
    assert post_plainly(client, 1) == 400
    assert len(sandbox.cash_refunds()) == 1


# point 41
def test_a_late_answer_is_the_right_one_for_who_waits(client, sandbox):
    sandbox.faults.answer_late(1, seconds=0.3)
    assert post_plainly(client, 1) == 204


# point 41
def test_a_write_whose_answer_is_late_is_no_longer_in_flight(client, sandbox):
    """Else a client that gave up and went on would be blamed for one request too many."""
    sandbox.faults.answer_late(1, seconds=2.0)
    assert post_plainly(client, 1, seconds=0.2) == NO_ANSWER
    assert post_plainly(client, 2) == 204
    assert sandbox.audit.peak_in_flight == 1


# point 41
def test_json_can_end_in_the_middle(client, sandbox):
    sandbox.faults.truncate_answers(1)
    answer = client.get(REFUNDS)
    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        answer.json()


# point 41
def test_an_answer_can_come_without_its_body(client, sandbox):
    sandbox.faults.empty_answers(1)
    assert client.get(REFUNDS).content == b""


# point 41
def test_a_body_that_drips_outlasts_a_time_out_between_two_bytes(client, sandbox):
    sandbox.faults.drip_answers(1, seconds=0.02)
    began = time.monotonic()
    url, headers = f"{client.base}/{REFUNDS}", {"Authorization": f"Bearer {client.token}"}
    answer = requests.get(url, headers=headers, timeout=1.5)
    assert answer.json()["items"] == []
    assert time.monotonic() - began > 1.5


# point 41
def test_a_burst_of_401_meets_a_good_token_and_changes_nothing(client, sandbox):
    sandbox.faults.refuse_logins(2)
    assert [post_plainly(client, 1) for _ in range(3)] == [401, 401, 204]
    assert len(sandbox.cash_refunds()) == 1


# point 41
def test_in_a_maintenance_window_everything_is_a_page_the_token_endpoint_too(
    client, sandbox, clock
):
    start = clock.now + timedelta(hours=1)
    sandbox.faults.schedule_maintenance(start, start + timedelta(hours=2))
    assert post_plainly(client, 1) == 204
    clock.move(3600)
    for answer in (client.get(REFUNDS), client.ask_token(client.assertion())):
        assert (answer.status_code, answer.headers["Content-Type"]) == (503, "text/html")
    assert post_plainly(client, 2) == 503
    clock.move(2 * 3600)
    assert client.ask_token(client.assertion()).status_code != 503
    assert len(sandbox.cash_refunds()) == 1


# point 41
def test_a_script_gives_the_writes_their_faults_in_turn(client, sandbox):
    sandbox.faults.script(
        [None, Fault.LOSE_ANSWER, Fault.DROP_BEFORE_COMMIT, Fault.REFUSE_BUT_CREATE]
    )
    assert [post_plainly(client, number) for number in range(5)] == [
        204,
        NO_ANSWER,
        NO_ANSWER,
        400,
        204,
    ]
    there = {record.external_id for record in sandbox.cash_refunds()}
    assert there == {"apz-0", "apz-1", "apz-3", "apz-4"}


# point 41
def test_a_share_of_the_writes_goes_wrong_the_same_way_for_the_same_seed():
    shares = {
        Fault.TOO_MANY_REQUESTS: 0.1,
        Fault.DROP_BEFORE_COMMIT: 0.1,
        Fault.LOSE_ANSWER: 0.1,
        Fault.FAIL_BEFORE_COMMIT: 0.1,
        Fault.FAIL_AFTER_COMMIT: 0.1,
    }
    runs = []
    for seed in (1, 1, 2):
        with NetSuiteSandbox() as sandbox, RawClient(sandbox) as client:
            client.get(REFUNDS)
            sandbox.faults.at_random(shares, seed=seed)
            runs.append([post_plainly(client, number) for number in range(80)])
    assert runs[0] == runs[1] != runs[2]
    seen = Counter(runs[0])
    assert 20 <= seen[204] < 60
    assert all(seen[status] for status in (429, NO_ANSWER, 500))


# point 42
def test_a_client_that_never_renews_its_token_is_shut_out_in_the_middle_of_a_run(
    client, sandbox, clock
):
    statuses = []
    for number in range(4):
        statuses.append(post_plainly(client, number))
        clock.move(1500)
    assert statuses == [204, 204, 204, 401]
    assert len(sandbox.cash_refunds()) == 3
