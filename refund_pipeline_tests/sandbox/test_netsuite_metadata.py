"""The metadata catalogue, by clients that guess what an account has (contract netsuite 2.4)."""

import pytest

from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline_tests.sandbox.netsuite_raw_client import RawClient, error, refund

CATALOGUE = "record/v1/metadata-catalog"
SCHEMA = {"Accept": "application/schema+json"}
STRICT = {"X-NetSuite-PropertyNameValidation": "Error"}


@pytest.fixture(scope="module")
def client():
    with (
        NetSuiteSandbox(hidden_properties=("paymentOption", "description")) as sandbox,
        RawClient(sandbox) as client,
    ):
        yield client


def properties(client):
    return client.get(f"{CATALOGUE}/cashRefund", headers=SCHEMA).json()["properties"]


# point 9
@pytest.mark.parametrize("name", ["paymentOption", "paymentMethod", "undepFunds", "ccNumber"])
def test_a_property_that_is_not_in_the_metadata_is_unknown_to_a_post(client, name):
    assert name not in properties(client)
    answer = client.post_refund(refund(**{name: {"id": "1"}}), STRICT)
    assert (error(answer)["o:errorCode"], error(answer)["o:errorPath"]) == ("INVALID_CONTENT", name)


# point 9
def test_a_property_of_the_lines_can_be_missing_too(client):
    line = {"item": {"id": "9001"}, "amount": 1, "description": "x"}
    answer = client.post_refund(refund(item={"items": [line]}), STRICT)
    assert error(answer)["o:errorPath"] == "item.items[0].description"


# point 11
def test_the_metadata_say_what_is_read_only(client):
    found = properties(client)
    read_only = {name for name, entry in found.items() if entry.get("readOnly")}
    assert {"id", "total", "taxTotal", "createdDate"} <= read_only
    assert not {"externalId", "memo", "item"} & read_only


# point 8
@pytest.mark.parametrize(
    "path", ["cashSale", "nosuch", "cashRefund/item", "cashRefund-itemElement"]
)
def test_what_has_no_schema_is_not_found(client, path):
    assert client.get(f"{CATALOGUE}/{path}", headers=SCHEMA).status_code == 404


# point 8
@pytest.mark.parametrize("query", ["?fields=memo", "?select=nosuch", "?select=cashRefund,nosuch"])
def test_the_catalogue_takes_no_other_question(client, query):
    assert client.get(f"{CATALOGUE}{query}").status_code in {400, 404}


# point 7
@pytest.mark.parametrize("path", ["", "/cashRefund"])
def test_a_media_type_the_catalogue_does_not_have_is_refused(client, path):
    assert client.get(CATALOGUE + path, headers={"Accept": "text/html"}).status_code == 406


def test_the_catalogue_lists_what_it_describes(client):
    [entry] = client.get(CATALOGUE).json()["items"]
    assert entry["name"] == "cashRefund"
    assert entry["links"][0]["href"] == f"{client.base}/{CATALOGUE}/cashRefund"


def test_a_selection_comes_as_a_description_of_the_interface(client):
    answer = client.get(
        f"{CATALOGUE}?select=cashRefund", headers={"Accept": "application/swagger+json"}
    )
    assert answer.headers["Content-Type"] == "application/swagger+json"
    assert "externalId" in answer.json()["components"]["schemas"]["cashRefund"]["properties"]


def test_lines_may_be_described_in_a_schema_of_their_own():
    with NetSuiteSandbox() as sandbox, RawClient(sandbox) as client:
        sandbox.preferences.schema_references = True
        page = properties(client)["item"]["$ref"].removeprefix("/services/rest/")
        rows = client.get(page, headers=SCHEMA).json()["properties"]["items"]["items"]["$ref"]
        line = client.get(rows.removeprefix("/services/rest/"), headers=SCHEMA).json()
        assert rows.endswith("/cashRefund-itemElement")
        assert {"item", "amount", "custcol_nst_gift_card_last4"} <= set(line["properties"])


# point 6
# point 39
def test_the_limits_are_shown_to_administrators_only(client):
    path = "system/v1/governanceLimits"
    assert client.get(path).status_code == 403
    client.sandbox.role.administrator = True
    assert client.get(path).json()["accountConcurrencyLimit"] == 5
    assert client.request("POST", path).status_code == 405
