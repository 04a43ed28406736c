"""The lists of the account the sandbox plays: subsidiaries, currencies, customers, items, periods.

Transactions are elsewhere (`books.py`), what the lists hold at the start in `master_defaults.py`.
"""

import threading
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from refund_pipeline.sandbox.netsuite import master_defaults as defaults
from refund_pipeline.sandbox.netsuite.master_entries import (
    Account,
    Classification,
    Currency,
    Customer,
    Department,
    Form,
    Item,
    Location,
    PaymentMethod,
    Period,
    Subsidiary,
)

Entry = (
    Account
    | Classification
    | Currency
    | Customer
    | Department
    | Form
    | Item
    | Location
    | PaymentMethod
    | Period
    | Subsidiary
)
_Entry = TypeVar("_Entry", bound=Entry)


class MasterData:
    """The lists of one account. Reading needs no lock: entries are frozen and replaced whole."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.version = 0
        self.subsidiaries = _by_id(defaults.subsidiaries())
        self.currencies = _by_id(defaults.currencies())
        self.locations = _by_id(defaults.locations())
        self.classes = _by_id(defaults.classes())
        self.departments = _by_id(defaults.departments())
        self.customers = _by_id(defaults.customers())
        self.items = _by_id(defaults.items())
        self.accounts = _by_id(defaults.accounts())
        self.payment_methods = _by_id(defaults.payment_methods())
        self.periods = _by_id(defaults.periods())
        self.forms = _by_id(defaults.forms())
        self._lists: dict[type, dict[str, Any]] = {
            Account: self.accounts,
            Classification: self.classes,
            Currency: self.currencies,
            Customer: self.customers,
            Department: self.departments,
            Form: self.forms,
            Item: self.items,
            Location: self.locations,
            PaymentMethod: self.payment_methods,
            Period: self.periods,
            Subsidiary: self.subsidiaries,
        }

    def put(self, entry: Entry) -> None:
        """Put an entry in, or change it, e.g. `put(replace(items["9001"], active=False))`."""
        with self._lock:
            self._lists[type(entry)][entry.id] = entry
            self.version += 1

    def remove(self, entry: Entry) -> None:
        """Take an entry out: its id is unknown from now on."""
        with self._lock:
            del self._lists[type(entry)][entry.id]
            self.version += 1

    def replace_item(self, item: Item) -> None:
        """Put an item in, or change it."""
        self.put(item)

    def replace_location(self, location: Location) -> None:
        """Put a location in, or change it."""
        self.put(location)

    def replace_customer(self, customer: Customer) -> None:
        """Put a customer in, or change it."""
        self.put(customer)

    def currency_of(self, symbol: str) -> Currency:
        """Return the currency with this ISO code.

        Raises:
            KeyError: the account has no such currency.
        """
        for currency in self.currencies.values():
            if currency.symbol == symbol:
                return currency
        raise KeyError(symbol)

    def exchange_rate(self, currency: str, subsidiary: str) -> Decimal:
        """Return what one unit of a currency is worth in a subsidiary's, to eight decimals."""
        base = self.currencies[self.subsidiaries[subsidiary].currency]
        return round(self.currencies[currency].rate / base.rate, 8).normalize()

    def period_of(self, day: date) -> Period | None:
        """Return the period a day falls in, or None when the calendar has none."""
        for period in self.periods.values():
            if period.start <= day <= period.end:
                return period
        return None

    def close_period(self, month: str) -> None:
        """Close the period of a month written `2026-10`."""
        self.put(replace(self._period(month), closed=True))

    def lock_receivables(self, month: str) -> None:
        """Lock a month for receivables only; its period stays open."""
        self.put(replace(self._period(month), receivables_locked=True))

    def remove_period(self, month: str) -> None:
        """Take a month out of the calendar."""
        self.remove(self._period(month))

    def _period(self, month: str) -> Period:
        year, number = month.split("-")
        period = self.period_of(date(int(year), int(number), 1))
        if period is None:
            raise KeyError(month)
        return period


def _by_id(entries: Iterable[_Entry]) -> dict[str, _Entry]:
    return {entry.id: entry for entry in entries}
