"""What a role is not allowed, met by clients that expect to be told (point 6, SuiteQL 5.1)."""

from datetime import date
from decimal import Decimal

import pytest

from refund_pipeline.sandbox.netsuite.ledger import TransactionType
from refund_pipeline.sandbox.netsuite.master_entries import Form
from refund_pipeline.sandbox.netsuite.role import Level
from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline_tests.sandbox.netsuite_raw_client import (
    ORDER,
    RawClient,
    error,
    refund,
    sell,
)

QUERY = "SELECT t.id FROM transaction t ORDER BY t.id"
REFUND = "record/v1/cashRefund/eid:apz-0001"


@pytest.fixture
def sandbox():
    with NetSuiteSandbox() as running:
        yield running


@pytest.fixture
def client(sandbox):
    with RawClient(sandbox) as client:
        yield client


def forbidden(answer):
    return (answer.status_code, error(answer)["o:errorCode"]) == (403, "INSUFFICIENT_PERMISSION")


# point 6
def test_without_the_rest_permission_nothing_is_answered(client, sandbox):
    sandbox.role.rest_web_services = False
    assert forbidden(client.post_refund(refund()))
    assert forbidden(client.get(REFUND))
    assert forbidden(client.query(QUERY))
    assert sandbox.cash_refunds() == []


# point 6
def test_permission_to_view_cash_sales_is_not_enough_to_read_one(client, sandbox):
    sell(sandbox)
    sandbox.role.records[TransactionType.CASH_SALE] = Level.VIEW
    assert forbidden(client.get(f"record/v1/cashSale/eid:{ORDER}"))
    assert len(client.rows(QUERY)) == 1


# point 6
def test_without_any_permission_on_cash_sales_a_refund_cannot_come_from_one(client, sandbox):
    sale = sell(sandbox)
    sandbox.role.records[TransactionType.CASH_SALE] = Level.NONE
    answer = client.post_refund(refund(createdFrom={"id": sale}))
    assert (answer.status_code, error(answer)["o:errorPath"]) == (400, "createdFrom")
    assert sandbox.cash_refunds() == []


# point 6
@pytest.mark.parametrize(
    ("level", "refused"),
    [
        (Level.NONE, {"POST", "GET", "PATCH", "PUT", "DELETE"}),
        (Level.VIEW, {"POST", "GET", "PATCH", "PUT", "DELETE"}),
        (Level.CREATE, {"GET", "PATCH", "PUT", "DELETE"}),
        (Level.EDIT, {"DELETE"}),
        (Level.FULL, set()),
    ],
)
def test_each_level_of_permission_covers_some_methods(client, sandbox, level, refused):
    client.post_refund(refund())
    sandbox.role.records[TransactionType.CASH_REFUND] = level
    body = refund(externalId="apz-0002")
    asked = {
        "POST": client.post_refund(body),
        "GET": client.get(REFUND),
        "PATCH": client.request("PATCH", REFUND, json={"memo": "x"}),
        "PUT": client.request("PUT", REFUND, json={"memo": "x"}),
        "DELETE": client.request("DELETE", REFUND),
    }
    assert {method for method, answer in asked.items() if answer.status_code == 403} == refused


# point 6
def test_a_transform_needs_both_records(client, sandbox):
    path = f"record/v1/cashSale/{sell(sandbox)}/!transform/cashRefund?replace=item"
    sandbox.role.records[TransactionType.CASH_SALE] = Level.VIEW
    assert forbidden(client.request("POST", path, json={"item": refund()["item"]}))
    assert sandbox.cash_refunds() == []


# point 6
def test_a_customer_the_role_may_not_edit_cannot_be_read(client, sandbox):
    sandbox.role.customers = Level.VIEW
    assert forbidden(client.get("record/v1/customer/601"))


# point 6
# point 18
def test_without_suite_analytics_every_table_was_not_found(client, sandbox):
    sell(sandbox)
    sandbox.role.suite_analytics = False
    for query in (QUERY, "SELECT t.id FROM customer t", "SELECT t.id FROM item t"):
        answer = client.query(query)
        assert answer.status_code == 400
        assert "' was not found." in error(answer)["detail"]


# point 6
# point 18
def test_a_table_hidden_from_the_role_was_not_found_and_the_others_are_there(client, sandbox):
    sandbox.role.hidden_tables = {"customer"}
    answer = client.query("SELECT c.id FROM transaction t JOIN customer c ON c.id = t.entity")
    assert "Record 'customer' was not found." in error(answer)["detail"]
    assert client.query(QUERY).status_code == 200


# point 6
# point 18
def test_rows_of_other_subsidiaries_are_left_out_without_an_error(client, sandbox):
    sell(sandbox)
    assert len(client.rows(QUERY)) == 1
    sandbox.role.subsidiaries = {"2"}
    assert client.rows(QUERY) == []
    assert client.rows("SELECT transaction FROM transactionline ORDER BY id") == []
    assert client.rows("SELECT transaction FROM transactionaccountingline") == []


# point 6
def test_a_role_of_another_subsidiary_neither_sees_a_refund_nor_may_post_one(client, sandbox):
    client.post_refund(refund())
    sandbox.role.subsidiaries = {"2"}
    assert client.get(REFUND).status_code == 404
    assert client.get("record/v1/cashRefund").json()["totalResults"] == 0
    answer = client.post_refund(refund(externalId="apz-0002"))
    assert (answer.status_code, error(answer)["o:errorPath"]) == (400, "subsidiary")


# point 6
def test_leaving_the_subsidiary_out_gets_no_further(client, sandbox):
    sandbox.role.subsidiaries = {"2"}
    sandbox.master_data.put(Form("131", "Lenient", ("entity",)))
    answer = client.post_refund(refund(subsidiary=None))
    assert (answer.status_code, error(answer)["o:errorPath"]) == (400, "subsidiary")
    assert sandbox.cash_refunds() == []


# point 6
# point 20
# point 21
def test_a_put_does_not_update_a_refund_the_role_does_not_see(client, sandbox):
    client.post_refund(refund())
    sandbox.role.subsidiaries = {"2"}
    answer = client.request("PUT", REFUND, json={"memo": "mine"})
    assert answer.status_code == 400
    sandbox.role.subsidiaries = None
    assert client.get(REFUND).json()["memo"] == "Appeasement for O-1001"


# point 6
# point 20
def test_a_refund_the_role_does_not_see_still_blocks_its_external_id(client, sandbox):
    sandbox.add_cash_sale(
        external_id="apz-0001",
        entity="621",
        subsidiary="2",
        location="21",
        currency="EUR",
        total=Decimal(10),
        on=date(2026, 3, 1),
    )
    sandbox.role.subsidiaries = {"1"}
    assert "already exists" in error(client.post_refund(refund()))["detail"]
    assert client.rows("SELECT id FROM transaction WHERE externalid = ?", "apz-0001") == []
