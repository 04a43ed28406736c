import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import FileCounts, FileTotals, RejectedLine
from refund_pipeline_tests.gateways.ledger_makers import (
    DAY,
    NOON,
    file_named,
    land,
    make_event,
    make_ready,
    statuses,
)

NOTHING = FileCounts(new=0, duplicates=0, conflicts=0, rejected=0, other=0)


def bad_line(file_name: str = "a", *, number: int = 9, etag: str = "e1") -> RejectedLine:
    file = file_named(file_name, etag=etag)
    return RejectedLine(file.key, etag, number, ("$.payload.amount: is missing",), "ab" * 32, 77)


def test_a_recorded_event_comes_back_as_it_went_in(ledger: Ledger) -> None:
    event = make_event(return_id="ret-1", reason_code=None, is_historical=True)
    land(ledger, event)
    assert [work.event for work in ledger.refunds_to_pay(DAY)] == [event]


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("12.30", "USD"),
        ("1000", "JPY"),
        ("0.125", "KWD"),
        ("999999999999.99", "EUR"),
        ("1.0000", "CLF"),
    ],
)
def test_money_keeps_its_value_and_scale(ledger: Ledger, amount: str, currency: str) -> None:
    event = make_event(amount=Decimal(amount), currency=currency)
    land(ledger, event)
    (total,) = ledger.status_totals()
    stored = ledger.refund(event.refund_id)
    assert stored is not None
    assert (str(stored.amount), str(total.amount)) == (amount, amount)


@pytest.mark.parametrize("amount", [12.3, 12, "12.30", Decimal("NaN")])
def test_money_that_is_not_a_finite_decimal_is_refused(ledger: Ledger, amount: object) -> None:
    with pytest.raises(Exception, match="finite Decimal"):
        land(ledger, make_event(amount=amount))
    assert ledger.known_files([file_named().key]) == frozenset()


def test_sums_are_exact_where_binary_floats_are_not(ledger: Ledger) -> None:
    events = [make_event(n, amount=Decimal("0.10")) for n in range(1, 4)]
    events.append(make_event(4, amount=Decimal("12345678901.01")))
    land(ledger, *events)
    (total,) = ledger.status_totals(DAY)
    assert (total.count, str(total.amount)) == (4, "12345678901.31")


def test_a_time_without_a_zone_is_refused(ledger: Ledger) -> None:
    naive = NOON.replace(tzinfo=None)
    with pytest.raises(Exception, match="aware"):
        land(ledger, make_event(requested_at=naive))


def test_every_line_of_a_file_is_counted_once(ledger: Ledger) -> None:
    one, two = make_event(1), make_event(2)
    changed = replace(two, amount=Decimal("99.00"))
    counts = land(ledger, one, two, one, changed, rejected=[bad_line()], other={"order.opened": 3})
    assert counts == FileCounts(new=2, duplicates=1, conflicts=1, rejected=1, other=3)
    assert ledger.file_totals(DAY) == FileTotals(
        files=1,
        strays=0,
        lines=8,
        events=2,
        duplicates=1,
        conflicts=1,
        rejected=2,
        other_events={"order.opened": 3},
        bytes=100,
    )


def test_a_file_whose_lines_do_not_add_up_is_not_recorded(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="2 lines were read, 1 are accounted for"):
        ledger.record_file(
            file_named(), events=[(1, make_event())], rejected=[], other_events={}, lines=2
        )
    assert ledger.refund(make_event().refund_id) is None


def test_recording_the_same_version_again_changes_nothing(
    open_ledger: Callable[..., Ledger],
) -> None:
    first = land(open_ledger(), make_event(), make_event(), rejected=[bad_line()])
    ledger = open_ledger()
    before = ledger.file_totals(DAY)
    assert land(ledger, make_event(7)) == first
    assert ledger.file_totals(DAY) == before
    assert ledger.refund(make_event(7).refund_id) is None


def test_a_rewritten_file_is_a_new_row_whose_known_events_are_duplicates(ledger: Ledger) -> None:
    land(ledger, make_event(1))
    rewritten = file_named(etag="e2")
    assert land(ledger, make_event(1), make_event(2), file=rewritten).new == 1
    assert ledger.known_files([rewritten.key, "unknown"]) == {
        (rewritten.key, "e1"),
        (rewritten.key, "e2"),
    }


def test_a_refund_published_again_is_a_duplicate(ledger: Ledger) -> None:
    event = make_event()
    again = replace(event, published_at=event.published_at + timedelta(hours=1))
    assert land(ledger, event, again) == replace(NOTHING, new=1, duplicates=1)


def test_a_rejected_line_of_each_version_is_kept(ledger: Ledger) -> None:
    land(ledger, rejected=[bad_line()])
    land(ledger, rejected=[bad_line(etag="e2")], file=file_named(etag="e2"))
    assert ledger.rejected_lines(DAY) == [bad_line(), bad_line(etag="e2")]
    assert len(ledger.rejected_lines(DAY, limit=1)) == 1


def test_a_conflict_in_a_later_file_holds_the_refund_and_names_the_fields_only(
    ledger: Ledger,
) -> None:
    event = make_event()
    land(ledger, event)
    other = replace(event, amount=Decimal("77.77"), order_id="order-secret")
    counts = land(ledger, other, file=file_named("b"))
    assert counts == replace(NOTHING, conflicts=1)
    (line,) = ledger.rejected_lines(DAY)
    assert (line.key, line.line_number) == (file_named("b").key, 1)
    assert line.problems == (f"conflicting event for refund {event.refund_id}: order_id, amount",)
    stored = ledger.refund(event.refund_id)
    assert stored is not None
    assert (stored.status, stored.reason) == ("held", "conflicting_event")
    assert "77.77" not in str(stored)
    assert "order-secret" not in json.dumps([stored.detail, line.problems])
    assert statuses(ledger, event) == [("landed", None), ("held", "conflicting_event")]


def test_a_conflict_within_one_file_holds_the_refund(ledger: Ledger) -> None:
    event = make_event()
    assert land(ledger, event, replace(event, reason="other")).conflicts == 1
    assert statuses(ledger, event) == [("held", "conflicting_event")]


def test_a_refund_in_conflict_is_no_work_for_any_step(ledger: Ledger) -> None:
    event = make_event()
    transaction = make_ready(ledger, event)
    land(ledger, replace(event, amount=Decimal(1)), file=file_named("b"))
    assert ledger.refunds_to_pay(DAY, refresh=True) == []
    assert ledger.refunds_to_build(DAY) == []
    assert ledger.refunds_to_post(DAY) == []
    assert ledger.begin_posting(transaction) is None


def test_a_conflict_does_not_unsettle_a_posted_refund(ledger: Ledger) -> None:
    event = make_event()
    make_ready(ledger, event)
    ledger.finish_posting(event.refund_id, state="posted", erp_id="900")
    assert land(ledger, replace(event, amount=Decimal(1)), file=file_named("b")).conflicts == 1
    stored = ledger.refund(event.refund_id)
    assert stored is not None
    assert stored.status == "posted"
    assert len(ledger.rejected_lines(DAY)) == 1


def test_strays_are_known_and_counted_apart(ledger: Ledger) -> None:
    stray = file_named("odd", kind="stray")
    assert land(ledger, file=stray) == NOTHING
    totals = ledger.file_totals(DAY)
    assert (totals.files, totals.strays) == (0, 1)
    assert (stray.key, "e1") in ledger.known_files([stray.key])


def test_a_day_on_which_nothing_landed_has_empty_totals(ledger: Ledger) -> None:
    land(ledger, make_event())
    quiet = ledger.file_totals(DAY + timedelta(days=1))
    assert quiet == FileTotals(0, 0, 0, 0, 0, 0, 0, {}, 0)


def test_two_writers_of_one_file_agree_and_record_it_once(
    open_ledger: Callable[..., Ledger],
) -> None:
    events = [make_event(number) for number in range(1, 51)]
    ledgers = [open_ledger(run) for run in ("run-1", "run-2")]
    together = threading.Barrier(2)
    found: list[FileCounts] = []

    def record(ledger: Ledger, arranged: list[object]) -> None:
        together.wait(10)
        found.append(land(ledger, *arranged))

    threads = [
        threading.Thread(target=record, args=pair)
        for pair in zip(ledgers, (events, events[::-1]), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [replace(NOTHING, new=50)] * 2
    assert ledgers[0].file_totals(DAY).events == 50
    assert all(len(ledgers[0].history(event.refund_id)) == 1 for event in events[:3])


def test_two_writers_of_files_that_share_refunds_count_each_refund_new_once(
    open_ledger: Callable[..., Ledger],
) -> None:
    events = [make_event(number) for number in range(1, 51)]
    ledgers = [open_ledger(), open_ledger()]
    together = threading.Barrier(2)
    found: list[FileCounts] = []

    def record(ledger: Ledger, name: str) -> None:
        together.wait(10)
        found.append(land(ledger, *events, file=file_named(name)))

    threads = [
        threading.Thread(target=record, args=pair) for pair in zip(ledgers, "ab", strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(counts.new for counts in found) == [0, 50]
    assert sorted(counts.duplicates for counts in found) == [0, 50]


def test_a_file_of_thousands_of_events_is_recorded_whole(ledger: Ledger) -> None:
    events = [make_event(number) for number in range(1, 2_502)]
    assert land(ledger, *events).new == 2_501
    assert land(ledger, *events, file=file_named("b")).duplicates == 2_501
    (total,) = ledger.status_totals()
    assert (total.count, total.amount) == (2_501, Decimal("12.30") * 2_501)
