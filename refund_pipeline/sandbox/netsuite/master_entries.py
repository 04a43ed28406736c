"""The kinds of entries in an account's lists; references are internal ids.

The lists themselves are `master_data.py`, what is in them at the start `master_defaults.py`.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

EVERYWHERE: frozenset[str] = frozenset()
"""The subsidiaries of an entry that is restricted to none."""


@dataclass(frozen=True, slots=True)
class Subsidiary:
    """A legal entity; `tax_rate` is what its taxable items bear, in percent."""

    id: str
    name: str
    currency: str
    country: str
    tax_rate: Decimal = Decimal(10)
    active: bool = True


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency; `precision` is the number of decimals an amount may have.

    `rate` is its worth in the account's base currency.
    """

    id: str
    symbol: str
    name: str
    precision: int
    rate: Decimal = Decimal(1)
    active: bool = True


@dataclass(frozen=True, slots=True)
class Location:
    """A store or warehouse of one subsidiary."""

    id: str
    name: str
    subsidiary: str
    active: bool = True


@dataclass(frozen=True, slots=True)
class Classification:
    """A class, the segment of that name."""

    id: str
    name: str
    subsidiaries: frozenset[str] = EVERYWHERE
    active: bool = True


@dataclass(frozen=True, slots=True)
class Department:
    """A department."""

    id: str
    name: str
    subsidiaries: frozenset[str] = EVERYWHERE
    active: bool = True


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer: its primary subsidiary and currency, and the others it may use."""

    id: str
    name: str
    subsidiary: str
    currency: str
    active: bool = True
    other_subsidiaries: frozenset[str] = frozenset()
    other_currencies: frozenset[str] = frozenset()

    @property
    def subsidiaries(self) -> frozenset[str]:
        """Every subsidiary it belongs to."""
        return self.other_subsidiaries | {self.subsidiary}

    @property
    def currencies(self) -> frozenset[str]:
        """Every currency it has."""
        return self.other_currencies | {self.currency}


@dataclass(frozen=True, slots=True)
class Item:
    """An item; `base_price` is what a line without rate and amount is priced at.

    `cost` is what one piece is worth on stock; only an `InvtPart` is kept there.
    """

    id: str
    name: str
    item_type: str
    account: str
    subsidiaries: frozenset[str]
    taxable: bool = False
    active: bool = True
    base_price: Decimal = Decimal(10)
    cost: Decimal = Decimal(0)
    subtype: str = "Sale"

    @property
    def stocked(self) -> bool:
        """Whether lines with it move goods."""
        return self.item_type == "InvtPart"


@dataclass(frozen=True, slots=True)
class Account:
    """A general-ledger account."""

    id: str
    number: str
    name: str
    account_type: str
    subsidiaries: frozenset[str] = EVERYWHERE
    active: bool = True


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """A payment option; NetSuite itself moves money for one that is not offline.

    `undeposited` is "Group with Undeposited Funds", which beats the account of a transaction.
    """

    id: str
    name: str
    offline: bool
    undeposited: bool = False
    account: str | None = None
    active: bool = True


@dataclass(frozen=True, slots=True)
class Period:
    """A month of the accounting calendar."""

    id: str
    name: str
    start: date
    end: date
    closed: bool = False
    receivables_locked: bool = False
    all_locked: bool = False

    @property
    def open(self) -> bool:
        """Whether a cash refund may be dated in it."""
        return not (self.closed or self.receivables_locked or self.all_locked)


@dataclass(frozen=True, slots=True)
class Form:
    """A form for cash refunds: the properties it demands of the body and of each line."""

    id: str
    name: str
    mandatory: tuple[str, ...] = ("entity", "customForm", "subsidiary", "location", "currency")
    line_mandatory: tuple[str, ...] = ()


def allowed_in(subsidiaries: frozenset[str], subsidiary: str) -> bool:
    """Say whether an entry restricted to `subsidiaries` may be used in this one."""
    return not subsidiaries or subsidiary in subsidiaries
