"""The account the sandbox plays: subsidiaries, currencies, locations, customers, items, periods.

The ids are those of `mappings/example.yaml`. Transactions are elsewhere (`ledger.py`).
"""

import calendar
import threading
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import TypeVar

CUSTOM_FORM = "131"
BANK_ACCOUNT = "100"
SALES_ITEM = "7001"
PRICE_LEVELS = {"-1": "Custom", "1": "Base Price"}


@dataclass(frozen=True, slots=True)
class Subsidiary:
    """A legal entity; `currency` is an internal id."""

    id: str
    name: str
    currency: str
    country: str


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency; `precision` is the number of decimals an amount may have."""

    id: str
    symbol: str
    name: str
    precision: int


@dataclass(frozen=True, slots=True)
class Location:
    """A store or warehouse of one subsidiary."""

    id: str
    name: str
    subsidiary: str
    active: bool = True


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer of one subsidiary, with that subsidiary's currency."""

    id: str
    name: str
    subsidiary: str
    currency: str
    active: bool = True


@dataclass(frozen=True, slots=True)
class Item:
    """An item; `base_price` is what a line without rate and amount is priced at."""

    id: str
    name: str
    item_type: str
    account: str
    subsidiaries: frozenset[str]
    taxable: bool = False
    active: bool = True
    base_price: Decimal = Decimal(10)


@dataclass(frozen=True, slots=True)
class Account:
    """A general-ledger account."""

    id: str
    number: str
    name: str
    account_type: str


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """A payment option; NetSuite itself moves money for one that is not offline."""

    id: str
    name: str
    offline: bool


@dataclass(frozen=True, slots=True)
class Period:
    """A month of the accounting calendar."""

    id: str
    name: str
    start: date
    end: date
    closed: bool = False


_Entry = TypeVar("_Entry", Subsidiary, Currency, PaymentMethod)


class MasterData:
    """The lists of one account. Reading needs no lock: entries are frozen and replaced whole."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.version = 0
        self.subsidiaries = _by_id(
            Subsidiary("1", "US", "1", "US"),
            Subsidiary("2", "DE", "2", "DE"),
            Subsidiary("3", "JP", "3", "JP"),
        )
        self.currencies = _by_id(
            Currency("1", "USD", "US Dollar", 2),
            Currency("2", "EUR", "Euro", 2),
            Currency("3", "JPY", "Yen", 0),
        )
        self.locations = {
            number: Location(number, f"Location {number}", subsidiary)
            for subsidiary, numbers in {
                "1": ("11", "12", "19"),
                "2": ("21", "22", "29"),
                "3": ("31", "39"),
            }.items()
            for number in numbers
        }
        self.customers = _customers()
        self.items = _items()
        self.accounts = {
            number: Account(number, f"{number}0", name, kind)
            for number, name, kind in (
                (BANK_ACCOUNT, "Bank", "Bank"),
                ("200", "Clearing", "OthCurrAsset"),
                ("210", "Gift Card Liability", "OthCurrLiab"),
                ("400", "Sales", "Income"),
                ("490", "Goodwill", "Income"),
            )
        }
        self.payment_methods = _by_id(
            PaymentMethod("1", "Cash", offline=True), PaymentMethod("5", "Card", offline=False)
        )
        self.periods = _periods()

    def currency_of(self, symbol: str) -> Currency:
        """Return the currency with this ISO code.

        Raises:
            KeyError: the account has no such currency.
        """
        for currency in self.currencies.values():
            if currency.symbol == symbol:
                return currency
        raise KeyError(symbol)

    def period_of(self, day: date) -> Period | None:
        """Return the period a day falls in, or None when the calendar has none."""
        for period in self.periods.values():
            if period.start <= day <= period.end:
                return period
        return None

    def close_period(self, month: str) -> None:
        """Close the period of a month written `2026-10`."""
        year, number = month.split("-")
        period = self.period_of(date(int(year), int(number), 1))
        if period is None:
            raise KeyError(month)
        with self._lock:
            self.periods[period.id] = replace(period, closed=True)
            self.version += 1

    def replace_item(self, item: Item) -> None:
        """Put an item in, or change it, e.g. `replace(items["9001"], active=False)`."""
        with self._lock:
            self.items[item.id] = item
            self.version += 1

    def replace_location(self, location: Location) -> None:
        """Put a location in, or change it."""
        with self._lock:
            self.locations[location.id] = location
            self.version += 1

    def replace_customer(self, customer: Customer) -> None:
        """Put a customer in, or change it."""
        with self._lock:
            self.customers[customer.id] = customer
            self.version += 1


def _customers() -> dict[str, Customer]:
    numbers = {
        "1": (501, *range(601, 621)),
        "2": (502, *range(621, 631)),
        "3": (503, *range(631, 641)),
    }
    return {
        str(number): Customer(str(number), f"Customer {number}", subsidiary, subsidiary)
        for subsidiary, members in numbers.items()
        for number in members
    }


def _items() -> dict[str, Item]:
    everywhere = frozenset({"1", "2", "3"})
    rows = [
        (SALES_ITEM, "Goods", "NonInvtPart", "400"),
        ("9001", "Goodwill", "OthCharge", "490"),
        ("9002", "Goodwill, late delivery", "OthCharge", "490"),
        ("8001", "Refund in cash", "Payment", "200"),
        ("8101", "Refund by Adyen", "Payment", "200"),
        ("8102", "Refund by Stripe", "Payment", "200"),
        ("8201", "Gift card USD", "Payment", "210"),
        ("8202", "Gift card EUR", "Payment", "210"),
        ("8203", "Gift card JPY", "Payment", "210"),
        ("8301", "Store credit", "Payment", "210"),
    ]
    return {
        number: Item(number, name, kind, account, everywhere)
        for number, name, kind, account in rows
    }


def _periods() -> dict[str, Period]:
    months = [(year, month) for year in range(2024, 2028) for month in range(1, 13)]
    periods = {}
    for position, (year, month) in enumerate(months):
        last = calendar.monthrange(year, month)[1]
        name = f"{calendar.month_abbr[month]} {year}"
        number = str(301 + position)
        periods[number] = Period(number, name, date(year, month, 1), date(year, month, last))
    return periods


def _by_id(*entries: _Entry) -> dict[str, _Entry]:
    return {entry.id: entry for entry in entries}
