"""GraphQL shows what it may show: behind the other APIs, in small pages, money spelled anyhow."""

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from refund_pipeline.sandbox.newstore import NewStoreSandbox
from refund_pipeline.sandbox.newstore_model import SandboxInstrument, SandboxItem
from refund_pipeline.sandbox.newstore_money import MoneySpelling, MoneyWriter
from refund_pipeline_tests.sandbox.newstore_raw_client import (
    NOON,
    ORDER_ID,
    Caller,
    Clock,
    leg,
    order,
)

LEGS = "paymentAccount { transactions { nodes { transactionType amount } } }"


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[NewStoreSandbox, Clock]]:
    clock = Clock()
    with NewStoreSandbox(clock=clock, token_ttl=100_000) as newstore:
        yield newstore, clock


@pytest.fixture
def clock(running: tuple[NewStoreSandbox, Clock]) -> Clock:
    running[1].now = NOON
    return running[1]


@pytest.fixture
def caller(running: tuple[NewStoreSandbox, Clock], clock: Clock) -> Iterator[Caller]:
    newstore, _ = running
    newstore.page_size, newstore.graphql_lag = 100, timedelta(0)
    newstore.money_spelling = "as_kept"
    with Caller(newstore) as caller:
        yield caller


def amounts(found: dict[str, Any]) -> list[Any]:
    return [node["amount"] for node in found["paymentAccount"]["transactions"]["nodes"]]


def test_graphql_is_behind_the_rest_account(caller: Caller, clock: Clock) -> None:
    caller.newstore.graphql_lag = timedelta(seconds=30)
    caller.newstore.add_order(order(payments=(leg(), leg(available_at=NOON - timedelta(hours=1)))))
    assert len(caller.transactions()) == 2
    assert len(amounts(caller.order(LEGS))) == 1
    clock.advance(seconds=30)
    assert len(amounts(caller.order(LEGS))) == 2


def test_an_order_and_its_account_are_behind_too(caller: Caller, clock: Clock) -> None:
    caller.newstore.graphql_lag = timedelta(seconds=30)
    caller.newstore.add_order(order(visible_at=NOON, account_at=NOON + timedelta(seconds=10)))
    seen = [caller.order(LEGS)]
    for seconds in (30, 10):
        clock.advance(seconds=seconds)
        seen.append(caller.order(LEGS))
    assert seen[:2] == [None, {"paymentAccount": None}]
    assert amounts(seen[2]) == []
    assert caller.account().status_code == 200


@pytest.mark.parametrize(
    ("spelling", "kept", "written"),
    [
        ("as_kept", "5", "5"),
        ("as_kept", "5.00", "5.00"),
        ("as_kept", "1E+3", "1000"),
        ("as_kept", "0E-2", "0.00"),
        ("shortest", "5.00", "5"),
        ("shortest", "12.50", "12.5"),
        ("shortest", "100", "100"),
        ("four_decimals", "5", "5.0000"),
        ("four_decimals", "0.12345", "0.12345"),
        ("four_decimals", "0", "0.0000"),
    ],
)
def test_money_is_text_as_a_numeric_column_spells_it(
    spelling: MoneySpelling, kept: str, written: str
) -> None:
    assert MoneyWriter(spelling).write(Decimal(kept)) == written


def test_nothing_is_paid_without_a_sign(caller: Caller) -> None:
    caller.newstore.add_order(order(payments=(leg(amount="0.00"),)))
    assert amounts(caller.order(LEGS)) == ["0.00"]
    assert '"refund_amount":-0.0,' in caller.account().text


def test_spellings_may_be_mixed_in_one_answer(caller: Caller) -> None:
    caller.newstore.money_spelling = "mixed"
    caller.newstore.add_order(order(payments=(leg("authorize"), leg("capture"), leg("refund"))))
    found = amounts(caller.order(LEGS))
    assert {amount.lstrip("-") for amount in found} == {"5", "5.00", "5.0000"}


def test_money_may_be_a_json_number(caller: Caller) -> None:
    caller.newstore.money_spelling = "number"
    caller.newstore.add_order(order(payments=(leg(amount="9007199254740993.01"),)))
    answer = caller.query(f'{{ order(id: "{ORDER_ID}", tenant: "demo") {{ {LEGS} }} }}')
    found = json.loads(answer.text, parse_float=Decimal)["data"]["order"]
    assert amounts(found) == [Decimal("-9007199254740993.01")]


@pytest.mark.parametrize(
    ("currency", "amount", "text"),
    [("JPY", "500", "-500"), ("EUR", "5.10", "-5.10"), ("KWD", "0.125", "-0.125")],
)
def test_currencies_have_no_two_or_three_decimals(
    caller: Caller, currency: str, amount: str, text: str
) -> None:
    paid = leg(amount=amount, currency=currency)
    caller.newstore.add_order(order(currency=currency, payments=(paid,)))
    assert amounts(caller.order(LEGS)) == [text]
    body = json.loads(caller.account().text, parse_float=Decimal)
    assert body["instruments"][0]["refund_amount"] == Decimal(text)


def pages(caller: Caller, path: tuple[str, ...], fields: str) -> list[list[Any]]:
    """Read a connection to its end; `path` leads to it through fields and one-element lists."""
    found: list[list[Any]] = []
    after = ""
    while True:
        inner = (
            f"(first: 100 {after}) {{ nodes {{ {fields} }} pageInfo {{ hasNextPage endCursor }} }}"
        )
        query = path[-1] + inner
        for field in reversed(path[:-1]):
            query = f"{field} {{ {query} }}"
        page = caller.order(query)
        for field in (*path[:-1], path[-1]):
            page = page[field.split("(")[0]]
            page = page[0] if isinstance(page, list) else page
        found.append(page["nodes"])
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = f'after: "{page["pageInfo"]["endCursor"]}"'


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (("items",), "productId"),
        (("extendedAttributes",), "name"),
        (("paymentAccount", "instruments"), "paymentMethod"),
        (("paymentAccount", "transactions"), "amount"),
        (
            ("paymentAccount", "instruments(first: 1)", "nodes", "paymentAccountTransactions"),
            "amount",
        ),
    ],
)
def test_every_nested_connection_is_cut_at_the_page_size(
    caller: Caller, path: tuple[str, ...], fields: str
) -> None:
    caller.newstore.page_size = 2
    legs = [leg("refund", f"{number}.00") for number in range(1, 6)]
    others = [leg("capture", instrument=f"card {number}") for number in range(4)]
    caller.newstore.add_order(
        order(
            items=tuple(SandboxItem(f"SKU-{number}", Decimal(1)) for number in range(5)),
            payments=(*legs, *others),
            extended_attributes=tuple((f"name-{number}", "x") for number in range(5)),
        )
    )
    sizes = [len(page) for page in pages(caller, path, fields)]
    assert sizes in ([2, 2, 1], [2, 2, 2, 2, 1])


def test_an_account_may_be_empty_or_have_instruments_without_transactions(caller: Caller) -> None:
    instruments = (
        "paymentAccount { instruments { nodes { paymentMethod paymentOrigin"
        " paymentAccountTransactions { totalCount } } } }"
    )
    caller.newstore.add_order(order())
    empty = caller.order(instruments)["paymentAccount"]["instruments"]["nodes"]
    card = SandboxInstrument("credit_card", "adyen", "USD")
    caller.newstore.add_order(order(bare_instruments=(card,)))
    (bare,) = caller.order(instruments)["paymentAccount"]["instruments"]["nodes"]
    (account,) = caller.account().json()["instruments"]
    assert empty == []
    assert bare["paymentAccountTransactions"] == {"totalCount": 0}
    assert (account["original_transactions"], account["metadata"]) == ([], None)
    assert account["refund_amount"] == 0


def test_a_guest_has_no_address_and_others_have_their_country(caller: Caller) -> None:
    address = "customerEmail addresses { nodes { country } }"
    caller.newstore.add_order(order())
    guest = caller.order(address)
    caller.newstore.add_order(order(customer_name="Test Person", country="FR"))
    assert guest == {"customerEmail": None, "addresses": {"nodes": []}}
    assert caller.order(address)["addresses"] == {"nodes": [{"country": "FR"}]}
