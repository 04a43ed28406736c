"""The retailer makes the same data of the same seed, in the shapes the contract names."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from refund_pipeline.sandbox.landing import LandingSandbox
from refund_pipeline.sandbox.newstore import NewStoreSandbox
from refund_pipeline.sandbox.retail import (
    ADYEN,
    CASH,
    FISCAL_STORES,
    GIFT_CARD,
    MAPPED,
    PAYPAL,
    PERSONAL_MARKERS,
    STORES,
    STRIPE,
    WEB_SHOPS,
)
from refund_pipeline.sandbox.retailer import DemoDay, Retailer

NOON = datetime(2026, 5, 2, 12, tzinfo=timezone.utc)
MAPPING = Path(__file__).parents[2] / "mappings" / "example.yaml"


class Sales:
    """Keeps what an ERP would be told."""

    def __init__(self) -> None:
        self.cash_sales: dict[str, dict[str, Any]] = {}
        self.sales_orders: dict[str, dict[str, Any]] = {}

    def add_cash_sale(self, *, external_id: str, **sale: Any) -> str:
        assert external_id not in self.cash_sales | self.sales_orders
        self.cash_sales[external_id] = sale
        return "1"

    def add_sales_order(self, *, external_id: str, **sale: Any) -> str:
        assert external_id not in self.cash_sales | self.sales_orders
        self.sales_orders[external_id] = sale
        return "1"


class Landing(LandingSandbox):
    """Keeps the files instead of an S3 server."""

    def __init__(self) -> None:
        super().__init__(bucket="landing")
        self.files: dict[str, bytes] = {}

    def land(
        self, lines: Any, *, at: datetime, gzip: bool = False, trailing_newline: bool = True
    ) -> str:
        key = self.key(at)
        self.files[key] = "\n".join(lines).encode()
        return key


class Shop:
    def __init__(self, seed: int = 7) -> None:
        self.newstore = NewStoreSandbox(clock=lambda: NOON)
        self.sales = Sales()
        self.landing = Landing()
        self.retailer = Retailer(seed, self.newstore, self.sales, self.landing)

    def lines(self) -> list[str]:
        return [line for body in self.landing.files.values() for line in body.decode().split("\n")]

    def close(self) -> None:
        self.newstore.stop()


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.close()


@pytest.fixture(scope="module")
def demo() -> Iterator[tuple[Shop, DemoDay]]:
    shop = Shop()
    yield shop, shop.retailer.demo_day(NOON)
    shop.close()


def parsed(line: str) -> Any:
    return json.loads(line, parse_float=Decimal)


def refunds_in(lines: list[str]) -> list[Any]:
    events = [parsed(line) for line in lines if line.endswith("}}")]
    return [one["payload"] for one in events if one["name"] == "refund_request.issued"]


def test_a_store_refund_is_of_an_order_handed_over_in_store_with_a_cash_sale(shop: Shop) -> None:
    refund = shop.retailer.refund("store", "EUR", CASH)
    order = shop.newstore.order(refund.order_id)
    assert {item.shipping_service_level for item in order.items} == {"IN_STORE_HANDOVER"}
    assert (order.channel_type, order.demand_location_id) == ("store", "BER01")
    sale = shop.sales.cash_sales[order.number]
    assert (sale["subsidiary"], sale["location"], sale["currency"]) == ("2", "21", "EUR")
    assert sale["total"] == order.total > refund.amount * 2


def test_an_endless_aisle_order_ships_an_item_and_is_a_sales_order(shop: Shop) -> None:
    refund = shop.retailer.refund("endless_aisle", "JPY")
    order = shop.newstore.order(refund.order_id)
    assert order.channel_type == "store"
    assert order.items[-1].shipping_service_level == "REGULAR_PARCEL"
    assert order.number in shop.sales.sales_orders


def test_a_web_order_has_no_store_and_is_a_sales_order(shop: Shop) -> None:
    refund = shop.retailer.refund("web", "USD", STRIPE)
    order = shop.newstore.order(refund.order_id)
    assert (order.channel_type, order.demand_location_id) == ("web", None)
    assert shop.sales.sales_orders[order.number]["location"] == "19"


def test_an_unknown_web_order_is_nowhere_in_the_erp(shop: Shop) -> None:
    shop.retailer.refund("web_unknown")
    assert not shop.sales.cash_sales
    assert not shop.sales.sales_orders


def test_a_refund_is_one_leg_with_its_id_as_correlation(shop: Shop) -> None:
    refund = shop.retailer.refund(tender=STRIPE, amount=Decimal("12.50"))
    legs = shop.newstore.order(refund.order_id).payments
    (leg,) = [one for one in legs if one.correlation_id == refund.refund_id]
    assert (leg.kind, leg.method, leg.provider) == ("refund", *STRIPE)
    assert leg.amount == refund.amount == Decimal("12.50")


def test_a_gift_card_is_issued_with_a_number(shop: Shop) -> None:
    refund = shop.retailer.refund(tender=GIFT_CARD)
    (leg,) = [
        one
        for one in shop.newstore.order(refund.order_id).payments
        if one.correlation_id == refund.refund_id
    ]
    assert leg.kind == "issue"
    assert len(leg.gift_card_number or "") == 16


def test_a_split_refund_is_late_with_its_last_leg_only(shop: Shop) -> None:
    later = NOON + timedelta(seconds=20)
    refund = shop.retailer.refund(
        tender=ADYEN, split_with=GIFT_CARD, payments_available_at=later, at=NOON
    )
    order = shop.newstore.order(refund.order_id)
    legs = [one for one in order.payments if one.correlation_id == refund.refund_id]
    assert [one.available_at for one in legs] == [NOON, later]
    assert sum(one.amount for one in legs) == refund.amount
    assert all(one.amount > 0 for one in legs)


def test_an_order_can_be_refunded_twice(shop: Shop) -> None:
    first = shop.retailer.refund("store", "JPY", CASH)
    second = shop.retailer.refund(tender=CASH, amount=first.amount, same_order_as=first)
    assert second.order_id == first.order_id
    assert second.currency == "JPY"
    assert second.refund_id != first.refund_id
    assert len(shop.newstore.order(first.order_id).refunds) == 2


def test_an_unmapped_tender_is_expected_to_be_held(shop: Shop) -> None:
    assert shop.retailer.refund(tender=PAYPAL).expected == "held"
    assert shop.retailer.refund(tender=ADYEN).expected == "posted"


def test_an_event_line_is_the_contracts_envelope(shop: Shop) -> None:
    refund = shop.retailer.refund(at=NOON, amount=Decimal("5.00"))
    event = parsed(refund.event_line)
    assert set(event) == {"tenant", "name", "published_at", "payload"}
    assert event["published_at"] == "2026-05-02T12:00:00.528Z"
    payload = event["payload"]
    assert payload["id"] == refund.refund_id
    assert payload["order_id"] == payload["payment_account_id"] == refund.order_id
    assert payload["requested_at"] == "2026-05-02T12:00:00.000Z"
    assert '"amount":5.0,' in refund.event_line


def test_an_amount_in_yen_is_whole(shop: Shop) -> None:
    assert shop.retailer.refund(currency="JPY").amount % 1 == 0


def test_the_same_seed_makes_the_same_data() -> None:
    days = []
    for seed in (7, 7, 8):
        shop = Shop(seed)
        day = shop.retailer.demo_day(NOON)
        days.append((day.refunds, tuple(shop.landing.files.values())))
        shop.close()
    assert days[0] == days[1] != days[2]


def test_the_places_are_those_of_the_example_mapping() -> None:
    mapping = yaml.safe_load(MAPPING.read_text(encoding="utf-8"))
    stores = {one.store_id: (one.location, one.subsidiary) for one in (*STORES, *FISCAL_STORES)}
    web = {one.currency: (one.location, one.subsidiary) for one in WEB_SHOPS}
    assert stores == {k: (v["location"], v["subsidiary"]) for k, v in mapping["stores"].items()}
    assert web == {k: (v["location"], v["subsidiary"]) for k, v in mapping["web"].items()}


def test_the_tenders_called_mapped_are_those_of_the_example_mapping() -> None:
    rows = yaml.safe_load(MAPPING.read_text(encoding="utf-8"))["tenders"]
    for method, provider in (*MAPPED, PAYPAL):
        fits = any(
            row["method"] == method and row.get("provider", provider) == provider for row in rows
        )
        assert fits == ((method, provider) in MAPPED)


def test_the_demo_has_sixty_refunds_in_three_currencies(demo: tuple[Shop, DemoDay]) -> None:
    _, day = demo
    assert len({refund.refund_id for refund in day.refunds}) == 60
    assert {refund.currency for refund in day.refunds} == {"USD", "EUR", "JPY"}
    assert {refund.kind for refund in day.refunds} >= {"store", "endless_aisle", "web"}
    assert any(len(refund.tenders) == 2 for refund in day.refunds)
    assert (day.posted, day.held) == (59, 1)


def test_the_demo_lands_every_refund_and_its_duplicates(demo: tuple[Shop, DemoDay]) -> None:
    shop, day = demo
    landed = Counter(payload["id"] for payload in refunds_in(shop.lines()))
    assert {refund.refund_id for refund in day.refunds} < set(landed)
    strangers = set(landed) - {refund.refund_id for refund in day.refunds}
    assert len(strangers) == 1  # the impossible amount
    assert sum(count - 1 for count in landed.values()) == day.duplicates


def test_the_demo_has_two_bad_lines_and_other_events(demo: tuple[Shop, DemoDay]) -> None:
    shop, day = demo
    broken, impossible, others = 0, 0, 0
    for line in filter(None, shop.lines()):
        try:
            event = parsed(line)
        except ValueError:
            broken += 1
            continue
        others += event["name"] != "refund_request.issued"
        impossible += event["payload"].get("amount") == Decimal("12.34567")
    assert (broken, impossible) == (1, 1)
    assert broken + impossible == day.rejected
    assert others == day.other_events


def test_five_refunds_of_the_demo_are_paid_15_to_40_seconds_late(
    demo: tuple[Shop, DemoDay],
) -> None:
    _, day = demo
    delays = sorted((one.payments_available_at - NOON).total_seconds() for one in day.late)
    assert len(delays) == 5
    assert delays[0] == 15
    assert delays[-1] == 40


@pytest.mark.parametrize(
    "now",
    [
        NOON,
        datetime(2026, 5, 2, 0, 0, 0, tzinfo=timezone.utc),
        datetime(2026, 5, 2, 0, 0, 0, 3000, tzinfo=timezone.utc),
        datetime(2026, 5, 2, 0, 4, tzinfo=timezone.utc),
        datetime(2026, 5, 2, 23, 59, 59, 999999, tzinfo=timezone.utc),
        datetime(2026, 5, 2, 1, 0, tzinfo=timezone(timedelta(hours=-5))),
    ],
)
def test_the_demos_files_are_named_within_the_landing_day_and_not_after_now(
    shop: Shop, now: datetime
) -> None:
    day = shop.retailer.demo_day(now)
    assert len(set(day.files)) == 6
    for key in day.files:
        milliseconds = int(key.split("/")[-1].split("-")[0])
        named = datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
        assert named.date() == day.landing_day == date(2026, 5, 2)
        assert named <= now


def test_history_lands_on_each_day_before_today(shop: Shop) -> None:
    shop.retailer.history(NOON, days=7, per_day=3)
    days = {
        datetime.fromtimestamp(int(key.split("/")[-1][:13]) / 1000, timezone.utc).date()
        for key in shop.landing.files
    }
    assert days == {date(2026, 5, 2) - timedelta(days=back) for back in range(1, 8)}
    assert len(refunds_in(shop.lines())) == 21


def test_events_carry_made_up_personal_data_to_detect_leaks(demo: tuple[Shop, DemoDay]) -> None:
    shop, _ = demo
    text = "\n".join(shop.lines())
    for marker in PERSONAL_MARKERS:
        assert marker in text


@pytest.fixture(scope="module")
def landing() -> Iterator[LandingSandbox]:
    with LandingSandbox() as landing:
        yield landing


def body_of(landing: LandingSandbox, key: str) -> bytes:
    with landing.client.get_object(Bucket=landing.bucket, Key=key)["Body"] as body:
        return body.read()


def test_a_landed_file_is_named_by_its_milliseconds(landing: LandingSandbox) -> None:
    at = datetime(2026, 5, 2, 9, 15, 31, 402999, tzinfo=timezone.utc)
    key = landing.land(["{}"], at=at)
    folder, name = key.rsplit("/", 1)
    assert folder == "newstore/events/demo"
    assert name.startswith("1777713331402-data-")
    assert name.endswith(".export")
    assert body_of(landing, key) == b"{}\n"


def test_a_landed_file_may_lack_the_last_newline(landing: LandingSandbox) -> None:
    key = landing.land(["{}", "{}"], at=NOON, trailing_newline=False)
    assert body_of(landing, key) == b"{}\n{}"


def test_a_landed_file_may_be_compressed(landing: LandingSandbox) -> None:
    key = landing.land(["{}"], at=NOON, gzip=True)
    assert gzip.decompress(body_of(landing, key)) == b"{}\n"


def test_the_landing_variables_lead_to_the_bucket(
    landing: LandingSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3

    for name, value in landing.env().items():
        monkeypatch.setenv(name, value)
    client = boto3.session.Session().client("s3")
    assert client.head_bucket(Bucket=landing.bucket)["ResponseMetadata"]["HTTPStatusCode"] == 200
    client.close()


def test_two_landing_sandboxes_do_not_share_a_bucket() -> None:
    assert LandingSandbox().bucket != LandingSandbox().bucket


def test_a_landing_sandbox_that_has_not_started_says_so() -> None:
    with pytest.raises(RuntimeError, match="not started"):
        _ = LandingSandbox().endpoint_url
