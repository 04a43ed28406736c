"""Writes GraphQL requests for many orders and reads one order's answer (contract newstore 3.2).

The query is `newstore_order.graphql`. Unknown fields are ignored, nulls tolerated, money stays
text. No customer data is asked for. Sending and splitting a request that fails is `newstore.py`.
"""

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from importlib.resources import files
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from refund_pipeline.domain.orders import Order, OrderItem

_ORDER = "order(id: $id, tenant: $tenant)"
_ITEMS = "items(first: 100"
_TIME = TypeAdapter(datetime)


@dataclass(frozen=True, slots=True)
class OrderFailed:
    """This order alone could not be read; `detail` holds codes and paths, no values."""

    detail: str


@dataclass(frozen=True, slots=True)
class OrderPage:
    """An order with one page of its items; `next_items` is where the next page starts."""

    order: Order
    next_items: str | None


def _text(value: object) -> object:
    """Take numbers for text; what is neither is of no use to us."""
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None


_Text = Annotated[str | None, BeforeValidator(_text)]


class _Tolerant(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, alias_generator=to_camel)


class _PageInfo(_Tolerant):
    has_next_page: bool | None = None
    end_cursor: str | None = None


class _Item(_Tolerant):
    product_id: _Text = None
    quantity: _Text = None
    pricebook_price: _Text = None
    item_discounts: _Text = None
    order_discounts: _Text = None
    tax: _Text = None
    shipping_service_level: str | None = None
    fulfillment_location_id: _Text = None


class _ItemEdge(_Tolerant):
    node: _Item | None = None


class _Items(_Tolerant):
    page_info: _PageInfo | None = None
    edges: list[_ItemEdge | None] | None = None


class _Order(_Tolerant):
    id: str | None = None
    external_id: _Text = None
    placed_at: _Text = None
    demand_location_id: _Text = None
    currency: str | None = None
    channel: _Text = None
    channel_type: _Text = None
    items: _Items | None = None


def orders_query(count: int) -> str:
    """Return a query for `count` orders, aliased `o0`, `o1`, ...; ids are variables."""
    variables = ", ".join(f"$id{n}: String!" for n in range(count))
    orders = " ".join(
        f"o{n}: order(id: $id{n}, tenant: $tenant) {_selection()}" for n in range(count)
    )
    return f"query Orders($tenant: String!, {variables}) {{ {orders} }}"


def next_items_query(cursor: str) -> str:
    """Return a query like `orders_query(1)` whose items start after `cursor`.

    The cursor is a literal, because the type its variable would have is not documented.
    """
    return orders_query(1).replace(_ITEMS, f"{_ITEMS}, after: {json.dumps(cursor)}")


def orders_variables(order_ids: Sequence[str], *, tenant: str) -> dict[str, str]:
    """Return the variables of `orders_query`."""
    return {"tenant": tenant} | {f"id{n}": order_id for n, order_id in enumerate(order_ids)}


@functools.cache
def _selection() -> str:
    """Return what stands inside the braces of `order`, in one line."""
    text = files("refund_pipeline.gateways").joinpath("newstore_order.graphql").read_text("utf-8")
    code = " ".join(line.strip() for line in text.splitlines() if not line.startswith("#"))
    return code.partition(_ORDER)[2].strip().removesuffix("}").strip()


def read_order(node: object, *, order_id: str) -> OrderPage | OrderFailed:
    """Read one order of an answer."""
    try:
        found = _Order.model_validate(node)
    except ValidationError as error:
        paths = {".".join(map(str, item["loc"])) for item in error.errors(include_input=False)}
        return OrderFailed(f"its answer cannot be read at {', '.join(sorted(paths)[:5]) or '$'}")
    if found.id is not None and found.id.lower() != order_id.lower():
        return OrderFailed("the answer is about another order")
    number = (found.external_id or "").strip()
    if not number:
        return OrderFailed("it has no externalId, so the ERP cannot know it")
    order = Order(
        order_id=order_id,
        order_number=number,
        placed_at=_moment(found.placed_at),
        store_id=_filled(found.demand_location_id),
        currency=(found.currency or "").strip().upper(),
        channel=_filled(found.channel),
        channel_type=_filled(found.channel_type),
        items=_items(found.items),
    )
    info = found.items.page_info if found.items else None
    if info is None or not info.has_next_page:
        return OrderPage(order, next_items=None)
    if not info.end_cursor:
        return OrderFailed("it has more items than a page, but no cursor to read them by")
    return OrderPage(order, next_items=info.end_cursor)


def _items(items: _Items | None) -> tuple[OrderItem, ...]:
    edges = (items.edges if items else None) or ()
    nodes = [edge.node for edge in edges if edge is not None and edge.node is not None]
    return tuple(
        OrderItem(
            product_id=node.product_id,
            quantity=node.quantity,
            pricebook_price=node.pricebook_price,
            item_discounts=node.item_discounts,
            order_discounts=node.order_discounts,
            tax=node.tax,
            shipping_service_level=_filled(node.shipping_service_level),
            fulfillment_location_id=node.fulfillment_location_id,
        )
        for node in nodes
    )


def _filled(text: str | None) -> str | None:
    return (text or "").strip() or None


def _moment(text: str | None) -> datetime | None:
    """Read NewStore's time: without an offset it is UTC (contract newstore 3.2)."""
    try:
        moment = _TIME.validate_python(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(
            timezone.utc
        )
    except (ValidationError, OverflowError):
        return None
