"""Follows the pages of one order to their ends: its items, and the instruments and transactions.

The cursor of a nested connection applies to every instrument of a page. An instrument with more
transactions than a page is therefore asked for alone: the instruments before it on its page are
asked for first, which gives the cursor it stands behind.
"""

import dataclasses
from collections.abc import Callable

from refund_pipeline.domain.orders import OrderItem
from refund_pipeline.domain.payments import PaymentAccount, PaymentTransaction
from refund_pipeline.gateways.newstore_graphql import GraphqlAnswer, GraphqlRefusal
from refund_pipeline.gateways.newstore_orders import (
    OrderFailed,
    OrderPage,
    OrderRead,
    read_account_page,
    read_items,
)
from refund_pipeline.gateways.newstore_payments import InstrumentsPage
from refund_pipeline.gateways.newstore_queries import (
    PAGE,
    Selection,
    instruments_query,
    items_query,
)

_MOST_PAGES = 100


def complete(
    page: OrderPage, ask: Callable[[str], GraphqlAnswer], selection: Selection
) -> OrderRead | OrderFailed:
    """Read what is left of an order; `ask` sends a query for this order alone."""
    order_id = page.order.order_id
    items = _all_items(page, ask, order_id)
    if isinstance(items, OrderFailed):
        return items
    order = dataclasses.replace(page.order, items=items)
    if page.account is None:
        return OrderRead(order, account=None)
    transactions = _all_transactions(page.account, ask, selection, order_id)
    if isinstance(transactions, OrderFailed):
        return transactions
    return OrderRead(order, PaymentAccount(transactions))


def _all_items(
    page: OrderPage, ask: Callable[[str], GraphqlAnswer], order_id: str
) -> tuple[OrderItem, ...] | OrderFailed:
    items, cursor = page.order.items, page.next_items
    for _ in range(_MOST_PAGES):
        if cursor is None:
            return items
        answer = ask(items_query(cursor))
        if isinstance(answer, GraphqlRefusal):
            return OrderFailed(f"reading its further items: {answer.detail}")
        following = read_items(answer.data.get("o0"), order_id=order_id)
        if isinstance(following, OrderFailed):
            return following
        items, cursor = items + following.items, following.next_items
    return OrderFailed(f"it has more than {_MOST_PAGES} pages of items")


def _all_transactions(
    page: InstrumentsPage,
    ask: Callable[[str], GraphqlAnswer],
    selection: Selection,
    order_id: str,
) -> tuple[PaymentTransaction, ...] | OrderFailed:
    found: list[PaymentTransaction] = []
    after: str | None = None
    for _ in range(_MOST_PAGES):
        first, transactions_after = PAGE, None
        if page.cut is not None and page.instruments > 1:
            first = max(page.cut, 1)  # this page again, but only up to the one that is cut
        else:
            found.extend(page.transactions)
            if page.cut is not None:
                first, transactions_after = 1, page.next_transactions
            elif page.next_instruments is None:
                return tuple(found)
            else:
                after = page.next_instruments
        answer = ask(
            instruments_query(
                selection, first=first, after=after, transactions_after=transactions_after
            )
        )
        if isinstance(answer, GraphqlRefusal):
            return OrderFailed(f"reading its further payments: {answer.detail}")
        following = read_account_page(answer.data.get("o0"), order_id=order_id)
        if isinstance(following, OrderFailed):
            return following
        page = following
    return OrderFailed(f"it has more than {_MOST_PAGES} pages of payments")
