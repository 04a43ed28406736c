"""Rows the mapping lacks: found in what was seen, written as YAML that reads back as it was."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from refund_pipeline.domain.errors import InvalidMapping
from refund_pipeline.domain.orders import Order
from refund_pipeline.domain.payments import PaymentLine, PaymentsAvailable
from refund_pipeline.domain.suggestions import Seen, Suggestion, Tally, suggestions
from refund_pipeline.gateways.landing_bucket import LandingBucket
from refund_pipeline.gateways.ledger.rows import PaymentRow
from refund_pipeline.gateways.mapping_file import load_mapping
from refund_pipeline.steps.landing import read_landing_day
from refund_pipeline.steps.suggestions import add_from_bucket, as_yaml, seen_in_ledger
from refund_pipeline_tests.fakes import (
    DAY,
    EXAMPLE_MAPPING,
    NOON,
    FakeClock,
    event,
    event_line,
    example_mapping,
    landed_ledger,
    opened_ledger,
    order,
    payment_lines,
)
from refund_pipeline_tests.gateways.fake_s3 import FakeS3

MAPPING = example_mapping()
FIVE = Decimal("5.00")


def line(method: str, provider: str, currency: str = "USD") -> PaymentLine:
    return PaymentLine(method, provider, FIVE, currency)


def web(of: Order) -> Order:
    return replace(of, store_id=None, channel="web", channel_type="web")


def everything() -> Seen:
    seen = Seen()
    for currency in ("USD", "CHF"):
        seen.add_event(FIVE, currency, None, None)
    seen.add_event(FIVE, "CHF", "7", "Late delivery")
    seen.add_event(FIVE, "CHF", "12", "Too # late:\n  yes")
    seen.add_order(order(event(1)), FIVE, "USD")
    seen.add_order(order(event(1), store_id="ZRH01"), FIVE, "CHF")
    seen.add_order(order(event(1), store_id="", channel="ZRH02"), FIVE, "CHF")
    seen.add_order(web(order(event(1))), FIVE, "USD")
    seen.add_order(web(order(event(1))), FIVE, "CHF")
    seen.add_payments([line("cash", "store"), line("paypal", "paypal"), line("paypal", "paypal")])
    seen.add_payments([line("gift_card", "newstore", "CHF"), line("credit_card", "ADYEN")])
    return seen


def test_what_has_a_row_is_not_suggested_and_the_rest_is_the_most_frequent_first() -> None:
    found = [(one.section, one.key or one.values) for one in suggestions(everything(), MAPPING)]
    assert found == [
        ("currencies", "CHF"),
        ("tenders", {"method": "paypal", "provider": "paypal"}),
        ("tenders", {"method": "gift_card", "currency": "CHF"}),
        ("stores", "ZRH01"),
        ("stores", "ZRH02"),
        ("web", "CHF"),
        ("appeasement_items.by_reason_code", "12"),
    ]


def test_without_a_mapping_all_that_was_seen_is_suggested() -> None:
    found = suggestions(everything(), None)
    assert {one.key for one in found if one.section == "stores"} == {"NYC01", "ZRH01", "ZRH02"}
    tenders = [one.values for one in found if one.section == "tenders"]
    assert {"method": "gift_card", "provider": "newstore"} in tenders
    assert len(tenders) == 4


def test_rows_of_one_tender_in_several_currencies_are_one() -> None:
    seen = Seen()
    seen.add_payments([line("paypal", "paypal"), line("paypal", "paypal", "EUR")])
    (one,) = suggestions(seen, MAPPING)
    assert (one.tally.refunds, one.tally.amounts) == (2, {"USD": FIVE, "EUR": FIVE})


def test_the_rows_are_yaml_with_placeholders_in_place_of_ids() -> None:
    written = yaml.safe_load(as_yaml(suggestions(everything(), MAPPING), MAPPING))
    place = {
        "location": "<location id>",
        "subsidiary": "<subsidiary id>",
        "zone": "<Area/City>",
    }
    assert written == {
        "currencies": {"CHF": "<currency id>"},
        "tenders": [
            {"method": "paypal", "provider": "paypal", "item": "<payment item id>"},
            {"method": "gift_card", "currency": "CHF", "item": "<payment item id>"},
        ],
        "stores": {"ZRH01": place, "ZRH02": place},
        "web": {"CHF": place},
        "appeasement_items": {"by_reason_code": {"12": "<item id>"}},
    }


def test_a_comment_says_where_a_row_comes_from_and_ends_with_its_line() -> None:
    text = as_yaml(suggestions(everything(), MAPPING), MAPPING)
    assert "# 2 refund(s), 10.00 USD" in text
    assert '"12": "<item id>" # 1 refund(s), 5.00 CHF; Too # late:  yes' in text


def test_no_mapping_is_valid_with_a_placeholder_in_it(tmp_path: Path) -> None:
    rows = yaml.safe_load(as_yaml(suggestions(everything(), MAPPING), MAPPING))
    document = yaml.safe_load(EXAMPLE_MAPPING.read_text())
    document["tenders"] += rows.pop("tenders")
    document["appeasement_items"]["by_reason_code"] |= rows.pop("appeasement_items")[
        "by_reason_code"
    ]
    for section, found in rows.items():
        document[section] |= found
    file = tmp_path / "mapping.yaml"
    file.write_text(yaml.safe_dump(document))
    with pytest.raises(InvalidMapping) as invalid:
        load_mapping(str(file))
    told = "\n".join(invalid.value.problems)
    for where in (
        "currencies.CHF",
        "tenders[7].item",
        "tenders[8].item",
        "stores.ZRH01.location",
        "stores.ZRH01.zone",
        "web.CHF.subsidiary",
        "appeasement_items.by_reason_code.12",
    ):
        assert where in told


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_any_name_is_read_back_as_it_was(name: str) -> None:
    rows = [
        Suggestion("tenders", "", {"method": name, "provider": name}, Tally(1), name),
        Suggestion("stores", name, {}, Tally(1), name),
    ]
    written = yaml.safe_load(as_yaml(rows, None))
    assert written["tenders"][0]["method"] == written["tenders"][0]["provider"] == name
    assert list(written["stores"]) == [name]


@pytest.mark.parametrize("name", ["NO", "007", "1e3", "null", "~", "a: b", "2026-01-01", "- x"])
def test_a_name_yaml_would_read_otherwise_is_quoted(name: str) -> None:
    row = Suggestion("stores", name, {}, Tally(1))
    assert list(yaml.safe_load(as_yaml([row], None))["stores"]) == [name]


def test_with_posting_model_header_a_tender_needs_a_payment_option() -> None:
    mapping = MAPPING.model_copy(update={"posting_model": "header"})
    seen = Seen()
    seen.add_payments([line("paypal", "paypal")])
    assert 'payment_option: "<id>" }' in as_yaml(suggestions(seen, mapping), mapping)


def test_the_ledger_tells_what_it_has_seen(tmp_path: Path) -> None:
    refunds = [event(1, currency="CHF", reason_code="12", reason="Late"), event(2)]
    ledger = landed_ledger(tmp_path, refunds, FakeClock())
    paid = PaymentsAvailable((line("paypal", "paypal", "CHF"), *payment_lines(event(1))))
    store = order(event(1), store_id="ZRH01")
    ledger.save_payments([PaymentRow(event(1).refund_id, store, paid, 1, None)])
    seen = seen_in_ledger(ledger, DAY, DAY)
    assert set(seen.currencies) == {"CHF", "USD"}
    assert (set(seen.stores), seen.reason_texts) == ({"ZRH01"}, {"12": "Late"})
    assert set(seen.tenders) == {("paypal", "paypal", "CHF"), ("credit_card", "adyen", "USD")}
    assert seen_in_ledger(ledger, date(2026, 1, 1), date(2026, 1, 2)).currencies == {}


def test_files_that_were_not_read_yet_tell_currencies_and_reasons(tmp_path: Path) -> None:
    s3, ledger = FakeS3(), opened_ledger(tmp_path, FakeClock())
    bucket = LandingBucket(
        "s3://landing/events", tenant="demo", client=lambda: s3, clock=FakeClock().now
    )

    def land(*lines: str) -> None:
        stamp = int(NOON.timestamp() * 1000) + len(s3.objects)
        s3.put(f"events/demo/{stamp}-data-x.export", "\n".join(lines).encode())

    land(event_line(1))
    read_landing_day(DAY, bucket=bucket, ledger=ledger, tenant="demo")
    land(event_line(2, currency="CHF", reason_code="12", return_reason="Late"), "not json")
    s3.put("events/demo/readme.txt", b"x")
    seen = Seen()
    add_from_bucket(seen, bucket, ledger, DAY, tenant="demo")
    assert (set(seen.currencies), seen.reason_texts) == ({"CHF"}, {"12": "Late"})
