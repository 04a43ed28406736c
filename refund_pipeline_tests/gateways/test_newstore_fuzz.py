"""Answers with the wrong types anywhere: each is read, fails alone, or is a documented error.

Valid answers are changed in one to three places and given by a real server, so that HTTP, JSON,
paging and reading all see them.
"""

import dataclasses
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import graphql
import pytest
import stamina
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.domain.payments import PaymentAccount, RefundFacts
from refund_pipeline.gateways import newstore_order_pages
from refund_pipeline.gateways.newstore import (
    AccountFailed,
    NewStore,
    OrderFailed,
    OrderRead,
    RefundFailed,
)
from refund_pipeline.gateways.newstore_graphql import GraphqlData
from refund_pipeline.gateways.newstore_schema import INTROSPECTION, choose
from refund_pipeline_tests.gateways.newstore_makers import CARD, Scripted, node_of, scripted

MARKER = "jane@example.com"
NUMBER = "4111111111111111"
"""Planted in answers; no failure may repeat them."""

PAGE_INFO = {"hasNextPage": False, "endCursor": "WyJuYXR1cmFsIiwxXQ=="}
SHOWN_TRANSACTION = {
    "amount": "-12.50",
    "currency": "USD",
    "transactionType": "refund",
    "correlationId": "r-1",
    "createdAt": "2026-11-20T09:30:00.123",
}
INSTRUMENT = {
    "paymentMethod": "credit_card",
    "paymentOrigin": None,
    "paymentProvider": "adyen",
    "paymentAccountTransactions": {"pageInfo": PAGE_INFO, "edges": [{"node": SHOWN_TRANSACTION}]},
}
ITEM = {
    "productId": "socks",
    "quantity": 2,
    "pricebookPrice": "12.50",
    "itemDiscounts": "0",
    "orderDiscounts": "0",
    "tax": "1.10",
    "shippingServiceLevel": "IN_STORE_HANDOVER",
    "fulfillmentLocationId": None,
}
ORDERS = {
    "data": {
        "o0": node_of(
            isExchange=False,
            isHistorical=False,
            paymentAccount={
                "instruments": {"pageInfo": PAGE_INFO, "edges": [{"node": INSTRUMENT}]}
            },
            items={"pageInfo": PAGE_INFO, "edges": [{"node": ITEM}]},
        ),
        "o1": node_of(id="b"),
    }
}
ERRORS = {
    "data": None,
    "errors": [
        {
            "message": MARKER,
            "path": ["o0", "paymentAccount", 0],
            "locations": [{"line": 1, "column": 2}],
            "extensions": {"code": "FORBIDDEN"},
        }
    ],
}
ACCOUNT = {
    "id": "a",
    "balance": 0,
    "instruments": [
        {
            "id": "9d0e7a52-0000-4000-8000-000000000002-5b1c3f7e-0000-4000-8000-00000000abcd",
            "payment_method": "gift_card",
            "payment_provider": "gift_card",
            "currency": "USD",
            "metadata": {"number": CARD},
            "original_transactions": [
                {
                    "transaction_id": f"issued:r-1-{CARD}",
                    "instrument_id": "x",
                    "payment_method": "gift_card",
                    "payment_provider": "gift_card",
                    "reason": "issue",
                    "capture_amount": 12.5,
                    "refund_amount": 0,
                    "currency": "USD",
                    "correlation_id": "r-1",
                    "created_at": None,
                    "metadata": {"gift_card_number": int(CARD)},
                },
                {
                    "reason": "refund",
                    "refund_amount": -5,
                    "currency": "USD",
                    "created_at": "2026-11-20T09:30:00Z",
                },
            ],
        }
    ],
}
REFUND = {
    "refund": {
        "id": "r-1",
        "order_id": "a",
        "return_id": "r-1",
        "is_historical": False,
        "status": "succeeded",
        "note": MARKER,
    }
}
TOKEN = {"access_token": "abc", "expires_in": 300, "token_type": "Bearer"}

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None), max_size=6)
    | st.sampled_from(
        [
            MARKER,
            NUMBER,
            int(NUMBER),
            f"{MARKER}\x00",
            "\ud800",
            "",
            " ",
            10**40,
            -1,
            0,
            1e308,
            "refund",
            "USD",
            "true",
        ]
    )
)
junk = (
    scalars
    | st.lists(scalars, max_size=2)
    | st.dictionaries(st.sampled_from(["node", "edges", "name", MARKER]), scalars, max_size=2)
)
Path = tuple[str | int, ...]
Changes = list[tuple[Path, Any]]


def paths_of(document: Any, path: Path = ()) -> Iterator[Path]:
    yield path
    if isinstance(document, dict):
        for name, value in document.items():
            yield from paths_of(value, (*path, name))
    elif isinstance(document, list):
        for place, value in enumerate(document):
            yield from paths_of(value, (*path, place))


def changes_of(document: Any) -> st.SearchStrategy[Changes]:
    places = st.sampled_from(list(paths_of(document)))
    return st.lists(st.tuples(places, junk), min_size=1, max_size=3)


def changed(document: Any, changes: Changes) -> Any:
    for path, value in changes:
        document = replaced(document, path, value)
    return document


def replaced(document: Any, path: Path, value: Any) -> Any:
    """Return the document with this value at the path, if an earlier change has left it there."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(document, dict) and step in document:
        return document | {step: replaced(document[step], rest, value)}
    if isinstance(document, list) and isinstance(step, int) and step < len(document):
        inside = replaced(document[step], rest, value)
        return [*document[:step], inside, *document[step + 1 :]]
    return document


def cases(count: int) -> settings:
    return settings(
        max_examples=count,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[NewStore, Scripted]]:
    with scripted(lambda path, body: (200, {}), attribution="graphql_only") as running:
        yield running


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(newstore_order_pages, "_MOST_PAGES", 4)
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


def check_text(value: object) -> None:
    """Check that everything in a record can be stored."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for each in dataclasses.fields(value):
            check_text(getattr(value, each.name))
    elif isinstance(value, tuple):
        for one in value:
            check_text(one)
    elif isinstance(value, str):
        assert "\x00" not in value
        value.encode()


def check_account(account: PaymentAccount) -> None:
    check_text(account)
    assert CARD not in repr(account)
    for transaction in account.transactions:
        assert type(transaction.amount) is Decimal
        assert transaction.amount.is_finite()
        assert transaction.amount >= 0
        assert transaction.kind
        if transaction.created_at is not None:
            assert transaction.created_at.utcoffset() is not None
        assert re.fullmatch(r"[0-9A-Za-z]{4}", transaction.gift_card_last4 or "9911")
    for order_id in account.issued_on:
        assert re.fullmatch(r"[0-9a-f-]{36}", order_id)


def check_failure(detail: str) -> None:
    for value in (MARKER, NUMBER, CARD):
        assert value not in detail
    check_text(detail)


def is_about_nobody(asked: Any) -> bool:
    return str(asked["variables"]["id0"]).startswith("00000000-")


@cases(400)
@given(changes_of(ORDERS), st.sampled_from([200, 200, 200, 400]))
def test_answers_about_orders(
    server: tuple[NewStore, Scripted], changes: Changes, status: int
) -> None:
    client, script = server
    body = json.dumps(changed(ORDERS, changes))
    nobody = {"data": {"o0": None}}
    script.answer = lambda path, asked: (200, nobody) if is_about_nobody(asked) else (status, body)
    try:
        found = client.orders(["a", "b"])
    except (Misconfigured, Unavailable) as error:
        check_failure(str(error))
        return
    assert set(found) <= {"a", "b"}
    for read in found.values():
        if isinstance(read, OrderFailed):
            check_failure(read.detail)
        else:
            assert isinstance(read, OrderRead)
            check_text(read.order)
            if read.account is not None:
                check_account(read.account)


@cases(150)
@given(changes_of(ERRORS), st.sampled_from([200, 400]), st.booleans())
def test_answers_with_errors(
    server: tuple[NewStore, Scripted], changes: Changes, status: int, always: bool
) -> None:
    client, script = server
    body = json.dumps(changed(ERRORS, changes))
    script.answer = lambda path, asked: (
        (status, body)
        if always or "a" in asked["variables"].values()
        else (200, {"data": {"o0": None}})
    )
    try:
        found = client.orders(["a", "b"])
    except (Misconfigured, Unavailable) as error:
        check_failure(str(error))
        return
    for read in found.values():
        assert isinstance(read, OrderFailed)
        check_failure(read.detail)


@cases(300)
@given(changes_of(ACCOUNT))
def test_answers_about_accounts(server: tuple[NewStore, Scripted], changes: Changes) -> None:
    client, script = server
    body = json.dumps(changed(ACCOUNT, changes))
    script.answer = lambda path, asked: (200, body)
    (found,) = client.payment_accounts(["a"]).values()
    if isinstance(found, AccountFailed):
        check_failure(found.detail)
    else:
        assert isinstance(found, PaymentAccount)
        check_account(found)


@cases(200)
@given(changes_of(REFUND))
def test_answers_about_refunds(server: tuple[NewStore, Scripted], changes: Changes) -> None:
    client, script = server
    body = json.dumps(changed(REFUND, changes))
    script.answer = lambda path, asked: (200, body)
    (found,) = client.refund_facts([("a", "r-1")]).values()
    if isinstance(found, RefundFailed):
        check_failure(found.detail)
    else:
        assert isinstance(found, RefundFacts)
        assert found.return_id != ""
        assert isinstance(found.is_historical, bool)
        check_text(found)


@cases(150)
@given(changes_of(TOKEN))
def test_answers_with_tokens(server: tuple[NewStore, Scripted], changes: Changes) -> None:
    client, script = server
    body = json.dumps(changed(TOKEN, changes))
    script.token = lambda: (200, body)
    script.answer = lambda path, asked: (200, {"instruments": []})
    client._api._tokens._token = None
    try:
        assert client.payment_accounts(["a"]) == {"a": PaymentAccount(())}
    except Misconfigured as error:
        check_failure(str(error))
    finally:
        script.token = lambda: (200, TOKEN)
        client._api._tokens._token = None


def schema() -> dict[str, Any]:
    text = """
        type Query { order: Sale }
        type Sale { isExchange: Boolean paymentAccount: Account }
        type Account { instruments: Instruments! }
        type Instruments { edges: [InstrumentEdge!]! }
        type InstrumentEdge { node: Instrument }
        type Instrument { paymentAccountTransactions: Transactions! }
        type Transactions { edges: [TransactionEdge!]! }
        type TransactionEdge { node: Transaction }
        type Transaction { correlationId: String! }
    """
    data = graphql.graphql_sync(graphql.build_schema(text), INTROSPECTION).data
    assert data is not None
    types = [one for one in data["__schema"]["types"] if not one["name"].startswith("__")]
    return {"__schema": data["__schema"] | {"types": types}}


SCHEMA = schema()


@cases(500)
@given(changes_of(SCHEMA))
def test_schemas(changes: Changes) -> None:
    found = changed(SCHEMA, changes)
    if not isinstance(found, dict):
        return
    choice = choose(GraphqlData(found))
    check_failure(choice.reason)
    fields = (*choice.selection.order_fields, *choice.selection.transaction_fields)
    assert set(fields) <= {"isExchange", "isHistorical", "correlationId", "createdAt"}


def test_what_is_changed_is_valid_before() -> None:
    with scripted(lambda path, body: (200, ORDERS), attribution="graphql_only") as (client, script):
        found = client.orders(["a", "b"])
        assert all(isinstance(read, OrderRead) for read in found.values())
        script.answer = lambda path, body: (200, ACCOUNT)
        assert isinstance(client.payment_accounts(["a"])["a"], PaymentAccount)
        script.answer = lambda path, body: (200, REFUND)
        assert isinstance(client.refund_facts([("a", "r-1")])["r-1"], RefundFacts)
    assert "correlationId" in choose(GraphqlData(SCHEMA)).selection.transaction_fields
    assert json.dumps(ERRORS)
