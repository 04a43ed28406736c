"""The NewStore client against the sandbox, and against a server that says what it is told."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
import stamina

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.domain.payments import PaymentAccount, PaymentTransaction
from refund_pipeline.gateways.newstore import AccountFailed, OrderFailed, OrderRead
from refund_pipeline.gateways.newstore_token import Token, TokenCache
from refund_pipeline.sandbox.newstore import NewStoreSandbox
from refund_pipeline.sandbox.newstore_model import Poison, SandboxItem
from refund_pipeline_tests.fakes import FakeClock
from refund_pipeline_tests.gateways.newstore_makers import (
    CARD,
    PLACED,
    REFUSED,
    client_of,
    fill,
    leg,
    order,
    scripted,
)


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=10, cap=True):
        yield


@pytest.fixture
def sandbox() -> Iterator[NewStoreSandbox]:
    with NewStoreSandbox(clock=FakeClock(PLACED).now) as running:
        yield running


def transaction(
    kind: str, amount: str, correlation_id: str, method: str, provider: str, **more: Any
) -> PaymentTransaction:
    return PaymentTransaction(
        kind, Decimal(amount), "USD", correlation_id, method, provider, **more
    )


# Orders


def test_an_order_is_read_with_what_posting_needs(sandbox: NewStoreSandbox) -> None:
    sandbox.add_order(
        order(1, items=(SandboxItem("socks", Decimal("12.50"), 2, tax=Decimal("1.10")),))
    )
    with client_of(sandbox) as client:
        (read,) = client.orders([order(1).id]).values()
    assert isinstance(read, OrderRead)
    assert read.account is None
    found = read.order
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
        assert client.payment_accounts([]) == {}
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


def test_once_something_was_answered_a_bad_order_is_not_taken_for_a_bad_query(
    sandbox: NewStoreSandbox,
) -> None:
    good, bad = fill(sandbox, 2)
    sandbox.poison(bad, Poison.REQUEST)
    with client_of(sandbox) as client:
        assert isinstance(client.orders([good, bad])[bad], OrderFailed)
    assert sandbox.requests["graphql"] == 3


def test_a_batch_that_fails_once_is_read_in_halves(sandbox: NewStoreSandbox) -> None:
    ids = fill(sandbox, 20)
    sandbox.faults.fail_queries(1)
    with client_of(sandbox) as client:
        found = client.orders(ids)
    assert all(isinstance(value, OrderRead) for value in found.values())
    assert sandbox.requests["graphql"] == 3


def test_graphql_that_answers_nothing_but_errors_is_unavailable_after_few_requests(
    sandbox: NewStoreSandbox,
) -> None:
    ids = fill(sandbox, 50)
    sandbox.faults.fail_queries(1000)
    with client_of(sandbox) as client, pytest.raises(Unavailable, match="every order of a batch"):
        client.orders(ids)
    assert sandbox.requests["graphql"] <= 8


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
        (found,) = client.payment_accounts([order(1).id]).values()
    assert isinstance(found, PaymentAccount)
    card, cash, gift_card = ("credit_card", "adyen"), ("cash", "cash"), ("gift_card",) * 2
    wanted = {
        transaction("authorization", "0", "order", *card, created_at=PLACED),
        transaction("capture", "0", "order", *card, created_at=PLACED),
        transaction("refund", "22.28", "refund-1", *card, created_at=PLACED),
        transaction("refund", "49.34", "refund-1", *cash, created_at=PLACED),
        transaction("issue", "5.00", "refund-1", *gift_card, gift_card_last4="9911"),
        transaction("void", "0", "refund-1", *gift_card, gift_card_last4="9911"),
    }
    assert set(found.transactions) == wanted
    assert CARD not in repr(found)


def test_an_account_that_is_not_there_yet_is_none(sandbox: NewStoreSandbox) -> None:
    sandbox.add_order(order(1, has_account=False))
    sandbox.add_order(order(2))
    with client_of(sandbox) as client:
        found = client.payment_accounts([order(1).id, order(2).id])
    assert found == {order(1).id: None, order(2).id: PaymentAccount(())}


def test_each_account_is_one_request_and_they_run_side_by_side(sandbox: NewStoreSandbox) -> None:
    ids = fill(sandbox, 40)
    with client_of(sandbox) as client:
        assert list(client.payment_accounts(ids)) == ids
        assert client.requests_made == 41


# Tokens, limits and outages


def test_one_token_serves_all_threads(sandbox: NewStoreSandbox) -> None:
    with client_of(sandbox) as client:
        client.payment_accounts(fill(sandbox, 30))
        client.orders(fill(sandbox, 30))
    assert sandbox.requests["token"] == 1


def test_a_token_that_ends_early_is_renewed_once_for_all_threads(sandbox: NewStoreSandbox) -> None:
    ids = fill(sandbox, 30)
    with client_of(sandbox) as client:
        client.payment_accounts(ids)
        sandbox.expire_tokens()
        found = client.payment_accounts(ids)
    assert set(found.values()) == {PaymentAccount(())}
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


class CountingLock:
    """Tells when so many threads have come to it."""

    def __init__(self, threads: int) -> None:
        self._lock = threading.Lock()
        self._coming = threading.Semaphore(0)
        self._threads = threads

    def __enter__(self) -> None:
        self._coming.release()
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    def wait_for_all(self) -> None:
        for _ in range(self._threads):
            assert self._coming.acquire(timeout=30)


def test_threads_that_waited_for_a_token_share_that_there_is_none() -> None:
    lock, asked = CountingLock(8), list[int]()

    def fetch() -> Token:
        asked.append(1)
        lock.wait_for_all()
        raise Unavailable("down")

    cache = TokenCache(fetch)
    cache._lock = lock  # type: ignore[assignment]

    def use(_: int) -> None:
        with pytest.raises(Unavailable):
            cache.current()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(8)))
    assert len(asked) == 1


def test_who_comes_after_a_failed_renewal_asks_anew() -> None:
    failing = [Unavailable("down")]

    def fetch() -> Token:
        if failing:
            raise failing.pop()
        return Token("token", expires_in=300)

    cache = TokenCache(fetch)
    with pytest.raises(Unavailable):
        cache.current()
    assert cache.current() == "token"


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
        assert client.payment_accounts(["a/../b?c"]) == {"a/../b?c": None}
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


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ({"path": ["o0", "paymentAccount", 0, "amount"]}, " (paymentAccount.amount)"),
        ({"path": ["o0", CARD]}, ""),
        ({"path": ["o0", "jane@example.com", "items"]}, " (items)"),
        ({"extensions": {"code": "42501"}}, " (42501)"),
        ({"extensions": {"code": CARD}}, ""),
        ({"extensions": {"code": "no such card"}}, ""),
    ],
)
def test_an_orders_failure_shows_codes_and_fields_only(error: Any, shown: str) -> None:
    def answer(path: str, body: Any) -> tuple[int, Any]:
        if body["variables"]["id0"].startswith("0000"):
            return 200, {"data": {"o0": None}}
        return 200, {"data": {"o0": None}, "errors": [error]}

    with scripted(answer) as (client, _):
        found = client.orders(["a"])["a"]
    assert found == OrderFailed(f"NewStore's GraphQL answered 200 with 1 error(s){shown}")


@pytest.mark.parametrize("status", [401, 403])
def test_a_new_token_that_is_refused_too_is_misconfigured(status: int) -> None:
    with scripted(lambda path, body: (status, {"message": "no"})) as (client, script):
        with pytest.raises(Misconfigured, match=f"answered {status} to a new token"):
            client.payment_accounts(["a"])
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
        script.token = lambda: token
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
        assert client.payment_accounts(["good", "bad"]) == {
            "good": PaymentAccount(()),
            "bad": AccountFailed("NewStore answered 422 for the payment account"),
        }


def test_a_cursor_that_leads_nowhere_fails_the_order_and_does_not_loop_for_ever() -> None:
    info = {"hasNextPage": True, "endCursor": "same"}
    node = {"externalId": "UN1", "currency": "USD", "items": {"pageInfo": info, "edges": []}}
    with scripted(lambda path, body: (200, {"data": {"o0": node}})) as (client, script):
        assert isinstance(client.orders(["a"])["a"], OrderFailed)
        assert len(script.calls) <= 105
