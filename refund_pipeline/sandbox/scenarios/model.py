"""What a scenario says: an order, the ERP's sale, refunds with their payments, and how each ends.

All times are seconds after the scenario's own time zero, when its first refund is requested.
Reading the files is `library.py`.
"""

import re
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from refund_pipeline.sandbox.newstore_model import LegKind, RefundStatus
from refund_pipeline.sandbox.retail import ADYEN, GIFT_CARD, MINOR_DIGITS, Tender

OrderKind: TypeAlias = Literal["store", "mixed_cart", "endless_aisle", "web"]
"""Store order: all handed over, the last item shipped, all shipped; or a web order."""
Correlation: TypeAlias = Literal["own", "foreign", "return", "reduction-cancel"]
"""Whose a payment is: the refund's, nobody's we know, a return's, an order reduction's."""
Status: TypeAlias = Literal[
    "landed",
    "awaiting_payment",
    "awaiting_origin",
    "ready",
    "uncertain",
    "posted",
    "held",
    "skipped",
    "rejected",
]
"""The ledger's, and `rejected` for an event that never becomes a refund."""

_WITHOUT_REASON = frozenset({"landed", "ready", "posted", "rejected"})
_PLAIN_AMOUNT = re.compile(r"\d{1,9}(\.\d{1,4})?", re.ASCII)
_TENDER = re.compile(r"[a-z_]+/[a-z_]+", re.ASCII)


def _amount(value: object) -> object:
    if not isinstance(value, str) or not _PLAIN_AMOUNT.fullmatch(value):
        raise ValueError('is not an amount in quotes, such as "12.50"')
    return Decimal(value)


def _tender(value: object) -> object:
    if not isinstance(value, str) or not _TENDER.fullmatch(value):
        raise ValueError("is not a tender, such as credit_card/adyen")
    return tuple(value.split("/"))


Amount = Annotated[Decimal, BeforeValidator(_amount)]
TenderName = Annotated[Tender, BeforeValidator(_tender)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
LastFour = Annotated[str, StringConstraints(pattern=r"^\d{4}$")]
Sentence = Annotated[str, StringConstraints(min_length=10, max_length=120, strip_whitespace=True)]
Seconds = Annotated[float, Field(allow_inf_nan=False)]
Later = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Leg(_Part):
    """One transaction of a payment account; its currency is the refund's unless said."""

    amount: Amount
    tender: TenderName = ADYEN
    kind: LegKind = "refund"
    after: Seconds = 0
    currency: Currency | None = None
    correlation: Correlation = "own"
    account: Literal["own", "original"] = "own"
    """The order's account, or that of the order it was exchanged from."""
    instrument: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{0,20}$")] = ""
    """Tells two cards of one provider apart."""
    gift_card_last4: LastFour | None = None
    metadata: Literal["filled", "null"] = "filled"

    @model_validator(mode="after")
    def _only_gift_cards_have_numbers(self) -> "Leg":
        is_card = self.tender == GIFT_CARD and self.kind in {"issue", "void"}
        if is_card != (self.gift_card_last4 is not None):
            raise ValueError("gift_card_last4 belongs to a gift card issued, and only there")
        return self


class Sale(_Part):
    """The sale as the ERP knows it."""

    record: Literal["cash_sale", "sales_order", "none"] | None = None
    """By the kind of order when None."""
    currency: Currency | None = None
    """The order's when None."""
    booked_after: Later | None = None
    """Before the refund was requested when None."""


class Order(_Part):
    """The order as NewStore knows it."""

    kind: OrderKind = "store"
    currency: Currency = "USD"
    store: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}\d{2}$")] | None = None
    """A store of this currency when None; a store nobody knows may be named too."""
    items: Annotated[int, Field(ge=1, le=500)] = 2
    paid_with: TenderName = ADYEN
    guest: bool = False
    """Without e-mail, name and addresses; what else may be null is null."""
    historical: bool = False
    exchange: Literal["original_named", "original_unknown"] | None = None
    """The order came from an exchange; its account names the original order, or does not."""
    visible_after: Later | None = None
    account_after: Later | None = None
    """When the payment account appears; until then it is null."""
    sale_payments: Literal["visible", "instrument_only", "none"] = "visible"
    """How the account shows the sale: as it is, as an instrument without transactions, not at all.
    """
    other_payments: Annotated[tuple[Leg, ...], Field(strict=False)] = ()
    """What the account shows beside the refunds."""
    sale: Sale = Sale()

    @model_validator(mode="after")
    def _fits_together(self) -> "Order":
        if self.kind == "web" and self.store is not None:
            raise ValueError("a web order has no store")
        if any(leg.correlation == "own" for leg in self.other_payments):
            raise ValueError("other_payments belong to no refund: say their correlation")
        sold = {self.currency, self.sale.currency or self.currency}
        if self.sale.record != "none" and not sold <= MINOR_DIGITS.keys():
            raise ValueError("the ERP sandbox has no such currency: say sale: { record: none }")
        return self


class Event(_Part):
    """How the event of a refund is told."""

    lands_after: Later = 1
    amount_as: Literal["number", "text"] = "number"
    id_as: Literal["plain", "upper_case", "without_hyphens"] = "plain"
    optional_fields: Literal["filled", "left_out", "null"] = "filled"
    of_return: bool = False
    historical: bool = False
    again_after: Annotated[tuple[Later, ...], Field(strict=False)] = ()
    """When the same event lands once more."""
    otherwise_after: Later | None = None
    """When an event with this refund id and another amount lands."""


class Resource(_Part):
    """What the REST refund resource says."""

    visible_after: Later | None = None
    of_return: bool = False
    historical: bool = False
    status: RefundStatus = "succeeded"
    settled_after: Later | None = None
    """Pending until then."""


class ExpectedTender(_Part):
    """One tender line of the ERP's record."""

    tender: TenderName
    amount: Amount
    gift_card_last4: LastFour | None = None


class Checkpoint(_Part):
    """Where a refund stands at a time; its last one is where it stays."""

    at: Later
    status: Status
    reason: Annotated[str, StringConstraints(pattern=r"^[a-z_]+$")] | None = None
    tenders: Annotated[tuple[ExpectedTender, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _says_what_its_status_needs(self) -> "Checkpoint":
        if (self.reason is None) != (self.status in _WITHOUT_REASON):
            raise ValueError(f"a reason belongs to every status but {sorted(_WITHOUT_REASON)}")
        if bool(self.tenders) != (self.status == "posted"):
            raise ValueError("tenders belong to status: posted, and only there")
        return self


class Refund(_Part):
    """One refund request of the order; its currency is the order's unless said."""

    amount: Amount
    currency: Currency | None = None
    requested_after: Later = 0
    event: Event = Event()
    resource: Resource = Resource()
    payments: Annotated[tuple[Leg, ...], Field(strict=False)] = ()
    expected: Annotated[tuple[Checkpoint, ...], Field(strict=False, min_length=1)]

    @property
    def end(self) -> Checkpoint:
        """Where the refund stays."""
        return self.expected[-1]

    @field_validator("expected")
    @classmethod
    def _in_order(cls, expected: tuple[Checkpoint, ...]) -> tuple[Checkpoint, ...]:
        if any(first.at >= second.at for first, second in pairwise(expected)):
            raise ValueError("the checkpoints are not in the order of their times")
        return expected

    @model_validator(mode="after")
    def _posts_its_amount(self) -> "Refund":
        posted = sum((line.amount for line in self.end.tenders), Decimal(0))
        if self.end.status == "posted" and posted != self.amount:
            raise ValueError(f"the tenders sum to {posted}, the refund is {self.amount}")
        return self


class Scenario(_Part):
    """One named scenario."""

    description: Sentence
    contract: Annotated[str, StringConstraints(pattern=r"^\d(\.\d)?$")]
    """The section of contract/newstore.md."""
    order: Order = Order()
    refunds: Annotated[tuple[Refund, ...], Field(strict=False, min_length=1)]
    page_size: Annotated[int, Field(ge=1, le=100)] | None = None
    """The longest page of GraphQL this scenario needs."""

    @model_validator(mode="after")
    def _has_the_accounts_it_names(self) -> "Scenario":
        legs = [*self.order.other_payments, *(leg for one in self.refunds for leg in one.payments)]
        if self.order.exchange is None and any(leg.account == "original" for leg in legs):
            raise ValueError("account: original needs an order with an exchange")
        return self
