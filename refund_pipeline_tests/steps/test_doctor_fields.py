"""Every property we send is looked for in the record's metadata."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import yaml

from refund_pipeline.domain.errors import Unavailable
from refund_pipeline.domain.mapping import Mapping as RefundMapping
from refund_pipeline.gateways.netsuite_metadata import Properties, Property
from refund_pipeline.gateways.netsuite_records import body
from refund_pipeline.gateways.netsuite_setup import NetSuiteSetup
from refund_pipeline.steps.doctor_fields import check_fields, check_form
from refund_pipeline.steps.doctor_findings import Finding, Verdict
from refund_pipeline_tests.fakes import EXAMPLE_MAPPING, example_mapping, transaction

EXAMPLE = yaml.safe_load(EXAMPLE_MAPPING.read_text())

TEXT = Property("string", is_read_only=False)
OBJECT = Property("object", is_read_only=False)
HEADER = {
    "posting_model": "header",
    "tenders": ({"method": "cash", "payment_option": "1", "account": "100"},),
}


def properties(*names: str, **others: Property) -> dict[str, Property]:
    return dict.fromkeys(names, TEXT) | others


@dataclass
class FakeSetup:
    """An account with the metadata it is given, all of whose fields can be searched."""

    known: dict[str, Property] = field(
        default_factory=lambda: properties(
            *("externalId", "customForm", "entity", "subsidiary", "location", "currency"),
            *("tranDate", "memo", "handlingMode", "createdFrom", "item"),
            *("custbody_nst_order_number", "custbody_nst_refund_id"),
        )
    )
    lines: dict[str, Property] = field(
        default_factory=lambda: properties(
            *("item", "quantity", "rate", "price", "amount", "location"),
            "custcol_nst_gift_card_last4",
        )
    )

    @property
    def master_data(self) -> "FakeSetup":
        return self

    def properties(self, record: str) -> Properties:
        return self.known

    def line_properties(self, record: str, sublist: str) -> Properties:
        return self.lines

    def probe(self, table: str, column: str) -> None:
        assert column.startswith("custbody_")

    def refund_by_form(self, form: str) -> str | None:
        raise Unavailable("down")


def wrong(setup: FakeSetup, **changes: Any) -> list[Finding]:
    mapping = RefundMapping.model_validate({**EXAMPLE, **changes})
    found = check_fields(cast("NetSuiteSetup", setup), mapping, suiteql=True)
    return [one for one in found if one.verdict is not Verdict.OK]


def test_an_account_that_has_what_we_send_and_no_more_is_all_well() -> None:
    assert wrong(FakeSetup()) == []


def test_what_is_looked_for_is_what_is_sent() -> None:
    refund = body(transaction(1))
    sent = set(refund) | {"custcol_nst_gift_card_last4"}
    rows = cast("Mapping[str, Any]", refund["item"])["items"]
    for name in sent | {key for row in rows for key in row}:
        setup = FakeSetup()
        known = setup.known if name in setup.known else setup.lines
        del known[name]
        found = wrong(setup)
        assert any(f"no property {name}" in one.what for one in found), name


def test_a_property_that_can_only_be_read_is_an_error() -> None:
    setup = FakeSetup()
    setup.known["externalId"] = Property("string", is_read_only=True)
    (found,) = wrong(setup)
    assert found.verdict is Verdict.ERROR
    assert "externalId of a cash refund can only be read" in found.what


def test_a_list_field_holds_no_order_number() -> None:
    setup = FakeSetup()
    setup.known["custbody_nst_order_number"] = OBJECT
    (found,) = wrong(setup)
    assert "custom_fields.order_number" in found.fix


def test_a_schema_without_types_is_believed() -> None:
    setup = FakeSetup()
    setup.known["memo"] = Property("", is_read_only=False)
    assert wrong(setup) == []


def test_metadata_that_are_hidden_are_an_error_of_the_role() -> None:
    (found,) = wrong(FakeSetup(known={}))
    assert found.verdict is Verdict.ERROR
    assert "REST Web Services (Full)" in found.fix


def test_lines_that_are_not_described_are_a_warning() -> None:
    (found,) = wrong(FakeSetup(lines={}))
    assert found.verdict is Verdict.WARNING


def test_a_mapping_that_links_no_sale_and_fills_no_field_needs_neither() -> None:
    setup = FakeSetup()
    for name in ("createdFrom", "custbody_nst_order_number", "custbody_nst_refund_id"):
        del setup.known[name]
    del setup.lines["custcol_nst_gift_card_last4"]
    policies = {**EXAMPLE["policies"], "created_from": "leave_out"}
    assert wrong(setup, custom_fields={}, policies=policies) == []


def test_the_posting_model_header_needs_a_payment_option_and_an_account() -> None:
    found = wrong(FakeSetup(), **HEADER)
    assert [one.what for one in found] == [
        "posting_model: a cash refund has no property paymentOption",
        "account: a cash refund has no property account",
    ]
    both = properties("paymentOption", "account")
    assert wrong(FakeSetup(known=FakeSetup().known | both), **HEADER) == []


def test_a_form_that_cannot_be_looked_for_is_a_warning() -> None:
    (found,) = check_form(cast("NetSuiteSetup", FakeSetup()), example_mapping())
    assert found.verdict is Verdict.WARNING
