"""The REST payment account and the refund resource show what was seen of them (contract 2, 4)."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from refund_pipeline.sandbox.newstore import NewStoreSandbox
from refund_pipeline.sandbox.newstore_model import RefundRequest, issued_instrument_id
from refund_pipeline_tests.sandbox.newstore_raw_client import (
    NOON,
    ORDER_ID,
    OTHER_ID,
    REFUND_ID,
    Caller,
    Clock,
    leg,
    order,
)

GIFT_CARD = {"method": "gift_card", "provider": "gift_card"}
STORE_CREDIT = {"method": "store_credit", "provider": "store_credit"}
CASH = {"method": "cash", "provider": "cash"}
EXCHANGE_ID = "c0ffee00-0d3f-4a52-9a55-444444444444"
REFUNDS = f"/v0/d/orders/{ORDER_ID}/refunds"


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
    with Caller(running[0]) as caller:
        yield caller


@pytest.mark.parametrize(
    ("kind", "tender", "shown"),
    [
        ("issue", GIFT_CARD, False),
        ("issue", STORE_CREDIT, True),
        ("void", STORE_CREDIT, False),
        ("void", GIFT_CARD, False),
        ("refund", CASH, True),
    ],
)
def test_when_a_transaction_was_created_is_null_where_it_was_seen_to_be(
    caller: Caller, kind: str, tender: dict[str, str], shown: bool
) -> None:
    caller.newstore.add_order(order(payments=(leg(kind, **tender),)))
    created_at = "2026-05-02T12:00:00.000Z" if shown else None
    assert caller.transactions()[0]["created_at"] == created_at


@pytest.mark.parametrize(("shows", "text"), [(True, "2026-05-02T12:00:00.000Z"), (False, None)])
def test_a_transaction_can_be_told_to_show_its_time_or_not(
    caller: Caller, shows: bool, text: str | None
) -> None:
    told = leg("issue", **GIFT_CARD, shows_created_at=shows)
    caller.newstore.add_order(order(payments=(told,)))
    assert caller.transactions()[0]["created_at"] == text


def test_metadata_may_be_null(caller: Caller) -> None:
    card = leg("issue", **GIFT_CARD, gift_card_number="6000000000000008", has_metadata=False)
    caller.newstore.add_order(order(payments=(card,)))
    (instrument,) = caller.account().json()["instruments"]
    assert instrument["metadata"] is None
    assert instrument["original_transactions"][0]["metadata"] is None


def test_a_transaction_id_may_be_repeated(caller: Caller) -> None:
    twice = (leg("capture", transaction_id="psp-1"), leg("refund", transaction_id="psp-1"))
    caller.newstore.add_order(order(payments=twice))
    assert [one["transaction_id"] for one in caller.transactions()] == ["psp-1", "psp-1"]


def test_store_credit_is_issued_under_another_correlation_id(caller: Caller, clock: Clock) -> None:
    at = NOON + timedelta(milliseconds=160)
    credit = leg("issue", **STORE_CREDIT, correlation_id=EXCHANGE_ID, available_at=at)
    caller.newstore.add_order(order(payments=(credit,)))
    clock.advance(seconds=1)
    (transaction,) = caller.transactions()
    assert transaction["correlation_id"] == EXCHANGE_ID
    assert transaction["instrument_id"] == f"{ORDER_ID}-{EXCHANGE_ID}"
    assert transaction["created_at"] == "2026-05-02T12:00:00.160Z"


def test_an_exchange_shows_the_refund_and_a_void_on_the_original_order(caller: Caller) -> None:
    """The story of contract 4.5, and the inference that the credit's id is on both accounts."""
    credit = issued_instrument_id(ORDER_ID, EXCHANGE_ID)
    add_exchange(caller, credit)
    original = {
        (one["payment_method"], each["reason"]): each
        for one in caller.account().json()["instruments"]
        for each in one["original_transactions"]
    }
    (paid_with,) = caller.account(OTHER_ID).json()["instruments"]
    assert original["cash", "refund"]["refund_amount"] == -5.0
    assert original["store_credit", "void"]["capture_amount"] == -5.0
    both = [original["cash", "refund"], original["store_credit", "void"]]
    assert {one["correlation_id"] for one in both} == {REFUND_ID}
    assert [one["created_at"] for one in both] == ["2026-05-02T12:00:00.000Z", None]
    assert original["store_credit", "void"]["transaction_id"] == f"void:{credit}-{REFUND_ID}"
    assert original["store_credit", "issue"]["instrument_id"] == credit
    assert original["store_credit", "void"]["instrument_id"] == credit
    assert (paid_with["id"], paid_with["refund_amount"]) == (credit, 61.11)


def add_exchange(caller: Caller, credit: str) -> None:
    """83.06 paid in cash, exchanged for 66.11 in store credit, then 5.00 of appeasement."""
    before = {"available_at": NOON - timedelta(days=1), "correlation_id": EXCHANGE_ID}
    on_credit: dict[str, Any] = {**STORE_CREDIT, "instrument_id": credit}
    caller.newstore.add_order(
        order(
            payments=(
                leg("capture", "83.06", **CASH, **before),
                leg("issue", "66.11", **STORE_CREDIT, **before),
                leg("refund", "16.95", **CASH, **before),
                leg("refund", **CASH),
                leg("void", **on_credit),
            )
        )
    )
    caller.newstore.add_order(
        order(
            OTHER_ID,
            is_exchange=True,
            payments=(leg("capture", "66.11", **on_credit, **before), leg("refund", **on_credit)),
        )
    )


def test_a_refund_resource_is_404_until_it_is_visible(caller: Caller, clock: Clock) -> None:
    later = RefundRequest(
        REFUND_ID, Decimal("5.00"), "USD", NOON, visible_at=NOON + timedelta(seconds=20)
    )
    caller.newstore.add_order(order(refunds=(later,)))
    before = (caller.get(f"{REFUNDS}/{REFUND_ID}").status_code, caller.get(REFUNDS).json())
    clock.advance(seconds=20)
    assert before == (404, {"refunds": []})
    assert caller.get(f"{REFUNDS}/{REFUND_ID}").json()["refund"]["id"] == REFUND_ID
    assert len(caller.get(REFUNDS).json()["refunds"]) == 1


@pytest.mark.parametrize("end", ["succeeded", "failed", "pending"])
def test_a_refund_resource_is_pending_until_it_is_settled(
    caller: Caller, clock: Clock, end: Any
) -> None:
    request = RefundRequest(
        REFUND_ID,
        Decimal("5.00"),
        "USD",
        NOON,
        status=end,
        settled_at=NOON + timedelta(seconds=56),
    )
    caller.newstore.add_order(order(refunds=(request,)))
    seen = [caller.get(f"{REFUNDS}/{REFUND_ID}").json()["refund"]["status"]]
    clock.advance(seconds=56)
    seen.append(caller.get(f"{REFUNDS}/{REFUND_ID}").json()["refund"]["status"])
    assert seen == ["pending", end]
