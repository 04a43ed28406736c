"""Accounts that are set up otherwise: read-only fields, money accounts, periods, forms."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from refund_pipeline.sandbox.netsuite.master_entries import (
    Account,
    Classification,
    Currency,
    Form,
)
from refund_pipeline.sandbox.netsuite.preferences import ReadOnly
from refund_pipeline.sandbox.netsuite.properties import Kind
from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline_tests.sandbox.netsuite_raw_client import (
    MovableClock,
    RawClient,
    error,
    refund,
    refund_of,
)

READ_BACK = "record/v1/cashRefund/eid:apz-0001?expandSubResources=true"
GOODWILL = {"item": {"id": "9001"}, "quantity": 1, "rate": 10, "amount": 10}
BY_CARD = {"item": {"id": "8101"}, "amount": -10}
DINAR = Currency("4", "KWD", "Kuwaiti Dinar", 3, rate=Decimal("3.25"))


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


def in_dinars(*amounts):
    lines = [{"item": {"id": "9001"}, "amount": amount} for amount in amounts]
    return refund_of(*lines, currency={"id": "4"})


def with_dinars(sandbox):
    customer = sandbox.master_data.customers["601"]
    sandbox.master_data.put(DINAR)
    sandbox.master_data.put(replace(customer, other_currencies=frozenset({"4"})))


# point 11
@pytest.mark.parametrize("changes", [{"id": "5"}, {"total": 12.5}, {"links": []}], ids=str)
def test_read_only_fields_are_ignored_where_the_account_ignores_them(client, sandbox, changes):
    refused(client, refund(**changes), "INVALID_CONTENT")
    sandbox.preferences.read_only = ReadOnly.IGNORE
    assert client.post_refund(refund(**changes)).status_code == 204
    [stored] = sandbox.cash_refunds()
    assert (stored.id != "5", stored.total) == (True, 0)


# point 12
@pytest.mark.parametrize("checks", ["Error", "Warning", "Ignore"])
def test_lines_as_a_bare_array_are_refused_however_lenient_the_client_asks_to_be(client, checks):
    headers = {
        "X-NetSuite-PropertyNameValidation": checks,
        "X-NetSuite-PropertyValueValidation": checks,
    }
    answer = client.post_refund(refund(item=[GOODWILL, BY_CARD]), headers)
    assert (answer.status_code, error(answer)["o:errorPath"]) == (400, "item")
    assert client.sandbox.cash_refunds() == []


# point 24
@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"class": {"id": "52"}}, "class"),
        ({"department": {"id": "62"}}, "department"),
        ({"account": {"id": "101"}}, "account"),
        ({"item": {"items": [{**GOODWILL, "class": {"id": "52"}}]}}, "item.items[0].class"),
        (
            {"item": {"items": [{**GOODWILL, "department": {"id": "62"}}]}},
            "item.items[0].department",
        ),
    ],
    ids=str,
)
def test_a_segment_or_account_of_another_subsidiary_is_refused(client, sandbox, changes, key):
    sandbox.master_data.put(Account("101", "1010", "Bank DE", "Bank", frozenset({"2"})))
    answer = refused(client, refund(**changes))
    assert answer["o:errorPath"] == key
    assert "for subsidiary 1." in answer["detail"]


# point 24
@pytest.mark.parametrize("name", ["class", "department", "account"])
def test_a_segment_or_account_that_does_not_exist_is_invalid_content(client, name):
    answer = refused(client, refund(**{name: {"id": "99"}}), "INVALID_CONTENT")
    assert answer["o:errorPath"] == name


# point 24
def test_an_inactive_class_is_refused(client, sandbox):
    sandbox.master_data.put(Classification("51", "Footwear", active=False))
    assert refused(client, refund(**{"class": {"id": "51"}}))["o:errorPath"] == "class"


# point 24
@pytest.mark.parametrize("account", ["400", "210"])  # sales, gift card liability
def test_a_refund_is_paid_from_a_money_account(client, account):
    assert refused(client, refund(account={"id": account}))["o:errorPath"] == "account"


# point 28
def test_dinars_have_three_decimals_and_no_more(client, sandbox):
    with_dinars(sandbox)
    refused(client, in_dinars(1.2345), "INVALID_CONTENT")
    assert client.post_refund(in_dinars(1.234, -1.234)).status_code == 204
    [stored] = sandbox.cash_refunds()
    assert (stored.currency, stored.lines[0].amount) == ("KWD", Decimal("1.234"))
    assert client.get(READ_BACK).json()["total"] == 0


# point 28
# point 38
def test_a_refund_in_a_foreign_currency_balances_in_the_subsidiary_s_own(client, sandbox):
    with_dinars(sandbox)
    client.post_refund(in_dinars(1.234))
    booked = {line.account: line.amount for line in sandbox.general_ledger()}
    assert booked == {"100": Decimal("-4.01"), "490": Decimal("4.01")}


# point 31
def test_undeposited_funds_beat_the_account_that_was_sent(client, sandbox):
    body = refund_of(GOODWILL, account={"id": "100"}, paymentOption={"id": "7"})
    client.post_refund(body)
    assert client.get(READ_BACK).json()["account"]["id"] == "110"
    assert {line.account for line in sandbox.general_ledger()} == {"110", "490"}


# point 31
def test_without_undeposited_funds_the_account_is_the_one_that_was_sent(client, sandbox):
    sandbox.master_data.put(Account("101", "1010", "Other Bank", "Bank"))
    body = refund_of(GOODWILL, account={"id": "101"}, paymentOption={"id": "1"})
    client.post_refund(body)
    assert client.get(READ_BACK).json()["account"]["id"] == "101"


# point 33
def test_a_month_locked_for_receivables_is_refused_like_a_closed_one(client, sandbox):
    sandbox.master_data.lock_receivables("2026-03")
    assert refused(client, refund())["o:errorPath"] == "tranDate"


# point 33
def test_a_month_that_was_never_set_up_is_refused(client, sandbox):
    sandbox.master_data.remove_period("2026-03")
    assert "no accounting period" in refused(client, refund())["detail"]


# point 33
def test_a_date_in_the_future_is_refused_where_the_preference_says_so():
    clock = MovableClock()
    with NetSuiteSandbox(clock=clock) as sandbox, RawClient(sandbox) as client:
        tomorrow = (clock().date() + timedelta(days=1)).isoformat()
        sandbox.preferences.future_dates = False
        assert refused(client, refund(tranDate=tomorrow))["o:errorPath"] == "tranDate"
        sandbox.preferences.future_dates = True
        assert client.post_refund(refund(tranDate=tomorrow)).status_code == 204


# point 23
def test_each_form_has_its_own_mandatory_fields(client, sandbox):
    form = Form("132", "Strict", ("entity", "class", "memo"), ("location", "department"))
    sandbox.master_data.put(form)
    body = refund(customForm={"id": "132"}, memo=None)
    assert "Please enter value(s) for: Class, Memo." in refused(client, body)["detail"]
    body = refund(customForm={"id": "132"}, **{"class": {"id": "51"}})
    answer = refused(client, body)
    assert "Please enter value(s) for: Location, Department." in answer["detail"]
    assert answer["o:errorPath"] == "item.items[0]"


# point 23
def test_the_preferred_form_decides_for_a_client_that_pins_none(client, sandbox):
    sandbox.master_data.put(Form("132", "Strict", ("entity", "class")))
    refused(client, refund(customForm=None))
    sandbox.preferences.preferred_form = "132"
    assert "Class" in refused(client, refund(customForm=None))["detail"]


# point 36
@pytest.mark.parametrize(
    ("kind", "wrong", "right"),
    [
        (Kind.FLAG, "T", True),
        (Kind.DATE, "03/14/2026", "2026-03-14"),
        (Kind.NUMBER, "12.5", 12.5),
        (Kind.INTEGER, 12.5, 12),
        (Kind.REFERENCE, {"name": "x"}, {"id": "4"}),
        (Kind.TEXT, 4, "4"),
        (Kind.TEXT, "x" * 301, "x" * 300),
    ],
)
def test_a_custom_field_has_a_type_and_a_length(kind, wrong, right):
    with (
        NetSuiteSandbox(body_custom_fields={"custbody_x": kind}) as sandbox,
        RawClient(sandbox) as client,
    ):
        body = refund(custbody_nst_order_number=None, custbody_x=wrong)
        assert refused(client, body, "INVALID_CONTENT")["o:errorPath"] == "custbody_x"
        assert client.post_refund({**body, "custbody_x": right}).status_code == 204
        read = client.get(READ_BACK).json()["custbody_x"]
        assert (read["id"] if kind is Kind.REFERENCE else read) == (
            "4" if kind is Kind.REFERENCE else right
        )


# point 9
# point 36
@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"custcol_nst_gift_card_last4": "4242"}, "custcol_nst_gift_card_last4"),
        (
            {"item": {"items": [{**GOODWILL, "custbody_nst_order_number": "O"}]}},
            "item.items[0].custbody_nst_order_number",
        ),
        ({"custbody_of_another_account": "x"}, "custbody_of_another_account"),
    ],
    ids=str,
)
def test_a_custom_field_of_another_record_is_lost_in_silence_or_refused(client, body, path):
    headers = {"X-NetSuite-PropertyNameValidation": "Error"}
    answer = client.post_refund(refund(**body), headers)
    assert (answer.status_code, error(answer)["o:errorPath"]) == (400, path)
    assert client.post_refund(refund(**body)).status_code == 204
    assert path.rpartition(".")[2] not in client.get(READ_BACK).json()["item"]["items"][0]


# point 24
def test_an_account_without_subsidiaries_has_no_such_property(client, sandbox):
    with NetSuiteSandbox(one_world=False) as small, RawClient(small) as other:
        headers = {"X-NetSuite-PropertyNameValidation": "Error"}
        answer = other.post_refund(refund(), headers)
        assert error(answer)["o:errorPath"] == "subsidiary"
        assert other.post_refund(refund(subsidiary=None), headers).status_code == 204
