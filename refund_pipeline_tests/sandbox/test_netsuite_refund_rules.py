from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline_tests.sandbox.netsuite_raw_client import (
    RawClient,
    error,
    refund,
    refund_of,
    sell,
)

GOODWILL = {"item": {"id": "9001"}, "quantity": 1, "rate": 10, "amount": 10}
BY_CARD = {"item": {"id": "8101"}, "amount": -10}


@pytest.fixture
def sandbox():
    with NetSuiteSandbox() as running:
        yield running


@pytest.fixture
def client(sandbox):
    with RawClient(sandbox) as client:
        yield client


@pytest.fixture(scope="module")
def shared():
    """A client of one sandbox for all tests that change nothing."""
    with NetSuiteSandbox() as sandbox, RawClient(sandbox) as client:
        yield client


def in_yen(*amounts):
    lines = [{"item": {"id": "9001"}, "amount": amount} for amount in amounts]
    return refund_of(
        *lines,
        entity={"id": "631"},
        subsidiary={"id": "3"},
        location={"id": "31"},
        currency={"id": "3"},
    )


def refused(client, body, code="USER_ERROR"):
    answer = client.post_refund(body)
    assert (answer.status_code, error(answer)["o:errorCode"]) == (400, code), answer.text
    assert client.sandbox.cash_refunds() == []
    return error(answer)


# point 23
def test_every_missing_mandatory_field_is_named_at_once(shared):
    fields = ("entity", "customForm", "location", "subsidiary", "currency")
    detail = refused(shared, refund(**dict.fromkeys(fields)))["detail"]
    assert detail == (
        "Error while accessing a resource. Please enter value(s) for: "
        "Customer, Custom Form, Subsidiary, Location, Currency."
    )


# point 23
@pytest.mark.parametrize("item", [None, {"items": []}])
def test_a_refund_without_lines_is_refused(shared, item):
    assert "at least one line" in refused(shared, refund(item=item))["detail"]


# point 24
@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"entity": {"id": "999"}}, "entity"),
        ({"customForm": {"id": "130"}}, "customForm"),
        ({"subsidiary": {"id": "9"}}, "subsidiary"),
        ({"location": {"id": "99"}}, "location"),
        ({"currency": {"id": "9"}}, "currency"),
        ({"currency": {"id": "USD"}}, "currency"),
        ({"createdFrom": {"id": "4711"}}, "createdFrom"),
        ({"createdFrom": {"externalId": "O-none"}}, "createdFrom"),
        ({"paymentOption": {"id": "99"}}, "paymentOption"),
        ({"item": {"items": [GOODWILL, {"item": {"id": "1"}}]}}, "item.items[1].item"),
        ({"item": {"items": [{**GOODWILL, "price": {"id": "7"}}]}}, "item.items[0].price"),
    ],
    ids=str,
)
def test_an_unknown_reference_is_invalid_content_with_its_path(shared, changes, path):
    assert refused(shared, refund(**changes), "INVALID_CONTENT")["o:errorPath"] == path


# point 24
def test_a_location_of_another_subsidiary_is_named_in_the_refusal(shared):
    detail = refused(shared, refund(location={"id": "21"}))["detail"]
    assert "Invalid location reference key 21 for subsidiary 1" in detail


def test_a_line_location_of_another_subsidiary_is_refused(shared):
    body = refund_of({**GOODWILL, "location": {"id": "21"}})
    assert refused(shared, body)["o:errorPath"] == "item.items[0].location"


# point 25
def test_a_customer_of_another_subsidiary_is_refused(shared):
    assert "entity reference key 621" in refused(shared, refund(entity={"id": "621"}))["detail"]


# point 25
def test_a_currency_the_customer_does_not_have_is_refused(shared):
    assert refused(shared, refund(currency={"id": "2"}))["o:errorPath"] == "currency"


# point 24
@pytest.mark.parametrize("change", [{"active": False}, {"subsidiaries": frozenset({"2"})}])
def test_an_item_that_is_inactive_or_of_another_subsidiary_is_refused(client, sandbox, change):
    items = sandbox.master_data.items
    sandbox.master_data.replace_item(replace(items["9001"], **change))
    assert "item reference key 9001" in refused(client, refund())["detail"]


def test_an_inactive_location_is_refused(client, sandbox):
    locations = sandbox.master_data.locations
    sandbox.master_data.replace_location(replace(locations["11"], active=False))
    assert "location reference key 11" in refused(client, refund())["detail"]


def test_a_refund_may_come_from_a_cash_sale_of_the_same_customer(client, sandbox):
    sale = sell(sandbox)
    assert client.post_refund(refund(createdFrom={"id": sale})).status_code == 204


# point 25
# point 26
@pytest.mark.parametrize(
    "sale",
    [
        {"entity": "602"},
        {"entity": "621", "subsidiary": "2", "location": "21", "currency": "EUR"},
        {"currency": "EUR"},
    ],
    ids=str,
)
def test_a_cash_sale_of_another_customer_subsidiary_or_currency_is_no_origin(client, sandbox, sale):
    body = refund(createdFrom={"id": sell(sandbox, **sale)})
    assert refused(client, body)["o:errorPath"] == "createdFrom"


# point 26
def test_a_sales_order_is_no_origin(client, sandbox):
    order = sandbox.add_sales_order(
        external_id="O-2",
        entity="601",
        subsidiary="1",
        location="11",
        currency="USD",
        total=Decimal(50),
        on=date(2026, 3, 1),
    )
    assert "type specified" in refused(client, refund(createdFrom={"id": order}))["detail"]


# point 33
def test_a_closed_period_is_refused_and_the_others_stay_open(client, sandbox):
    sandbox.close_period("2026-03")
    assert "closed period" in refused(client, refund())["detail"]
    assert client.post_refund(refund(tranDate="2026-04-01")).status_code == 204


# point 33
def test_a_date_without_a_period_is_refused(shared):
    assert refused(shared, refund(tranDate="2031-01-01"))["o:errorPath"] == "tranDate"


def test_a_posting_period_that_does_not_hold_the_date_is_refused(shared):
    body = refund(tranDate="2026-03-14", postingPeriod={"id": "301"})
    assert refused(shared, body)["o:errorPath"] == "postingPeriod"


# point 28
def test_a_negative_total_is_refused(shared):
    body = refund_of(GOODWILL, {**BY_CARD, "amount": -10.01})
    assert "The total cannot be negative." in refused(shared, body)["detail"]


def test_a_total_of_zero_or_more_is_taken(client):
    for paid in (-10, -9.99, 0):
        body = refund_of(GOODWILL, {**BY_CARD, "amount": paid}, externalId=None)
        assert client.post_refund(body).status_code == 204


# point 28
def test_an_amount_with_more_decimals_than_its_currency_is_refused(shared):
    body = refund_of({"item": {"id": "9001"}, "amount": 10.005})
    path = refused(shared, body, "INVALID_CONTENT")["o:errorPath"]
    assert path == "item.items[0].amount"


# point 28
def test_yen_have_no_decimals(client):
    refused(client, in_yen(500.5), "INVALID_CONTENT")
    assert client.post_refund(in_yen(500, -500)).status_code == 204


# point 28
def test_an_amount_that_is_not_quantity_times_rate_is_refused(shared):
    body = refund_of({"item": {"id": "9001"}, "quantity": 2, "rate": 10, "amount": 10})
    assert "quantity times rate" in refused(shared, body)["detail"]


def test_a_line_with_a_quantity_alone_is_priced_by_netsuite(client, sandbox):
    client.post_refund(refund_of({"item": {"id": "9001"}, "quantity": 2}))
    assert sandbox.cash_refunds()[0].lines[0].amount == 20


@pytest.mark.parametrize("quantity", [0, -1])
def test_a_quantity_that_is_not_positive_is_refused(shared, quantity):
    body = refund_of({"item": {"id": "9001"}, "quantity": quantity, "amount": 10})
    assert refused(shared, body)["o:errorPath"] == "item.items[0].quantity"


def test_a_new_refund_has_no_line_to_update(shared):
    assert refused(shared, refund_of({**GOODWILL, "line": 1}))["o:errorPath"].endswith("line")


def test_amounts_are_exact(client, sandbox):
    lines = [{"item": {"id": "9001"}, "amount": 0.1} for _ in range(3)]
    client.post_refund(refund_of(*lines, {"item": {"id": "8101"}, "amount": -0.3}))
    assert sandbox.cash_refunds()[0].total == 0


# point 32
def test_a_refund_netsuite_would_pay_out_again_is_counted(client, sandbox):
    client.post_refund(refund(externalId="a-1", handlingMode={"id": "PROCESS"}))
    assert sandbox.audit.second_payouts == 1
    client.post_refund(refund(externalId="a-2", handlingMode=None, paymentOption={"id": "5"}))
    assert sandbox.audit.second_payouts == 2


# point 32
def test_a_refund_that_asks_for_a_check_is_paid_out_whatever_its_mode(client, sandbox):
    client.post_refund(refund(refundCheck=True))
    assert sandbox.audit.second_payouts == 1
    [event] = client.rows("SELECT e.doc, e.amount FROM paymentevent e")
    assert event == {"doc": sandbox.cash_refunds()[0].id, "amount": "12.5"}


@pytest.mark.parametrize(
    "changes",
    [{}, {"handlingMode": None, "paymentOption": {"id": "1"}}, {"paymentOption": {"id": "5"}}],
    ids=str,
)
def test_a_refund_that_only_records_what_was_paid_is_no_second_payout(client, sandbox, changes):
    assert client.post_refund(refund(**changes)).status_code == 204
    assert sandbox.audit.second_payouts == 0


# point 29
def test_a_positive_payment_line_is_taken_and_flagged(client, sandbox):
    client.post_refund(refund_of(GOODWILL, {**BY_CARD, "amount": 10}))
    assert len(sandbox.audit.flags) == 1


# point 29
def test_a_taxable_payment_item_is_taken_and_flagged(client, sandbox):
    items = sandbox.master_data.items
    sandbox.master_data.replace_item(replace(items["8101"], taxable=True))
    client.post_refund(refund())
    assert len(sandbox.audit.flags) == 1


# point 38
def test_every_transaction_balances_in_the_general_ledger(client, sandbox):
    sell(sandbox)
    client.post_refund(refund())
    client.post_refund(refund_of(GOODWILL, externalId="apz-2"))
    sums = {}
    for line in sandbox.general_ledger():
        sums[line.transaction] = sums.get(line.transaction, 0) + line.amount
    assert list(sums.values()) == [0, 0, 0]


def test_a_refund_debits_goodwill_and_credits_the_clearing_account(client, sandbox):
    client.post_refund(refund())
    booked = {line.account: line.amount for line in sandbox.general_ledger()}
    assert booked == {"100": 0, "490": Decimal("12.5"), "200": Decimal("-12.5")}
