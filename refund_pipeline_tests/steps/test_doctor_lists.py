"""What NetSuite's lists can say beyond what the sandbox does: parents, zones, summaries."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, TypeVar, cast

import pytest

from refund_pipeline.domain.mapping import Mapping as RefundMapping
from refund_pipeline.gateways.netsuite_master_data import (
    Account,
    Currency,
    Customer,
    Item,
    MasterData,
    PaymentItem,
    Subsidiary,
)
from refund_pipeline.gateways.netsuite_suiteql import QueryRefused
from refund_pipeline.steps.doctor_findings import Finding, Findings, Verdict
from refund_pipeline.steps.doctor_items import check_items
from refund_pipeline.steps.doctor_lists import Reader
from refund_pipeline.steps.doctor_places import (
    check_currencies,
    check_customers,
    check_locations,
    check_subsidiaries,
)
from refund_pipeline.steps.doctor_uses import currencies_of, tender_uses
from refund_pipeline_tests.fakes import NOON, example_mapping

Entry = TypeVar("Entry")
CHARGE = Item("OthCharge", "Sale", is_active=True, is_taxable=False, account="490")
PAYMENT = Item("Payment", "", is_active=True, is_taxable=False, account=None)
SUBSIDIARIES = {
    one: Subsidiary("9", one, is_active=True, is_elimination=False) for one in ("1", "2", "3")
} | {"9": Subsidiary(None, "1", is_active=True, is_elimination=False)}
CURRENCIES = {
    number: Currency(code, is_active=True)
    for number, code in (("1", "USD"), ("2", "EUR"), ("3", "JPY"))
}
CHARGES = ("9001", "9002")
PAYMENTS = ("8001", "8101", "8102", "8201", "8202", "8203", "8301")
LOCATIONS = ("11", "12", "19", "21", "22", "29", "31", "39")


@dataclass
class FakeLists:
    """The lists of a healthy account; `hidden` ones are refused."""

    item_rows: dict[str, Item] = field(
        default_factory=lambda: dict.fromkeys(CHARGES, CHARGE) | dict.fromkeys(PAYMENTS, PAYMENT)
    )
    payment_rows: dict[str, PaymentItem] = field(
        default_factory=lambda: dict.fromkeys(PAYMENTS, PaymentItem("200", None))
    )
    account_rows: dict[str, Account] = field(
        default_factory=lambda: dict.fromkeys(
            ("200", "490"), Account(is_active=True, is_summary=False)
        )
    )
    customer_rows: dict[str, Customer] = field(
        default_factory=lambda: {
            f"50{one}": Customer(
                is_active=True, subsidiaries=frozenset({one}), currencies=frozenset({one})
            )
            for one in ("1", "2", "3")
        }
    )
    zones: dict[str, str] = field(default_factory=dict)
    allowed: frozenset[str] = frozenset({"1", "2", "3"})
    hidden: frozenset[str] = frozenset()

    def items(self, ids: Collection[str]) -> Mapping[str, Item]:
        return self._shown("item", self.item_rows)

    def payment_items(self, ids: Collection[str]) -> Mapping[str, PaymentItem]:
        return self._shown("paymentitem", self.payment_rows)

    def accounts(self, ids: Collection[str]) -> Mapping[str, Account]:
        return self._shown("account", self.account_rows)

    def locations(self, ids: Collection[str]) -> Mapping[str, bool]:
        return self._shown("location", dict.fromkeys(LOCATIONS, True))

    def location_zones(self, ids: Collection[str]) -> Mapping[str, str]:
        return self._shown("timezone", self.zones)

    def customers(self, ids: Collection[str]) -> Mapping[str, Customer]:
        return self._shown("customer", self.customer_rows)

    def subsidiaries_of(self, name: str, ids: Collection[str]) -> Mapping[str, frozenset[str]]:
        return self._shown(f"{name}subsidiarymap", dict.fromkeys(ids, self.allowed))

    def _shown(self, table: str, rows: Mapping[str, Entry]) -> Mapping[str, Entry]:
        if table in self.hidden:
            raise QueryRefused(table)
        return rows


def wrong(findings: Findings) -> list[Finding]:
    return [one for one in findings if one.verdict is not Verdict.OK]


def items_wrong(
    lists: FakeLists, mapping: RefundMapping | None = None, **known: Any
) -> list[Finding]:
    reader = Reader()
    subsidiaries = known.get("subsidiaries", SUBSIDIARIES)
    found = wrong(
        check_items(mapping or example_mapping(), cast("MasterData", lists), reader, subsidiaries)
    )
    return [*found, *reader.hidden()]


def locations_wrong(lists: FakeLists, now: datetime = NOON) -> list[Finding]:
    reader = Reader()
    found = wrong(
        check_locations(example_mapping(), cast("MasterData", lists), reader, SUBSIDIARIES, now)
    )
    return [*found, *reader.hidden()]


def customers_wrong(
    lists: FakeLists, listed: frozenset[str] | None = frozenset(), **known: Any
) -> tuple[list[Finding], list[str]]:
    asked: list[str] = []

    def record_currencies(customer: str) -> frozenset[str] | None:
        asked.append(customer)
        return listed

    found = wrong(
        check_customers(
            example_mapping(),
            cast("MasterData", lists),
            Reader(),
            SUBSIDIARIES,
            known.get("currencies", CURRENCIES),
            record_currencies,
        )
    )
    return found, asked


def test_a_healthy_account_is_all_well() -> None:
    lists = FakeLists()
    assert items_wrong(lists) == []
    assert locations_wrong(lists) == []
    assert customers_wrong(lists) == ([], [])
    assert wrong(check_subsidiaries(example_mapping(), SUBSIDIARIES)) == []
    assert wrong(check_currencies(example_mapping(), CURRENCIES)) == []


def test_what_is_available_to_a_parent_may_include_its_children() -> None:
    found = items_wrong(FakeLists(allowed=frozenset({"9"})))
    assert {one.verdict for one in found} == {Verdict.WARNING}
    assert all("is available to a parent of subsidiary" in one.what for one in found)
    assert "Include Children" in found[0].fix


def test_parents_in_a_circle_are_no_parents_of_anything() -> None:
    circle = {
        one: Subsidiary(other, None, is_active=True, is_elimination=False)
        for one, other in (("1", "2"), ("2", "3"), ("3", "1"))
    }
    found = items_wrong(FakeLists(allowed=frozenset({"9"})), subsidiaries=circle)
    assert {one.verdict for one in found} == {Verdict.ERROR}


def test_silence_about_taxes_is_one_warning_for_all_items() -> None:
    lists = FakeLists()
    for internal_id in ("8001", "8101"):
        lists.item_rows[internal_id] = Item(
            "Payment", "", is_active=True, is_taxable=None, account=None
        )
    (found,) = items_wrong(lists)
    assert found.verdict is Verdict.WARNING
    assert "whether items 8001, 8101 are taxable" in found.what


def test_a_payment_item_that_posts_nowhere_is_an_error() -> None:
    lists = FakeLists()
    lists.payment_rows["8301"] = PaymentItem(None, None)
    (found,) = items_wrong(lists)
    assert found.verdict is Verdict.ERROR
    assert "payment item 8301 names neither an account nor a payment method" in found.what
    assert "give item 8301 the tender's clearing account" in found.fix


def test_a_payment_item_may_post_to_what_its_method_decides() -> None:
    lists = FakeLists()
    lists.payment_rows["8301"] = PaymentItem(None, "7")
    assert items_wrong(lists) == []


def test_a_summary_account_takes_no_postings() -> None:
    lists = FakeLists()
    lists.account_rows["490"] = Account(is_active=True, is_summary=True)
    (found,) = items_wrong(lists)
    assert "account 490 is a summary account" in found.what
    assert "the account of item 9001 (appeasement_items.default)" in found.what


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("item", "its items"),
        ("paymentitem", "its payment items"),
        ("itemsubsidiarymap", "its subsidiaries of items"),
        ("account", "its accounts"),
        ("accountsubsidiarymap", "its subsidiaries of accounts"),
    ],
)
def test_a_list_that_is_hidden_is_one_warning(table: str, said: str) -> None:
    (found,) = items_wrong(FakeLists(hidden=frozenset({table})))
    assert found.verdict is Verdict.WARNING
    assert said in found.what


@pytest.mark.parametrize("table", ["location", "timezone", "locationsubsidiarymap"])
def test_a_hidden_list_of_locations_is_one_warning(table: str) -> None:
    (found,) = locations_wrong(FakeLists(hidden=frozenset({table})))
    assert found.verdict is Verdict.WARNING


def test_a_store_in_another_zone_than_netsuite_s_is_worth_a_look() -> None:
    (found,) = locations_wrong(FakeLists(zones={"12": "America/New_York"}))
    assert found.verdict is Verdict.WARNING
    assert found.what.startswith("stores.SFO01.zone is America/Los_Angeles")
    assert "correct stores.SFO01.zone" in found.fix


@pytest.mark.parametrize("zone", ["America/Detroit", "(GMT-05:00) Eastern Time", "", "../etc"])
def test_a_zone_that_is_equal_or_none_says_nothing(zone: str) -> None:
    assert locations_wrong(FakeLists(zones={"11": zone})) == []


def test_zones_that_differ_in_summer_only_differ() -> None:
    winter = datetime(2026, 12, 1, tzinfo=timezone.utc)
    (found,) = locations_wrong(FakeLists(zones={"21": "Africa/Lagos"}), winter)
    assert "stores.BER01.zone" in found.what


def test_an_elimination_subsidiary_takes_no_refunds() -> None:
    subsidiaries = SUBSIDIARIES | {"3": Subsidiary(None, "3", is_active=True, is_elimination=True)}
    (found,) = wrong(check_subsidiaries(example_mapping(), subsidiaries))
    assert "subsidiary 3 is an elimination subsidiary" in found.what
    assert "stores.TYO01.subsidiary, web.JPY.subsidiary" in found.fix


def test_a_subsidiary_that_does_not_exist_is_named_with_its_places() -> None:
    known = {one: row for one, row in SUBSIDIARIES.items() if one != "2"}
    (found,) = wrong(check_subsidiaries(example_mapping(), known))
    assert "NetSuite shows no subsidiary 2" in found.what
    assert "stores.BER01.subsidiary" in found.what


def test_a_currency_the_account_does_not_have_is_added_there() -> None:
    known = {number: row for number, row in CURRENCIES.items() if row.symbol != "JPY"}
    (found,) = wrong(check_currencies(example_mapping(), known))
    assert found.fix == "add JPY in NetSuite first"


def without_yen() -> FakeLists:
    lists = FakeLists()
    lists.customer_rows["503"] = Customer(
        is_active=True, subsidiaries=frozenset({"3"}), currencies=frozenset()
    )
    return lists


def test_a_customer_s_record_is_asked_only_where_search_shows_too_little() -> None:
    assert customers_wrong(FakeLists())[1] == []
    assert customers_wrong(without_yen(), frozenset({"1", "3"})) == ([], ["503"])


def test_a_customer_the_role_may_not_read_is_a_warning() -> None:
    ((found,), _) = customers_wrong(without_yen(), None)
    assert found.verdict is Verdict.WARNING
    assert "may not read customer 503" in found.what


def test_a_currency_that_is_a_finding_already_is_not_one_of_the_customer() -> None:
    mistaken = CURRENCIES | {"3": Currency("XXX", is_active=True)}
    assert customers_wrong(without_yen(), currencies=mistaken) == ([], [])


def test_a_subsidiary_s_currencies_are_its_own_and_those_of_its_web_orders() -> None:
    mapping = example_mapping()
    assert currencies_of(mapping, "1", SUBSIDIARIES) == {"USD"}
    web = {**mapping.web, "EUR": mapping.web["USD"]}
    moved = mapping.model_copy(update={"web": web})
    assert currencies_of(moved, "1", SUBSIDIARIES) == {"USD", "EUR"}
    assert currencies_of(moved, "2", SUBSIDIARIES) == {"EUR"}
    assert currencies_of(mapping, "2", {}) == {"EUR"}


def test_a_tender_of_one_currency_is_used_where_that_currency_is() -> None:
    uses = tender_uses(example_mapping(), "item", SUBSIDIARIES)
    where = {use.internal_id: use.subsidiaries for use in uses}
    assert where["8001"] == {"1", "2", "3"}
    assert where["8203"] == {"3"}
