"""Taxes of a legacy and of a SuiteTax account, met by a client that expects none (point 30)."""

from dataclasses import replace

import pytest

from refund_pipeline.sandbox.netsuite.preferences import TaxProfile
from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline_tests.sandbox.netsuite_raw_client import RawClient, error, refund, refund_of

READ_BACK = "record/v1/cashRefund/eid:apz-0001?expandSubResources=true"
GOODWILL = {"item": {"id": "9001"}, "quantity": 1, "rate": 10, "amount": 10}
BY_CARD = {"item": {"id": "8101"}, "amount": -10}
DETAILS = {"taxDetailsReference": "1", "taxAmount": 1.5}


@pytest.fixture
def sandbox():
    with NetSuiteSandbox() as running:
        yield running


@pytest.fixture
def client(sandbox):
    with RawClient(sandbox) as client:
        yield client


def refused(client, body, code="USER_ERROR"):
    answer = client.post_refund(body)
    assert (answer.status_code, error(answer)["o:errorCode"]) == (400, code), answer.text
    assert client.sandbox.cash_refunds() == []
    return error(answer)


def make_taxable(sandbox, item="9001"):
    sandbox.master_data.put(replace(sandbox.master_data.items[item], taxable=True))


# point 30
def test_a_taxable_appeasement_costs_more_than_was_asked_for(client, sandbox):
    make_taxable(sandbox)
    client.post_refund(refund_of(GOODWILL, BY_CARD))
    body = client.get(READ_BACK).json()
    assert (body["subtotal"], body["taxTotal"], body["total"]) == (0, 0.89, 0.89)
    [tax] = client.rows("SELECT foreignamount FROM transactionline WHERE taxline = 'T'")
    assert tax == {"foreignamount": "0.89"}
    assert sum(line.amount for line in sandbox.general_ledger()) == 0


# point 29
# point 30
def test_a_taxable_payment_item_bears_no_tax_and_is_flagged(client, sandbox):
    make_taxable(sandbox, "8101")
    client.post_refund(refund())
    assert client.get(READ_BACK).json()["taxTotal"] == 0
    assert sandbox.audit.flags


# point 30
@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"taxDetailsOverride": True}, "taxDetailsOverride"),
        ({"taxDetails": {"items": [DETAILS]}}, "taxDetails"),
        (
            {"item": {"items": [{**GOODWILL, "taxCode": {"id": "7"}}]}},
            "item.items[0].taxCode",
        ),
        ({"item": {"items": [{**GOODWILL, "isTaxable": False}]}}, "item.items[0].isTaxable"),
    ],
    ids=str,
)
def test_a_legacy_account_refuses_tax_properties_or_drops_them(client, sandbox, changes, path):
    make_taxable(sandbox)
    assert refused(client, refund(**changes), "INVALID_CONTENT")["o:errorPath"] == path
    sandbox.preferences.tax = TaxProfile.LEGACY_DROPS
    assert client.post_refund(refund(**changes)).status_code == 204
    assert client.get(READ_BACK).json()["taxTotal"] > 0  # what was sent changed nothing


# point 30
def test_a_suitetax_account_takes_the_tax_it_is_told(client, sandbox):
    sandbox.preferences.tax = TaxProfile.SUITETAX
    make_taxable(sandbox)
    body = refund_of(
        {**GOODWILL, "taxDetailsReference": "1"},
        taxDetailsOverride=True,
        taxDetails={"items": [DETAILS]},
    )
    assert client.post_refund(body).status_code == 204
    read = client.get(READ_BACK).json()
    assert (read["taxTotal"], read["total"]) == (1.5, 11.5)


# point 30
@pytest.mark.parametrize(
    "changes",
    [
        {"taxDetails": {"items": [DETAILS]}},  # without the override
        {"taxDetailsOverride": True, "taxDetails": {"items": [DETAILS]}},  # refers to no line
    ],
    ids=str,
)
def test_tax_details_that_belong_to_nothing_are_refused(client, sandbox, changes):
    sandbox.preferences.tax = TaxProfile.SUITETAX
    refused(client, refund_of(GOODWILL, **changes))


# point 30
def test_the_metadata_name_tax_details_in_a_suitetax_account_only(client, sandbox):
    def properties():
        headers = {"Accept": "application/schema+json"}
        path = "record/v1/metadata-catalog/cashRefund"
        return set(client.get(path, headers=headers).json()["properties"])

    assert "taxDetails" not in properties()
    sandbox.preferences.tax = TaxProfile.SUITETAX
    assert "taxDetails" in properties()
