"""The NewStore client against the sandbox, and against a server that says what it is told."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import graphql
import pytest
import stamina
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.domain.orders import Order
from refund_pipeline.domain.payments import PaymentTransaction
from refund_pipeline.gateways.newstore import AccountFailed, NewStore, OrderFailed
from refund_pipeline.gateways.newstore_accounts import read_account
from refund_pipeline.gateways.newstore_orders import (
    OrderPage,
    next_items_query,
    orders_query,
    read_order,
)
from refund_pipeline.gateways.newstore_token import Token, TokenCache
from refund_pipeline.sandbox.newstore import NewStoreSandbox
from refund_pipeline.sandbox.newstore_model import PaymentLeg, Poison, SandboxItem, SandboxOrder
from refund_pipeline.sandbox.serving import serving
from refund_pipeline_tests.fakes import FakeClock

PLACED = datetime(2026, 11, 20, 9, 30, tzinfo=timezone.utc)
CARD = "6006491286999929911"


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=10, cap=True):
        yield


@pytest.fixture
def sandbox() -> Iterator[NewStoreSandbox]:
    with NewStoreSandbox(clock=FakeClock(PLACED).now) as running:
        yield running


@contextmanager
def client_of(sandbox: NewStoreSandbox, **changes: Any) -> Iterator[NewStore]:
    arguments: dict[str, Any] = {
        "base_url": sandbox.base_url + "/",
        "token_url": sandbox.token_url,
        "client_id": sandbox.client_id,
        "client_secret": sandbox.client_secret,
        "tenant": sandbox.tenant,
    }
    client = NewStore(**(arguments | changes))
    try:
        yield client
    finally:
        client.close()


def order(number: int, **changes: Any) -> SandboxOrder:
    fields: dict[str, Any] = {
        "id": f"9d0e7a52-0000-4000-8000-{number:012}",
        "number": f"UN{number:06}",
        "currency": "USD",
        "channel_type": "store",
        "channel": "NYC01",
        "demand_location_id": "NYC01",
        "placed_at": PLACED,
        "items": (SandboxItem("socks", Decimal("12.50")),),
    }
    return SandboxOrder(**(fields | changes))


def leg(kind: Any, amount: str, correlation_id: str = "refund-1", **changes: Any) -> PaymentLeg:
    fields: dict[str, Any] = {
        "kind": kind,
        "amount": Decimal(amount),
        "currency": "USD",
        "method": "credit_card",
        "provider": "adyen",
        "correlation_id": correlation_id,
        "available_at": PLACED,
    }
    return PaymentLeg(**(fields | changes))


def fill(sandbox: NewStoreSandbox, count: int) -> list[str]:
    for number in range(count):
        sandbox.add_order(order(number))
    return [order(number).id for number in range(count)]


# Orders


def test_an_order_is_read_with_what_posting_needs(sandbox: NewStoreSandbox) -> None:
    sandbox.add_order(
        order(1, items=(SandboxItem("socks", Decimal("12.50"), 2, tax=Decimal("1.10")),))
    )
    with client_of(sandbox) as client:
        (found,) = client.orders([order(1).id]).values()
    assert isinstance(found, Order)
    assert (found.order_id, found.order_number) == (order(1).id, "UN000001")
    assert (found.currency, found.channel, found.channel_type) == ("USD", "NYC01", "store")
    assert (found.store_id, found.placed_at) == ("NYC01", PLACED)
    assert found.is_cash_and_carry
    (item,) = found.items
    assert (item.product_id, item.quantity, item.pricebook_price) == ("socks", "2", "12.50")
    assert (item.tax, item.shipping_service_level) == ("1.10", "IN_STORE_HANDOVER")


def test_many_orders_share_a_request(sandbox: NewStoreSandbox) -> None:
    ids = fill(sandbox, 120)
    with client_of(sandbox) as client:
        found = client.orders(ids)
        assert client.requests_made == sum(sandbox.requests.values()) == 4
    assert list(found) == ids
    assert sandbox.requests == {"token": 1, "graphql": 3}
    assert sorted(e.orders for e in sandbox.audit.entries if e.kind == "graphql") == [20, 50, 50]


def test_the_batch_size_is_a_setting_and_an_id_given_twice_is_asked_once(
    sandbox: NewStoreSandbox,
) -> None:
    ids = fill(sandbox, 6)
    with client_of(sandbox, batch_size=2, concurrency=1) as client:
        assert len(client.orders(ids + ids)) == 6
    assert sandbox.requests["graphql"] == 3


def test_asking_for_nothing_asks_nothing(sandbox: NewStoreSandbox) -> None:
    with client_of(sandbox) as client:
        assert client.orders([]) == {}
        assert client.payment_transactions([]) == {}
        assert client.requests_made == 0


def test_an_order_that_is_not_visible_yet_is_absent(sandbox: NewStoreSandbox) -> None:
    (there,) = fill(sandbox, 1)
    with client_of(sandbox) as client:
        assert list(client.orders([there, order(9).id])) == [there]


@pytest.mark.parametrize("poison", list(Poison))
def test_a_poisoned_order_fails_alone(sandbox: NewStoreSandbox, poison: Poison) -> None:
    ids = fill(sandbox, 50)
    bad = {ids[0], ids[1], ids[33]}
    for one in bad:
        sandbox.poison(one, poison)
    with client_of(sandbox) as client:
        found = client.orders(ids)
    assert {key for key, value in found.items() if isinstance(value, OrderFailed)} == bad
    assert found.keys() == set(ids)
    assert sandbox.requests["graphql"] < 30


def test_a_single_poisoned_order_is_not_taken_for_a_broken_schema(sandbox: NewStoreSandbox) -> None:
    (only,) = fill(sandbox, 1)
    sandbox.poison(only, Poison.REQUEST)
    with client_of(sandbox) as client:
        found = client.orders([only])[only]
    assert found == OrderFailed("NewStore's GraphQL answered 200 with 1 error(s)")


def test_a_batch_that_fails_once_is_read_in_halves(sandbox: NewStoreSandbox) -> None:
    ids = fill(sandbox, 20)
    sandbox.faults.fail_queries(1)
    with client_of(sandbox) as client:
        found = client.orders(ids)
    assert all(isinstance(value, Order) for value in found.values())
    assert sandbox.requests["graphql"] == 3


def test_graphql_that_answers_nothing_but_errors_is_unavailable_after_few_requests(
    sandbox: NewStoreSandbox,
) -> None:
    ids = fill(sandbox, 50)
    sandbox.faults.fail_queries(1000)
    with client_of(sandbox) as client, pytest.raises(Unavailable, match="every order of a batch"):
        client.orders(ids)
    assert sandbox.requests["graphql"] <= 8


def test_items_beyond_a_page_are_read_too(sandbox: NewStoreSandbox) -> None:
    delivered = SandboxItem("sofa", Decimal(900), shipping_service_level="REGULAR_PARCEL")
    carried = tuple(SandboxItem(f"p{n}", Decimal(1)) for n in range(6))
    sandbox.add_order(order(1, items=(*carried, delivered)))
    sandbox.add_order(order(2))
    with NewStoreSandbox(clock=sandbox.clock, page_size=3) as small:
        for number in (1, 2):
            small.add_order(sandbox.order(order(number).id))
        with client_of(small) as client:
            found = client.orders([order(1).id, order(2).id])
        assert small.requests["graphql"] == 3
    mixed, plain = found.values()
    assert isinstance(mixed, Order)
    assert isinstance(plain, Order)
    assert [item.product_id for item in mixed.items] == [*(f"p{n}" for n in range(6)), "sofa"]
    assert not mixed.is_cash_and_carry
    assert plain.is_cash_and_carry


# Payment accounts


def test_an_account_becomes_transactions_with_magnitudes_by_kind(sandbox: NewStoreSandbox) -> None:
    gift = {"method": "gift_card", "provider": "gift_card", "gift_card_number": CARD}
    legs = (
        leg("authorize", "71.62", "order"),
        leg("capture", "71.62", "order"),
        leg("refund", "22.28"),
        leg("refund", "49.34", method="cash", provider="cash"),
        leg("issue", "5", **gift),
        leg("void", "5", **gift),
    )
    sandbox.add_order(order(1, payments=legs))
    with client_of(sandbox) as client:
        (found,) = client.payment_transactions([order(1).id]).values()
    assert isinstance(found, tuple)
    wanted = {
        PaymentTransaction("authorization", Decimal(0), "USD", "order", "credit_card", "adyen"),
        PaymentTransaction("capture", Decimal(0), "USD", "order", "credit_card", "adyen"),
        PaymentTransaction("refund", Decimal("22.28"), "USD", "refund-1", "credit_card", "adyen"),
        PaymentTransaction("refund", Decimal("49.34"), "USD", "refund-1", "cash", "cash"),
        PaymentTransaction(
            "issue", Decimal("5.00"), "USD", "refund-1", "gift_card", "gift_card", "9911"
        ),
        PaymentTransaction("void", Decimal(0), "USD", "refund-1", "gift_card", "gift_card", "9911"),
    }
    assert set(found) == wanted
    assert CARD not in repr(found)


def test_an_account_that_is_not_there_yet_is_none(sandbox: NewStoreSandbox) -> None:
    sandbox.add_order(order(1, has_account=False))
    sandbox.add_order(order(2))
    with client_of(sandbox) as client:
        found = client.payment_transactions([order(1).id, order(2).id])
    assert found == {order(1).id: None, order(2).id: ()}


def test_each_account_is_one_request_and_they_run_side_by_side(sandbox: NewStoreSandbox) -> None:
    ids = fill(sandbox, 40)
    with client_of(sandbox) as client:
        assert list(client.payment_transactions(ids)) == ids
        assert client.requests_made == 41


# Tokens, limits and outages


def test_one_token_serves_all_threads(sandbox: NewStoreSandbox) -> None:
    with client_of(sandbox) as client:
        client.payment_transactions(fill(sandbox, 30))
        client.orders(fill(sandbox, 30))
    assert sandbox.requests["token"] == 1


def test_a_token_that_ends_early_is_renewed_once_for_all_threads(sandbox: NewStoreSandbox) -> None:
    ids = fill(sandbox, 30)
    with client_of(sandbox) as client:
        client.payment_transactions(ids)
        sandbox.expire_tokens()
        found = client.payment_transactions(ids)
    assert set(found.values()) == {()}
    assert sandbox.requests["token"] == 2


def test_a_token_is_renewed_before_it_ends() -> None:
    now, made = [1000.0], []

    def fetch() -> Token:
        made.append(now[0])
        return Token(f"token-{len(made)}", expires_in=300)

    cache = TokenCache(fetch, monotonic=lambda: now[0])
    assert cache.current() == "token-1"
    now[0] += 269
    assert cache.current() == "token-1"
    now[0] += 1
    assert cache.current() == "token-2"
    assert cache.current(refused="token-1") == "token-2"
    assert cache.current(refused="token-2") == "token-3"
    assert made == [1000, 1270, 1270]


def test_a_long_lived_token_is_renewed_a_minute_before_it_ends() -> None:
    now = [0.0]
    cache = TokenCache(lambda: Token(str(now[0]), expires_in=3600), monotonic=lambda: now[0])
    assert cache.current() == "0.0"
    now[0] = 3539
    assert cache.current() == "0.0"
    now[0] = 3540
    assert cache.current() == "3540"


def test_threads_wait_for_the_one_that_renews() -> None:
    made: list[int] = []
    entered, release = threading.Event(), threading.Event()

    def fetch() -> Token:
        made.append(1)
        entered.set()
        assert release.wait(5)
        return Token("token", expires_in=300)

    cache = TokenCache(fetch)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(cache.current())) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert entered.wait(5)
    release.set()
    for thread in threads:
        thread.join(5)
    assert found == ["token"] * 8
    assert made == [1]


def test_wrong_credentials_are_misconfigured_and_the_secret_is_not_shown(
    sandbox: NewStoreSandbox,
) -> None:
    with (
        client_of(sandbox, client_secret="hush-hush") as client,
        pytest.raises(Misconfigured, match="401 invalid_client") as caught,
    ):
        client.orders(["x"])
    assert "hush" not in str(caught.value)
    assert sandbox.requests == {"token": 1}


@pytest.mark.parametrize("fault", ["too_many_requests", "fail_requests", "lose_answers"])
def test_a_passing_fault_is_retried(sandbox: NewStoreSandbox, fault: str) -> None:
    ids = fill(sandbox, 3)
    getattr(sandbox.faults, fault)(2)
    with client_of(sandbox) as client:
        assert len(client.orders(ids)) == 3
        assert client.requests_made == 4


def test_an_outage_is_unavailable(sandbox: NewStoreSandbox) -> None:
    ids = fill(sandbox, 3)
    sandbox.faults.start_outage()
    with client_of(sandbox) as client:
        with pytest.raises(Unavailable, match="503"):
            client.orders(ids)
        sandbox.faults.end_outage()
        assert len(client.orders(ids)) == 3


def test_a_server_that_cannot_be_reached_is_unavailable(sandbox: NewStoreSandbox) -> None:
    with (
        client_of(sandbox, token_url="http://127.0.0.1:1/token") as client,
        pytest.raises(Unavailable, match="ConnectionError"),
    ):
        client.orders(["x"])


def test_a_blocked_address_asks_nothing_for_five_minutes(sandbox: NewStoreSandbox) -> None:
    ids, now = fill(sandbox, 3), [0.0]
    with client_of(sandbox, monotonic=lambda: now[0]) as client:
        sandbox.faults.block_address(1)
        for now[0] in (0.0, 100.0, 299.0):
            with pytest.raises(Unavailable, match="blocks this address for five minutes"):
                client.orders(ids)
        assert sandbox.requests["graphql"] == 1
        now[0] = 300.0
        assert len(client.orders(ids)) == 3


@pytest.mark.parametrize(
    "url", ["http://demo.p.newstore.net", "demo.p.newstore.net", "", "https://"]
)
def test_addresses_are_https_unless_they_are_loopback(sandbox: NewStoreSandbox, url: str) -> None:
    with pytest.raises(Misconfigured, match="NEWSTORE_BASE_URL"), client_of(sandbox, base_url=url):
        pass


# A server that says what it is told


class Scripted:
    """Answers tokens by itself and everything else by `answer(path, body)`; counts both."""

    def __init__(self, answer: Callable[[str, Any], tuple[int, Any]]) -> None:
        self.answer = answer
        self.token: tuple[int, Any] = (200, {"access_token": "abc"})
        self.calls: list[str] = []
        self.headers: list[dict[str, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        content = await request.body()
        path = scope["raw_path"].decode()
        self.calls.append(path)
        self.headers.append(dict(request.headers))
        if path == "/token":
            status, body = self.token
        else:
            status, body = self.answer(path, json.loads(content) if content else None)
        text = body if isinstance(body, str) else json.dumps(body)
        await Response(text, status_code=status)(scope, receive, send)


@contextmanager
def scripted(answer: Callable[[str, Any], tuple[int, Any]]) -> Iterator[tuple[NewStore, Scripted]]:
    script = Scripted(answer)
    with serving(script) as url:
        client = NewStore(
            base_url=url,
            token_url=f"{url}/token",
            client_id="me",
            client_secret="hush",
            tenant="demo",
        )
        try:
            yield client, script
        finally:
            client.close()


REFUSED = {"errors": [{"message": "Cannot query field", "locations": [{"line": 1, "column": 2}]}]}


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("count", [1, 2, 50])
def test_a_refused_query_is_misconfigured_after_few_requests(status: int, count: int) -> None:
    with scripted(lambda path, body: (status, REFUSED)) as (client, script):
        with pytest.raises(Misconfigured, match=r"newstore_order\.graphql"):
            client.orders([f"order-{n}" for n in range(count)])
        assert len(script.calls) <= 9


def test_ids_are_variables_and_never_part_of_the_query() -> None:
    seen: list[Any] = []

    def answer(path: str, body: Any) -> tuple[int, Any]:
        seen.append(body)
        return 200, {"data": {"o0": None}}

    hostile = '") { id } x: order(id: "'
    with scripted(answer) as (client, script):
        assert client.orders([hostile]) == {}
        assert script.headers[-1]["authorization"] == "Bearer abc"
    (body,) = seen
    assert body["variables"] == {"tenant": "demo", "id0": hostile}
    assert hostile not in body["query"]


def test_an_account_id_cannot_lead_to_another_path() -> None:
    with scripted(lambda path, body: (404, {})) as (client, script):
        assert client.payment_transactions(["a/../b?c"]) == {"a/../b?c": None}
        assert script.calls[-1] == "/v0/c/payments/accounts/a%2F..%2Fb%3Fc"


def test_error_messages_and_values_stay_out_of_an_orders_failure() -> None:
    def answer(path: str, body: Any) -> tuple[int, Any]:
        if body["variables"]["id0"].startswith("0000"):
            return 200, {"data": {"o0": None}}
        error = {
            "message": "jane@example.com has no access",
            "path": ["o0", "paymentAccount", "instruments", 0],
            "extensions": {"code": "FORBIDDEN"},
        }
        return 200, {"data": {"o0": None}, "errors": [error]}

    with scripted(answer) as (client, _):
        found = client.orders(["a"])["a"]
    assert isinstance(found, OrderFailed)
    assert found.detail.endswith("1 error(s) (FORBIDDEN, paymentAccount.instruments)")
    assert "jane" not in found.detail


@pytest.mark.parametrize("status", [401, 403])
def test_a_new_token_that_is_refused_too_is_misconfigured(status: int) -> None:
    with scripted(lambda path, body: (status, {"message": "no"})) as (client, script):
        with pytest.raises(Misconfigured, match=f"answered {status} to a new token"):
            client.payment_transactions(["a"])
        assert script.calls.count("/token") == 2
        assert len(script.calls) == 4


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ((200, {}), Misconfigured),
        ((200, "<html>"), Misconfigured),
        ((404, "not found"), Misconfigured),
        ((403, {"error": "access_denied"}), Misconfigured),
        ((403, "<html>blocked</html>"), Unavailable),
        ((503, "down"), Unavailable),
    ],
)
def test_a_token_endpoint_without_a_token(token: Any, expected: type[Exception]) -> None:
    with scripted(lambda path, body: (200, {})) as (client, script):
        script.token = token
        with pytest.raises(expected, match="asking for a NewStore token"):
            client.orders(["a"])


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((200, "not json"), Unavailable),
        ((200, {"data": None}), Unavailable),
        ((302, ""), Misconfigured),
        ((404, {"message": "no"}), Misconfigured),
    ],
)
def test_an_answer_that_is_not_graphql_stops_the_batch(
    answer: tuple[int, Any], expected: type[Exception]
) -> None:
    with (
        scripted(lambda path, body: answer) as (client, _),
        pytest.raises(expected, match="asking NewStore for orders"),
    ):
        client.orders(["a", "b"])


def test_an_account_newstore_refuses_fails_alone() -> None:
    def answer(path: str, body: Any) -> tuple[int, Any]:
        return (422, {"messages": ["no"]}) if path.endswith("bad") else (200, {"instruments": None})

    with scripted(answer) as (client, _):
        assert client.payment_transactions(["good", "bad"]) == {
            "good": (),
            "bad": AccountFailed("NewStore answered 422 for the payment account"),
        }


def test_a_cursor_that_leads_nowhere_fails_the_order_and_does_not_loop_for_ever() -> None:
    info = {"hasNextPage": True, "endCursor": "same"}
    node = {"externalId": "UN1", "currency": "USD", "items": {"pageInfo": info, "edges": []}}
    with scripted(lambda path, body: (200, {"data": {"o0": node}})) as (client, script):
        assert isinstance(client.orders(["a"])["a"], OrderFailed)
        assert len(script.calls) <= 105


# Queries and answers


def fields_of(text: str) -> set[str]:
    found: set[str] = set()

    class Collect(graphql.Visitor):
        def enter_field(self, node: Any, *_: Any) -> None:
            found.add(node.name.value)

    graphql.visit(graphql.parse(text), Collect())
    return found


def test_the_query_asks_for_every_field_of_the_playbook() -> None:
    playbook = """
        externalId placedAt demandLocationId currency channel channelType paymentAccount instruments
        edges node paymentMethod paymentOrigin paymentProvider paymentAccountTransactions amount
        transactionType items productId quantity pricebookPrice itemDiscounts orderDiscounts tax
        shippingServiceLevel fulfillmentLocationId
    """
    assert set(playbook.split()) | {"id", "pageInfo"} <= fields_of(orders_query(3))


def test_no_customer_data_is_asked_for() -> None:
    assert not fields_of(orders_query(1)) & {"customerEmail", "customerId", "addresses"}


def test_the_next_page_starts_after_a_cursor_whatever_is_in_it() -> None:
    cursor = 'WyJ"\\\n} é'
    document = graphql.parse(next_items_query(cursor))
    values: list[str] = []

    class Collect(graphql.Visitor):
        def enter_string_value(self, node: Any, *_: Any) -> None:
            values.append(node.value)

    graphql.visit(document, Collect())
    assert values == [cursor]


def node_of(**changes: Any) -> dict[str, Any]:
    node: dict[str, Any] = {
        "id": "a",
        "externalId": "UN1",
        "placedAt": "2024-01-02T13:45:29.678",
        "demandLocationId": None,
        "currency": "usd",
        "channel": "web",
        "channelType": "web",
        "paymentAccount": None,
        "items": {"edges": []},
    }
    return node | changes


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
        ({"items": "many"}, "cannot be read at items"),
        ({"currency": 5}, "cannot be read at currency"),
        ({"items": {"pageInfo": {"hasNextPage": True}, "edges": []}}, "no cursor"),
    ],
)
def test_an_order_that_cannot_be_used_fails_with_the_reason(
    changes: dict[str, Any], detail: str
) -> None:
    found = read_order(node_of(**changes), order_id="a")
    assert isinstance(found, OrderFailed)
    assert detail in found.detail


def account_of(*transactions: Any, **instrument: Any) -> Any:
    return {"instruments": [instrument | {"original_transactions": list(transactions)}]}


def test_a_transaction_takes_from_its_instrument_what_it_lacks_itself() -> None:
    document = account_of(
        {"reason": " Refund ", "refund_amount": "-5", "correlation_id": "R-1", "new_field": {}},
        payment_method="cash",
        payment_provider="till",
        currency="EUR",
    )
    assert read_account(document) == (
        PaymentTransaction("refund", Decimal("5.00"), "EUR", "R-1", "cash", "till"),
    )


def test_a_positive_refund_and_a_negative_zero_are_magnitudes_too() -> None:
    document = account_of(
        {"reason": "refunded", "refund_amount": Decimal("5.5"), "currency": "USD"},
        {"reason": "refund", "refund_amount": Decimal("-0.0"), "currency": "USD"},
        {"reason": "issued", "capture_amount": 7, "currency": "JPY"},
    )
    found = read_account(document)
    assert isinstance(found, tuple)
    assert [str(t.amount) for t in found] == ["5.50", "0.00", "7"]


@pytest.mark.parametrize(
    ("transaction", "path"),
    [
        (
            {"reason": "refund", "refund_amount": Decimal("-5.001"), "currency": "USD"},
            ".refund_amount",
        ),
        ({"reason": "refund", "refund_amount": -5.5, "currency": "USD"}, ".refund_amount"),
        ({"reason": "refund", "refund_amount": None, "currency": "USD"}, ".refund_amount"),
        ({"reason": "issue", "capture_amount": "5", "currency": "ZZZ"}, ".capture_amount"),
        ({"reason": "issue", "capture_amount": "5"}, ".currency"),
        ({"reason": 5}, ".reason"),
    ],
)
def test_an_account_that_cannot_be_read_names_the_path_and_no_value(
    transaction: Any, path: str
) -> None:
    found = read_account(account_of({"reason": "capture"}, transaction))
    assert isinstance(found, AccountFailed)
    assert f"$.instruments[0].original_transactions[1]{path}" in found.detail
    assert "5.001" not in found.detail


@pytest.mark.parametrize("document", [None, [], "x", {"instruments": {}}])
def test_a_body_that_is_no_account_fails(document: Any) -> None:
    assert isinstance(read_account(document), AccountFailed)


@pytest.mark.parametrize("document", [{}, {"instruments": None}, {"instruments": []}])
def test_an_empty_account_has_no_transactions(document: Any) -> None:
    assert read_account(document) == ()


def test_amounts_of_kinds_that_move_no_money_back_are_not_read() -> None:
    found = read_account(account_of({"reason": "capture", "capture_amount": "lots"}, {}))
    assert isinstance(found, tuple)
    assert [(t.kind, t.amount) for t in found] == [("capture", 0), ("(none)", 0)]


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"number": CARD}, "9911"),
        ({"gift_card_number": int(CARD)}, "9911"),
        ({"number": "6006-4912-8699-9929-911 "}, "9911"),
        ({"number": "911"}, None),
        ({"number": None, "gift_card_number": CARD}, "9911"),
        ({"number": True}, None),
        ({"last_4": "1234"}, None),
        (None, None),
        ("6006", None),
    ],
)
def test_only_the_last_four_of_a_gift_card_are_kept(metadata: Any, expected: str | None) -> None:
    transaction = {
        "transaction_id": f"issued:r-{CARD}",
        "instrument_id": CARD,
        "reason": "issue",
        "capture_amount": 5,
        "currency": "USD",
        "payment_method": "gift_card",
        "metadata": metadata,
    }
    found = read_account(account_of(transaction))
    assert isinstance(found, tuple)
    assert found[0].gift_card_last4 == expected
    assert CARD not in repr(found)


def test_no_digits_are_kept_of_a_credit_card() -> None:
    transaction = {
        "reason": "refund",
        "refund_amount": -5,
        "currency": "USD",
        "payment_method": "credit_card",
        "metadata": {"number": "4111111111111111", "last_4": "1111"},
    }
    found = read_account(account_of(transaction))
    assert isinstance(found, tuple)
    assert found[0].gift_card_last4 is None
