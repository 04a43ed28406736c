"""No order is cut, however short NewStore's pages are and however deep they are nested."""

import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import stamina

from refund_pipeline.domain.payments import PaymentTransaction
from refund_pipeline.gateways.newstore import OrderFailed, OrderRead
from refund_pipeline.gateways.newstore_batches import OrderBatches
from refund_pipeline.gateways.newstore_graphql import GraphqlData, GraphqlRefusal
from refund_pipeline.gateways.newstore_queries import Selection
from refund_pipeline.sandbox.newstore import NewStoreSandbox
from refund_pipeline.sandbox.newstore_model import PaymentLeg, SandboxItem
from refund_pipeline_tests.gateways.newstore_makers import (
    client_of,
    leg,
    node_of,
    order,
    scripted,
)

SHAPES = (
    (),
    (1,),
    (7,),
    (1, 1, 1, 1, 1),
    (1, 5, 1),
    (5, 1, 1, 1),
    (1, 1, 1, 5),
    (4, 4, 4, 4),
    (2, 3, 1, 4, 6),
)
"""How many transactions the instruments of an account have."""


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


def legs(shape: tuple[int, ...]) -> tuple[PaymentLeg, ...]:
    return tuple(
        leg("refund", f"{place + 1}.{number:02}", f"r-{place}-{number}", instrument=str(place))
        for place, count in enumerate(shape)
        for number in range(count)
    )


def amounts_of(read: Any) -> list[Decimal]:
    assert isinstance(read, OrderRead)
    assert read.account is not None
    return [transaction.amount for transaction in read.account.transactions]


@pytest.mark.parametrize("page_size", [1, 2, 3, 4, 100])
def test_every_instrument_and_transaction_is_read_once(page_size: int) -> None:
    with NewStoreSandbox(page_size=page_size, show_correlation_id=True) as sandbox:
        for number, shape in enumerate(SHAPES):
            sandbox.add_order(order(number, payments=legs(shape)))
        ids = [order(number).id for number in range(len(SHAPES))]
        with client_of(sandbox, attribution="auto") as client:
            found = client.orders(ids)
    for shape, order_id in zip(SHAPES, ids, strict=True):
        assert amounts_of(found[order_id]) == [one.amount for one in legs(shape)], shape


def test_the_playbooks_query_is_paged_too() -> None:
    with NewStoreSandbox(page_size=2) as sandbox:
        sandbox.add_order(order(1, payments=legs((3, 1, 5))))
        with client_of(sandbox, attribution="graphql_only") as client:
            (read,) = client.orders([order(1).id]).values()
    assert amounts_of(read) == [one.amount for one in legs((3, 1, 5))]


@pytest.mark.parametrize("page_size", [1, 2, 3])
@pytest.mark.parametrize("attribution", ["auto", "rest"])
def test_items_beyond_a_page_are_read_too(page_size: int, attribution: str) -> None:
    delivered = SandboxItem("sofa", Decimal(900), shipping_service_level="REGULAR_PARCEL")
    carried = tuple(SandboxItem(f"p{n}", Decimal(1)) for n in range(6))
    with NewStoreSandbox(page_size=page_size) as sandbox:
        sandbox.add_order(order(1, items=(*carried, delivered)))
        sandbox.add_order(order(2))
        with client_of(sandbox, attribution=attribution) as client:
            mixed, plain = client.orders([order(1).id, order(2).id]).values()
    assert isinstance(mixed, OrderRead)
    assert isinstance(plain, OrderRead)
    assert [item.product_id for item in mixed.order.items] == [*(f"p{n}" for n in range(6)), "sofa"]
    assert not mixed.order.is_cash_and_carry
    assert plain.order.is_cash_and_carry


def test_an_order_within_a_page_costs_no_further_request() -> None:
    with NewStoreSandbox(page_size=3) as sandbox:
        sandbox.add_order(order(1, payments=legs((3, 3, 3)), items=(SandboxItem("a", Decimal(1)),)))
        with client_of(sandbox, attribution="graphql_only") as client:
            client.orders([order(1).id])
        assert sandbox.requests["graphql"] == 1


@pytest.mark.parametrize(
    ("shape", "requests"),
    [
        ((1,) * 19 + (11,), 4),  # all, the 19 before, the last, its second page
        ((11,) + (1,) * 19, 4),  # all, the first, its second page, the 19 after
        ((1,) * 9 + (11,) + (1,) * 9 + (11,), 9),
    ],
)
def test_a_long_instrument_costs_few_requests_wherever_it_stands(
    shape: tuple[int, ...], requests: int
) -> None:
    sent: list[str] = []

    def graphql_of(query: str, variables: Any) -> GraphqlData:
        sent.append(query)
        (first, after), (_, inner) = (
            (int(found[1]), int(found[2] or 0))
            for found in re.finditer(
                r'(?:instruments|Transactions)\(first: (\d+)(?:, after: "(\d+)")?', query
            )
        )
        page = list(enumerate(shape))[after : after + first]
        edges = [
            {"node": {"paymentAccountTransactions": page_of([REFUND] * count, inner, 10)}}
            for _, count in page
        ]
        more = {"hasNextPage": after + first < len(shape), "endCursor": str(after + len(page))}
        instruments = {"edges": edges, "pageInfo": more}
        return GraphqlData({"o0": node_of(paymentAccount={"instruments": instruments})})

    (read,) = OrderBatches(graphql_of, tenant="demo", selection=Selection()).read(["a"]).values()
    assert len(amounts_of(read)) == sum(shape)
    assert len(sent) == requests


def page_of(edges: list[Any], start: int, length: int) -> dict[str, Any]:
    end = start + length
    more = {"hasNextPage": end < len(edges), "endCursor": str(end)}
    return {"edges": edges[start:end], "pageInfo": more}


# Pages that go wrong

CUT = {"hasNextPage": True, "endCursor": "same"}
REFUND = {"node": {"amount": "5", "currency": "USD", "transactionType": "refund"}}


def account_of(*, instruments: Any = None, transactions: Any = None) -> dict[str, Any]:
    inner = {"edges": [REFUND], "pageInfo": transactions}
    node = {"paymentMethod": "cash", "paymentAccountTransactions": inner}
    return {"instruments": {"edges": [{"node": node}], "pageInfo": instruments}}


ENDLESS = {
    "items": {"items": {"edges": [], "pageInfo": CUT}},
    "instruments": {"paymentAccount": account_of(instruments=CUT)},
    "transactions": {"paymentAccount": account_of(transactions=CUT)},
}


@pytest.mark.parametrize("part", list(ENDLESS))
def test_a_cursor_that_leads_nowhere_fails_the_order_and_does_not_loop_for_ever(part: str) -> None:
    def answer(path: str, body: Any) -> tuple[int, Any]:
        return 200, {"data": {"o0": node_of(**ENDLESS[part])}}

    with scripted(answer, attribution="graphql_only") as (client, script):
        found = client.orders(["a"])["a"]
        assert isinstance(found, OrderFailed)
        assert "more than 100 pages" in found.detail
        assert len(script.calls) <= 105


@pytest.mark.parametrize("part", list(ENDLESS))
@pytest.mark.parametrize(
    "further",
    [
        GraphqlRefusal("it was refused", is_about_the_query=True),
        GraphqlData({"o0": None}),
        GraphqlData({}),
        GraphqlData({"o0": node_of(id="b")}),
        GraphqlData({"o0": {"id": "a"}}),
        GraphqlData({"o0": {"id": "a", "items": 5, "paymentAccount": 5}}),
    ],
)
def test_a_further_page_that_cannot_be_read_fails_the_order_alone(part: str, further: Any) -> None:
    def graphql_of(query: str, variables: Any) -> Any:
        if "after:" in query:
            return further
        return GraphqlData({"o0": node_of(**ENDLESS[part]), "o1": node_of(id="z")})

    found = OrderBatches(graphql_of, tenant="demo", selection=Selection()).read(["a", "z"])
    assert isinstance(found["a"], OrderFailed)
    assert isinstance(found["z"], OrderRead)


def test_the_cursor_of_transactions_is_never_sent_for_several_instruments() -> None:
    with NewStoreSandbox(page_size=2) as sandbox:
        sandbox.add_order(order(1, payments=legs((1, 5, 5, 1))))
        sent: list[str] = []
        with client_of(sandbox, attribution="graphql_only") as client:
            ask = client._api.graphql

            def note(doing: str, query: str, variables: Any = None) -> Any:
                sent.append(query)
                return ask(doing, query, variables)

            client._api.graphql = note  # type: ignore[method-assign]
            client.orders([order(1).id])
    nested = [query for query in sent if "paymentAccountTransactions(first: 100, after:" in query]
    assert nested
    assert all("instruments(first: 1" in query for query in nested)


def test_two_transactions_that_look_the_same_are_both_read() -> None:
    twins = tuple(leg("refund", "5", "r-1", transaction_id=f"t{n}") for n in range(4))
    with NewStoreSandbox(page_size=1, show_correlation_id=True) as sandbox:
        sandbox.add_order(order(1, payments=twins))
        with client_of(sandbox, attribution="auto") as client:
            (read,) = client.orders([order(1).id]).values()
    assert isinstance(read, OrderRead)
    assert read.account is not None
    counted: Counter[PaymentTransaction] = Counter(read.account.transactions)
    assert list(counted.values()) == [4]
