"""What is booked, and what a search shows of it: balanced, by account, in two currencies (6.2)."""

from collections import defaultdict
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from refund_pipeline.sandbox.netsuite.ledger import TransactionType
from refund_pipeline.sandbox.netsuite.preferences import TaxProfile
from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline_tests.sandbox.netsuite_raw_client import (
    RawClient,
    error,
    refund,
    refund_of,
    sell,
)

GOODWILL = {"item": {"id": "9001"}, "amount": 10}


@pytest.fixture
def sandbox():
    with NetSuiteSandbox() as running:
        yield running


@pytest.fixture
def client(sandbox):
    with RawClient(sandbox) as client:
        yield client


def in_euro(sandbox, *amounts):
    """Return a refund of the US subsidiary in euro, which its customer has as well."""
    customer = sandbox.master_data.customers["601"]
    sandbox.master_data.put(replace(customer, other_currencies=frozenset({"2"})))
    lines = [{"item": {"id": "9001" if one > 0 else "8101"}, "amount": one} for one in amounts]
    return refund_of(*lines, currency={"id": "2"})


def booked(sandbox):
    found = defaultdict(Decimal)
    for line in sandbox.general_ledger():
        found[line.account] += line.amount
    return dict(found)


# point 38
def test_cents_lost_by_converting_each_line_go_to_the_transaction_s_own_account(client, sandbox):
    assert client.post_refund(in_euro(sandbox, 0.05, 0.05, -0.1)).status_code == 204
    assert booked(sandbox) == {
        "100": Decimal("0.01"),
        "490": Decimal("0.10"),
        "200": Decimal("-0.11"),
    }
    assert {line.foreign_amount for line in sandbox.general_ledger() if line.line == 0} == {0}


# point 38
def test_a_search_shows_the_posting_in_base_currency_and_the_line_in_its_own(client, sandbox):
    client.post_refund(in_euro(sandbox, 10, -10))
    [line] = client.rows("SELECT foreignamount FROM transactionline WHERE item = 9001")
    [posting] = client.rows(
        "SELECT debit, exchangerate FROM transactionaccountingline WHERE account = 490"
    )
    assert line == {"foreignamount": "10"}
    assert posting == {"debit": "10.84", "exchangerate": "1.0837"}


# point 38
@pytest.mark.parametrize(
    ("kind", "account"),
    [
        (TransactionType.CASH_SALE, "100"),
        (TransactionType.INVOICE, "150"),
        (TransactionType.CREDIT_MEMO, "150"),
        (TransactionType.CUSTOMER_REFUND, "100"),
    ],
)
def test_every_type_is_booked_against_its_own_account(sandbox, kind, account):
    sandbox.admin.add(
        kind,
        external_id="X-1",
        entity="601",
        subsidiary="1",
        location="11",
        currency="USD",
        total=Decimal(30),
        on=date(2026, 3, 1),
    )
    found = booked(sandbox)
    assert set(found) == {account, "400"}
    assert sum(found.values()) == 0


# point 27
# point 38
def test_goods_that_come_back_are_booked_at_cost_in_rows_of_their_own(client, sandbox):
    line = {"item": {"id": "7002"}, "quantity": 2, "rate": 50, "amount": 100}
    client.post_refund(refund_of(line))
    assert booked(sandbox) == {"100": -100, "400": 100, "120": 80, "500": -80}
    rows = client.rows("SELECT foreignamount FROM transactionline WHERE iscogs = 'T' ORDER BY id")
    assert rows == [{"foreignamount": "80"}, {"foreignamount": "-80"}]
    assert len(client.rows("SELECT id FROM transactionline WHERE NVL(iscogs, 'F') = 'F'")) == 3


# point 30
# point 38
def test_tax_is_booked_to_its_own_account_and_balances(client, sandbox):
    sandbox.master_data.put(replace(sandbox.master_data.items["9001"], taxable=True))
    client.post_refund(refund_of(GOODWILL))
    assert booked(sandbox) == {
        "100": Decimal("-10.89"),
        "490": Decimal(10),
        "220": Decimal("0.89"),
    }


# point 30
def test_tax_finer_than_its_currency_is_refused(client, sandbox):
    sandbox.preferences.tax = TaxProfile.SUITETAX
    body = refund_of(
        {**GOODWILL, "taxDetailsReference": "a"},
        taxDetailsOverride=True,
        taxDetails={"items": [{"taxDetailsReference": "a", "taxAmount": 0.005}]},
    )
    assert "Tax Amount" in error(client.post_refund(body))["detail"]
    assert sandbox.cash_refunds() == []


# point 32
def test_a_search_shows_the_payouts_that_were_started_and_no_others(client):
    client.post_refund(refund())
    client.post_refund(refund(externalId="apz-2", handlingMode={"id": "PROCESS"}))
    [event] = client.rows("SELECT doc, handlingmode, amount FROM paymentevent")
    [paid] = client.rows("SELECT id FROM transaction WHERE externalid = 'apz-2'")
    assert event == {"doc": paid["id"], "handlingmode": "PROCESS", "amount": "12.5"}


# point 37
def test_a_voided_sale_is_booked_at_nothing_and_balances(sandbox):
    sandbox.admin.void(sell(sandbox))
    assert set(booked(sandbox).values()) == {0}
