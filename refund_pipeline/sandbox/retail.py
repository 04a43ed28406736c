"""What the sandbox's retailer is made of: places, tenders, kinds of refund, and what it hands out.

The places are those of mappings/example.yaml; a test keeps them alike. Names, notes and e-mails
are made up and easy to recognise, so that a test can prove that none of them leaks.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, Protocol, TypeAlias

Kind: TypeAlias = Literal["store", "endless_aisle", "web", "web_unknown"]
"""Cash and carry; store order with a shipped item; web order; web order unknown to the ERP."""
Expected: TypeAlias = Literal["posted", "held"]
Tender: TypeAlias = tuple[str, str]
"""Payment method and provider."""

ADYEN: Tender = ("credit_card", "adyen")
STRIPE: Tender = ("credit_card", "stripe")
CASH: Tender = ("cash", "cash")
GIFT_CARD: Tender = ("gift_card", "gift_card")
PAYPAL: Tender = ("paypal", "paypal")
"""Not in the example mapping."""
MAPPED: frozenset[Tender] = frozenset({ADYEN, STRIPE, CASH, GIFT_CARD})

MINOR_DIGITS = {"USD": 2, "EUR": 2, "JPY": 0}

REASONS = ((2, "Price adjustment"), (5, "Damaged item"), (7, "Late delivery"))
PERSONAL_NOTES = (
    "Spoke to Testperson Mustermann, call back 555-0142",
    "Goodwill for Ms. Testperson, 12 Nowhere Lane",
    "お詫び Testperson 様",
)
PERSONAL_MARKERS = ("Testperson", "555-01", "@example.invalid", "Nowhere Lane")
"""Parts of made-up personal data; none of them may turn up in a log, a ledger or an ERP record."""


@dataclass(frozen=True, slots=True)
class Place:
    """A store, or the web shop of a currency (`store_id` None), and where the ERP books it."""

    store_id: str | None
    currency: str
    location: str
    subsidiary: str


STORES = (
    Place("NYC01", "USD", "11", "1"),
    Place("SFO01", "USD", "12", "1"),
    Place("BER01", "EUR", "21", "2"),
    Place("TYO01", "JPY", "31", "3"),
)
FISCAL_STORES = (Place("PAR01", "EUR", "22", "2"),)
"""Stores where NewStore does not support in-store appeasements (contract 2.6)."""
WEB_SHOPS = (
    Place(None, "USD", "19", "1"),
    Place(None, "EUR", "29", "2"),
    Place(None, "JPY", "39", "3"),
)
CUSTOMERS = {
    "1": tuple(str(number) for number in range(601, 621)),
    "2": tuple(str(number) for number in range(621, 631)),
    "3": tuple(str(number) for number in range(631, 641)),
}


@dataclass(frozen=True, slots=True)
class TenderShare:
    """What went back on one tender."""

    method: str
    provider: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class SandboxRefund:
    """One appeasement refund, as it should end up. Times are aware UTC."""

    refund_id: str
    order_id: str
    order_number: str
    kind: Kind
    amount: Decimal
    currency: str
    tenders: tuple[TenderShare, ...]
    requested_at: datetime
    payments_available_at: datetime
    """When the last payment leg appears."""
    expected: Expected
    event_line: str
    """The event as one line of JSON."""


@dataclass(frozen=True, slots=True)
class DemoDay:
    """The data of a demo: what landed, and how it should end."""

    landing_day: date
    files: tuple[str, ...]
    """Keys, oldest first."""
    refunds: tuple[SandboxRefund, ...]
    late: tuple[SandboxRefund, ...]
    """Those whose payment details come after the files."""
    posted: int
    held: int
    rejected: int
    duplicates: int
    other_events: int


class SalesLedger(Protocol):
    """What the retailer needs of the ERP sandbox."""

    def add_cash_sale(
        self,
        *,
        external_id: str,
        entity: str,
        subsidiary: str,
        location: str,
        currency: str,
        total: Decimal,
        on: date,
    ) -> str:
        """Book a cash sale."""

    def add_sales_order(
        self,
        *,
        external_id: str,
        entity: str,
        subsidiary: str,
        location: str,
        currency: str,
        total: Decimal,
        on: date,
    ) -> str:
        """Enter a sales order."""


def minor_unit(currency: str) -> Decimal:
    """Return the smallest amount of a currency."""
    return Decimal(1).scaleb(-MINOR_DIGITS[currency])
