"""Writes the GraphQL requests for orders: many orders at once, then further pages of one order.

The fields are those of `newstore_order.graphql`, and a `Selection` of those few that the playbook
does not have. Ids are variables. Cursors are literals, because the type a variable of theirs would
have is not documented.
"""

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

PAGE = 100
KNOWN_ORDER_FIELDS = ("isExchange", "isHistorical")
"""Seen in use with NewStore, but not part of the playbook's query (contract newstore 3.2)."""

_ORDER = "order(id: $id, tenant: $tenant)"
_INSTRUMENTS = f"instruments(first: {PAGE})"
_TRANSACTIONS = f"paymentAccountTransactions(first: {PAGE})"
_ITEMS = f"items(first: {PAGE})"
_LAST_OF_TRANSACTION = "transactionType"


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked of an order besides the playbook's fields; its account may be left out."""

    account: bool = True
    order_fields: tuple[str, ...] = ()
    transaction_fields: tuple[str, ...] = ()


def orders_query(count: int, selection: Selection) -> str:
    """Return a query for `count` orders, aliased `o0`, `o1`, ...; ids are variables."""
    own, account, items = _parts()
    fields = [own, *selection.order_fields]
    if selection.account:
        fields.append(_with_transaction_fields(account, selection))
    fields.append(items)
    return _query(count, " ".join(fields))


def items_query(after: str) -> str:
    """Return a query for the items of one order after a cursor."""
    _, _, items = _parts()
    return _query(1, "id " + items.replace(_ITEMS, f"items({_page(PAGE, after)})"))


def instruments_query(
    selection: Selection, *, first: int, after: str | None, transactions_after: str | None
) -> str:
    """Return a query for `first` instruments of one order's account after a cursor.

    The cursor of transactions applies to every instrument of the page: with one, ask for one.
    """
    _, account, _ = _parts()
    asked = (
        _with_transaction_fields(account, selection)
        .replace(_INSTRUMENTS, f"instruments({_page(first, after)})")
        .replace(_TRANSACTIONS, f"paymentAccountTransactions({_page(PAGE, transactions_after)})")
    )
    return _query(1, f"id {asked}")


def orders_variables(order_ids: Sequence[str], *, tenant: str) -> dict[str, str]:
    """Return the variables of a query for these orders."""
    return {"tenant": tenant} | {f"id{n}": order_id for n, order_id in enumerate(order_ids)}


def _query(count: int, selection: str) -> str:
    variables = ", ".join(f"$id{n}: String!" for n in range(count))
    orders = " ".join(
        f"o{n}: order(id: $id{n}, tenant: $tenant) {{ {selection} }}" for n in range(count)
    )
    return f"query Orders($tenant: String!, {variables}) {{ {orders} }}"


def _page(first: int, after: str | None) -> str:
    return f"first: {first}" if after is None else f"first: {first}, after: {json.dumps(after)}"


def _with_transaction_fields(account: str, selection: Selection) -> str:
    fields = (_LAST_OF_TRANSACTION, *selection.transaction_fields)
    return account.replace(_LAST_OF_TRANSACTION, " ".join(fields))


@functools.cache
def _parts() -> tuple[str, str, str]:
    """Return the order's own fields, its payment account and its items, each in one line."""
    text = files("refund_pipeline.gateways").joinpath("newstore_order.graphql").read_text("utf-8")
    code = " ".join(line.strip() for line in text.splitlines() if not line.startswith("#"))
    _, _, inside = code.partition(f"{_ORDER} {{ ")
    own, account, rest = inside.partition("paymentAccount")
    middle, items, end = rest.partition(_ITEMS)
    return own.strip(), (account + middle).strip(), items + end.removesuffix(" } }")
