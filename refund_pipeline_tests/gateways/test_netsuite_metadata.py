"""What a record's JSON schema says of properties and of the lines of a sublist."""

from typing import Any

import pytest

from refund_pipeline.gateways.netsuite_metadata import (
    Property,
    Sublist,
    properties_of,
    rows_of,
    sublist_of,
)

LINE = {"type": "object", "properties": {"amount": {"type": "number"}}}
AMOUNT = {"amount": Property("number", is_read_only=False)}
ELEMENT = "/services/rest/record/v1/metadata-catalog/cashRefund-itemElement"


def page_of(rows: object) -> dict[str, Any]:
    return {"type": "object", "properties": {"items": {"type": "array", "items": rows}}}


def test_properties_have_a_type_and_may_be_read_only() -> None:
    document = {
        "properties": {
            "memo": {"title": "Memo", "type": "string"},
            "total": {"type": "number", "readOnly": True},
            "location": {"$ref": "/services/rest/record/v1/metadata-catalog/location"},
        }
    }
    assert properties_of(document) == {
        "memo": Property("string", is_read_only=False),
        "total": Property("number", is_read_only=True),
        "location": Property("", is_read_only=False),
    }


@pytest.mark.parametrize("document", [None, [], "x", {}, {"properties": []}])
def test_what_is_no_schema_has_no_properties(document: object) -> None:
    assert properties_of(document) == {}
    assert rows_of(document) == Sublist({})


def test_lines_are_described_in_place() -> None:
    record = {"properties": {"item": page_of(LINE)}}
    assert sublist_of(record, "item") == Sublist(AMOUNT)
    assert sublist_of(record, "partners") == Sublist({})


@pytest.mark.parametrize("described", [{"$ref": ELEMENT}, page_of({"$ref": ELEMENT})])
def test_lines_may_be_described_in_another_schema(described: object) -> None:
    record = {"properties": {"item": described}}
    assert sublist_of(record, "item") == Sublist({}, "cashRefund-itemElement")


def test_a_line_s_own_schema_is_not_taken_for_a_page() -> None:
    assert rows_of(LINE) == Sublist(AMOUNT)


@pytest.mark.parametrize(
    "reference",
    [
        "https://elsewhere.example/schema",
        "/services/rest/record/v1/metadata-catalog/../customer/1",
        "/services/rest/record/v1/metadata-catalog/",
        "/services/rest/record/v1/metadata-catalog/x?select=y",
    ],
)
def test_only_plain_names_of_the_catalog_are_followed(reference: str) -> None:
    assert rows_of({"$ref": reference}) == Sublist({})
