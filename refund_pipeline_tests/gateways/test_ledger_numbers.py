"""The ledger in numbers, on SQLite and on PostgreSQL."""

from datetime import timedelta
from decimal import Decimal

from refund_pipeline.domain.payments import PaymentsHeld
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.numbers import RECENT_DAYS, Numbers
from refund_pipeline.gateways.ledger.rows import RejectedLine, StatusTotal
from refund_pipeline_tests.gateways.ledger_makers import (
    DAY,
    NOON,
    file_named,
    land,
    make_event,
    make_ready,
    pay,
)


def numbers(ledger: Ledger, *, at=NOON) -> Numbers:
    return ledger.for_reading().numbers(now=at)


def post(ledger: Ledger, number: int, **changes) -> None:
    event = make_event(number, **changes)
    transaction = make_ready(ledger, event, landed=True)
    assert ledger.begin_posting(transaction)
    ledger.finish_posting(event.refund_id, state="posted", erp_id=str(number), amount=event.amount)


def test_an_empty_ledger_is_all_zero(ledger) -> None:
    assert numbers(ledger) == Numbers(0, 0, [], [], {}, [], None, None, 0, 0, 0)


def test_open_refunds_are_summed_exactly_whatever_their_age(ledger) -> None:
    events = [make_event(number, amount=Decimal("0.10")) for number in (1, 2, 3)]
    land(ledger, *events)
    pay(ledger, events[2], PaymentsHeld("overpaid", "too much"))
    found = numbers(ledger, at=NOON + timedelta(days=400))
    assert sorted(found.open, key=str) == [
        StatusTotal("held", "overpaid", "USD", 1, Decimal("0.10")),
        StatusTotal("landed", None, "USD", 2, Decimal("0.20")),
    ]
    assert (found.landed, found.unsettled, found.recent) == (3, 3, [])


def test_posted_refunds_leave_the_open_ones_and_stay_among_the_recent_ones(ledger) -> None:
    land(ledger, make_event(1), make_event(2))
    post(ledger, 1)
    found = numbers(ledger)
    assert (found.landed, found.unsettled) == (2, 1)
    assert [(one.status, one.count, one.amount) for one in found.recent] == [
        ("held", 0, Decimal(0)),
        ("outstanding", 1, Decimal("12.30")),
        ("posted", 1, Decimal("12.30")),
        ("skipped", 0, Decimal(0)),
    ]


def test_recent_ends_after_a_week_of_landing_days(ledger) -> None:
    land(ledger, make_event(1))
    last = NOON + timedelta(days=RECENT_DAYS - 1)
    assert len(numbers(ledger, at=last).recent) == 4
    assert numbers(ledger, at=last + timedelta(days=1)).recent == []


def test_latencies_are_those_of_the_last_day_in_order(ledger, clock) -> None:
    land(ledger, make_event(1), make_event(2), make_event(3))
    for number, seconds in ((1, 90), (2, 30), (3, 60)):
        clock.now = NOON + timedelta(seconds=seconds)
        post(ledger, number)
    assert numbers(ledger, at=NOON + timedelta(hours=1)).seconds_to_post == [30, 60, 90]
    after = NOON + timedelta(days=1, seconds=60)
    assert numbers(ledger, at=after).seconds_to_post == [60, 90]


def test_the_oldest_of_each_kind_and_what_must_be_looked_at(ledger, clock) -> None:
    bad = RejectedLine("events/acme/a.export", "e1", 2, ("no json",), "0" * 64, 9)
    land(ledger, make_event(1), rejected=[bad])
    clock.now = NOON + timedelta(minutes=5)
    land(ledger, make_event(2), file=file_named("b"))
    pay(ledger, make_event(2), PaymentsHeld("overpaid", "too much"))
    ledger.record_unknown(DAY, [("apz-1", "7")])
    found = numbers(ledger)
    assert found.oldest == {"outstanding": NOON, "held": clock.now}
    assert (found.rejected_lines, found.unknown, found.different) == (1, 1, 0)
    assert found.last_read_at == clock.now
