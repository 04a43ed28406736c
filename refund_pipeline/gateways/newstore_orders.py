"""Reads one order of a GraphQL answer, or a further page of it (contract newstore 3.2).

Unknown fields are ignored, nulls tolerated, money of items stays text. No customer data is asked
for. Queries are written in `newstore_queries.py`, pages followed in `newstore_order_pages.py`.
"""

from dataclasses import dataclass

from pydantic import ValidationError

from refund_pipeline.domain.orders import Order, OrderItem
from refund_pipeline.domain.payments import PaymentAccount
from refund_pipeline.gateways.newstore_answers import (
    Camel,
    Connection,
    Name,
    Text,
    Unreadable,
    filled,
    moment,
    where_unreadable,
)
from refund_pipeline.gateways.newstore_payments import (
    GraphqlAccount,
    InstrumentsPage,
    read_instruments,
)


@dataclass(frozen=True, slots=True)
class OrderRead:
    """An order, and its payment account where GraphQL was asked for it and shows one."""

    order: Order
    account: PaymentAccount | None


@dataclass(frozen=True, slots=True)
class OrderFailed:
    """This order alone could not be read; `detail` holds codes and paths, no values."""

    detail: str


@dataclass(frozen=True, slots=True)
class ItemsPage:
    """One page of an order's items; `next_items` is the cursor after which the next page is."""

    items: tuple[OrderItem, ...]
    next_items: str | None


@dataclass(frozen=True, slots=True)
class OrderPage:
    """An order with the first page of its items and of its account."""

    order: Order
    next_items: str | None
    account: InstrumentsPage | None


class _Item(Camel):
    product_id: Text = None
    quantity: Text = None
    pricebook_price: Text = None
    item_discounts: Text = None
    order_discounts: Text = None
    tax: Text = None
    shipping_service_level: Name = None
    fulfillment_location_id: Text = None


class _Part(Camel):
    """What any page of an order may hold."""

    id: Name = None
    items: Connection[_Item] | None = None
    payment_account: GraphqlAccount | None = None


class _Order(_Part):
    external_id: Text = None
    placed_at: Text = None
    demand_location_id: Text = None
    currency: Name = None
    channel: Text = None
    channel_type: Text = None
    is_exchange: bool | None = None
    is_historical: bool | None = None


def read_order(node: object, *, order_id: str) -> OrderPage | OrderFailed:
    """Read one order of an answer."""
    try:
        found = _Order.model_validate(node)
        page = _items_page(found)
        account = found.payment_account
        instruments = None if account is None else read_instruments(account)
    except (ValidationError, Unreadable) as error:
        return _unreadable(error)
    if _is_another(found, order_id):
        return OrderFailed("the answer is about another order")
    number = filled(found.external_id)
    if number is None:
        return OrderFailed("it has no externalId, so the ERP cannot know it")
    order = Order(
        order_id=order_id,
        order_number=number,
        placed_at=moment(found.placed_at),
        store_id=filled(found.demand_location_id),
        currency=(found.currency or "").strip().upper(),
        channel=filled(found.channel),
        channel_type=filled(found.channel_type),
        items=page.items,
        is_exchange=bool(found.is_exchange),
        is_historical=bool(found.is_historical),
    )
    return OrderPage(order, next_items=page.next_items, account=instruments)


def read_items(node: object, *, order_id: str) -> ItemsPage | OrderFailed:
    """Read a further page of an order's items."""
    try:
        found = _Part.model_validate(node)
        if _is_another(found, order_id) or found.items is None:
            return OrderFailed("a further page of its items is about something else")
        return _items_page(found)
    except (ValidationError, Unreadable) as error:
        return _unreadable(error)


def read_account_page(node: object, *, order_id: str) -> InstrumentsPage | OrderFailed:
    """Read a further page of the payment account of an order."""
    try:
        found = _Part.model_validate(node)
        if _is_another(found, order_id) or found.payment_account is None:
            return OrderFailed("a further page of its payment account is about something else")
        return read_instruments(found.payment_account)
    except (ValidationError, Unreadable) as error:
        return _unreadable(error)


def _unreadable(error: ValidationError | Unreadable) -> OrderFailed:
    return OrderFailed(f"its answer cannot be read at {where_unreadable(error)}")


def _is_another(found: _Part, order_id: str) -> bool:
    return found.id is not None and found.id.lower() != order_id.lower()


def _items_page(found: _Part) -> ItemsPage:
    items = found.items or Connection[_Item]()
    return ItemsPage(
        items=tuple(_item(node) for _, node in items.nodes()),
        next_items=items.next_cursor("$.items"),
    )


def _item(node: _Item) -> OrderItem:
    return OrderItem(
        product_id=node.product_id,
        quantity=node.quantity,
        pricebook_price=node.pricebook_price,
        item_discounts=node.item_discounts,
        order_discounts=node.order_discounts,
        tax=node.tax,
        shipping_service_level=filled(node.shipping_service_level),
        fulfillment_location_id=node.fulfillment_location_id,
    )
