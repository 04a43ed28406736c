"""Which rows the mapping lacks for what was seen: tenders, places, currencies, reasons.

The ids are for finance to fill in; how rows are written is `steps/suggestions.py`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeAlias

from refund_pipeline.domain.mapping import Mapping as RefundMapping
from refund_pipeline.domain.orders import Order
from refund_pipeline.domain.payments import PaymentLine

Section: TypeAlias = Literal[
    "tenders", "stores", "web", "currencies", "appeasement_items.by_reason_code"
]
SECTIONS: tuple[Section, ...] = (
    *("currencies", "tenders", "stores", "web"),
    "appeasement_items.by_reason_code",
)
"""In the order of the file."""


@dataclass(slots=True)
class Tally:
    """How many refunds, and how much money by currency, something was seen with."""

    refunds: int = 0
    amounts: dict[str, Decimal] = field(default_factory=dict)

    def add(self, amount: Decimal, currency: str) -> None:
        """Count one more."""
        self.refunds += 1
        self.amounts[currency] = self.amounts.get(currency, Decimal(0)) + amount


@dataclass(slots=True)
class Seen:
    """What was seen in refunds, to be held against the mapping."""

    tenders: dict[tuple[str, str, str], Tally] = field(default_factory=dict)
    """By method, provider and currency."""
    stores: dict[str, Tally] = field(default_factory=dict)
    web: dict[str, Tally] = field(default_factory=dict)
    currencies: dict[str, Tally] = field(default_factory=dict)
    reasons: dict[str, Tally] = field(default_factory=dict)
    """By reason code."""
    reason_texts: dict[str, str] = field(default_factory=dict)

    def add_event(
        self, amount: Decimal, currency: str, reason_code: str | None, reason: str | None
    ) -> None:
        """Count what an event alone shows."""
        self.currencies.setdefault(currency, Tally()).add(amount, currency)
        if reason_code is not None:
            self.reasons.setdefault(reason_code, Tally()).add(amount, currency)
            if reason:
                self.reason_texts[reason_code] = reason

    def add_order(self, order: Order, amount: Decimal, currency: str) -> None:
        """Count where a refund is booked."""
        if order.is_store_order:
            store = order.store_id or order.channel
            if store:
                self.stores.setdefault(store, Tally()).add(amount, currency)
        else:
            self.web.setdefault(currency, Tally()).add(amount, currency)

    def add_payments(self, lines: Iterable[PaymentLine]) -> None:
        """Count how money went back."""
        for line in lines:
            key = (line.method, line.provider, line.currency)
            self.tenders.setdefault(key, Tally()).add(line.amount, line.currency)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A row that the mapping lacks; `values` are its known fields, in order."""

    section: Section
    key: str
    """The row's key; empty for a row of the list of tenders."""
    values: Mapping[str, str]
    tally: Tally
    about: str = ""
    """What else helps to fill it in."""


def suggestions(seen: Seen, mapping: RefundMapping | None) -> list[Suggestion]:
    """Return the rows `mapping` lacks, by section, the most refunds first; None lacks all."""
    found = [*_tenders(seen, mapping), *_places(seen, mapping), *_codes(seen, mapping)]
    return sorted(found, key=lambda one: (SECTIONS.index(one.section), -one.tally.refunds, one.key))


def _tenders(seen: Seen, mapping: RefundMapping | None) -> Iterator[Suggestion]:
    rows: dict[tuple[tuple[str, str], ...], Tally] = {}
    for (method, provider, currency), tally in sorted(seen.tenders.items()):
        if mapping is not None and mapping.tender(method, provider, currency) is not None:
            continue
        values = {"method": method, "provider": provider}
        if mapping is not None and _goes_by_currency(method, mapping):
            values = {"method": method, "currency": currency}
        merged = rows.setdefault(tuple(values.items()), Tally())
        merged.refunds += tally.refunds
        for code, amount in tally.amounts.items():
            merged.amounts[code] = merged.amounts.get(code, Decimal(0)) + amount
    for row, tally in rows.items():
        yield Suggestion("tenders", "", dict(row), tally)


def _goes_by_currency(method: str, mapping: RefundMapping) -> bool:
    """Whether the mapping tells this method apart by currency and not by provider."""
    rows = [row for row in mapping.tenders if row.method.lower() == method.lower()]
    return bool(rows) and all(row.currency and not row.provider for row in rows)


def _places(seen: Seen, mapping: RefundMapping | None) -> Iterator[Suggestion]:
    for store, tally in seen.stores.items():
        if mapping is None or store not in mapping.stores:
            yield Suggestion("stores", store, {}, tally)
    for currency, tally in seen.web.items():
        if mapping is None or currency not in mapping.web:
            yield Suggestion("web", currency, {}, tally)


def _codes(seen: Seen, mapping: RefundMapping | None) -> Iterator[Suggestion]:
    for currency, tally in seen.currencies.items():
        if mapping is None or currency not in mapping.currencies:
            yield Suggestion("currencies", currency, {}, tally)
    for code, tally in seen.reasons.items():
        if mapping is None or code not in mapping.appeasement_items.by_reason_code:
            about = seen.reason_texts.get(code, "")
            yield Suggestion("appeasement_items.by_reason_code", code, {}, tally, about)
