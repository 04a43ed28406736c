"""Payments: only what NewStore proves is available; all else waits or is held, and is asked for."""

import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from refund_pipeline.domain.errors import Unavailable
from refund_pipeline.gateways.newstore import AccountFailed, OrderFailed
from refund_pipeline.steps.payments import PaymentsFetched, fetch_payments
from refund_pipeline.steps.transactions import build_transactions
from refund_pipeline_tests.fakes import (
    DAY,
    FakeClock,
    FakeErp,
    FakeNewStore,
    account,
    event,
    example_mapping,
    landed_ledger,
    order,
    ready_ledger,
    refund_id,
)

MAPPING = example_mapping()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def newstore() -> FakeNewStore:
    return FakeNewStore()


def fetch(ledger, newstore, clock, *, mapping=MAPPING, **options) -> PaymentsFetched:
    return fetch_payments(
        DAY,
        ledger=ledger,
        open_newstore=lambda: newstore,
        mapping=mapping,
        clock=clock.now,
        random_source=random.Random(1),
        **options,
    )


def build(ledger, clock, mapping=MAPPING) -> None:
    build_transactions(
        DAY,
        ledger=ledger,
        erp=FakeErp(),
        mapping=mapping,
        mapping_version="v1",
        clock=clock.now,
        random_source=random.Random(1),
    )


def test_payments_that_sum_to_the_amount_are_available(tmp_path, clock, newstore) -> None:
    ledger = landed_ledger(tmp_path, [event(1)], clock)
    newstore.show(event(1))
    done = fetch(ledger, newstore, clock)
    assert (done.looked_at, done.results, done.requests) == (1, {"PaymentsAvailable": 1}, 3)
    (work,) = ledger.refunds_to_build(DAY)
    assert work.order == order(event(1))
    assert [line.amount for line in work.lines] == [Decimal("12.50")]


def test_payments_that_are_short_are_awaited(tmp_path, clock, newstore) -> None:
    ledger = landed_ledger(tmp_path, [event(1)], clock)
    newstore.show(replace(event(1), amount=Decimal("12.49")))
    assert fetch(ledger, newstore, clock).results == {"PaymentsAwaited": 1}
    row = ledger.refund(refund_id(1))
    assert (row.status, row.reason) == ("awaiting_payment", "payments_incomplete")
    assert row.detail == "payments show 12.49 of 12.50 USD"
    assert ledger.refunds_to_build(DAY) == []


def test_payments_that_are_over_are_held(tmp_path, clock, newstore) -> None:
    ledger = landed_ledger(tmp_path, [event(1)], clock)
    newstore.show(replace(event(1), amount=Decimal("12.51")))
    assert fetch(ledger, newstore, clock).results == {"PaymentsHeld": 1}
    row = ledger.refund(refund_id(1))
    assert (row.status, row.reason, row.next_attempt_at) == ("held", "overpaid", None)


def test_the_payments_of_another_refund_of_the_order_prove_nothing(
    tmp_path, clock, newstore
) -> None:
    mine = event(1)
    ledger = landed_ledger(tmp_path, [mine], clock)
    newstore.show(mine)
    newstore.accounts[mine.payment_account_id] = account(replace(mine, refund_id=refund_id(2)))
    fetch(ledger, newstore, clock)
    assert ledger.refund(refund_id(1)).detail == "payments show 0 of 12.50 USD"


def test_two_refunds_of_one_order_are_asked_for_in_one_go(tmp_path, clock, newstore) -> None:
    first = event(1)
    second = event(2, order_id=first.order_id, payment_account_id=first.payment_account_id)
    ledger = landed_ledger(tmp_path, [first, second], clock)
    newstore.show(first)
    newstore.accounts[first.payment_account_id] = account(first) + account(second)
    assert fetch(ledger, newstore, clock).results == {"PaymentsAvailable": 2}
    assert newstore.orders_asked == [[first.order_id]]
    assert newstore.accounts_asked == [[first.payment_account_id]]


def test_an_order_that_is_not_visible_is_awaited_without_asking_for_its_account(
    tmp_path, clock, newstore
) -> None:
    ledger = landed_ledger(tmp_path, [event(1), event(2)], clock)
    newstore.show(event(2))
    fetch(ledger, newstore, clock)
    row = ledger.refund(refund_id(1))
    assert row.status == "awaiting_payment"
    assert row.detail == "the order is not visible in NewStore yet"
    assert newstore.accounts_asked == [[event(2).payment_account_id]]


def test_an_account_that_is_not_visible_is_awaited(tmp_path, clock, newstore) -> None:
    ledger = landed_ledger(tmp_path, [event(1)], clock)
    newstore.known[event(1).order_id] = order(event(1))
    fetch(ledger, newstore, clock)
    assert ledger.refund(refund_id(1)).detail == "the payment account is not visible yet"


def test_an_order_that_fails_waits_alone_and_its_account_is_not_asked_for(
    tmp_path, clock, newstore
) -> None:
    ledger = landed_ledger(tmp_path, [event(1), event(2)], clock)
    newstore.show(event(1), event(2))
    newstore.known[event(1).order_id] = OrderFailed("INTERNAL at o0.items")
    assert fetch(ledger, newstore, clock).results == {
        "PaymentsAwaited": 1,
        "PaymentsAvailable": 1,
    }
    row = ledger.refund(refund_id(1))
    assert row.status == "awaiting_payment"
    assert row.detail.endswith("for this order: INTERNAL at o0.items")
    assert newstore.accounts_asked == [[event(2).payment_account_id]]


def test_an_account_that_fails_waits_alone(tmp_path, clock, newstore) -> None:
    ledger = landed_ledger(tmp_path, [event(1), event(2)], clock)
    newstore.show(event(1), event(2))
    newstore.accounts[event(1).payment_account_id] = AccountFailed("it answered 403")
    fetch(ledger, newstore, clock)
    assert ledger.refund(refund_id(1)).detail.endswith("for this payment account: it answered 403")
    assert [work.event for work in ledger.refunds_to_build(DAY)] == [event(2)]


def test_every_try_is_counted_and_the_next_one_is_later_and_later(
    tmp_path, clock, newstore
) -> None:
    ledger = landed_ledger(tmp_path, [event(1)], clock)
    pauses = []
    for attempt in range(1, 13):
        fetch(ledger, newstore, clock)
        row = ledger.refund(refund_id(1))
        assert row.attempts == attempt
        pauses.append(row.next_attempt_at - clock.now())
        clock.sleep(10)
    assert timedelta(seconds=50) < pauses[0] < timedelta(seconds=70)
    assert pauses[3] * 1.5 < pauses[4] < pauses[5] < pauses[6]
    assert timedelta(minutes=50) < pauses[-1] < timedelta(minutes=70)


def test_a_held_refund_is_looked_at_again_and_becomes_available(tmp_path, clock, newstore) -> None:
    ledger = landed_ledger(tmp_path, [event(1)], clock)
    newstore.show(replace(event(1), amount=Decimal("99.00")))
    fetch(ledger, newstore, clock)
    newstore.show(event(1))
    assert fetch(ledger, newstore, clock).results == {"PaymentsAvailable": 1}


@pytest.mark.parametrize(
    "change", [{"return_id": "r-1"}, {"is_historical": True}], ids=["return", "historical"]
)
def test_what_is_not_ours_to_post_is_not_asked_for(tmp_path, clock, newstore, change) -> None:
    ledger = landed_ledger(tmp_path, [event(1, **change)], clock)
    newstore.show(event(1))
    done = fetch(ledger, newstore, clock)
    assert (done.looked_at, done.results, done.requests) == (0, {}, 0)


def test_historical_refunds_are_asked_for_where_finance_posts_them(
    tmp_path, clock, newstore
) -> None:
    ledger = landed_ledger(tmp_path, [event(1, is_historical=True)], clock)
    newstore.show(event(1))
    policies = MAPPING.policies.model_copy(update={"historical": "post"})
    mapping = MAPPING.model_copy(update={"policies": policies})
    assert fetch(ledger, newstore, clock, mapping=mapping).looked_at == 1


def test_a_second_run_asks_nothing_when_everything_is_proven(tmp_path, clock, newstore) -> None:
    events = [event(number) for number in range(3)]
    ledger = landed_ledger(tmp_path, events, clock)
    newstore.show(*events)
    fetch(ledger, newstore, clock)
    again = fetch(ledger, newstore, clock)
    assert (again.looked_at, again.requests) == (0, 0)
    assert len(newstore.orders_asked) == 1


def test_only_the_refunds_that_are_named_are_asked_for(tmp_path, clock, newstore) -> None:
    ledger = landed_ledger(tmp_path, [event(1), event(2)], clock)
    fetch(ledger, newstore, clock, refund_ids=[refund_id(2)])
    assert newstore.orders_asked == [[event(2).order_id]]
    assert ledger.refund(refund_id(1)).status == "landed"


def test_refresh_reads_what_is_proven_again_and_withdraws_what_no_longer_is(
    tmp_path, clock, newstore
) -> None:
    ledger = landed_ledger(tmp_path, [event(1)], clock)
    newstore.show(event(1))
    fetch(ledger, newstore, clock)
    newstore.show(replace(event(1), amount=Decimal("20.00")))
    assert fetch(ledger, newstore, clock).looked_at == 0
    assert fetch(ledger, newstore, clock, refresh=True).results == {"PaymentsHeld": 1}
    assert ledger.refund(refund_id(1)).status == "held"


@pytest.mark.parametrize("refresh", [False, True])
def test_what_is_posted_is_never_read_again(tmp_path, clock, newstore, refresh) -> None:
    ledger = ready_ledger(tmp_path, 1, clock)
    ledger.finish_posting(refund_id(0), state="posted", erp_id="77", amount=Decimal("12.50"))
    newstore.show(replace(event(0), amount=Decimal("20.00")))
    assert fetch(ledger, newstore, clock, refresh=refresh).looked_at == 0
    assert ledger.refund(refund_id(0)).status == "posted"


def test_a_large_day_is_saved_chunk_by_chunk(tmp_path, clock, newstore, monkeypatch) -> None:
    monkeypatch.setattr("refund_pipeline.steps.payments._CHUNK", 2)
    events = [event(number) for number in range(5)]
    ledger = landed_ledger(tmp_path, events, clock)
    newstore.show(*events)
    inner = newstore.orders

    def failing_third_time(order_ids):
        if len(newstore.orders_asked) == 2:
            raise Unavailable("NewStore is down")
        return inner(order_ids)

    monkeypatch.setattr(newstore, "orders", failing_third_time)
    with pytest.raises(Unavailable):
        fetch(ledger, newstore, clock)
    assert len(ledger.refunds_to_build(DAY)) == 4
    monkeypatch.setattr(newstore, "orders", inner)
    assert fetch(ledger, newstore, clock).looked_at == 1
    assert [len(ids) for ids in newstore.orders_asked] == [2, 2, 1]


def test_a_failed_read_takes_nothing_back_that_is_proven(tmp_path, clock, newstore) -> None:
    ledger = landed_ledger(tmp_path, [event(1)], clock)
    newstore.show(event(1))
    fetch(ledger, newstore, clock)
    newstore.known[event(1).order_id] = OrderFailed("refused")
    assert fetch(ledger, newstore, clock, refresh=True).results == {}
    assert ledger.refunds_to_pay(DAY) == []
