"""Transforms of a sale, by clients that do not know what is copied (netsuite 2.2)."""

from datetime import date
from decimal import Decimal

import pytest

from refund_pipeline.sandbox.netsuite.ledger import TransactionType
from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline_tests.sandbox.netsuite_raw_client import ORDER, RawClient, error, sell

GOODWILL = {"item": {"id": "9001"}, "quantity": 1, "rate": 5, "amount": 5}
BY_CARD = {"item": {"id": "8101"}, "amount": -5}


@pytest.fixture
def sandbox():
    with NetSuiteSandbox() as running:
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


def order_of(sandbox):
    return sandbox.add_sales_order(
        external_id="O-2",
        entity="601",
        subsidiary="1",
        location="11",
        currency="USD",
        total=Decimal(50),
        on=date(2026, 3, 1),
    )


def transform(client, source, body=None, query="", target="cashRefund"):
    return client.request("POST", f"record/v1/{source}/!transform/{target}{query}", json=body)


# point 27
def test_a_bare_transform_refunds_the_whole_sale_besides_the_appeasement(client, sandbox):
    sale = sell(sandbox)
    assert transform(client, f"cashSale/{sale}", lines(GOODWILL)).status_code == 204
    assert amounts(sandbox) == [Decimal("99.90"), Decimal(5)]
    assert sandbox.audit.without_replace == {"transform": 1}


# point 27
def test_a_transform_that_replaces_the_lines_refunds_the_appeasement_only(client, sandbox):
    sale = sell(sandbox)
    body = lines(GOODWILL, BY_CARD)
    answer = transform(client, f"cashSale/{sale}", body, "?replace=item")
    [stored] = sandbox.cash_refunds()
    assert answer.headers["Location"].endswith(f"/cashRefund/{stored.id}")
    assert (stored.created_from, stored.external_id, stored.total) == (sale, None, 0)
    assert amounts(sandbox) == [Decimal(5), Decimal(-5)]


# point 27
def test_a_bare_transform_puts_goods_back_on_stock(client, sandbox):
    sale = sandbox.admin.add(
        TransactionType.CASH_SALE,
        external_id=ORDER,
        entity="601",
        subsidiary="1",
        location="11",
        currency="USD",
        total=Decimal(120),
        on=date(2026, 3, 1),
        item="7002",
        quantity=Decimal(2),
    )
    assert sandbox.admin.stock("7002", "11") == -2
    transform(client, f"cashSale/{sale}", lines(GOODWILL))
    assert sandbox.admin.stock("7002", "11") == 0
    assert any("goes back on stock" in flag for flag in sandbox.audit.flags)
    assert sum(one.amount for one in sandbox.general_ledger()) == 0


# point 27
@pytest.mark.parametrize("target", ["creditMemo", "customerRefund", "invoice", "nosuch"])
def test_a_cash_sale_cannot_become_anything(client, sandbox, target):
    source = f"cashSale/{sell(sandbox)}"
    answer = transform(client, source, lines(GOODWILL), "?replace=item", target=target)
    assert (answer.status_code, sandbox.cash_refunds()) == (400, [])
    assert "cannot be transformed" in error(answer)["detail"]


# point 27
def test_a_sales_order_cannot_become_a_cash_refund(client, sandbox):
    source = f"salesOrder/{order_of(sandbox)}"
    answer = transform(client, source, lines(GOODWILL), "?replace=item")
    assert (answer.status_code, sandbox.cash_refunds()) == (400, [])
    assert "cannot be transformed" in error(answer)["detail"]


# point 27
def test_a_transform_is_a_post(client, sandbox):
    path = f"record/v1/cashSale/{sell(sandbox)}/!transform/cashRefund"
    assert client.request("PUT", path, json=lines(GOODWILL)).status_code == 405
    assert sandbox.cash_refunds() == []


# point 20
# point 27
def test_the_external_id_of_a_transform_is_unique_too(client, sandbox):
    source = f"cashSale/{sell(sandbox)}"
    body = {"externalId": "apz-1", **lines(GOODWILL)}
    assert transform(client, source, body, "?replace=item").status_code == 204
    answer = transform(client, source, body, "?replace=item")
    assert "already exists" in error(answer)["detail"]
    assert amounts(sandbox) == [Decimal(5)]


# point 26
# point 27
def test_a_transform_cannot_be_of_another_sale_than_the_one_it_is_made_from(client, sandbox):
    first, second = sell(sandbox), sell(sandbox, external_id="O-1002")
    body = {"createdFrom": {"id": second}, **lines(GOODWILL)}
    answer = transform(client, f"cashSale/{first}", body, "?replace=item")
    assert (answer.status_code, error(answer)["o:errorPath"]) == (400, "createdFrom")
    assert sandbox.cash_refunds() == []


# point 27
def test_a_voided_sale_cannot_be_transformed(client, sandbox):
    sale = sell(sandbox)
    sandbox.admin.void(sale)
    assert transform(client, f"cashSale/{sale}", lines(GOODWILL)).status_code == 400
    assert sandbox.cash_refunds() == []
