"""PUT, PATCH and DELETE, by clients that trust them too much (netsuite 2.1 and 2.3)."""

from datetime import date
from decimal import Decimal

import pytest

from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline_tests.sandbox.netsuite_raw_client import (
    ORDER,
    MovableClock,
    RawClient,
    error,
    refund,
    sell,
)

REFUND = "record/v1/cashRefund/eid:apz-0001"
GOODWILL = {"item": {"id": "9001"}, "quantity": 1, "rate": 5, "amount": 5}
BY_CARD = {"item": {"id": "8101"}, "amount": -5}


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


def lines(*items):
    return {"item": {"items": list(items)}}


def amounts(sandbox):
    [stored] = sandbox.cash_refunds()
    return [line.amount for line in stored.lines]


# point 21
def test_put_creates_a_refund_once_and_updates_it_from_then_on(client, sandbox):
    for memo in ("first", "second"):
        assert client.request("PUT", REFUND, json=refund(memo=memo)).status_code == 204
    [stored] = sandbox.cash_refunds()
    assert (stored.external_id, stored.memo) == ("apz-0001", "second")


# point 21
def test_a_client_that_repeats_a_put_refunds_twice_the_amount(client, sandbox):
    for _ in range(2):
        client.request("PUT", REFUND, json=refund())
    assert amounts(sandbox) == [Decimal(one) for one in ("12.5", "-12.5", "12.5", "-12.5")]
    assert sandbox.audit.without_replace == {"PUT": 2}


# point 21
def test_a_put_that_replaces_its_lines_can_be_repeated(client, sandbox):
    for _ in range(2):
        client.request("PUT", f"{REFUND}?replace=item", json=refund())
    assert amounts(sandbox) == [Decimal("12.5"), Decimal("-12.5")]
    assert sandbox.audit.without_replace == {}


# point 21
def test_the_external_id_of_an_upsert_is_the_one_in_the_address(client, sandbox):
    answer = client.request("PUT", REFUND, json=refund(externalId="apz-0002"))
    assert (answer.status_code, error(answer)["o:errorPath"]) == (400, "externalId")
    client.request("PUT", REFUND, json=refund(externalId=None))
    assert [one.external_id for one in sandbox.cash_refunds()] == ["apz-0001"]


# point 21
def test_an_upsert_cannot_create_under_an_external_id_that_is_too_long(client, sandbox):
    path = f"record/v1/cashRefund/eid:{'x' * 41}"
    assert client.request("PUT", path, json=refund(externalId=None)).status_code == 400
    assert sandbox.cash_refunds() == []


# point 21
def test_a_put_by_internal_id_is_refused(client, sandbox):
    client.post_refund(refund())
    [stored] = sandbox.cash_refunds()
    answer = client.request("PUT", f"record/v1/cashRefund/{stored.id}", json=refund())
    assert (answer.status_code, "PUT" in answer.headers["Allow"]) == (405, False)


# point 20
# point 21
def test_a_put_on_the_external_id_of_a_cash_sale_changes_neither(client, sandbox):
    sell(sandbox)
    path = f"record/v1/cashRefund/eid:{ORDER}"
    answer = client.request("PUT", path, json=refund(externalId=None))
    assert "already exists" in error(answer)["detail"]
    assert sandbox.cash_refunds() == []


# point 21
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_only_the_lines_can_be_replaced(client, sandbox, method):
    client.post_refund(refund())
    answer = client.request(method, f"{REFUND}?replace=items", json=lines(GOODWILL))
    assert error(answer)["o:errorQueryParam"] == "replace"
    assert len(amounts(sandbox)) == 2


# point 22
def test_a_patch_of_a_numbered_line_updates_that_line(client, sandbox):
    client.post_refund(refund())
    client.request("PATCH", REFUND, json=lines({"line": 2, "amount": -5}))
    assert amounts(sandbox) == [Decimal("12.5"), Decimal(-5)]


# point 22
@pytest.mark.parametrize("line", [{}, {"line": 0}, {"line": 3}])
def test_a_client_that_counts_lines_from_zero_adds_one(client, sandbox, line):
    client.post_refund(refund())
    client.request("PATCH", REFUND, json=lines({**GOODWILL, **line}))
    assert amounts(sandbox) == [Decimal("12.5"), Decimal("-12.5"), Decimal(5)]
    assert sandbox.audit.without_replace == {"PATCH": 1}


# point 22
def test_a_patch_that_replaces_its_lines_drops_the_others(client, sandbox):
    client.post_refund(refund())
    client.request("PATCH", f"{REFUND}?replace=item", json=lines(GOODWILL, BY_CARD))
    assert amounts(sandbox) == [Decimal(5), Decimal(-5)]


# point 22
def test_a_patch_leaves_what_it_does_not_name_and_null_clears(client, sandbox):
    client.post_refund(refund())
    client.request("PATCH", REFUND, json={"memo": None})
    [stored] = sandbox.cash_refunds()
    assert (stored.memo, stored.entity, len(stored.lines)) == (None, "601", 2)


# point 22
def test_a_patch_has_to_pass_every_rule_of_a_new_refund(client, sandbox):
    client.post_refund(refund())
    answer = client.request("PATCH", REFUND, json=lines({"line": 2, "amount": -20}))
    assert "The total cannot be negative." in error(answer)["detail"]
    assert amounts(sandbox) == [Decimal("12.5"), Decimal("-12.5")]


# point 20
# point 22
def test_a_patch_cannot_take_an_external_id_that_is_in_use(client, sandbox):
    client.post_refund(refund())
    client.post_refund(refund(externalId="apz-0002"))
    answer = client.request("PATCH", REFUND, json={"externalId": "APZ-0002"})
    assert "already exists" in error(answer)["detail"]
    assert {one.external_id for one in sandbox.cash_refunds()} == {"apz-0001", "apz-0002"}


# point 22
def test_a_patch_of_nothing_is_a_missing_record(client):
    answer = client.request("PATCH", REFUND, json={"memo": "x"})
    assert (answer.status_code, error(answer)["o:errorCode"]) == (404, "NONEXISTENT_ID")


# point 20
# point 37
def test_a_deleted_refund_is_gone_and_its_external_id_can_be_used_again(client, sandbox):
    client.post_refund(refund())
    [first] = sandbox.cash_refunds()
    assert client.request("DELETE", REFUND).status_code == 204
    assert client.get(REFUND).status_code == 404
    assert client.request("DELETE", REFUND).status_code == 404
    client.post_refund(refund())
    assert [one.id for one in sandbox.cash_refunds()] != [first.id]


# point 8
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "cashSale/eid:O-1001"),
        ("PATCH", "cashSale/eid:O-1001"),
        ("PUT", "salesOrder/eid:O-1001"),
    ],
)
def test_the_original_sale_cannot_be_changed_here(client, sandbox, method, path):
    sell(sandbox)
    assert client.request(method, f"record/v1/{path}", json={"memo": "x"}).status_code == 405


# point 34
@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
@pytest.mark.parametrize("how", ["lock", "deposit", "void"])
def test_a_locked_deposited_or_voided_refund_cannot_be_changed(client, sandbox, method, how):
    client.post_refund(refund())
    [before] = sandbox.cash_refunds()
    getattr(sandbox.admin, how)(before.id)
    [before] = sandbox.cash_refunds()
    body = None if method == "DELETE" else {"memo": "changed"}
    answer = client.request(method, REFUND, json=body)
    code = "RCRD_LOCKED_BY_WF" if how == "lock" else "USER_ERROR"
    assert (answer.status_code, error(answer)["o:errorCode"]) == (400, code)
    assert sandbox.cash_refunds() == [before]


# point 34
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_refund_of_a_closed_period_cannot_be_changed(client, sandbox, method):
    client.post_refund(refund())
    sandbox.close_period("2026-03")
    answer = client.request(method, REFUND, json={"tranDate": "2026-04-01"})
    assert "closed period" in error(answer)["detail"]
    assert [one.tran_date for one in sandbox.cash_refunds()] == [date(2026, 3, 14)]


# point 34
def test_an_unlocked_refund_can_be_changed_again(client, sandbox):
    client.post_refund(refund())
    [stored] = sandbox.cash_refunds()
    sandbox.admin.lock(stored.id)
    sandbox.admin.unlock(stored.id)
    assert client.request("PATCH", REFUND, json={"memo": "x"}).status_code == 204


# point 38
def test_an_update_moves_the_time_of_change_and_keeps_the_number(client, clock):
    client.post_refund(refund())
    before = client.get(REFUND).json()
    clock.move(60)
    client.request("PATCH", REFUND, json={"memo": "x"})
    after = client.get(REFUND).json()
    assert before["lastModifiedDate"] == before["createdDate"] == after["createdDate"]
    assert after["lastModifiedDate"] > after["createdDate"]
    assert (after["tranId"], after["id"]) == (before["tranId"], before["id"])
