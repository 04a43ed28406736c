"""What the whole ledger shows to the watch, on SQLite and on PostgreSQL."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
import sqlalchemy as sa

from refund_pipeline.domain.payments import PaymentsAwaited, PaymentsHeld
from refund_pipeline.domain.standing import Named, Outstanding, Standing
from refund_pipeline.domain.transactions import Held as HeldTransaction
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import RejectedLine
from refund_pipeline.gateways.ledger.tables import rejected_line
from refund_pipeline_tests.gateways.ledger_makers import (
    DAY,
    NOON,
    build,
    file_named,
    land,
    make_event,
    make_ready,
    pay,
)

LATER = NOON + timedelta(hours=3)


def standing(ledger: Ledger, *, landed_before: datetime = LATER) -> Standing:
    return ledger.for_the_watch().standing(landed_before=landed_before)


def post(ledger: Ledger, number: int) -> str:
    event = make_event(number)
    transaction = make_ready(ledger, event, landed=True)
    assert ledger.begin_posting(transaction)
    ledger.finish_posting(event.refund_id, state="posted", erp_id=str(number), amount=event.amount)
    return event.refund_id


def landed_file(ledger: Ledger, at: datetime, *, kind="export") -> None:
    key = f"acme/{int(at.timestamp() * 1000)}-data-x"
    land(ledger, file=file_named(key, day=at.date(), kind=kind))


def test_an_empty_ledger_has_nothing_to_say(ledger) -> None:
    assert standing(ledger) == Standing([], None, None, None, None)


def test_held_refunds_are_counted_and_summed_by_reason_since_the_first_one(ledger, clock) -> None:
    events = [
        make_event(1),
        make_event(2, amount=Decimal("0.10")),
        make_event(3, amount=Decimal(700), currency="JPY"),
        make_event(4),
    ]
    land(ledger, *events)
    pay(ledger, events[0], PaymentsHeld("overpaid", "too much"))
    clock.now = NOON + timedelta(hours=1)
    for event in events:
        pay(ledger, event, PaymentsHeld("overpaid", "too much"))
    pay(ledger, events[3])
    build(ledger, events[3], HeldTransaction("closed_period", "closed"))
    closed, overpaid = standing(ledger).held
    assert (overpaid.reason, overpaid.count, overpaid.since) == ("overpaid", 3, NOON)
    assert overpaid.amounts == {"USD": Decimal("12.40"), "JPY": Decimal(700)}
    assert (closed.reason, closed.count) == ("closed_period", 1)
    assert closed.since == NOON + timedelta(hours=1)


def test_refunds_that_landed_before_the_limit_and_are_not_posted_are_outstanding(
    ledger, clock
) -> None:
    land(ledger, make_event(1), make_event(2))
    clock.now = NOON + timedelta(hours=1)
    land(ledger, make_event(3), file=file_named("b"))
    pay(ledger, make_event(2), PaymentsAwaited("late"), next_attempt_at=LATER)
    expected = Outstanding(2, {"landed": 1, "awaiting_payment": 1}, make_event(1).refund_id, NOON)
    assert standing(ledger, landed_before=clock.now).outstanding == expected
    assert standing(ledger, landed_before=NOON).outstanding is None
    post(ledger, 1)
    pay(ledger, make_event(2), PaymentsHeld("overpaid", "too much"))
    assert standing(ledger, landed_before=clock.now).outstanding is None


def test_rejected_lines_are_counted_and_the_first_ones_named(ledger) -> None:
    lines = [
        RejectedLine("events/acme/a.export", "e1", number, ("bad",), "0" * 64, 3)
        for number in range(1, 8)
    ]
    land(ledger, rejected=lines)
    names = tuple(f"events/acme/a.export:{number}" for number in range(1, 6))
    assert standing(ledger).rejected == Named(7, names, (DAY,), NOON)


def test_a_rejected_line_that_was_released_waits_for_nobody(ledger) -> None:
    land(ledger, rejected=[RejectedLine("events/acme/a.export", "e1", 1, ("bad",), "0" * 64, 3)])
    with ledger._database.write() as connection:
        connection.execute(sa.update(rejected_line).values(released_at=NOON, released_by="anna"))
    assert standing(ledger).rejected is None


def test_posted_refunds_that_differ_are_named_until_they_are_equal(ledger, clock) -> None:
    land(ledger, make_event(1), make_event(2))
    first, second = post(ledger, 1), post(ledger, 2)
    ledger.record_verifications([(first, "record 1 is missing from the ERP"), (second, None)])
    assert standing(ledger).different == Named(1, (first,), (DAY,), NOON)
    ledger.record_verifications([(first, None)])
    assert standing(ledger).different is None


def test_records_unknown_to_the_ledger_stay_until_their_day_is_compared_again(ledger) -> None:
    next_day = DAY + timedelta(days=1)
    ledger.record_unknown(DAY, [("apz-1", "77"), ("apz-2", "78")])
    ledger.record_unknown(next_day, [("apz-1", "77")])
    assert standing(ledger).unknown == Named(2, ("apz-1", "apz-2"), (DAY, next_day), NOON)
    ledger.record_unknown(DAY, [])
    assert standing(ledger).unknown == Named(1, ("apz-1",), (next_day,), NOON)
    ledger.record_unknown(next_day, [])
    assert standing(ledger).unknown is None


@pytest.fixture
def landed(ledger: Ledger) -> Ledger:
    for hours in (-200, -50, -26, -25, -3, 2):
        landed_file(ledger, NOON + timedelta(hours=hours))
    landed_file(ledger, NOON - timedelta(hours=1), kind="stray")
    return ledger


def hours_from_noon(moments: list[datetime]) -> list[float]:
    return [round((at - NOON) / timedelta(hours=1), 3) for at in moments]


def test_the_last_file_is_the_last_one_by_name_that_is_not_from_the_future(landed) -> None:
    watched = landed.for_the_watch()
    for now, expected in ((0, [-3]), (2.5, [2]), (-3.5, [-25]), (-27, [-50]), (-199, [-200])):
        last = watched.last_landed(now=NOON + timedelta(hours=now))
        assert hours_from_noon([last]) == expected
    assert watched.last_landed(now=NOON - timedelta(hours=201)) is None


def test_a_window_comes_with_its_neighbours_from_other_days(landed) -> None:
    watched = landed.for_the_watch()

    def around(begin: float, end: float) -> list[float]:
        hour = timedelta(hours=1)
        return hours_from_noon(watched.landed_around(NOON + hour * begin, NOON + hour * end))

    assert around(-26.5, -24) == [-50, -26, -25, -3]
    assert around(-100, -99) == [-200, -50]
    assert around(-300, -199) == [-200, -50]
    assert around(-4, 1) == [-25, -3, 2]
    assert around(3, 4) == [2]


def test_names_of_a_prefix_changed_on_the_way_are_put_in_order(ledger) -> None:
    old = NOON - timedelta(hours=2)
    land(ledger, file=file_named(f"z/{int(old.timestamp() * 1000)}-data-x", day=old.date()))
    landed_file(ledger, NOON - timedelta(hours=1))
    watched = ledger.for_the_watch()
    assert hours_from_noon([watched.last_landed(now=NOON)]) == [-1]
    assert hours_from_noon(watched.landed_around(NOON - timedelta(hours=1.5), NOON)) == [-2, -1]


def test_files_of_a_leap_day_and_a_new_year_are_found(ledger) -> None:
    for at in (
        datetime(2028, 2, 29, 23, 59, 59, tzinfo=timezone.utc),
        datetime(2029, 1, 1, tzinfo=timezone.utc),
    ):
        landed_file(ledger, at)
        assert ledger.for_the_watch().last_landed(now=at + timedelta(minutes=1)) == at
