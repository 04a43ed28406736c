"""Landing days as people count them, on SQLite and on PostgreSQL."""

from datetime import date, timedelta
from decimal import Decimal

from refund_pipeline.domain.payments import PaymentsHeld
from refund_pipeline.domain.statuses import OUTSTANDING
from refund_pipeline.gateways.ledger.ledger import Ledger
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

NEXT, LAST = DAY + timedelta(days=1), DAY + timedelta(days=2)


def days(ledger: Ledger, first: date, last: date | None = None, *, older: bool = False):
    return ledger.for_reading().landed_days(first, last, older=older)


def post(ledger: Ledger, number: int, day: date, **changes) -> None:
    event = make_event(number, **changes)
    land(ledger, event, file=file_named(f"f{number}", day=day))
    transaction = make_ready(ledger, event, landed=True)
    assert ledger.begin_posting(transaction)
    ledger.finish_posting(event.refund_id, state="posted", erp_id=str(number), amount=event.amount)


def test_sums_are_exact_by_day_status_reason_and_currency(ledger) -> None:
    post(ledger, 1, DAY, amount=Decimal("0.10"))
    post(ledger, 2, DAY, amount=Decimal("0.20"))
    post(ledger, 3, NEXT, amount=Decimal(700), currency="JPY")
    first, second = days(ledger, DAY)
    assert (first.day, second.day) == (DAY, NEXT)
    assert first.totals == (StatusTotal("posted", None, "USD", 2, Decimal("0.30")),)
    assert second.totals == (StatusTotal("posted", None, "JPY", 1, Decimal(700)),)


def test_a_day_knows_its_files_the_refunds_they_brought_and_rejected_lines(ledger) -> None:
    bad = RejectedLine("events/acme/a.export", "e1", 2, ("no json",), "0" * 64, 9)
    land(ledger, make_event(1), rejected=[bad])
    land(ledger, make_event(2), make_event(1), file=file_named("b"))
    land(ledger, file=file_named("c", kind="stray"))
    (day,) = days(ledger, DAY)
    assert (day.files, day.brought, day.rejected) == (2, 2, 1)


def test_days_are_limited_on_both_sides(ledger) -> None:
    for number, day in enumerate((DAY, NEXT, LAST), 1):
        post(ledger, number, day)
    assert [one.day for one in days(ledger, NEXT)] == [NEXT, LAST]
    assert [one.day for one in days(ledger, DAY, NEXT)] == [DAY, NEXT]


def test_older_days_are_there_while_they_wait_with_what_is_posted_too(ledger) -> None:
    post(ledger, 1, DAY)
    assert days(ledger, LAST, older=True) == []
    land(ledger, make_event(2), file=file_named("late", day=DAY))
    (day,) = days(ledger, LAST, older=True)
    assert {total.status for total in day.totals} == {"posted", "landed"}


def test_an_older_day_with_an_unread_line_is_there_too(ledger) -> None:
    bad = RejectedLine("events/acme/a.export", "e1", 1, ("no json",), "0" * 64, 9)
    land(ledger, rejected=[bad])
    (day,) = days(ledger, LAST, older=True)
    assert (day.day, day.totals, day.rejected) == (DAY, (), 1)


def test_the_oldest_is_the_one_that_landed_first_of_those_statuses_and_days(ledger, clock) -> None:
    land(ledger, make_event(1), file=file_named("a", day=NEXT))
    clock.now = NOON + timedelta(hours=1)
    land(ledger, make_event(2), file=file_named("b", day=DAY))
    pay(ledger, make_event(1), PaymentsHeld("overpaid", "too much"))
    reader = ledger.for_reading()
    held, waiting = reader.oldest({"held"}), reader.oldest(OUTSTANDING)
    assert held is not None
    assert (held.refund_id, held.landed_at, held.reason) == (
        make_event(1).refund_id,
        NOON,
        "overpaid",
    )
    assert waiting is not None
    assert waiting.refund_id == make_event(2).refund_id
    assert reader.oldest({"held"}, days=[DAY]) is None
    assert reader.oldest({"ready"}) is None
