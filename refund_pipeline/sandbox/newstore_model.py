"""What the NewStore sandbox knows: orders, their items, payment legs and refund requests.

Amounts are magnitudes in `Decimal`; each API renders the sign it shows (contract 4.2). Times are
aware. None for a time of appearance means: from the beginning.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Literal, TypeAlias

LegKind: TypeAlias = Literal["authorize", "capture", "refund", "issue", "void", "revoke"]
RefundStatus: TypeAlias = Literal["pending", "succeeded", "failed"]


class Poison(Enum):
    """How reading an order goes wrong in GraphQL."""

    ORDER = "order"
    """Its field is null and `errors` names it; other orders of the request are answered."""
    REQUEST = "request"
    """Every request that asks for it fails as a whole: `data` is null."""


@dataclass(frozen=True, slots=True)
class SandboxItem:
    """One line of an order."""

    product_id: str
    price: Decimal
    quantity: int = 1
    tax: Decimal = Decimal(0)
    item_discounts: Decimal = Decimal(0)
    order_discounts: Decimal = Decimal(0)
    shipping_service_level: str | None = "IN_STORE_HANDOVER"
    fulfillment_location_id: str | None = None
    status: str = "completed"


def issued_instrument_id(order_id: str, correlation_id: str) -> str:
    """Return the instrument id of a gift card or store credit issued on an order's account.

    Seen on the account that issued it (contract 4.2). That an exchange order's account shows the
    same id for the store credit that paid it is an inference: stated nowhere, seen nowhere.
    """
    return f"{order_id}-{correlation_id}"


@dataclass(frozen=True, slots=True)
class PaymentLeg:
    """One transaction of a payment account; before `available_at` no API shows it."""

    kind: LegKind
    amount: Decimal
    currency: str
    method: str
    provider: str
    correlation_id: str
    available_at: datetime
    gift_card_number: str | None = None
    wallet: str = "direct"
    origin: str | None = None
    instrument: str = ""
    """Tells two instruments of the same method and provider apart, e.g. two cards."""
    instrument_id: str | None = None
    """Made from the other fields when None; e.g. the store credit that paid an exchange (4.5)."""
    transaction_id: str | None = None
    """Made from kind and correlation when None; one id may stand on several legs."""
    has_metadata: bool = True
    """False: metadata is null, whatever there is to tell."""
    shows_created_at: bool | None = None
    """Whether REST shows when it was created; None follows the kind and method (contract 4.2)."""

    @property
    def created_at(self) -> datetime | None:
        """When the transaction was created, or None if REST shows null.

        Unless said otherwise, an issued gift card and a void have no time; issued store credit has.
        """
        shown = self.shows_created_at
        if shown is None:
            shown = self.kind != "void" and (self.kind != "issue" or self.method == "store_credit")
        return self.available_at if shown else None

    def __post_init__(self) -> None:
        if self.amount < 0:
            raise ValueError("a leg's amount is a magnitude; its sign follows from its kind")
        if self.available_at.tzinfo is None:
            raise ValueError("available_at needs a time zone")


@dataclass(frozen=True, slots=True)
class SandboxInstrument:
    """An instrument no transaction has been booked on yet (contract 4.6)."""

    method: str
    provider: str
    currency: str
    wallet: str = "direct"
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """The REST resource behind a refund event."""

    id: str
    amount: Decimal
    currency: str
    requested_at: datetime
    reason_code: int | None = None
    reason: str | None = None
    note: str | None = None
    return_id: str | None = None
    is_historical: bool = False
    status: RefundStatus = "succeeded"
    """How it ends."""
    visible_at: datetime | None = None
    """Before this the resource is 404, and missing in the list."""
    settled_at: datetime | None = None
    """Before this it is pending, whatever its end."""

    def visible(self, now: datetime) -> bool:
        """Whether the resource is there."""
        return self.visible_at is None or self.visible_at <= now

    def status_at(self, now: datetime) -> RefundStatus:
        """Return the status the resource shows."""
        return "pending" if self.settled_at is not None and now < self.settled_at else self.status


@dataclass(frozen=True, slots=True)
class SandboxOrder:
    """One order; `id` is its uuid and its payment account's, `number` the external id."""

    id: str
    number: str
    currency: str
    channel_type: str
    channel: str
    demand_location_id: str | None
    placed_at: datetime
    items: tuple[SandboxItem, ...]
    payments: tuple[PaymentLeg, ...] = ()
    bare_instruments: tuple[SandboxInstrument, ...] = ()
    """Instruments of the account without transactions."""
    refunds: tuple[RefundRequest, ...] = ()
    tenant: str | None = None
    """Whose order it is; None for the sandbox's tenant."""
    visible_at: datetime | None = None
    """GraphQL lags behind the event stream: before this the order is null."""
    account_at: datetime | None = None
    """When the payment account appears, in both APIs."""
    has_account: bool = True
    poison: Poison | None = None
    is_historical: bool = False
    is_exchange: bool = False
    customer_email: str | None = None
    customer_name: str | None = None
    """None: a guest, and no address is kept."""
    country: str | None = None
    """Of the shipping address, ISO 3166."""
    extended_attributes: tuple[tuple[str, str], ...] = ()

    @property
    def total(self) -> Decimal:
        """What the customer paid."""
        return sum((item.price * item.quantity + item.tax for item in self.items), Decimal(0))

    def account_visible(self, now: datetime) -> bool:
        """Whether the payment account is there."""
        return self.has_account and (self.account_at is None or self.account_at <= now)

    def legs(self, now: datetime) -> tuple[PaymentLeg, ...]:
        """Return the payment legs that are there."""
        return tuple(leg for leg in self.payments if leg.available_at <= now)
