"""What a change to a posted refund keeps, reprices and clears (contract netsuite 2.3)."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from refund_pipeline.sandbox.netsuite.ledger import TransactionType
from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline.sandbox.netsuite.user_events import ScriptError
from refund_pipeline_tests.sandbox.netsuite_raw_client import RawClient, error, refund, sell

REFUND = "record/v1/cashRefund/eid:apz-0001"


@pytest.fixture
def sandbox():
    with NetSuiteSandbox() as running:
        yield running


@pytest.fixture
def client(sandbox):
    with RawClient(sandbox) as client:
        client.post_refund(refund())
        yield client


def patch(client, **changes):
    return client.request("PATCH", REFUND, json=changes)


def lines(sandbox):
    return [(one.item, one.amount) for one in sandbox.cash_refunds()[0].lines]


# point 22
@pytest.mark.parametrize(
    ("change", "amount"),
    [
        ({"amount": 20}, 20),
        ({"quantity": 3}, 37.5),
        ({"rate": 15}, 15),
        ({"description": "x"}, 12.5),
    ],
    ids=str,
)
def test_a_line_whose_price_is_changed_in_one_place_follows_in_the_others(
    client, sandbox, change, amount
):
    assert patch(client, item={"items": [{"line": 1, **change}]}).status_code == 204
    assert lines(sandbox) == [("9001", amount), ("8101", Decimal("-12.5"))]


# point 22
def test_a_line_whose_price_is_changed_in_contradicting_places_is_refused(client, sandbox):
    answer = patch(client, item={"items": [{"line": 1, "rate": 3, "amount": 20}]})
    assert "quantity times rate" in error(answer)["detail"]
    assert lines(sandbox)[0] == ("9001", Decimal("12.5"))


# point 22
@pytest.mark.parametrize("item", [None, {"items": []}])
def test_a_change_that_clears_every_line_is_refused(client, sandbox, item):
    assert "at least one line" in error(patch(client, item=item))["detail"]
    assert len(lines(sandbox)) == 2


# point 32
def test_a_change_elsewhere_keeps_what_stops_a_second_payout(client, sandbox):
    assert patch(client, paymentOption={"id": "5"}).status_code == 204
    assert sandbox.audit.second_payouts == 0
    assert patch(client, handlingMode=None).status_code == 204
    assert sandbox.audit.second_payouts == 1


# point 32
def test_a_check_once_asked_for_stays_asked_for(client, sandbox):
    for memo in ("a", "b"):
        patch(client, refundCheck=True) if memo == "a" else patch(client, memo=memo)
    assert sandbox.audit.second_payouts == 2


# point 35
def test_a_script_after_a_change_may_refuse_what_is_changed_all_the_same(client, sandbox):
    def _refuse(draft):
        raise ScriptError("The workflow failed.")

    sandbox.scripts.after_submit(_refuse)
    assert patch(client, memo="changed").status_code == 400
    assert sandbox.cash_refunds()[0].memo == "changed"


# point 27
def test_the_copy_of_a_transform_has_its_own_number_and_date(client, sandbox):
    sale = sell(sandbox)
    sandbox.admin.change(sale, tran_id="SHOP-7")
    client.request("POST", f"record/v1/cashSale/{sale}/!transform/cashRefund")
    made = client.get(f"record/v1/cashRefund/{sandbox.cash_refunds()[-1].id}").json()
    assert made["tranId"] == "CR1002"
    assert made["tranDate"] == sandbox.logins._clock().date().isoformat()


# point 26
def test_a_refund_taken_off_its_sale_no_longer_counts_against_it(client, sandbox):
    sale = sell(sandbox, total=Decimal(15))
    patch(client, createdFrom={"id": sale})
    assert sandbox.audit.flags == []
    patch(client, createdFrom=None)
    client.post_refund(refund(externalId="apz-2", createdFrom={"id": sale}))
    assert sandbox.audit.flags == []
    client.post_refund(refund(externalId="apz-3", createdFrom={"id": sale}))
    [flag] = sandbox.audit.flags
    assert "more than its total" in flag


# point 37
def test_a_sale_whose_refunds_are_deleted_can_be_refunded_again(client, sandbox):
    sale = sell(sandbox, total=Decimal(15))
    for number in range(2):
        client.post_refund(refund(externalId=f"apz-{number}", createdFrom={"id": sale}))
        client.request("DELETE", f"record/v1/cashRefund/eid:apz-{number}")
    assert sandbox.audit.flags == []


# point 25
def test_a_currency_that_was_switched_off_is_refused(client, sandbox):
    sandbox.master_data.put(replace(sandbox.master_data.currencies["1"], active=False))
    assert error(client.post_refund(refund(externalId="apz-2")))["o:errorPath"] == "currency"


# point 37
def test_a_sale_shows_that_it_was_deposited(client, sandbox):
    sale = sell(sandbox)
    assert client.get(f"record/v1/cashSale/{sale}").json()["status"]["id"] == "B"
    sandbox.admin.deposit(sale)
    assert client.get(f"record/v1/cashSale/{sale}").json()["status"]["id"] == "C"
    rows = client.rows("SELECT status FROM transaction WHERE type = 'CashSale'")
    assert rows == [{"status": "C"}]


# point 24
def test_the_locations_customers_and_sales_of_no_account_cannot_be_entered(sandbox):
    for change in ({"location": "99"}, {"entity": "999"}, {"subsidiary": "9"}):
        with pytest.raises(ValueError, match=r"customer|subsidiary"):
            sell(sandbox, **change)
    with pytest.raises(KeyError):
        sandbox.admin.void("1")
    assert sandbox.add_sales_order(
        external_id="O-9",
        entity="601",
        subsidiary="1",
        location="11",
        currency="USD",
        total=Decimal(1),
        on=date(2026, 3, 1),
    )
    assert sandbox._ledger.of_type(TransactionType.CASH_SALE) == []


# point 23
def test_a_form_that_is_preferred_need_not_be_named(client, sandbox):
    body = refund(customForm=None, externalId="apz-2")
    assert "Custom Form" in error(client.post_refund(body))["detail"]
    sandbox.preferences.preferred_form = "131"
    assert client.post_refund(body).status_code == 204


# point 6
# point 18
def test_customers_of_other_subsidiaries_are_left_out_of_a_search(client, sandbox):
    sandbox.role.subsidiaries = {"2"}
    rows = client.rows("SELECT subsidiary FROM customer GROUP BY subsidiary")
    assert rows == [{"subsidiary": "2"}]
