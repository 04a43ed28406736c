"""Origins and customers a refund may have, met by clients that take any (points 20, 25, 26)."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from refund_pipeline.sandbox.netsuite.ledger import TransactionType
from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline_tests.sandbox.netsuite_raw_client import RawClient, error, refund

NO_ORIGINS = [
    one
    for one in TransactionType
    if one not in {TransactionType.CASH_SALE, TransactionType.RETURN_AUTHORIZATION}
]


@pytest.fixture
def sandbox():
    with NetSuiteSandbox() as running:
        yield running


@pytest.fixture
def client(sandbox):
    with RawClient(sandbox) as client:
        yield client


def add(sandbox, kind, **changes):
    sale = {
        "external_id": "O-1",
        "entity": "601",
        "subsidiary": "1",
        "location": "11",
        "currency": "USD",
        "total": Decimal(50),
        "on": date(2026, 3, 1),
        **changes,
    }
    return sandbox.admin.add(kind, **sale)


# point 26
def test_only_a_cash_sale_or_a_return_authorization_is_an_origin(client, sandbox):
    for kind in NO_ORIGINS:
        origin = add(sandbox, kind, external_id=None)
        answer = client.post_refund(refund(createdFrom={"id": origin}))
        assert (answer.status_code, error(answer)["o:errorPath"]) == (400, "createdFrom"), kind
    for kind in (TransactionType.CASH_SALE, TransactionType.RETURN_AUTHORIZATION):
        origin = add(sandbox, kind, external_id=None)
        body = refund(createdFrom={"id": origin}, externalId=None)
        assert client.post_refund(body).status_code == 204


# point 26
def test_an_origin_is_found_by_external_id_whatever_its_type_and_then_refused(client, sandbox):
    add(sandbox, TransactionType.SALES_ORDER)
    answer = client.post_refund(refund(createdFrom={"externalId": "O-1"}))
    assert (answer.status_code, error(answer)["o:errorPath"]) == (400, "createdFrom")


# point 20
@pytest.mark.parametrize("kind", TransactionType)
def test_the_external_id_of_whatever_transaction_is_taken(client, sandbox, kind):
    add(sandbox, kind, external_id="APZ-0001")
    answer = client.post_refund(refund())
    assert (answer.status_code, error(answer)["o:errorCode"]) == (400, "USER_ERROR")
    assert "already exists" in error(answer)["detail"]
    assert len(client.rows("SELECT t.id FROM transaction t")) == 1


# point 16
@pytest.mark.parametrize("kind", [one for one in TransactionType if one.value != "cashSale"])
def test_another_type_under_the_id_of_a_sale_is_a_400(client, sandbox, kind):
    stored = add(sandbox, kind)
    answer = client.get(f"record/v1/cashSale/{stored}")
    assert answer.status_code == 400
    assert "Transaction type specified is incorrect" in error(answer)["detail"]
    assert client.get("record/v1/cashSale/eid:O-1").status_code == 404
    assert client.get(f"record/v1/{kind.value}/{stored}").status_code == 200


# point 25
def test_a_customer_may_have_several_subsidiaries_and_only_those(client, sandbox):
    customer = sandbox.master_data.customers["621"]  # of subsidiary 2
    assert client.post_refund(refund(entity={"id": "621"})).status_code == 400
    sandbox.master_data.put(
        replace(
            customer,
            other_subsidiaries=frozenset({"1"}),
            other_currencies=frozenset({"1"}),
        )
    )
    assert client.post_refund(refund(entity={"id": "621"})).status_code == 204
    body = refund(entity={"id": "621"}, subsidiary={"id": "3"}, location={"id": "31"})
    answer = client.post_refund(body)
    assert (answer.status_code, error(answer)["o:errorPath"]) == (400, "entity")


# point 25
def test_the_currency_of_a_refund_is_that_of_its_origin(client, sandbox):
    customer = sandbox.master_data.customers["601"]
    sandbox.master_data.put(replace(customer, other_currencies=frozenset({"2"})))
    sale = add(sandbox, TransactionType.CASH_SALE)
    body = refund(createdFrom={"id": sale}, currency={"id": "2"})
    answer = client.post_refund(body)
    assert (answer.status_code, error(answer)["o:errorPath"]) == (400, "createdFrom")
    assert client.post_refund({**body, "currency": {"id": "1"}}).status_code == 204


# point 14
def test_a_list_without_a_limit_ends_after_a_thousand(client, sandbox):
    for _ in range(1001):
        add(sandbox, TransactionType.CASH_SALE, external_id=None)
    first = client.get("record/v1/cashSale").json()
    assert (first["count"], first["hasMore"], first["totalResults"]) == (1000, True, 1001)
    assert set(first["items"][0]) == {"links", "id"}
    assert client.get("record/v1/cashSale?offset=1000").json()["count"] == 1
    assert client.get("record/v1/cashSale?limit=1001").status_code == 400
