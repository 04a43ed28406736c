"""What NewStore's schema shows decides what is asked and how refunds are told apart."""

import copy
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import graphql
import pytest
import stamina

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.domain.payments import Attribution, PaymentAccount, PaymentTransaction
from refund_pipeline.gateways.newstore import OrderFailed, OrderRead
from refund_pipeline.gateways.newstore_batches import OrderBatches
from refund_pipeline.gateways.newstore_graphql import GraphqlData, GraphqlRefusal
from refund_pipeline.gateways.newstore_queries import KNOWN_ORDER_FIELDS, Selection
from refund_pipeline.gateways.newstore_schema import INTROSPECTION, choose
from refund_pipeline.sandbox.newstore import NewStoreSandbox
from refund_pipeline_tests.fakes import FakeClock
from refund_pipeline_tests.gateways.newstore_makers import (
    CARD,
    PLACED,
    REFUSED,
    client_of,
    fields_of,
    fill,
    leg,
    node_of,
    order,
    scripted,
)

GIFT_CARD = {"method": "gift_card", "provider": "gift_card", "gift_card_number": CARD}
LEGS = (
    leg("authorize", "71.62", "order"),
    leg("capture", "71.62", "order"),
    leg("refund", "22.28"),
    leg("issue", "5", "refund-2", **GIFT_CARD),
    leg("void", "5", "refund-2", **GIFT_CARD),
)
CARD_AND_PROVIDER = ("credit_card", "adyen")
SHOWN = """
    type Query { order(id: String!, tenant: String!): Sale }
    type Sale { isExchange: Boolean! isHistorical: Boolean paymentAccount: Account }
    type Account { instruments: Instruments! }
    type Instruments { edges: [InstrumentEdge!]! }
    type InstrumentEdge { node: Instrument }
    type Instrument { paymentAccountTransactions: Transactions! }
    type Transactions { edges: [TransactionEdge!]! }
    type TransactionEdge { node: Transaction! }
    type Transaction { amount: String correlationId: String! createdAt: String }
"""


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


def introspected(schema: str = SHOWN) -> dict[str, Any]:
    result = graphql.graphql_sync(graphql.build_schema(schema), INTROSPECTION)
    assert result.errors is None
    assert result.data is not None
    return result.data


# The schema


def test_a_schema_that_shows_the_correlation_id_allows_graphql() -> None:
    choice = choose(GraphqlData(introspected()))
    assert choice.attribution is Attribution.GRAPHQL
    assert choice.selection == Selection(
        account=True,
        order_fields=("isExchange", "isHistorical"),
        transaction_fields=("correlationId", "createdAt"),
    )
    assert choice.reason == "NewStore's GraphQL shows correlationId"


@pytest.mark.parametrize("field", ["isExchange", "isHistorical", "createdAt"])
def test_a_field_that_is_not_shown_is_not_asked_for(field: str) -> None:
    choice = choose(GraphqlData(introspected(SHOWN.replace(field, "somethingElse"))))
    assert choice.attribution is Attribution.GRAPHQL
    asked = {*choice.selection.order_fields, *choice.selection.transaction_fields}
    assert asked == {"isExchange", "isHistorical", "correlationId", "createdAt"} - {field}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("correlationId: String!", ""), "shows no correlationId"),
        (("correlationId: String!", "correlationId: Account"), "shows no correlationId"),
        (("paymentAccount: Account", ""), "no way through paymentAccount"),
        (("paymentAccountTransactions", "transactions"), "paymentAccountTransactions"),
        (("node: Transaction!", "nodes: Transaction!"), "no way through node"),
    ],
)
def test_without_the_correlation_id_it_is_rest_with_the_reason(
    change: tuple[str, str], reason: str
) -> None:
    choice = choose(GraphqlData(introspected(SHOWN.replace(*change))))
    assert choice.attribution is Attribution.REST
    assert choice.selection == Selection(account=False, order_fields=KNOWN_ORDER_FIELDS)
    assert reason in choice.reason


@pytest.mark.parametrize("field", ["correlationId: String!", "paymentAccount: Account"])
def test_what_is_deprecated_is_still_shown(field: str) -> None:
    schema = SHOWN.replace(field, f"{field} @deprecated")
    assert choose(GraphqlData(introspected(schema))).attribution is Attribution.GRAPHQL


def test_the_query_type_may_have_any_name() -> None:
    schema = "schema { query: Root }" + SHOWN.replace("type Query", "type Root")
    assert choose(GraphqlData(introspected(schema))).attribution is Attribution.GRAPHQL


def test_a_schema_without_orders_is_rest() -> None:
    choice = choose(GraphqlData(introspected("type Query { hello: String }")))
    assert (choice.attribution, choice.selection.account) == (Attribution.REST, False)
    assert "no way through order" in choice.reason


@pytest.mark.parametrize("name", ["Query", "Sale", "Account", "TransactionEdge", "Transaction"])
def test_a_schema_cut_short_is_rest(name: str) -> None:
    data = introspected()
    data["__schema"]["types"] = [t for t in data["__schema"]["types"] if t["name"] != name]
    assert choose(GraphqlData(data)).attribution is Attribution.REST


@pytest.mark.parametrize(
    "data", [{}, {"__schema": None}, {"__schema": []}, {"__schema": {"types": [{"fields": 5}]}}]
)
def test_an_answer_that_is_no_schema_is_rest(data: dict[str, Any]) -> None:
    choice = choose(GraphqlData(data))
    assert choice.attribution is Attribution.REST
    assert choice.reason


def test_types_that_refer_to_themselves_for_ever_are_rest() -> None:
    reference: dict[str, Any] = {"name": "Sale"}
    for _ in range(600):
        reference = {"name": None, "ofType": reference}
    data = introspected()
    (query,) = [t for t in data["__schema"]["types"] if t["name"] == "Query"]
    query["fields"][0]["type"] = reference
    assert choose(GraphqlData(data)).attribution is Attribution.REST


def test_a_refusal_is_rest() -> None:
    choice = choose(GraphqlRefusal("NewStore's GraphQL answered 400", is_about_the_query=True))
    assert choice.attribution is Attribution.REST
    assert choice.selection == Selection(account=False, order_fields=KNOWN_ORDER_FIELDS)
    assert choice.reason == "introspection was refused: NewStore's GraphQL answered 400"


# The client


@pytest.mark.parametrize(
    ("shown", "expected"), [(True, Attribution.GRAPHQL), (False, Attribution.REST)]
)
def test_the_schema_is_asked_once_by_each_client(shown: bool, expected: Attribution) -> None:
    with NewStoreSandbox(show_correlation_id=shown) as sandbox:
        ids = fill(sandbox, 3)
        with client_of(sandbox, attribution="auto", batch_size=1) as client:
            assert client.requests_made == 0
            client.orders(ids)
            client.orders(ids)
            assert client.attribution is expected
            assert "correlationId" in client.attribution_reason
        assert sandbox.requests["graphql"] == 7


@pytest.mark.parametrize(
    ("setting", "expected"),
    [("rest", Attribution.REST), ("graphql_only", Attribution.GRAPHQL_ONLY)],
)
def test_a_setting_asks_no_schema(setting: Any, expected: Attribution) -> None:
    with (
        NewStoreSandbox(show_correlation_id=True) as sandbox,
        client_of(sandbox, attribution=setting) as client,
    ):
        assert client.attribution is expected
        assert client.attribution_reason == "chosen by setting"
        assert client.requests_made == 0


def test_a_setting_that_does_not_exist_is_misconfigured() -> None:
    with (
        NewStoreSandbox() as sandbox,
        pytest.raises(Misconfigured, match="one of auto, rest, graphql_only"),
        client_of(sandbox, attribution="guess"),
    ):
        pass


def accounts_by(attribution: str) -> PaymentAccount | None:
    with NewStoreSandbox(clock=FakeClock(PLACED).now, show_correlation_id=True) as sandbox:
        sandbox.add_order(order(1, payments=LEGS))
        with client_of(sandbox, attribution=attribution) as client:
            (read,) = client.orders([order(1).id]).values()
        assert isinstance(read, OrderRead)
        return read.account


def test_graphql_tells_transactions_apart_by_their_correlation_id() -> None:
    account = accounts_by("auto")
    assert account is not None
    found = {(t.kind, t.correlation_id): (t.amount, t.method) for t in account.transactions}
    assert found == {
        ("authorize", "order"): (0, "credit_card"),
        ("capture", "order"): (0, "credit_card"),
        ("refund", "refund-1"): (Decimal("22.28"), "credit_card"),
        ("issue", "refund-2"): (Decimal("5.00"), "gift_card"),
        ("void", "refund-2"): (0, "gift_card"),
    }
    assert {(t.currency, t.gift_card_last4) for t in account.transactions} == {("USD", None)}


def test_the_playbooks_query_tells_amounts_only() -> None:
    account = accounts_by("graphql_only")
    assert account is not None
    assert {t.correlation_id for t in account.transactions} == {None}
    assert sorted(t.amount for t in account.transactions) == [0, 0, 0, 5, Decimal("22.28")]


def test_by_rest_the_account_is_not_asked_for_in_graphql() -> None:
    assert accounts_by("rest") is None


@pytest.mark.parametrize("attribution", ["auto", "graphql_only"])
def test_an_account_that_is_null_is_none_and_an_empty_one_is_empty(attribution: str) -> None:
    with NewStoreSandbox(show_correlation_id=True) as sandbox:
        sandbox.add_order(order(1, has_account=False))
        sandbox.add_order(order(2))
        with client_of(sandbox, attribution=attribution) as client:
            found = client.orders([order(1).id, order(2).id])
    accounts = [read.account for read in found.values() if isinstance(read, OrderRead)]
    assert accounts == [None, PaymentAccount(())]


@pytest.mark.parametrize("attribution", ["auto", "graphql_only", "rest"])
def test_exchanges_and_imported_orders_are_told_by_every_attribution(attribution: str) -> None:
    with NewStoreSandbox() as sandbox:
        sandbox.add_order(order(1, is_exchange=True, is_historical=True))
        with client_of(sandbox, attribution=attribution) as client:
            (read,) = client.orders([order(1).id]).values()
    assert isinstance(read, OrderRead)
    assert (read.order.is_exchange, read.order.is_historical) == (True, True)


# A server that says what it is told


def test_a_client_whose_introspection_is_refused_reads_by_rest() -> None:
    def answer(path: str, body: Any) -> tuple[int, Any]:
        if "__schema" in body["query"]:
            return 400, REFUSED
        return 200, {"data": {"o0": node_of()}}

    with scripted(answer, attribution="auto") as (client, script):
        read = client.orders(["a"])["a"]
        assert isinstance(read, OrderRead)
        assert client.attribution is Attribution.REST
        assert client.attribution_reason.startswith("introspection was refused: NewStore's GraphQL")
        assert len(script.calls) == 3


def test_an_outage_during_introspection_is_unavailable_and_asked_again_later() -> None:
    status = [503]

    def answer(path: str, body: Any) -> tuple[int, Any]:
        return status[0], {"data": introspected()}

    with scripted(answer, attribution="auto") as (client, _):
        with pytest.raises(Unavailable, match="asking NewStore's GraphQL for its schema"):
            client.orders(["a"])
        status[0] = 200
        assert client.attribution is Attribution.GRAPHQL


@pytest.mark.parametrize("attribution", ["graphql_only", "rest"])
@pytest.mark.parametrize("count", [1, 60])
def test_order_fields_the_tenant_does_not_know_are_given_up(attribution: str, count: int) -> None:
    queries: list[str] = []

    def answer(path: str, body: Any) -> tuple[int, Any]:
        queries.append(body["query"])
        if "isHistorical" in body["query"]:
            return 400, REFUSED
        ids = body["variables"]
        nodes = {f"o{n}": node_of(id=ids[f"id{n}"]) for n in range(len(ids) - 1)}
        return 200, {"data": nodes}

    with scripted(answer, attribution=attribution) as (client, _):
        ids = [str(number) for number in range(count)]
        found = client.orders(ids)
        assert list(found) == ids
        assert all(isinstance(read, OrderRead) for read in found.values())
        reason = "chosen by setting; NewStore's GraphQL refuses isExchange and isHistorical"
        assert client.attribution_reason == reason
        asked = len(queries)
        client.orders(["a"])
    assert len(queries) == asked + 1
    assert not fields_of(queries[-1]) & {"isExchange", "isHistorical"}


def account_node(*transactions: Any, **instrument: Any) -> dict[str, Any]:
    edges = [{"node": transaction} for transaction in transactions]
    node = {"paymentMethod": "cash", "paymentProvider": "cash"} | instrument
    node["paymentAccountTransactions"] = {"edges": edges}
    return {"instruments": {"edges": [{"node": node}]}}


def read_by_graphql(account: Any) -> OrderRead | OrderFailed:
    """Read two orders; the second has this account, and the first must not be harmed by it."""

    def graphql_of(query: str, variables: Any) -> GraphqlData:
        bad = node_of(id="b", paymentAccount=copy.deepcopy(account))
        return GraphqlData({"o0": node_of(), "o1": bad})

    batches = OrderBatches(graphql_of, tenant="demo", selection=Selection())
    found = batches.read(["a", "b"])
    assert isinstance(found["a"], OrderRead)
    return found["b"]


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("-5", "USD", "5.00"),
        (-5, "USD", "5.00"),
        ("5.10", "usd ", "5.10"),
        ("-5.1000000", "USD", "5.10"),
        ("-0.0", "USD", "0.00"),
        (700, "JPY", "700"),
        ("1.234", "KWD", "1.234"),
    ],
)
@pytest.mark.parametrize("kind", ["refund", " REFUNDED ", "issue", "Issued"])
def test_amounts_are_exact_magnitudes_as_text_and_as_number(
    amount: Any, currency: str, expected: str, kind: str
) -> None:
    transaction = {"amount": amount, "currency": currency, "transactionType": kind}
    read = read_by_graphql(account_node(transaction | {"correlationId": "R"}))
    assert isinstance(read, OrderRead)
    assert read.account is not None
    (found,) = read.account.transactions
    assert (str(found.amount), found.kind) == (expected, kind.strip().lower())
    assert (found.correlation_id, found.currency) == ("R", currency.strip().upper())


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"amount": "5.001"}, "amount: has more than"),
        ({"amount": None}, "amount: is not a number"),
        ({"amount": True}, "amount: is not a number"),
        ({"amount": "lots"}, "amount: is not a plain"),
        ({"currency": None}, "currency: is missing"),
        ({"currency": "ZZZ"}, "amount: is not an ISO 4217"),
    ],
)
def test_an_amount_that_cannot_be_used_fails_its_order_alone_with_its_path(
    changes: dict[str, Any], path: str
) -> None:
    good = {"amount": "-5.00", "currency": "USD", "transactionType": "refund"}
    read = read_by_graphql(account_node({"transactionType": "capture"}, good | changes))
    assert isinstance(read, OrderFailed)
    place = "$.paymentAccount.instruments.edges[0].node.paymentAccountTransactions.edges[1].node"
    assert f"cannot be read at {place}.{path}" in read.detail
    assert "5.001" not in read.detail


def test_nulls_are_tolerated_wherever_no_money_is_lost() -> None:
    nothing: list[Any] = [
        {},
        {"instruments": None},
        {"instruments": {"edges": None, "pageInfo": None}},
        {"instruments": {"edges": [None, {"node": None}]}},
        {"instruments": {"edges": [{"node": {"paymentAccountTransactions": None}}]}},
        account_node(),
    ]
    for account in nothing:
        read = read_by_graphql(account)
        assert isinstance(read, OrderRead)
        assert read.account == PaymentAccount(())
    read = read_by_graphql(
        account_node({}, {"amount": None}, paymentMethod=None, paymentProvider=None)
    )
    assert isinstance(read, OrderRead)
    unknown = PaymentTransaction("(none)", Decimal(0), "", None, "", "")
    assert read.account == PaymentAccount((unknown, unknown))


def test_a_shown_time_is_read_as_utc() -> None:
    refund = {"amount": 5, "currency": "USD", "transactionType": "refund"}
    read = read_by_graphql(account_node(refund | {"createdAt": "2026-11-20T09:30:00"}))
    assert isinstance(read, OrderRead)
    assert read.account is not None
    assert read.account.transactions[0].created_at == PLACED


def test_answers_show_no_card_number() -> None:
    transaction = {"id": CARD, "amount": 5, "currency": "USD", "transactionType": "issue"}
    account = account_node(transaction, id=CARD, metadata={"number": CARD})
    read = read_by_graphql(account)
    assert isinstance(read, OrderRead)
    assert CARD not in repr(read)
    assert CARD in json.dumps(account)
