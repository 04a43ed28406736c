import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

import refund_pipeline
from refund_pipeline.domain.payments import PaymentsAwaited, PaymentsHeld
from refund_pipeline.domain.retry_policy import LONGEST_WAIT
from refund_pipeline.domain.statuses import STATUSES
from refund_pipeline.domain.transactions import AwaitingOrigin, Held, Skipped
from refund_pipeline.gateways.ledger import overview
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import (
    HistoryEntry,
    OutstandingDay,
    PaymentRow,
    RefundStatus,
    StatusTotal,
)
from refund_pipeline.gateways.ledger.tables import refund_event
from refund_pipeline_tests.gateways.ledger_makers import (
    DAY,
    NOON,
    SetClock,
    build,
    file_named,
    land,
    make_event,
    make_ready,
    make_transaction,
    pay,
    statuses,
)

LATER = NOON + timedelta(minutes=5)
EVENT = make_event()


def do_nothing(_: Ledger) -> None:
    pass


def conflict(ledger: Ledger) -> None:
    land(ledger, replace(EVENT, amount=Decimal(1)), file=file_named("conflicting"))


def finish(state: str, **more: object) -> Callable[[Ledger], None]:
    return lambda ledger: ledger.finish_posting(EVENT.refund_id, state=state, **more)


def begin(ledger: Ledger) -> None:
    assert ledger.begin_posting(make_transaction(EVENT))


def awaited(ledger: Ledger) -> None:
    pay(ledger, EVENT, PaymentsAwaited("short"), next_attempt_at=LATER)


def built(result: object) -> Callable[[Ledger], None]:
    return lambda ledger: build(ledger, EVENT, result, next_attempt_at=LATER)


def ready(ledger: Ledger) -> None:
    make_ready(ledger, EVENT, landed=True)


POSTED = finish("posted", erp_id="900", amount=Decimal("12.30"))
RETRY = finish("retry", next_attempt_at=LATER, detail="503")
UNCERTAIN = finish("uncertain", next_attempt_at=LATER)
REFUSED = finish("held", reason="refused_by_erp", detail="INVALID_KEY")
PAY_HELD = lambda ledger: pay(ledger, EVENT, PaymentsHeld("overpaid", "too much"))  # noqa: E731
PAID = lambda ledger: pay(ledger, EVENT)  # noqa: E731
TENDER_MISSING = built(Held("unmapped_tender", "add a row"))
RETURNED = built(Skipped("belongs_to_return", "booked with it"))
NO_ORIGIN = built(AwaitingOrigin("no cash sale"))

# what happens, one after the other -> status, reason, attempts, next attempt
EDGES = {
    "landed": ([do_nothing], "landed", None, 0, None),
    "payments awaited": ([awaited], "awaiting_payment", "payments_incomplete", 1, LATER),
    "payments held": ([PAY_HELD], "held", "overpaid", 1, None),
    "payments available": ([PAID], "landed", None, 0, None),
    "available after waiting": ([awaited, PAID], "landed", None, 0, None),
    "origin awaited": ([PAID, NO_ORIGIN], "awaiting_origin", "origin_missing", 1, LATER),
    "transaction held": ([PAID, TENDER_MISSING], "held", "unmapped_tender", 1, None),
    "skipped without payments": ([RETURNED], "skipped", "belongs_to_return", 1, None),
    "skipped beats payments": ([PAY_HELD, RETURNED], "skipped", "belongs_to_return", 1, None),
    "ready": ([ready], "ready", None, 1, None),
    "payments gone again": ([ready, awaited], "awaiting_payment", "payments_incomplete", 1, LATER),
    "skipped no more": ([RETURNED, awaited], "awaiting_payment", "payments_incomplete", 1, LATER),
    "write begun": ([ready, begin], "uncertain", "erp_uncertain", 1, None),
    "write unclear": ([ready, begin, UNCERTAIN], "uncertain", "erp_uncertain", 1, LATER),
    "to be retried": ([ready, begin, RETRY], "ready", "erp_unavailable", 1, LATER),
    "retried, now held": (
        [ready, begin, RETRY, TENDER_MISSING],
        "held",
        "unmapped_tender",
        1,
        None,
    ),
    "refused": ([ready, begin, REFUSED], "held", "refused_by_erp", 1, None),
    "refused beats ready": ([ready, begin, REFUSED, ready], "held", "refused_by_erp", 1, None),
    "posted": ([ready, begin, POSTED], "posted", None, 1, None),
    "posted after unclear": ([ready, begin, UNCERTAIN, POSTED], "posted", None, 1, None),
    "found in the ERP": ([ready, POSTED], "posted", None, 0, None),
    "conflict beats landed": ([conflict], "held", "conflicting_event", 0, None),
    "conflict beats skipped": ([RETURNED, conflict], "held", "conflicting_event", 0, None),
    "conflict beats begun": ([ready, begin, conflict], "held", "conflicting_event", 0, None),
    "conflict beats held": ([ready, REFUSED, conflict], "held", "conflicting_event", 0, None),
    "posted beats conflict": ([ready, begin, conflict, POSTED], "posted", None, 1, None),
    "conflict after posted": ([ready, begin, POSTED, conflict], "posted", None, 1, None),
}


@pytest.mark.parametrize("edge", EDGES)
def test_the_view_shows_where_a_refund_stands_and_history_agrees(ledger: Ledger, edge: str) -> None:
    steps, status, reason, attempts, next_attempt_at = EDGES[edge]
    land(ledger, EVENT)
    for step in steps:
        step(ledger)
    row = ledger.refund(EVENT.refund_id)
    assert row is not None
    assert (row.status, row.reason, row.attempts, row.next_attempt_at) == (
        status,
        reason,
        attempts,
        next_attempt_at,
    )
    assert status in STATUSES
    assert ledger.history(EVENT.refund_id)[-1].to_status == status
    outstanding = sum(
        total.count
        for total in ledger.status_totals()
        if total.status not in {"posted", "held", "skipped"}
    )
    days = ledger.outstanding_days(now=NOON)
    assert bool(days) is bool(outstanding)
    assert (ledger.oldest_outstanding(DAY) is None) is (not outstanding)
    in_list = ledger.refunds(statuses=[status])
    assert [found.refund_id for found in in_list] == [EVENT.refund_id]


def test_a_row_of_the_view_carries_every_column(ledger: Ledger, clock: SetClock) -> None:
    make_ready(ledger, EVENT)
    clock.now = LATER
    begin(ledger)
    RETRY(ledger)
    assert ledger.refund(EVENT.refund_id) == RefundStatus(
        refund_id=EVENT.refund_id,
        order_id=EVENT.order_id,
        landing_day=DAY,
        amount=EVENT.amount,
        currency="USD",
        status="ready",
        reason="erp_unavailable",
        detail="503",
        attempts=1,
        next_attempt_at=LATER,
        external_id=make_transaction(EVENT).external_id,
        erp_id=None,
        updated_at=LATER,
    )


def test_the_view_has_exactly_the_documented_columns(ledger: Ledger, ledger_url: str) -> None:
    ledger.status_totals()
    engine = sa.create_engine(ledger_url)
    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT * FROM refund_status")
        assert tuple(found.keys()) == RefundStatus.__slots__
    engine.dispose()


def test_history_tells_the_whole_way_with_runs_and_times(
    open_ledger: Callable[..., Ledger], clock: SetClock
) -> None:
    first, second = open_ledger("run-1"), open_ledger("run-2")
    land(first, EVENT)
    clock.now = LATER
    pay(second, EVENT, PaymentsAwaited("short"))
    assert second.history(EVENT.refund_id) == [
        HistoryEntry(NOON, None, "landed", None, None, "run-1"),
        HistoryEntry(LATER, "landed", "awaiting_payment", "payments_incomplete", "short", "run-2"),
    ]


def test_nothing_but_its_writer_touches_the_history() -> None:
    package = Path(refund_pipeline.__file__).parent
    writing = {
        (path.name, match[1])
        for path in package.rglob("*.py")
        for match in re.finditer(
            r"\b(insert|update|delete)\(\s*refund_history\b|\brefund_history\.(\w+)\(",
            path.read_text(encoding="utf-8"),
        )
    }
    assert writing == {("history.py", "insert")}


def test_a_write_that_changes_neither_status_nor_reason_leaves_no_history(ledger: Ledger) -> None:
    land(ledger, EVENT)
    awaited(ledger)
    awaited(ledger)
    ready(ledger)
    ready(ledger)
    assert statuses(ledger, EVENT) == [
        ("landed", None),
        ("awaiting_payment", "payments_incomplete"),
        ("landed", None),
        ("ready", None),
    ]


def test_a_changed_reason_alone_is_history_too(ledger: Ledger) -> None:
    land(ledger, EVENT)
    pay(ledger, EVENT)
    TENDER_MISSING(ledger)
    built(Held("unmapped_store", "add a row"))(ledger)
    assert statuses(ledger, EVENT)[-2:] == [("held", "unmapped_tender"), ("held", "unmapped_store")]


def test_a_batch_of_thousands_keeps_history_of_each(ledger: Ledger) -> None:
    events = [make_event(number) for number in range(1, 1_202)]
    land(ledger, *events)
    rows = [PaymentRow(e.refund_id, None, PaymentsAwaited("x"), 1, LATER) for e in events]
    ledger.save_payments(rows)
    assert all(len(ledger.history(event.refund_id)) == 2 for event in events[::100])
    (total,) = ledger.status_totals()
    assert (total.status, total.count) == ("awaiting_payment", 1_201)


def test_totals_are_per_status_reason_and_currency(ledger: Ledger) -> None:
    yen = make_event(2, currency="JPY", amount=Decimal(500))
    land(ledger, EVENT, yen, make_event(3), make_event(4))
    PAY_HELD(ledger)
    pay(ledger, make_event(4), PaymentsAwaited("x"))
    assert ledger.status_totals(DAY) == [
        StatusTotal("awaiting_payment", "payments_incomplete", "USD", 1, Decimal("12.30")),
        StatusTotal("held", "overpaid", "USD", 1, Decimal("12.30")),
        StatusTotal("landed", None, "JPY", 1, Decimal(500)),
        StatusTotal("landed", None, "USD", 1, Decimal("12.30")),
    ]
    assert ledger.status_totals(DAY + timedelta(days=1)) == []


def test_refunds_are_listed_by_day_and_status_up_to_a_limit(ledger: Ledger) -> None:
    tomorrow = DAY + timedelta(days=1)
    land(ledger, *[make_event(number) for number in range(1, 6)])
    land(ledger, make_event(9), file=file_named("z", day=tomorrow))
    ledger.finish_posting(make_event(2).refund_id, state="posted", erp_id="1")
    assert len(ledger.refunds()) == 6
    assert len(ledger.refunds(limit=2)) == 2
    assert [row.refund_id for row in ledger.refunds(day=tomorrow)] == [make_event(9).refund_id]
    assert len(ledger.refunds(day=DAY, statuses=["landed"])) == 4
    assert len(ledger.refunds(statuses={"landed", "posted"})) == 6
    assert ledger.refunds(statuses=[]) == []
    assert ledger.refund("unknown") is None


def test_outstanding_days_tell_due_undated_and_the_next_date(ledger: Ledger) -> None:
    tomorrow = DAY + timedelta(days=1)
    events = [make_event(number) for number in range(1, 7)]
    land(ledger, *events)
    land(ledger, make_event(9), file=file_named("z", day=tomorrow))
    for event, minutes in zip(events, (-5, 0, 5, 9), strict=False):
        at = NOON + timedelta(minutes=minutes)
        pay(ledger, event, PaymentsAwaited("x"), next_attempt_at=at)
    pay(ledger, events[4], PaymentsHeld("overpaid", "x"))
    make_ready(ledger, events[5], landed=True)
    ledger.finish_posting(events[5].refund_id, state="posted", erp_id="1")
    assert ledger.outstanding_days(now=NOON) == [
        OutstandingDay(DAY, due=2, undated=0, earliest=LATER),
        OutstandingDay(tomorrow, due=0, undated=1, earliest=None),
    ]


def test_a_date_further_off_than_any_pause_is_due_since_the_clock_that_set_it_ran_ahead(
    ledger: Ledger,
) -> None:
    events = [make_event(number) for number in (1, 2)]
    land(ledger, *events)
    for event, wait in zip(events, (LONGEST_WAIT, timedelta(days=1)), strict=True):
        pay(ledger, event, PaymentsAwaited("x"), next_attempt_at=NOON + wait)
    assert ledger.outstanding_days(now=NOON) == [
        OutstandingDay(DAY, due=1, undated=0, earliest=NOON + LONGEST_WAIT)
    ]


def test_a_reopened_refund_is_outstanding_again(ledger: Ledger) -> None:
    land(ledger, EVENT)
    RETURNED(ledger)
    assert ledger.outstanding_days(now=NOON) == []
    pay(ledger, EVENT)
    ready(ledger)
    assert ledger.outstanding_days(now=NOON) == [OutstandingDay(DAY, 0, 1, None)]


def test_the_oldest_outstanding_refund_tells_since_when(ledger: Ledger, clock: SetClock) -> None:
    land(ledger, EVENT)
    clock.now = LATER
    land(ledger, make_event(2), file=file_named("b"))
    assert ledger.oldest_outstanding(DAY) == NOON
    ledger.finish_posting(EVENT.refund_id, state="posted", erp_id="1")
    assert ledger.oldest_outstanding(DAY) == LATER


def test_outstanding_refunds_are_found_by_their_own_index(ledger: Ledger, ledger_url: str) -> None:
    if not ledger_url.startswith("sqlite"):
        pytest.skip("PostgreSQL plans by statistics; small tables are scanned")
    seen: list[str] = []
    land(ledger, EVENT)
    with ledger._database.read() as connection:
        sa.event.listen(
            connection,
            "before_cursor_execute",
            lambda *call: seen.append(call[2]),
        )
        overview.outstanding_days(connection, now=NOON)
        (statement,) = seen
        markers = statement.count("?")
        plan = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, ("x",) * markers)
        steps = " / ".join(row[-1] for row in plan)
    assert "ix_refund_event_unsettled" in steps
    assert steps.count("SCAN") == 1
    assert "MATERIALIZE" not in steps


@pytest.mark.parametrize("reason", ["no_such_reason", "Overpaid", ""])
def test_a_reason_outside_the_list_is_refused_and_nothing_is_written(
    ledger: Ledger, reason: str
) -> None:
    land(ledger, EVENT)
    attempts: list[Callable[[], None]] = [
        lambda: pay(ledger, EVENT, PaymentsHeld(reason, "x")),
        lambda: build(ledger, EVENT, Held(reason, "x")),
        lambda: build(ledger, EVENT, Skipped(reason, "x")),
    ]
    if reason:
        attempts.append(lambda: ledger.finish_posting(EVENT.refund_id, state="held", reason=reason))
    for attempt in attempts:
        with pytest.raises(ValueError, match="closed list"):
            attempt()
    assert statuses(ledger, EVENT) == [("landed", None)]


def test_the_ledger_does_not_load_alembic_when_the_schema_is_new_enough(
    ledger: Ledger, ledger_url: str
) -> None:
    ledger.status_totals()
    code = (
        "import sys; from datetime import datetime, timezone\n"
        "from refund_pipeline.gateways.ledger.ledger import Ledger\n"
        "ledger = Ledger(sys.argv[1], clock=lambda: datetime.now(timezone.utc))\n"
        "ledger.status_totals(); ledger.close()\n"
        "print('alembic' in sys.modules, 'dagster' in sys.modules)"
    )
    done = subprocess.run(  # noqa: S603  (our own interpreter)
        [sys.executable, "-c", code, ledger_url], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False False"


def test_settled_refunds_leave_the_index_of_open_ones_and_come_back(ledger: Ledger) -> None:
    def marks() -> tuple[bool, bool]:
        columns = refund_event.c.unsettled, refund_event.c.is_posted
        with ledger._database.read() as connection:
            return tuple(connection.execute(sa.select(*columns)).one())

    land(ledger, EVENT)
    pay(ledger, EVENT)
    assert marks() == (True, False)
    RETURNED(ledger)
    assert marks() == (False, False)
    TENDER_MISSING(ledger)
    assert marks() == (True, False)
    POSTED(ledger)
    assert marks() == (False, True)


def test_what_a_version_without_the_mark_posted_counts_and_is_no_work(ledger: Ledger) -> None:
    land(ledger, EVENT)
    pay(ledger, EVENT)
    TENDER_MISSING(ledger)
    POSTED(ledger)
    told = ledger.status_totals(DAY), ledger.status_totals()
    with ledger._database.write() as connection:
        connection.execute(sa.update(refund_event).values(is_posted=False))
    assert (ledger.status_totals(DAY), ledger.status_totals()) == told
    assert ledger.ids_to_pay(DAY) == ledger.ids_to_post(DAY) == []
    assert ledger.amounts_to_build(DAY) == []
