"""What is asked of GraphQL about orders, and how one order's answer is read."""

from datetime import datetime, timezone
from decimal import Decimal
from importlib.resources import files
from typing import Any

import graphql
import pytest

from refund_pipeline.domain.orders import Order
from refund_pipeline.gateways.newstore_orders import (
    OrderFailed,
    OrderPage,
    read_account_page,
    read_items,
    read_order,
)
from refund_pipeline.gateways.newstore_queries import (
    KNOWN_ORDER_FIELDS,
    Selection,
    instruments_query,
    items_query,
    orders_query,
)
from refund_pipeline_tests.gateways.newstore_makers import fields_of, node_of

PLAYBOOK_TEXT = """
    order externalId placedAt demandLocationId currency channel channelType paymentAccount
    instruments edges node paymentMethod paymentOrigin paymentProvider paymentAccountTransactions
    amount transactionType items productId quantity pricebookPrice itemDiscounts orderDiscounts tax
    shippingServiceLevel fulfillmentLocationId
"""
PLAYBOOK = frozenset(PLAYBOOK_TEXT.split())
PAGING = frozenset({"id", "pageInfo", "hasNextPage", "endCursor"})
EVERYTHING = Selection(
    order_fields=KNOWN_ORDER_FIELDS, transaction_fields=("correlationId", "createdAt")
)


def test_the_query_is_the_playbooks_with_what_paging_needs() -> None:
    assert fields_of(orders_query(3, Selection())) == PLAYBOOK | PAGING


def test_the_file_is_a_query_that_can_be_pasted_and_asks_for_the_same() -> None:
    text = files("refund_pipeline.gateways").joinpath("newstore_order.graphql").read_text("utf-8")
    assert fields_of(text) == fields_of(orders_query(1, Selection()))


def test_further_fields_are_asked_for_where_they_belong() -> None:
    query = orders_query(1, EVERYTHING)
    more = {"isExchange", "isHistorical", "correlationId", "createdAt"}
    assert fields_of(query) == PLAYBOOK | PAGING | more
    assert "transactionType correlationId createdAt }" in query
    assert "channelType isExchange isHistorical paymentAccount {" in query


def test_without_the_account_nothing_of_it_is_asked_for() -> None:
    fields = fields_of(orders_query(2, Selection(account=False)))
    assert not fields & {"paymentAccount", "instruments", "transactionType", "amount"}
    assert {"externalId", "channelType", "items", "fulfillmentLocationId"} <= fields


def test_no_customer_data_is_asked_for() -> None:
    assert not fields_of(orders_query(1, EVERYTHING)) & {"customerEmail", "customerId", "addresses"}


def test_every_connection_is_asked_for_by_the_page_with_its_page_info() -> None:
    unpaged: list[str] = []

    class Collect(graphql.Visitor):
        def enter_field(self, node: graphql.FieldNode, *_: Any) -> None:
            selections = node.selection_set.selections if node.selection_set else ()
            asked = {one.name.value for one in selections if isinstance(one, graphql.FieldNode)}
            if "edges" in asked and ("pageInfo" not in asked or not node.arguments):
                unpaged.append(node.name.value)

    for query in (
        orders_query(1, EVERYTHING),
        items_query("c"),
        instruments_query(EVERYTHING, first=1, after="c", transactions_after="d"),
    ):
        graphql.visit(graphql.parse(query), Collect())
    assert unpaged == []


def strings_of(query: str) -> list[str]:
    values: list[str] = []

    class Collect(graphql.Visitor):
        def enter_string_value(self, node: Any, *_: Any) -> None:
            values.append(node.value)

    graphql.visit(graphql.parse(query), Collect())
    return values


def test_the_next_page_starts_after_a_cursor_whatever_is_in_it() -> None:
    cursor = 'WyJ"\\\n} é'
    assert strings_of(items_query(cursor)) == [cursor]
    query = instruments_query(EVERYTHING, first=1, after=cursor, transactions_after="b")
    assert strings_of(query) == [cursor, "b"]
    assert "instruments(first: 1, after:" in query
    assert "paymentAccountTransactions(first: 100, after:" in query


def test_an_order_full_of_nulls_is_read() -> None:
    node = dict.fromkeys(node_of()) | {"externalId": "UN1"}
    page = read_order(node, order_id="a")
    assert isinstance(page, OrderPage)
    assert page.order == Order("a", "UN1", None, None, "", None, None, ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-02T13:45:29.678", datetime(2024, 1, 2, 13, 45, 29, 678000, timezone.utc)),
        ("2024-01-02T13:45:29.678Z", datetime(2024, 1, 2, 13, 45, 29, 678000, timezone.utc)),
        ("2024-01-02T13:45:29+02:00", datetime(2024, 1, 2, 11, 45, 29, 0, timezone.utc)),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
    ],
)
def test_a_time_without_an_offset_is_utc(text: str, expected: datetime | None) -> None:
    page = read_order(node_of(placedAt=text), order_id="a")
    assert isinstance(page, OrderPage)
    assert page.order.placed_at == expected


def test_money_is_kept_as_text_whether_it_comes_as_number_or_text() -> None:
    item = {"quantity": 2, "pricebookPrice": Decimal("12.50"), "tax": "1.10", "itemDiscounts": [1]}
    page = read_order(node_of(items={"edges": [{"node": item}, None]}), order_id="a")
    assert isinstance(page, OrderPage)
    (found,) = page.order.items
    assert (found.quantity, found.pricebook_price, found.tax) == ("2", "12.50", "1.10")
    assert found.item_discounts is None


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"externalId": None}, "no externalId"),
        ({"externalId": "  "}, "no externalId"),
        ({"id": "b"}, "about another order"),
        ({"items": "many"}, "cannot be read at $.items"),
        ({"currency": 5}, "cannot be read at $.currency"),
        ({"items": {"pageInfo": {"hasNextPage": True}, "edges": []}}, "no cursor"),
    ],
)
def test_an_order_that_cannot_be_used_fails_with_the_reason(
    changes: dict[str, Any], detail: str
) -> None:
    found = read_order(node_of(**changes), order_id="a")
    assert isinstance(found, OrderFailed)
    assert detail in found.detail


def test_exchanges_and_imported_orders_are_told() -> None:
    page = read_order(node_of(isExchange=True, isHistorical=True), order_id="a")
    assert isinstance(page, OrderPage)
    assert (page.order.is_exchange, page.order.is_historical) == (True, True)
    page = read_order(node_of(isExchange=None), order_id="a")
    assert isinstance(page, OrderPage)
    assert (page.order.is_exchange, page.order.is_historical) == (False, False)


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_text_no_database_can_hold_is_not_kept(text: str) -> None:
    page = read_order(node_of(channel=text, demandLocationId=text), order_id="a")
    assert isinstance(page, OrderPage)
    assert (page.order.channel, page.order.store_id) == (None, None)
    assert isinstance(read_order(node_of(currency=text), order_id="a"), OrderFailed)
    assert isinstance(read_order(node_of(externalId=text), order_id="a"), OrderFailed)


@pytest.mark.parametrize("node", [None, {}, {"id": "b", "items": {}, "paymentAccount": {}}])
def test_a_further_page_must_be_about_the_same_order(node: Any) -> None:
    assert isinstance(read_items(node, order_id="a"), OrderFailed)
    assert isinstance(read_account_page(node, order_id="a"), OrderFailed)
