"""NewStore's GraphQL endpoint, executed by graphql-core over `newstore_schema.graphql`.

What an order looks like is decided here; HTTP, tokens and faults are not (`newstore_front.py`).
Times have no offset (contract 3.2); how money is spelled is `newstore_money.py`, and pages are
`newstore_connections.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    execute_sync,
    extend_schema,
    parse,
    validate,
)

from refund_pipeline.sandbox.newstore_connections import View, connection
from refund_pipeline.sandbox.newstore_model import PaymentLeg, Poison, SandboxItem, SandboxOrder
from refund_pipeline.sandbox.newstore_money import MoneyWriter
from refund_pipeline.sandbox.newstore_payments import Instrument, instruments_of, signed_amount

MOST_ORDERS = 100
"""Orders per request; no limit is known, 100 were seen (contract 6), so more is refused."""

_CORRELATION = "extend type PaymentAccountTransaction { correlationId: String }"


class WholeRequestFailed(Exception):
    """A poisoned order takes the whole request down."""


@dataclass(slots=True)
class Asked:
    """The context of one request: what it may see, and how many orders it asked for."""

    now: datetime
    tenant: str
    orders: Mapping[str, SandboxOrder]
    page_size: int
    render_zone: bool
    money: MoneyWriter
    orders_asked: int = field(default=0)


class GraphQl:
    """The schema, and its execution."""

    def __init__(self, *, show_correlation_id: bool) -> None:
        self._schema = load_schema(show_correlation_id=show_correlation_id)
        self._documents: Callable[[str], DocumentNode | list[GraphQLError]] = lru_cache(32)(
            self._prepare
        )

    def execute(
        self, query: str, variables: Mapping[str, Any] | None, operation: str | None, asked: Asked
    ) -> tuple[int, dict[str, Any]]:
        """Run a query and return the HTTP status and the body.

        A query that cannot run is 400; a resolver that fails is 200 with `errors` (contract 3.2).
        """
        document = self._documents(query)
        if isinstance(document, list):
            return 400, {"errors": [error.formatted for error in document]}
        result: ExecutionResult = execute_sync(
            self._schema,
            document,
            root_value={"order": _order, "orders": _orders},
            context_value=asked,
            variable_values=dict(variables) if variables else None,
            operation_name=operation,
        )
        errors = result.errors or []
        if any(isinstance(error.original_error, WholeRequestFailed) for error in errors):
            return 200, failed_query()
        body: dict[str, Any] = {"data": result.data}
        if errors:
            body = {"errors": [error.formatted for error in errors], **body}
        never_ran = result.data is None and all(error.path is None for error in errors)
        return 400 if never_ran else 200, body

    def _prepare(self, query: str) -> DocumentNode | list[GraphQLError]:
        try:
            document = parse(query)
        except GraphQLError as error:
            return [error]
        for definition in document.definitions:
            if not isinstance(definition, OperationDefinitionNode):
                continue
            if len(definition.selection_set.selections) > MOST_ORDERS:
                return [GraphQLError(f"A query may have at most {MOST_ORDERS} root fields.")]
        return validate(self._schema, document) or document


@lru_cache(maxsize=2)
def load_schema(*, show_correlation_id: bool) -> GraphQLSchema:
    """Read the SDL; a transaction's `correlationId` exists only if asked for (contract 3.2)."""
    text = Path(__file__).with_name("newstore_schema.graphql").read_text(encoding="utf-8")
    schema = build_schema(text)
    return extend_schema(schema, parse(_CORRELATION)) if show_correlation_id else schema


def failed_query() -> dict[str, Any]:
    """Return the body of a request that failed as a whole."""
    return {"errors": [{"message": "Internal error: upstream request failed."}], "data": None}


def _order(info: GraphQLResolveInfo, *, id: str, tenant: str) -> View | None:  # noqa: A002 - the schema's name
    asked: Asked = info.context
    asked.orders_asked += 1
    order = asked.orders.get(id)
    if order is None or tenant != asked.tenant or not _is_visible(order, asked):
        return None
    return _order_view(order, asked)


def _orders(info: GraphQLResolveInfo, **arguments: Any) -> View:
    asked: Asked = info.context
    everyone = [
        {"id": order.id, "externalId": order.number, "order": order}
        for order in sorted(asked.orders.values(), key=lambda order: order.id)
        if _is_visible(order, asked)
    ]
    first = arguments.get("first")
    arguments["first"] = MOST_ORDERS if first is None else min(first, MOST_ORDERS)
    page = _page(everyone, asked)(info, **arguments)
    asked.orders_asked += len(page["nodes"])
    for edge in page["edges"]:
        edge["node"] = _order_view(edge["node"]["order"], asked)
    page["nodes"] = [edge["node"] for edge in page["edges"]]
    return page


def _is_visible(order: SandboxOrder, asked: Asked) -> bool:
    tenant = order.tenant or asked.tenant
    return tenant == asked.tenant and (order.visible_at is None or order.visible_at <= asked.now)


def _order_view(order: SandboxOrder, asked: Asked) -> View:
    if order.poison is Poison.REQUEST:
        raise WholeRequestFailed
    if order.poison is Poison.ORDER:
        raise GraphQLError("Internal error: the order could not be read.")
    taxes = sum((item.tax for item in order.items), Decimal(0))
    money = asked.money.write
    account = _account_view(order, asked) if order.account_visible(asked.now) else None
    return {
        "id": order.id,
        "tenant": asked.tenant,
        "externalId": order.number,
        "placedAt": _time(order.placed_at, asked),
        "demandLocationId": order.demand_location_id,
        "currency": order.currency,
        "channel": order.channel,
        "channelType": order.channel_type,
        "isExchange": order.is_exchange,
        "isHistorical": order.is_historical,
        "customerEmail": order.customer_email,
        "taxExempt": False,
        "taxStrategy": "tax_included",
        "taxTotal": money(taxes),
        "subtotal": money(order.total - taxes),
        "grandTotal": money(order.total),
        "shippingTax": money(Decimal(0)),
        "shippingTotal": money(Decimal(0)),
        "paymentAccount": account,
        "items": _page(
            [_item_view(order, number, item, asked) for number, item in enumerate(order.items)],
            asked,
        ),
        "discounts": _page([], asked),
        "addresses": _page(_addresses(order), asked),
        "extendedAttributes": _page(
            [{"name": name, "value": value} for name, value in order.extended_attributes], asked
        ),
    }


def _item_view(order: SandboxOrder, number: int, item: SandboxItem, asked: Asked) -> View:
    money = asked.money.write
    return {
        "id": f"{order.id}-{number}",
        "productId": item.product_id,
        "quantity": item.quantity,
        "pricebookPrice": money(item.price),
        "listPrice": money(item.price),
        "itemDiscounts": money(item.item_discounts),
        "orderDiscounts": money(item.order_discounts),
        "tax": money(item.tax),
        "shippingServiceLevel": item.shipping_service_level,
        "fulfillmentLocationId": item.fulfillment_location_id,
        "status": item.status,
    }


def _addresses(order: SandboxOrder) -> list[View]:
    if order.customer_name is None:
        return []
    first, _, last = order.customer_name.partition(" ")
    address = {"addressType": "shipping", "firstName": first, "lastName": last, "phone": "555-0100"}
    return [{**address, "country": order.country}]


def _account_view(order: SandboxOrder, asked: Asked) -> View:
    instruments = [_instrument_view(one, asked) for one in instruments_of(order, asked.now)]
    transactions = [one for view in instruments for one in view["legs"]]
    return {
        "instruments": _page(instruments, asked),
        "transactions": _page(transactions, asked),
    }


def _instrument_view(instrument: Instrument, asked: Asked) -> View:
    view: View = {
        "paymentMethod": instrument.method,
        "paymentOrigin": instrument.origin,
        "paymentProvider": instrument.provider,
        "paymentWallet": instrument.wallet,
    }
    view["legs"] = [_leg_view(leg, view, asked) for leg in instrument.legs]
    view["paymentAccountTransactions"] = _page(view["legs"], asked)
    return view


def _leg_view(leg: PaymentLeg, instrument: View, asked: Asked) -> View:
    return {
        "amount": asked.money.write(signed_amount(leg)),
        "currency": leg.currency,
        "transactionType": leg.kind,
        "correlationId": leg.correlation_id,
        "instrument": instrument,
    }


def _time(moment: datetime, asked: Asked) -> str:
    text = moment.astimezone(timezone.utc).replace(tzinfo=None).isoformat(timespec="milliseconds")
    return text + "Z" if asked.render_zone else text


def _page(nodes: list[View], asked: Asked) -> Callable[..., View]:
    return connection(nodes, page_size=asked.page_size)
