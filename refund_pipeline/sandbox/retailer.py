"""A seeded retailer: its sales in the ERP, its orders in NewStore, and refunds of any kind.

The same seed and the same calls make the same ids and amounts. Days of events are in
`retail_days.py`.
"""

import random
import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from refund_pipeline.sandbox import retail_days
from refund_pipeline.sandbox.event_lines import refund_event
from refund_pipeline.sandbox.landing import LandingSandbox
from refund_pipeline.sandbox.newstore import NewStoreSandbox
from refund_pipeline.sandbox.newstore_model import (
    PaymentLeg,
    RefundRequest,
    SandboxItem,
    SandboxOrder,
)
from refund_pipeline.sandbox.retail import (
    ADYEN,
    CUSTOMERS,
    GIFT_CARD,
    MAPPED,
    PERSONAL_NOTES,
    REASONS,
    STORES,
    WEB_SHOPS,
    DemoDay,
    Kind,
    Place,
    SalesLedger,
    SandboxRefund,
    Tender,
    TenderShare,
    minor_unit,
)

__all__ = ["DemoDay", "Retailer", "SandboxRefund"]

_PUBLISHED_AFTER = timedelta(milliseconds=528)


class Retailer:
    """Sells and refunds through the three sandboxes, reproducibly."""

    def __init__(
        self, seed: int, newstore: NewStoreSandbox, netsuite: SalesLedger, landing: LandingSandbox
    ) -> None:
        self._random = random.Random(seed)
        self._newstore = newstore
        self._netsuite = netsuite
        self.landing = landing
        self._next_number = self._random.randrange(10_000, 900_000)

    def refund(
        self,
        kind: Kind = "store",
        currency: str = "USD",
        tender: Tender = ADYEN,
        *,
        split_with: Tender | None = None,
        amount: Decimal | None = None,
        payments_available_at: datetime | None = None,
        at: datetime | None = None,
        same_order_as: SandboxRefund | None = None,
    ) -> SandboxRefund:
        """Sell something, refund part of it, and return the refund; its event has still to land.

        Args:
            kind: The kind of order; the ERP knows its sale, except for `web_unknown`.
            currency: USD, EUR or JPY.
            tender: Where the money goes; a gift card is issued anew.
            split_with: A second tender that takes part of the amount.
            amount: A multiple of the currency's minor unit; chosen when None.
            payments_available_at: When the last payment leg appears; at once when None.
            at: When the refund is requested, aware; now when None.
            same_order_as: Refund this refund's order once more; `kind` and `currency` are its own.
        """
        requested_at = at or self._newstore.clock()
        if same_order_as is not None:
            kind, currency = same_order_as.kind, same_order_as.currency
        amount = self.amount(currency) if amount is None else amount
        if same_order_as is None:
            order = self._sell(kind, currency, amount, tender, before=requested_at)
        else:
            order = self._newstore.order(same_order_as.order_id)
        request = self.request(amount, currency, requested_at)
        shares = self._shares(amount, currency, tender, split_with)
        available_at = payments_available_at or requested_at
        legs = self._legs(request, shares, available_at)
        self._newstore.add_payments(order.id, *legs, refund=request)
        tenders = {(share.method, share.provider) for share in shares}
        return SandboxRefund(
            refund_id=request.id,
            order_id=order.id,
            order_number=order.number,
            kind=kind,
            amount=amount,
            currency=currency,
            tenders=shares,
            requested_at=requested_at,
            payments_available_at=available_at,
            expected="posted" if tenders <= MAPPED else "held",
            event_line=self.event_line(request, order.id),
        )

    def land(self, *refunds: SandboxRefund, at: datetime | None = None) -> str:
        """Land the events of `refunds` in one file and return its key."""
        lines = [refund.event_line for refund in refunds]
        return self.landing.land(lines, at=at or self._newstore.clock())

    def publish(self, refund: SandboxRefund) -> None:
        """Give the event of `refund` to NewStore's stream, for integrations registered there."""
        self._newstore.stream.publish(refund.event_line)

    def demo_day(self, now: datetime) -> DemoDay:
        """Land the demo's files on the landing day of the aware time `now`."""
        return retail_days.demo_day(self, self._random, now)

    def history(self, now: datetime, *, days: int = 7, per_day: int = 4) -> list[SandboxRefund]:
        """Land one file on each of the `days` landing days before that of `now`."""
        return retail_days.history(self, self._random, now, days=days, per_day=per_day)

    def any_refund(
        self, at: datetime, *, payments_available_at: datetime | None = None
    ) -> SandboxRefund:
        """Make a refund of any kind that can be posted."""
        kind, currency, tender, split_with = retail_days.any_recipe(self._random)
        return self.refund(
            kind,
            currency,
            tender,
            split_with=split_with,
            payments_available_at=payments_available_at,
            at=at,
        )

    def amount(self, currency: str) -> Decimal:
        """Choose an amount."""
        units = self._random.randrange(500, 8_000)
        return units * minor_unit(currency)

    def request(self, amount: Decimal, currency: str, at: datetime) -> RefundRequest:
        """Make a refund request that is not in NewStore yet."""
        code, reason = self._random.choice(REASONS)
        note = self._random.choice((*PERSONAL_NOTES, None))
        return RefundRequest(
            id=self.new_id(),
            amount=amount,
            currency=currency,
            requested_at=at,
            reason_code=code,
            reason=reason,
            note=note,
        )

    def event_line(self, request: RefundRequest, order_id: str) -> str:
        """Write the event of a refund request."""
        return refund_event(
            request,
            order_id=order_id,
            tenant=self.landing.tenant,
            published_at=request.requested_at + _PUBLISHED_AFTER,
            associate=self._random.choice((None, self._random.randrange(1, 100))),
        )

    def new_id(self) -> str:
        """Return a new uuid."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def _sell(
        self, kind: Kind, currency: str, refunded: Decimal, tender: Tender, *, before: datetime
    ) -> SandboxOrder:
        places = WEB_SHOPS if kind.startswith("web") else STORES
        place = self._random.choice([one for one in places if one.currency == currency])
        placed_at = before - timedelta(minutes=self._random.randrange(2_000, 25_000))
        self._next_number += 1
        prefix = (place.store_id or "WEB")[:2]
        customer = self._random.choice(CUSTOMERS[place.subsidiary])
        order = SandboxOrder(
            id=self.new_id(),
            number=f"{prefix}{self._next_number:09d}",
            currency=currency,
            channel_type="web" if place.store_id is None else "store",
            channel=place.store_id or f"WEB{currency}",
            demand_location_id=place.store_id,
            placed_at=placed_at,
            items=self._items(kind, currency, refunded, place),
            customer_email=f"testperson.{customer}@example.invalid",
            customer_name=f"Testperson {customer}",
        )
        self._newstore.add_order(replace(order, payments=self._sale_legs(order, tender)))
        if kind != "web_unknown":
            book = (
                self._netsuite.add_cash_sale if kind == "store" else self._netsuite.add_sales_order
            )
            book(
                external_id=order.number,
                entity=customer,
                subsidiary=place.subsidiary,
                location=place.location,
                currency=currency,
                total=order.total,
                on=placed_at.date(),
            )
        return order

    def _items(
        self, kind: Kind, currency: str, refunded: Decimal, place: Place
    ) -> tuple[SandboxItem, ...]:
        """Make items worth more than two such refunds; endless aisle ships the last one."""
        count = self._random.randrange(1, 4)
        store = kind in {"store", "endless_aisle"}
        handed_over = "IN_STORE_HANDOVER" if store else "REGULAR_PARCEL"
        items = [
            SandboxItem(
                product_id=f"SKU-{self._random.randrange(1000, 9999)}",
                price=refunded * 2 + self.amount(currency),
                tax=self._random.randrange(1, 400) * minor_unit(currency),
                shipping_service_level=handed_over,
                fulfillment_location_id=place.store_id or "WAREHOUSE",
            )
            for _ in range(count)
        ]
        if kind == "endless_aisle":
            items[-1] = replace(
                items[-1],
                shipping_service_level="REGULAR_PARCEL",
                fulfillment_location_id="WAREHOUSE",
            )
        return tuple(items)

    def _sale_legs(self, order: SandboxOrder, tender: Tender) -> tuple[PaymentLeg, ...]:
        """Authorise and capture the sale; some orders had a return whose refund is not ours."""
        method, provider = ADYEN if tender == GIFT_CARD else tender
        authorised = PaymentLeg(
            kind="authorize",
            amount=order.total,
            currency=order.currency,
            method=method,
            provider=provider,
            correlation_id=f"{order.id}-create",
            available_at=order.placed_at,
        )
        captured = replace(
            authorised,
            kind="capture",
            correlation_id=self.new_id(),
            available_at=order.placed_at + timedelta(minutes=5),
        )
        legs = [authorised, captured]
        if self._random.random() < 0.3:  # noqa: PLR2004 - three orders in ten
            returned = replace(
                captured,
                kind="refund",
                amount=order.items[0].price,
                correlation_id=self.new_id(),
                available_at=order.placed_at + timedelta(days=1),
            )
            legs.append(returned)
        return tuple(legs)

    def _shares(
        self, amount: Decimal, currency: str, tender: Tender, split_with: Tender | None
    ) -> tuple[TenderShare, ...]:
        if split_with is None:
            return (TenderShare(*tender, amount),)
        unit = minor_unit(currency)
        units = int(amount / unit)
        first = self._random.randrange(1, units) * unit
        return (TenderShare(*tender, first), TenderShare(*split_with, amount - first))

    def _card_number(self) -> str:
        return str(self._random.randrange(10**15, 10**16))

    def _legs(
        self, request: RefundRequest, shares: tuple[TenderShare, ...], available_at: datetime
    ) -> list[PaymentLeg]:
        """Book the shares; of a late split refund only the last one is late."""
        legs = []
        for position, share in enumerate(shares):
            issued = (share.method, share.provider) == GIFT_CARD
            last = position == len(shares) - 1
            legs.append(
                PaymentLeg(
                    kind="issue" if issued else "refund",
                    amount=share.amount,
                    currency=request.currency,
                    method=share.method,
                    provider=share.provider,
                    correlation_id=request.id,
                    available_at=available_at if last else request.requested_at,
                    gift_card_number=self._card_number() if issued else None,
                    instrument="" if not position else f"card-{position + 1}",
                )
            )
        return legs
