"""Searches of accounts and roles that are set up otherwise (SuiteQL contract 9.8)."""

import pytest

from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline.sandbox.netsuite.suiteql_switches import DateFormat, HiddenColumn
from refund_pipeline_tests.sandbox.netsuite_raw_client import (
    MovableClock,
    RawClient,
    error,
    refund,
    sell,
)

HEADER_LOCATION = "SELECT t.location FROM transaction t WHERE t.externalid = 'apz-0001'"
LINES = (
    "SELECT foreignamount FROM transactionline WHERE mainline = 'F' AND taxline = 'F' ORDER BY id"
)


@pytest.fixture
def clock():
    return MovableClock()


@pytest.fixture
def sandbox(clock):
    with NetSuiteSandbox(clock=clock, index_lag=30) as running:
        yield running


@pytest.fixture
def client(sandbox):
    with RawClient(sandbox) as client:
        yield client


def detail_of(answer):
    assert (answer.status_code, error(answer)["o:errorCode"]) == (400, "INVALID_PARAMETER")
    return error(answer)["detail"]


# point 18
def test_a_client_that_asks_the_search_before_it_posts_again_misses_the_first_refund(client, clock):
    client.post_refund(refund())
    query = "SELECT id FROM transaction WHERE externalid = ?"
    assert client.rows(query, "apz-0001") == []
    assert client.get("record/v1/cashRefund/eid:apz-0001").status_code == 200
    clock.move(31)
    assert len(client.rows(query, "apz-0001")) == 1


# point 18
def test_an_update_and_a_deletion_reach_the_search_late_too(client, clock):
    path, query = "record/v1/cashRefund/eid:apz-0001", "SELECT memo FROM transaction"
    client.post_refund(refund(memo="first"))
    clock.move(31)
    client.request("PATCH", path, json={"memo": "second"})
    assert client.rows(query) == [{"memo": "first"}]
    clock.move(31)
    assert client.rows(query) == [{"memo": "second"}]
    client.request("DELETE", path)
    assert client.rows(query) == [{"memo": "second"}]
    clock.move(31)
    assert client.rows(query) == []


# point 18
@pytest.mark.parametrize(
    ("how", "reason"),
    [(HiddenColumn.REMOVED, "REMOVED"), (HiddenColumn.NOT_EXPOSED, "NOT_EXPOSED")],
)
def test_the_location_of_a_header_is_refused_unless_the_account_shows_it(
    client, sandbox, clock, how, reason
):
    sandbox.search.hidden_columns = how
    assert f"Reason: {reason}" in detail_of(client.query(HEADER_LOCATION))
    sandbox.search.header_location = True
    client.post_refund(refund())
    clock.move(31)
    assert client.rows(HEADER_LOCATION) == [{"location": "11"}]


# point 18
def test_a_wrong_column_may_look_like_an_outage(client, sandbox):
    sandbox.search.hidden_columns = HiddenColumn.SERVER_ERROR
    answer = client.query("SELECT t.createdfrom FROM transaction t")
    assert (answer.status_code, error(answer)["o:errorCode"]) == (500, "UNEXPECTED_ERROR")
    assert "createdfrom" not in answer.text


# point 18
@pytest.mark.parametrize("column", ["subsidiary", "createdfrom", "class", "department", "account"])
def test_line_columns_are_refused_on_the_header(client, column):
    detail = detail_of(client.query("SELECT t.? FROM transaction t".replace("?", column)))
    assert f"'{column}'" in detail


# point 18
def test_a_client_that_relies_on_the_sign_of_refund_lines_is_found_out(client, sandbox, clock):
    client.post_refund(refund())
    clock.move(31)
    assert [row["foreignamount"] for row in client.rows(LINES)] == ["12.5", "-12.5"]
    sandbox.search.refund_sign = -1
    clock.move(31)
    assert [row["foreignamount"] for row in client.rows(LINES)] == ["-12.5", "12.5"]


# point 18
def test_a_sale_keeps_its_sign(client, sandbox, clock):
    sell(sandbox)
    sandbox.search.refund_sign = -1
    clock.move(31)
    assert client.rows(LINES) == [{"foreignamount": "-99.9"}]


# point 18
def test_a_table_per_type_is_refused_unless_the_account_has_it(client, sandbox, clock):
    client.post_refund(refund())
    clock.move(31)
    query = "SELECT r.externalid, r.subsidiary FROM cashrefund r"
    assert "Invalid search type: cashrefund." in detail_of(client.query(query))
    sandbox.search.per_type_tables = True
    assert client.rows(query) == [{"externalid": "apz-0001", "subsidiary": "1"}]


# point 18
# point 36
def test_a_custom_field_of_the_record_may_still_be_missing_from_the_search(client, sandbox, clock):
    client.post_refund(refund())
    clock.move(31)
    query = "SELECT t.custbody_nst_order_number FROM transaction t"
    assert client.rows(query) == [{"custbody_nst_order_number": "O-1001"}]
    sandbox.search.hidden_fields = {"custbody_nst_order_number"}
    assert "custbody_nst_order_number" in detail_of(client.query(query))
    assert client.get("record/v1/cashRefund/eid:apz-0001").json()["custbody_nst_order_number"]


# point 18
def test_an_account_without_subsidiaries_refuses_their_columns_and_maps():
    with NetSuiteSandbox(one_world=False) as sandbox, RawClient(sandbox) as client:
        detail_of(client.query("SELECT l.subsidiary FROM transactionline l"))
        for query in (
            "SELECT s.id FROM subsidiary s",
            "SELECT m.item FROM itemsubsidiarymap m",
            "SELECT m.location FROM locationsubsidiarymap m",
        ):
            assert "Invalid search type" in detail_of(client.query(query))
        assert client.rows("SELECT c.id FROM customer c WHERE c.id = 601") == [{"id": "601"}]


# point 18
def test_a_raw_date_is_written_as_the_account_writes_dates(client, sandbox, clock):
    client.post_refund(refund())
    clock.move(31)
    query = "SELECT t.trandate, TO_CHAR(t.trandate, 'YYYY-MM-DD') AS day FROM transaction t"
    assert client.rows(query) == [{"trandate": "3/14/2026", "day": "2026-03-14"}]
    sandbox.search.date_format = DateFormat.DAY_FIRST
    assert client.rows(query) == [{"trandate": "14/03/2026", "day": "2026-03-14"}]
