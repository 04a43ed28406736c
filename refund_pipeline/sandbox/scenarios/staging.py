"""Makes orders, sales and events of a scenario at a given moment, with ids of its own.

Ids follow from the scenario's name and a seed, so that all scenarios can stand side by side.
Payment accounts are `accounts.py`, the spelling of events `spelling.py`.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from refund_pipeline.sandbox.newstore_model import RefundRequest, SandboxItem, SandboxOrder
from refund_pipeline.sandbox.retail import (
    CUSTOMERS,
    FISCAL_STORES,
    PERSONAL_NOTES,
    REASONS,
    STORES,
    WEB_SHOPS,
    Place,
)
from refund_pipeline.sandbox.scenarios.accounts import SOLD_BEFORE, Accounts
from refund_pipeline.sandbox.scenarios.model import Order, Refund, Scenario
from refund_pipeline.sandbox.scenarios.spelling import event_lines
from refund_pipeline.sandbox.scenarios.staged import (
    Identities,
    StagedEvent,
    StagedRefund,
    StagedSale,
    StagedScenario,
)

_ITEM_WORTH = 3
"""What one item costs, in sums of the order's refunds."""


def stage(
    name: str, scenario: Scenario, *, at: datetime, seed: int = 7, tenant: str = "demo"
) -> StagedScenario:
    """Make everything of a scenario whose time zero is the aware time `at`."""
    return _Stage(name, scenario, at, seed).everything(tenant)


class _Stage:
    """Makes the parts of one scenario, always in the same order, for the ids' sake."""

    def __init__(self, name: str, scenario: Scenario, at: datetime, seed: int) -> None:
        self._name = name
        self._scenario = scenario
        self._told = scenario.order
        self._at = at
        self._ids = Identities(name, seed)
        self._place = _place(scenario.order)

    def everything(self, tenant: str) -> StagedScenario:
        refunds = [(refund, self._request(refund)) for refund in self._scenario.refunds]
        order = self._order()
        accounts = Accounts(self._told, self._ids, at=self._at, worth=order.total)
        for refund, request in refunds:
            accounts.pay(refund, request)
        order = replace(
            order,
            payments=tuple(accounts.own),
            bare_instruments=accounts.bare_instruments,
            refunds=tuple(request for _, request in refunds),
        )
        orders = [order]
        if self._told.exchange is not None:
            orders.append(self._original_of(order, accounts))
        events = [
            StagedEvent(at, line)
            for refund, request in refunds
            for at, line in event_lines(
                refund.event, request, order_id=order.id, tenant=tenant, zero=self._at
            )
        ]
        return StagedScenario(
            name=self._name,
            at=self._at,
            page_size=self._scenario.page_size,
            orders=tuple(orders),
            sales=tuple(sale for one in orders for sale in self._sales(one)),
            events=tuple(events),
            refunds=tuple(self._staged(refund, request, order) for refund, request in refunds),
            card_numbers=tuple(accounts.card_numbers),
        )

    def _staged(self, refund: Refund, request: RefundRequest, order: SandboxOrder) -> StagedRefund:
        return StagedRefund(
            scenario=self._name,
            refund_id=request.id,
            order_number=order.number,
            amount=request.amount,
            currency=request.currency,
            expected=refund.expected,
        )

    def _request(self, refund: Refund) -> RefundRequest:
        refund_id = self._ids.new()
        code, reason = self._ids.random.choice(REASONS)
        resource = refund.resource
        return RefundRequest(
            id=refund_id,
            amount=refund.amount,
            currency=refund.currency or self._told.currency,
            requested_at=self._at + timedelta(seconds=refund.requested_after),
            reason_code=code,
            reason=reason,
            note=self._ids.random.choice(PERSONAL_NOTES),
            return_id=refund_id if resource.of_return else None,  # they are equal (contract 2.4)
            is_historical=resource.historical,
            status=resource.status,
            visible_at=self._later(resource.visible_after),
            settled_at=self._later(resource.settled_after),
        )

    def _order(self) -> SandboxOrder:
        told = self._told
        customer = self._ids.random.randrange(100, 1_000)
        return SandboxOrder(
            id=self._ids.order,
            number=_number(self._ids.order),
            currency=told.currency,
            channel_type="web" if told.kind == "web" else "store",
            channel=self._place.store_id or f"WEB{told.currency}",
            demand_location_id=self._place.store_id,
            placed_at=self._at - SOLD_BEFORE,
            items=self._items(),
            visible_at=self._later(told.visible_after),
            account_at=self._later(told.account_after),
            is_historical=told.historical,
            is_exchange=told.exchange is not None,
            customer_email=None if told.guest else f"testperson.{customer}@example.invalid",
            customer_name=None if told.guest else f"Testperson {customer}",
        )

    def _original_of(self, order: SandboxOrder, accounts: Accounts) -> SandboxOrder:
        """Return the order this one was exchanged from; NewStore has always shown it."""
        return replace(
            order,
            id=self._ids.original_order,
            number=_number(self._ids.original_order),
            is_exchange=False,
            payments=tuple(accounts.original),
            bare_instruments=(),
            refunds=(),
            visible_at=None,
            account_at=None,
        )

    def _items(self) -> tuple[SandboxItem, ...]:
        told = self._told
        price = _ITEM_WORTH * sum((one.amount for one in self._scenario.refunds), Decimal(0))
        handed_over = None if told.guest else "IN_STORE_HANDOVER"
        shipped = {"store": 0, "mixed_cart": 1}.get(told.kind, told.items)
        levels = [handed_over] * (told.items - shipped) + ["REGULAR_PARCEL"] * shipped
        return tuple(
            SandboxItem(
                product_id=f"SKU-{1000 + number}",
                price=price,
                shipping_service_level=level,
                fulfillment_location_id=None if told.guest else self._place.store_id,
            )
            for number, level in enumerate(levels)
        )

    def _sales(self, order: SandboxOrder) -> list[StagedSale]:
        sale = self._told.sale
        record: Literal["cash_sale", "sales_order", "none"] = sale.record or (
            "cash_sale" if self._told.kind == "store" else "sales_order"
        )
        if record == "none":
            return []
        booked = StagedSale(
            at=self._later(sale.booked_after) or self._at,
            record=record,
            order_number=order.number,
            entity=self._ids.random.choice(CUSTOMERS[self._place.subsidiary]),
            place=self._place,
            currency=sale.currency or order.currency,
            total=order.total,
            on=order.placed_at.date(),
        )
        return [booked]

    def _later(self, seconds: float | None) -> datetime | None:
        return None if seconds is None else self._at + timedelta(seconds=seconds)


def _number(order_id: str) -> str:
    """Return the order's external number."""
    return f"SCN{order_id[:8].upper()}"


def _place(order: Order) -> Place:
    """Find where the order was placed; a store nobody knows stands beside one of its currency."""
    if order.kind == "web":
        shops = [one for one in WEB_SHOPS if one.currency == order.currency]
        return shops[0] if shops else Place(None, order.currency, "", "")
    for one in (*STORES, *FISCAL_STORES):
        if one.store_id == order.store:
            return one
    beside = next(one for one in STORES if one.currency == order.currency)
    return beside if order.store is None else replace(beside, store_id=order.store)
