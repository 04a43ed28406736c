"""Scripts inside every save, and what other people do meanwhile (points 35 and 37)."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline.sandbox.netsuite.user_events import ScriptError
from refund_pipeline_tests.sandbox.netsuite_raw_client import (
    ORDER,
    RawClient,
    error,
    refund,
    sell,
)

REFUND = "record/v1/cashRefund/eid:apz-0001"


@pytest.fixture
def sandbox():
    with NetSuiteSandbox() as running:
        yield running


@pytest.fixture
def client(sandbox):
    with RawClient(sandbox) as client:
        yield client


def refuse(_draft):
    raise ScriptError("Please ask the finance team.")


# point 35
def test_a_script_that_refuses_leaves_nothing_behind(client, sandbox):
    sandbox.scripts.before_submit(refuse)
    answer = client.post_refund(refund())
    assert (answer.status_code, error(answer)["o:errorCode"]) == (400, "USER_ERROR")
    assert "Please ask the finance team." in error(answer)["detail"]
    assert sandbox.cash_refunds() == []


# point 35
def test_a_script_that_fails_after_the_save_leaves_the_refund_that_was_refused(client, sandbox):
    sandbox.scripts.after_submit(refuse)
    assert client.post_refund(refund()).status_code == 400
    assert len(sandbox.cash_refunds()) == 1
    assert client.get(REFUND).status_code == 200


# point 35
def test_a_script_alters_a_field_and_only_a_read_back_shows_it(client, sandbox):
    sandbox.scripts.before_submit(lambda draft: replace(draft, memo="Checked", location="12"))
    assert client.post_refund(refund()).status_code == 204
    body = client.get(REFUND).json()
    assert (body["memo"], body["location"]["id"]) == ("Checked", "12")


# point 35
def test_a_script_alters_an_amount_and_the_total_follows(client, sandbox):
    def add_a_line(draft):
        line = replace(draft.lines[0], amount=Decimal(10_000), rate=Decimal(10_000))
        return replace(draft, lines=(*draft.lines, line))

    sandbox.scripts.before_submit(add_a_line)
    client.post_refund(refund())
    assert client.get(REFUND).json()["total"] == 10_000


# point 35
def test_a_script_that_clears_the_external_id_makes_a_retry_a_second_refund(client, sandbox):
    sandbox.scripts.before_submit(lambda draft: replace(draft, external_id=None))
    for _ in range(2):
        assert client.post_refund(refund()).status_code == 204
    assert client.get(REFUND).status_code == 404
    assert len(sandbox.cash_refunds()) == 2


# point 20
# point 35
def test_a_script_that_sets_an_external_id_meets_the_same_uniqueness(client, sandbox):
    sandbox.scripts.before_submit(lambda draft: replace(draft, external_id="CR-1"))
    client.post_refund(refund())
    answer = client.post_refund(refund(externalId="apz-0002"))
    assert "already exists" in error(answer)["detail"]
    assert [one.external_id for one in sandbox.cash_refunds()] == ["CR-1"]


# point 35
def test_scripts_run_on_updates_too_and_can_be_taken_away(client, sandbox):
    client.post_refund(refund())
    sandbox.scripts.before_submit(refuse)
    assert client.request("PATCH", REFUND, json={"memo": "x"}).status_code == 400
    sandbox.scripts.clear()
    assert client.request("PATCH", REFUND, json={"memo": "x"}).status_code == 204


# point 35
def test_a_slow_script_makes_a_write_slow_and_a_read_not(client, sandbox):
    sandbox.scripts.seconds = 0.1
    client.post_refund(refund())
    client.get(REFUND)
    write, read = sandbox.audit.requests[-2:]
    assert (write.latency, read.latency) == (0.1, 0)


# point 37
def test_a_customer_that_was_merged_is_unknown_and_the_sale_has_the_other_one(client, sandbox):
    sale = sell(sandbox)
    sandbox.admin.merge_customer("601", into="602")
    answer = client.post_refund(refund(createdFrom={"id": sale}))
    assert (answer.status_code, error(answer)["o:errorPath"]) == (400, "entity")
    assert client.get("record/v1/customer/601").status_code == 404
    read = client.get(f"record/v1/cashSale/{sale}").json()
    assert read["entity"]["id"] == "602"
    body = refund(createdFrom={"id": sale}, entity=read["entity"])
    assert client.post_refund(body).status_code == 204


# point 26
# point 37
def test_a_deleted_sale_is_no_origin(client, sandbox):
    sale = sell(sandbox)
    sandbox.admin.delete(sale)
    assert client.get(f"record/v1/cashSale/eid:{ORDER}").status_code == 404
    answer = client.post_refund(refund(createdFrom={"id": sale}))
    assert (answer.status_code, error(answer)["o:errorPath"]) == (400, "createdFrom")
    assert client.rows("SELECT id FROM transaction WHERE externalid = ?", ORDER) == []


# point 37
def test_a_refund_of_a_sale_that_is_deleted_later_can_still_be_read(client, sandbox):
    sale = sell(sandbox)
    client.post_refund(refund(createdFrom={"id": sale}))
    sandbox.admin.delete(sale)
    assert client.get(REFUND).status_code == 200
    assert len(client.rows("SELECT id FROM transaction")) == 1


# point 26
# point 37
def test_a_voided_sale_is_no_origin(client, sandbox):
    sale = sell(sandbox)
    sandbox.admin.void(sale)
    answer = client.post_refund(refund(createdFrom={"id": sale}))
    assert (answer.status_code, error(answer)["o:errorPath"]) == (400, "createdFrom")


# point 37
def test_a_voided_refund_keeps_its_external_id_and_is_worth_nothing(client, sandbox):
    client.post_refund(refund())
    [stored] = sandbox.cash_refunds()
    sandbox.admin.void(stored.id)
    assert "already exists" in error(client.post_refund(refund()))["detail"]
    [row] = client.rows(
        "SELECT voided, foreigntotal FROM transaction WHERE externalid = 'apz-0001'"
    )
    assert row == {"voided": "T", "foreigntotal": "0"}
    assert all(line.amount == 0 for line in sandbox.general_ledger())


# point 37
def test_an_external_id_that_somebody_overwrote_is_found_no_more(client, sandbox):
    client.post_refund(refund())
    [stored] = sandbox.cash_refunds()
    sandbox.admin.change(stored.id, external_id="IMPORT-7")
    assert client.get(REFUND).status_code == 404
    assert client.get("record/v1/cashRefund/eid:import-7").json()["id"] == stored.id


# point 26
def test_an_order_that_was_billed_shows_its_sale_by_link_and_status(client, sandbox):
    order = sandbox.add_sales_order(
        external_id="O-2",
        entity="601",
        subsidiary="1",
        location="11",
        currency="USD",
        total=Decimal(50),
        on=date(2026, 3, 1),
    )
    answer = client.post_refund(refund(createdFrom={"id": order}))
    assert error(answer)["o:errorPath"] == "createdFrom"
    assert client.rows("SELECT status FROM transaction WHERE id = ?", order) == [{"status": "F"}]
