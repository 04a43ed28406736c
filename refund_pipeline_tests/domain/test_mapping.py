"""The mapping: which row decides, and what a mapping may not say."""

import itertools
from decimal import Decimal
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from refund_pipeline.domain.mapping import Mapping, missing_row
from refund_pipeline_tests.fakes import EXAMPLE_MAPPING, example_mapping


def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(EXAMPLE_MAPPING.read_text(encoding="utf-8"))
    return loaded


def with_tenders(*rows: dict[str, str]) -> Mapping:
    return Mapping.model_validate(document() | {"tenders": list(rows)})


def item_of(mapping: Mapping, method: str, provider: str, currency: str) -> str | None:
    row = mapping.tender(method, provider, currency)
    return row.item if row else None


METHOD = {"method": "credit_card", "item": "1"}
BY_CURRENCY = {"method": "credit_card", "currency": "USD", "item": "2"}
BY_PROVIDER = {"method": "credit_card", "provider": "adyen", "item": "3"}
BY_BOTH = {"method": "credit_card", "provider": "adyen", "currency": "USD", "item": "4"}


ROWS = [METHOD, BY_CURRENCY, BY_PROVIDER, BY_BOTH]


@pytest.mark.parametrize("rows", list(itertools.permutations(ROWS)))
def test_the_narrowest_row_wins_in_any_order(rows: tuple[dict[str, str], ...]) -> None:
    mapping = with_tenders(*rows)
    assert item_of(mapping, "credit_card", "adyen", "USD") == "4"
    assert item_of(mapping, "credit_card", "adyen", "EUR") == "3"
    assert item_of(mapping, "credit_card", "stripe", "USD") == "2"
    assert item_of(mapping, "credit_card", "stripe", "EUR") == "1"


def test_provider_goes_before_currency() -> None:
    assert item_of(with_tenders(BY_CURRENCY, BY_PROVIDER), "credit_card", "adyen", "USD") == "3"


def test_method_and_provider_are_compared_without_case() -> None:
    assert item_of(with_tenders(BY_PROVIDER), "Credit_Card", "ADYEN", "USD") == "3"


def test_a_tender_without_a_row_has_no_item() -> None:
    mapping = with_tenders(BY_BOTH)
    assert mapping.tender("credit_card", "stripe", "USD") is None
    assert mapping.tender("credit_card", "adyen", "EUR") is None
    assert mapping.tender("paypal", "adyen", "USD") is None


@given(st.text(max_size=10), st.text(max_size=10), st.text(max_size=5))
def test_a_provider_is_never_booked_to_another_providers_item(
    method: str, provider: str, currency: str
) -> None:
    found = with_tenders(BY_PROVIDER).tender(method, provider, currency)
    assert found is None or (method.lower(), provider.lower()) == ("credit_card", "adyen")


def test_the_appeasement_item_follows_the_reason_code() -> None:
    mapping = example_mapping()
    assert mapping.appeasement_item("7") == "9002"
    assert mapping.appeasement_item("8") == mapping.appeasement_item(None) == "9001"


def test_the_filled_custom_body_fields_are_named() -> None:
    assert example_mapping().custom_body_fields == (
        "custbody_nst_order_number",
        "custbody_nst_refund_id",
    )
    bare = Mapping.model_validate(document() | {"custom_fields": {}})
    assert bare.custom_body_fields == ()


def test_what_may_be_left_out_has_a_default() -> None:
    short = document()
    for name in ("default_customers", "custom_fields", "origins"):
        del short[name]
    mapping = Mapping.model_validate(short)
    assert mapping.origins == ("externalid",)
    assert mapping.default_customers == {}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"version": 2}, ("version",)),
        ({"external_id_prefix": "APZ-"}, ("external_id_prefix",)),
        ({"external_id_prefix": "toolong-9"}, ("external_id_prefix",)),
        ({"posting_model": "journal"}, ("posting_model",)),
        ({"custom_form": 131}, ("custom_form",)),
        ({"custom_form": "13a"}, ("custom_form",)),
        ({"currencies": {"EURO": "1"}}, ("currencies",)),
        ({"web": {"XXX": {"location": "1", "subsidiary": "1", "zone": "UTC"}}}, ("web",)),
        ({"tenders": []}, ("tenders",)),
        ({"tenders": [METHOD, {**METHOD, "method": "CREDIT_CARD"}]}, ("tenders",)),
        ({"tenders": [{**METHOD, "currency": "usd"}]}, ("tenders", 0, "currency")),
        ({"tenders": [{**METHOD, "wallet": "x"}]}, ("tenders", 0, "wallet")),
        ({"custom_fields": {"order_number": "custcol_x"}}, ("custom_fields", "order_number")),
        (
            {"custom_fields": {"gift_card_last4": "custbody_x"}},
            ("custom_fields", "gift_card_last4"),
        ),
        ({"origins": ["tranid"]}, ("origins", 0)),
        ({"policies": {"origin_missing": {"action": "wait"}}}, ("policies", "historical")),
        ({"surprise": 1}, ("surprise",)),
    ],
)
def test_what_a_mapping_may_not_say_is_refused_at_its_path(
    change: dict[str, Any], where: tuple[str | int, ...]
) -> None:
    with pytest.raises(ValidationError) as caught:
        Mapping.model_validate(document() | change)
    assert where in {error["loc"] for error in caught.value.errors()}


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "/etc/passwd", "Europe"])
def test_a_zone_must_exist(zone: str) -> None:
    place = {"location": "1", "subsidiary": "1", "zone": zone}
    with pytest.raises(ValidationError):
        Mapping.model_validate(document() | {"stores": {"S": place}})


@pytest.mark.parametrize(
    "policy",
    [{"action": "wait", "after_days": 3}, {"action": "standalone"}, {"action": "guess"}]
    + [{"action": "standalone", "after_days": days} for days in (-1, 366, "3")],
)
def test_waiting_days_belong_to_standing_alone(policy: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Mapping.model_validate(
            document() | {"policies": {"historical": "skip", "origin_missing": policy}}
        )


def test_a_missing_row_names_its_place() -> None:
    assert missing_row("tenders", "- { x }") == "add to the mapping, under tenders: - { x }"


HEADER_ROW = {"method": "cash", "payment_option": "1", "account": "1010"}


def test_each_posting_model_demands_its_own_tender_rows() -> None:
    in_header = document() | {"posting_model": "header"}
    rows = {"tenders": [HEADER_ROW]}
    mapping = Mapping.model_validate(in_header | rows)
    assert mapping.custom_body_fields[-1] == "paymentoption"
    with pytest.raises(ValidationError, match=r"tenders\[0\]: posting_model: header needs"):
        Mapping.model_validate(in_header)
    with pytest.raises(ValidationError, match=r"tenders\[0\]: posting_model: payment_lines needs"):
        Mapping.model_validate(document() | rows)
    with pytest.raises(ValidationError, match="external_id_prefix: at most 5"):
        Mapping.model_validate(in_header | rows | {"external_id_prefix": "refund-"})


def test_amounts_of_gates_are_exact_and_in_quotes() -> None:
    gates = Mapping.model_validate(
        document() | {"gates": {"max_amount": {"USD": "500"}, "daily_sum": {"JPY": "90000"}}}
    ).gates
    assert gates.max_amount == {"USD": Decimal("500.00")}
    assert str(gates.daily_sum["JPY"]) == "90000"
    for wrong in ({"USD": 500.0}, {"USD": "0.001"}, {"XXX": "1"}, {"USD": "-"}):
        with pytest.raises(ValidationError):
            Mapping.model_validate(document() | {"gates": {"max_amount": wrong}})
