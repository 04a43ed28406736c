"""The payment accounts of a scenario: of its order, and of the order it was exchanged from.

Contract 4.1 to 4.5. Whose a transaction is follows from its correlation id.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from refund_pipeline.sandbox.newstore_model import (
    PaymentLeg,
    RefundRequest,
    SandboxInstrument,
    issued_instrument_id,
)
from refund_pipeline.sandbox.retail import CASH, Tender
from refund_pipeline.sandbox.scenarios.model import Leg, Order, Refund
from refund_pipeline.sandbox.scenarios.staged import Identities

SOLD_BEFORE = timedelta(days=3)
"""How long before its first refund an order was placed."""
_CAPTURED_AFTER = timedelta(minutes=5)
_STORE_CREDIT: Tender = ("store_credit", "store_credit")


class Accounts:
    """Makes the legs of both accounts; `worth` is what the order cost."""

    def __init__(self, order: Order, ids: Identities, *, at: datetime, worth: Decimal) -> None:
        self._order = order
        self._ids = ids
        self._at = at
        self._worth = worth
        self.card_numbers: list[str] = []
        self.own = self._sale() if order.sale_payments == "visible" else []
        self.original = [] if order.exchange is None else self._original_sale()
        self._add(self._leg(leg) for leg in order.other_payments)

    @property
    def bare_instruments(self) -> tuple[SandboxInstrument, ...]:
        """The instruments of the order's account without transactions."""
        if self._order.sale_payments != "instrument_only":
            return ()
        return (SandboxInstrument(*self._order.paid_with, currency=self._order.currency),)

    def pay(self, refund: Refund, request: RefundRequest) -> None:
        """Add the legs of a refund."""
        self._add(self._leg(leg, request) for leg in refund.payments)

    def _add(self, legs: Iterable[tuple[Leg, PaymentLeg]]) -> None:
        for told, leg in legs:
            (self.own if told.account == "own" else self.original).append(leg)

    def _sale(self) -> list[PaymentLeg]:
        """Pay the order; one that came from an exchange is paid with its store credit."""
        correlation = f"{self._ids.order}-create"
        if self._order.exchange is None:
            return self._paid(self._order.paid_with, correlation)
        return self._paid(_STORE_CREDIT, correlation, instrument_id=self._credit())

    def _original_sale(self) -> list[PaymentLeg]:
        """Pay the original order in cash; its value goes on as store credit."""
        paid = self._paid(CASH, f"{self._ids.original_order}-create")
        issued = replace(
            paid[0],
            kind="issue",
            method=_STORE_CREDIT[0],
            provider=_STORE_CREDIT[1],
            correlation_id=self._ids.exchange,
        )
        return [*paid, issued]

    def _credit(self) -> str | None:
        """Return the instrument of the store credit that paid an exchange, if it is named."""
        if self._order.exchange != "original_named":
            return None
        return issued_instrument_id(self._ids.original_order, self._ids.exchange)

    def _paid(
        self, tender: Tender, correlation: str, *, instrument_id: str | None = None
    ) -> list[PaymentLeg]:
        authorised = PaymentLeg(
            kind="authorize",
            amount=self._worth,
            currency=self._order.currency,
            method=tender[0],
            provider=tender[1],
            correlation_id=correlation,
            available_at=self._at - SOLD_BEFORE,
            instrument_id=instrument_id,
        )
        captured = replace(
            authorised,
            kind="capture",
            correlation_id=self._ids.new(),
            available_at=authorised.available_at + _CAPTURED_AFTER,
        )
        return [authorised, captured]

    def _leg(self, leg: Leg, request: RefundRequest | None = None) -> tuple[Leg, PaymentLeg]:
        of_credit = leg.tender == _STORE_CREDIT and leg.kind != "issue"
        return leg, PaymentLeg(
            kind=leg.kind,
            amount=leg.amount,
            currency=leg.currency or (request or self._order).currency,
            method=leg.tender[0],
            provider=leg.tender[1],
            correlation_id=self._correlation(leg, request),
            available_at=self._at + timedelta(seconds=leg.after),
            gift_card_number=self._card_number(leg),
            instrument=leg.instrument,
            instrument_id=self._credit() if of_credit else None,
            has_metadata=leg.metadata == "filled",
        )

    def _correlation(self, leg: Leg, request: RefundRequest | None) -> str:
        match leg.correlation:
            case "own" if request is not None:
                return request.id
            case "return":
                return self._ids.other_return
            case "reduction-cancel":
                return f"{self._ids.order}-reduction-cancel-{self._ids.random.randrange(100, 999)}"
            case _:
                return self._ids.new()

    def _card_number(self, leg: Leg) -> str | None:
        if leg.gift_card_last4 is None:
            return None
        number = f"{self._ids.random.randrange(10**11, 10**12)}{leg.gift_card_last4}"
        self.card_numbers.append(number)
        return number
