import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal

import pytest

from refund_pipeline.sandbox.netsuite import exchange
from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline_tests.sandbox.netsuite_raw_client import (
    ORDER,
    RawClient,
    error,
    refund,
    refund_of,
    sell,
)

ERROR_ON_NAMES = {"X-NetSuite-PropertyNameValidation": "Error"}


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


@pytest.fixture(scope="module")
def posted():
    """A client of a sandbox with one cash sale and the refund of it, for tests that only read."""
    with NetSuiteSandbox() as sandbox, RawClient(sandbox) as client:
        client.post_refund(refund(createdFrom={"id": sell(sandbox)}))
        yield client


def post_text(client, text, content_type="application/json"):
    headers = {"Content-Type": content_type} if content_type else {}
    return client.request("POST", "record/v1/cashRefund", data=text, headers=headers)


# point 13
def test_a_created_refund_answers_204_without_body_and_with_an_absolute_location(client, sandbox):
    answer = client.post_refund(refund())
    [stored] = sandbox.cash_refunds()
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Location"] == f"{client.base}/record/v1/cashRefund/{stored.id}"


def test_what_was_sent_is_what_is_stored(client, sandbox):
    sale = sell(sandbox)
    client.post_refund(refund(createdFrom={"id": sale}))
    [stored] = sandbox.cash_refunds()
    assert (stored.external_id, stored.entity, stored.subsidiary) == ("apz-0001", "601", "1")
    assert (stored.location, stored.currency, stored.created_from) == ("11", "USD", sale)
    assert (stored.tran_date, stored.memo) == (date(2026, 3, 14), "Appeasement for O-1001")
    assert (stored.total, stored.custom) == (0, {"custbody_nst_order_number": ORDER})
    assert [(one.item, one.amount) for one in stored.lines] == [
        ("9001", Decimal("12.5")),
        ("8101", Decimal("-12.5")),
    ]
    assert stored.lines[1].custom == {"custcol_nst_gift_card_last4": "4242"}


def test_the_record_type_is_found_in_any_letter_case(client):
    assert client.request("POST", "record/v1/CASHREFUND", json=refund()).status_code == 204


# point 15
def test_a_refund_is_read_by_id_and_by_external_id_in_any_letter_case(posted):
    [stored] = posted.sandbox.cash_refunds()
    for key in (stored.id, "eid:apz-0001", "eid:APZ-0001", "eid%3Aapz-0001"):
        assert posted.get(f"record/v1/cashRefund/{key}").json()["id"] == stored.id


def test_an_expanded_refund_shows_its_lines_and_values(posted):
    body = posted.get("record/v1/cashRefund/eid:apz-0001?expandSubResources=true").json()
    assert (body["externalId"], body["tranDate"], body["total"]) == ("apz-0001", "2026-03-14", 0)
    assert (body["entity"]["id"], body["currency"]["refName"]) == ("601", "USD")
    assert (body["createdFrom"]["refName"], body["taxTotal"]) == ("Cash Sale #CS1001", 0)
    assert body["type"] == {"id": "CashRfnd", "refName": "Cash Refund"}
    assert body["tranId"]
    assert body["custbody_nst_order_number"] == ORDER
    assert [line["amount"] for line in body["item"]["items"]] == [12.5, -12.5]
    assert [line["item"]["id"] for line in body["item"]["items"]] == ["9001", "8101"]
    assert [line["line"] for line in body["item"]["items"]] == [1, 2]


# point 14
def test_without_expansion_the_lines_are_a_link_only(posted):
    assert set(posted.get("record/v1/cashRefund/eid:apz-0001").json()["item"]) == {"links"}


def test_enumerations_can_be_read_bare(posted):
    body = posted.get("record/v1/cashRefund/eid:apz-0001?simpleEnumFormat=true").json()
    assert (body["type"], body["handlingMode"]) == ("CashRfnd", "SAVE_ONLY")


def test_chosen_body_fields_come_alone(posted):
    body = posted.get("record/v1/cashRefund/eid:apz-0001?fields=externalId,total").json()
    assert set(body) == {"links", "externalId", "total"}


def test_a_cash_sale_and_a_sales_order_can_be_read(client, sandbox):
    sale = sell(sandbox)
    order = sandbox.add_sales_order(
        external_id="O-2",
        entity="631",
        subsidiary="3",
        location="31",
        currency="JPY",
        total=Decimal(5000),
        on=date(2026, 3, 2),
    )
    body = client.get(f"record/v1/cashSale/eid:{ORDER}?expandSubResources=true").json()
    assert (body["id"], body["total"], body["entity"]["id"]) == (sale, 99.9, "601")
    assert client.get(f"record/v1/salesOrder/{order}").json()["currency"]["id"] == "3"


# point 15
def test_a_missing_external_id_is_not_found(shared):
    answer = shared.get("record/v1/cashRefund/eid:nothing")
    assert (answer.status_code, error(answer)["o:errorCode"]) == (404, "NONEXISTENT_ID")


def test_an_external_id_of_another_type_is_not_found(posted):
    assert posted.get(f"record/v1/cashRefund/eid:{ORDER}").status_code == 404


# point 15
def test_a_pipe_in_an_external_id_breaks_the_address(shared):
    assert shared.get("record/v1/cashRefund/eid:a%7Cb").status_code == 400


# point 16
@pytest.mark.parametrize("key", ["1", "90001"])  # 90001 is the cash sale
def test_an_id_that_is_unknown_or_of_another_type_is_a_400(posted, key):
    answer = posted.get(f"record/v1/cashRefund/{key}")
    assert answer.status_code == 400
    assert "Transaction type specified is incorrect" in error(answer)["detail"]


# point 8
def test_an_unknown_record_type_is_not_found(shared):
    answer = shared.get("record/v1/cashRefunds/1")
    assert (answer.status_code, error(answer)["o:errorCode"]) == (404, "NONEXISTENT_ID")


# point 8
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "cashRefund"),
        ("PUT", "cashRefund/90001"),
        ("POST", "cashRefund/90001"),
        ("POST", "cashSale"),
        ("PATCH", "salesOrder/90001"),
        ("DELETE", "cashRefund"),
        ("DELETE", "customer/601"),
        ("POST", "metadata-catalog/cashRefund"),
    ],
)
def test_a_method_an_address_does_not_have_is_refused_and_changes_nothing(shared, method, path):
    answer = shared.request(method, f"record/v1/{path}", json=refund())
    assert (answer.status_code, "GET" in answer.headers["Allow"]) == (405, True)
    assert shared.sandbox.cash_refunds() == []


# point 8
@pytest.mark.parametrize(
    "path",
    [
        "cashRefund/eid:apz-0001?expandsubresources=true",
        "cashRefund/eid:apz-0001?expandSubResources=yes",
        "cashRefund?limit=0",
        "cashRefund?limit=1001",
        "cashRefund?limit=10&offset=5",
        "cashRefund?limit=x",
        "cashRefund?limit=10&limit=10",
        "cashRefund?q=memo IS x",
    ],
)
def test_an_unknown_or_wrong_query_parameter_is_refused(shared, path):
    answer = shared.get(f"record/v1/{path}")
    assert (answer.status_code, error(answer)["o:errorCode"]) == (400, "INVALID_PARAMETER")


def test_a_field_that_does_not_exist_cannot_be_chosen(posted):
    answer = posted.get("record/v1/cashRefund/eid:apz-0001?fields=nosuch")
    assert error(answer)["o:errorQueryParam"] == "fields"


def test_a_query_parameter_on_a_post_is_refused(shared):
    answer = shared.request("POST", "record/v1/cashRefund?dryRun=true", json=refund())
    assert (answer.status_code, shared.sandbox.cash_refunds()) == (400, [])


# point 14
def test_a_list_shows_ids_and_links_only_and_pages(client):
    for number in range(3):
        client.post_refund(refund(externalId=f"apz-{number}"))
    first = client.get("record/v1/cashRefund?limit=2").json()
    second = client.get("record/v1/cashRefund?limit=2&offset=2").json()
    assert [first["count"], first["hasMore"], first["totalResults"]] == [2, True, 3]
    assert [second["count"], second["hasMore"]] == [1, False]
    assert set(first["items"][0]) == {"links", "id"}
    assert len({one["id"] for one in first["items"] + second["items"]}) == 3


def test_a_list_can_be_narrowed_to_one_external_id(client):
    client.post_refund(refund(externalId="apz-1"))
    client.post_refund(refund(externalId="apz-2"))
    found = client.get("record/v1/cashRefund", params={"q": 'externalId IS "apz-2"'}).json()
    assert found["count"] == 1


def test_a_customer_can_be_read(shared):
    body = shared.get("record/v1/customer/621").json()
    assert (body["subsidiary"]["id"], body["currency"]["id"]) == ("2", "2")


# point 7
@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_that_is_not_declared_as_json_is_refused(shared, content_type):
    assert post_text(shared, json.dumps(refund()), content_type).status_code == 415


def test_both_json_media_types_are_taken(client):
    oracle = "application/vnd.oracle.resource+json; type=singular"
    for content_type in ("application/json; charset=utf-8", oracle):
        text = json.dumps(refund(externalId=None))
        assert post_text(client, text, content_type).status_code == 204


# point 7
@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '"x"', '{"memo": NaN}', '{"memo":"a","memo":"b"}', b"\xff{}"]
)
def test_a_body_that_is_no_json_object_is_invalid_content(shared, text):
    answer = post_text(shared, text)
    assert (answer.status_code, error(answer)["o:errorCode"]) == (400, "INVALID_CONTENT")


# point 9
def test_a_misspelled_external_id_is_lost_in_silence_by_default(client, sandbox):
    body = refund(externalId=None, externalID="apz-0001")
    answers = [client.post_refund(body).status_code for _ in range(2)]
    assert answers == [204, 204]
    assert [stored.external_id for stored in sandbox.cash_refunds()] == [None, None]


# point 9
def test_a_misspelled_property_is_refused_with_its_path_when_asked_for(shared):
    body = refund_of({"item": {"id": "9001"}, "amount": 1, "ratee": 1}, externalID="apz-0001")
    answer = shared.post_refund(body, ERROR_ON_NAMES)
    assert answer.status_code == 400
    paths = [detail["o:errorPath"] for detail in answer.json()["o:errorDetails"]]
    assert sorted(paths) == ["externalID", "item.items[0].ratee"]
    assert shared.sandbox.cash_refunds() == []


def test_a_custom_field_the_account_lacks_is_an_unknown_property(shared):
    answer = shared.post_refund(refund(custbody_other="x"), ERROR_ON_NAMES)
    assert error(answer)["o:errorPath"] == "custbody_other"


def test_the_custom_fields_of_an_account_can_be_chosen():
    with NetSuiteSandbox(body_custom_fields=["custbody_other"]) as sandbox:
        body = refund(custbody_nst_order_number=None, custbody_other="x")
        assert RawClient(sandbox).post_refund(body, ERROR_ON_NAMES).status_code == 204
        assert sandbox.cash_refunds()[0].custom == {"custbody_other": "x"}


def test_a_validation_header_with_an_unknown_value_is_refused(shared):
    headers = {"X-NetSuite-PropertyValueValidation": "Strict"}
    assert shared.post_refund(refund(), headers).status_code == 400


# point 10
@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"tranDate": "03/14/2026"}, "tranDate"),
        ({"tranDate": "2026-02-30"}, "tranDate"),
        ({"tranDate": "2026-03-14T00:00:00Z"}, "tranDate"),
        ({"tranDate": 20260314}, "tranDate"),
        ({"memo": 7}, "memo"),
        ({"memo": "two\nlines"}, "memo"),
        ({"memo": "x" * 1000}, "memo"),
        ({"externalId": "a|b"}, "externalId"),
        ({"externalId": "x" * 41}, "externalId"),
        ({"entity": {"refName": "Customer 601"}}, "entity"),
        ({"entity": {"id": "601", "externalId": "x"}}, "entity"),
        ({"entity": ["601"]}, "entity"),
        ({"entity": {"id": True}}, "entity"),
        ({"entity": {"ID": "601"}}, "entity"),
        ({"toBePrinted": "F"}, "toBePrinted"),
        ({"handlingMode": {"id": "save_only"}}, "handlingMode"),
        ({"custbody_nst_order_number": 1001}, "custbody_nst_order_number"),
        ({"custbody_nst_order_number": "x" * 301}, "custbody_nst_order_number"),
        ({"item": [{"item": {"id": "9001"}, "amount": 1}]}, "item"),
        ({"item": {"lines": []}}, "item.items"),
        ({"item": {"items": ["9001"]}}, "item.items[0]"),
        ({"item": {"items": [{"item": {"id": "9001"}, "amount": "1.00"}]}}, "item.items[0].amount"),
        ({"item": {"items": [{"item": {"id": "9001"}, "amount": True}]}}, "item.items[0].amount"),
        ({"item": {"items": [{"item": {"id": "9001"}, "amount": 1e20}]}}, "item.items[0].amount"),
        ({"id": "5"}, "id"),
        ({"total": 12.5}, "total"),
        ({"links": []}, "links"),
        ({"taxDetails": {"items": []}}, "taxDetails"),
        ({"discountRate": 0}, "discountRate"),
        (
            {"item": {"items": [{"item": {"id": "9001"}, "amount": 1, "taxCode": {"id": "7"}}]}},
            "item.items[0].taxCode",
        ),
    ],
    ids=str,
)
def test_a_wrong_value_is_refused_with_its_path(shared, changes, path):
    answer = shared.post_refund(refund(**changes))
    assert (answer.status_code, error(answer)["o:errorPath"]) == (400, path)
    assert error(answer)["o:errorCode"] == "INVALID_CONTENT"
    assert shared.sandbox.cash_refunds() == []


# point 10
def test_a_wrong_value_is_dropped_when_the_client_asks_for_that(client, sandbox):
    headers = {"X-NetSuite-PropertyValueValidation": "Ignore"}
    assert client.post_refund(refund(memo=7), headers).status_code == 204
    assert sandbox.cash_refunds()[0].memo is None


def test_every_spelling_of_a_reference_is_taken(client):
    for number, reference in enumerate([{"id": "601"}, {"id": 601}, "601", 601]):
        body = refund(entity=reference, externalId=f"apz-{number}")
        assert client.post_refund(body).status_code == 204


# point 17
def test_an_idempotency_key_protects_nothing_on_a_synchronous_call(client, sandbox):
    headers = {"X-NetSuite-Idempotency-Key": "8f6d6c6e-3c1f-4f0e-9d2a-1f2e3d4c5b6a"}
    for _ in range(2):
        client.post_refund(refund(externalId=None), headers)
    assert len(sandbox.cash_refunds()) == 2


def test_a_dry_run_is_refused_rather_than_posted(shared):
    accept = "application/vnd.oracle.resource+json; type=create-form"
    answer = shared.post_refund(refund(), {"Accept": accept})
    assert (answer.status_code, shared.sandbox.cash_refunds()) == (400, [])


# point 20
@pytest.mark.parametrize("key", ["apz-0001", "APZ-0001"])
def test_a_second_refund_with_the_same_external_id_already_exists(client, sandbox, key):
    client.post_refund(refund())
    answer = client.post_refund(refund(externalId=key))
    assert (answer.status_code, error(answer)["o:errorCode"]) == (400, "USER_ERROR")
    assert error(answer)["detail"] == (
        "Error while accessing a resource. This record already exists."
    )
    assert len(sandbox.cash_refunds()) == 1


# point 20
def test_the_external_id_of_a_cash_sale_is_taken_for_refunds_too(client, sandbox):
    sell(sandbox)
    answer = client.post_refund(refund(externalId=ORDER.lower()))
    assert "already exists" in error(answer)["detail"]


# point 43
def test_of_racing_creates_with_one_external_id_one_wins():
    with NetSuiteSandbox(concurrency_limit=20, latency=0.05) as sandbox:
        client = RawClient(sandbox)
        client.get("record/v1/cashRefund")
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: client.post_refund(refund()).status_code, range(8)))
        assert sorted(answers) == [204, *[400] * 7]
        assert len(sandbox.cash_refunds()) == 1


# point 38
def test_refunds_are_numbered(client):
    for number in range(2):
        client.post_refund(refund(externalId=f"apz-{number}"))
    numbers = [
        client.get(f"record/v1/cashRefund/eid:apz-{number}").json()["tranId"] for number in range(2)
    ]
    assert numbers == ["CR1001", "CR1002"]


def test_the_metadata_name_the_properties_of_body_and_line(shared):
    headers = {"Accept": "application/schema+json"}
    body = shared.get("record/v1/metadata-catalog/cashRefund", headers=headers).json()
    properties = body["properties"]
    assert {"externalId", "createdFrom", "custbody_nst_order_number"} <= set(properties)
    line = properties["item"]["properties"]["items"]["items"]["properties"]
    assert "custcol_nst_gift_card_last4" in line
    assert properties["tranDate"]["format"] == "date"


# point 7
def test_a_body_above_the_limit_is_too_large(client, sandbox, monkeypatch):
    monkeypatch.setattr(exchange, "BODY_LIMIT", len(json.dumps(refund())) - 1)
    assert post_text(client, json.dumps(refund())).status_code == 413
    assert sandbox.cash_refunds() == []


# point 8
@pytest.mark.parametrize("replaced", ["items", "item,taxDetails", "", "true"])
def test_a_create_replaces_no_other_sublist(shared, replaced):
    answer = shared.request("POST", f"record/v1/cashRefund?replace={replaced}", json=refund())
    assert (answer.status_code, error(answer)["o:errorQueryParam"]) == (400, "replace")


# point 11
def test_the_metadata_mark_what_is_read_only_and_leave_out_what_is_not_there(shared):
    headers = {"Accept": "application/schema+json"}
    path = "record/v1/metadata-catalog/cashRefund"
    properties = shared.get(path, headers=headers).json()["properties"]
    read_only = {name for name, entry in properties.items() if entry.get("readOnly")}
    assert {"id", "total", "taxTotal", "createdDate"} <= read_only
    assert not {"externalId", "entity", "item"} & read_only
    assert not {"paymentMethod", "undepFunds", "status"} & set(properties)
    path = "record/v1/metadata-catalog?select=cashRefund"
    swagger = shared.get(path, headers={"Accept": "application/swagger+json"}).json()
    assert swagger["components"]["schemas"]["cashRefund"]["properties"] == properties
    assert shared.get("record/v1/metadata-catalog/cashSales", headers=headers).status_code == 404
