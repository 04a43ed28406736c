"""Rejected lines are let go by name, and what reads as an event by then is never lost."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from refund_pipeline.domain.events import OtherEvent
from refund_pipeline.gateways.ledger import rejected
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import LandedFile, RejectedEntry, RejectedLine
from refund_pipeline_tests.gateways.ledger_makers import (
    DAY,
    NOON,
    SetClock,
    file_named,
    land,
    make_event,
    statuses,
)

FILE = file_named("bad")


def bad(number: int, *, sha: str = "5a", file: LandedFile = FILE) -> RejectedLine:
    return RejectedLine(file.key, file.etag, number, ("$: is not JSON",), sha, 7)


@pytest.fixture
def entries(ledger: Ledger) -> list[RejectedEntry]:
    """Three bad lines of one file, beside one refund."""
    land(ledger, make_event(1), file=FILE, rejected=[bad(number) for number in (2, 3, 4)])
    return ledger.rejected_entries(day=DAY)


def adds_up(ledger: Ledger) -> bool:
    totals = ledger.file_totals(DAY)
    others = sum(totals.other_events.values())
    parts = totals.events + totals.duplicates + others + totals.rejected + totals.released
    return totals.lines == parts


def test_lines_are_listed_with_their_file(ledger: Ledger, entries: list[RejectedEntry]) -> None:
    assert [entry.line.line_number for entry in entries] == [2, 3, 4]
    assert {entry.file for entry in entries} == {FILE}
    assert ledger.rejected_entries(key=FILE.key, line_number=3) == [entries[1]]
    assert ledger.rejected_entries(key="another") == []
    assert ledger.rejected_entries(day=DAY + timedelta(days=1)) == []
    assert ledger.rejected_lines(DAY) == [entry.line for entry in entries]


def test_a_line_let_go_keeps_who_why_and_when_and_is_no_longer_rejected(
    ledger: Ledger, entries: list[RejectedEntry], clock: SetClock
) -> None:
    clock.now = NOON + timedelta(hours=1)
    became = ledger.release_lines(entries[:1], read_as={}, actor="anna", note="a test event")
    assert became == {entries[0].line.id: "rejected"}
    assert [entry.line.line_number for entry in ledger.rejected_entries(day=DAY)] == [3, 4]
    (gone,) = ledger.rejected_entries(day=DAY, line_number=2, released=True)
    assert (gone.released_by, gone.released_note) == ("anna", "a test event")
    assert gone.released_at == NOON + timedelta(hours=1)
    totals = ledger.file_totals(DAY)
    assert (totals.rejected, totals.released) == (2, 1)
    assert adds_up(ledger)


def test_a_line_is_let_go_once(ledger: Ledger, entries: list[RejectedEntry]) -> None:
    ledger.release_lines(entries, read_as={}, actor="anna", note="x")
    again = ledger.release_lines(
        entries, read_as={entries[0].line.id: make_event(9)}, actor="bert", note="y"
    )
    assert again == {}
    assert ledger.refund(make_event(9).refund_id) is None
    released = ledger.rejected_entries(day=DAY, released=True)
    assert {entry.released_by for entry in released} == {"anna"}


def test_what_reads_as_an_event_by_now_is_one(ledger: Ledger, entries: list[RejectedEntry]) -> None:
    known, new = make_event(1), make_event(2)
    read_as = {
        entries[0].line.id: new,
        entries[1].line.id: replace(known, published_at=NOON),
        entries[2].line.id: OtherEvent("order.created"),
    }
    became = ledger.release_lines(entries, read_as=read_as, actor="anna", note="tenant corrected")
    assert Counter(became.values()) == {"refund": 1, "duplicate": 1, "other": 1}
    assert statuses(ledger, new) == [("landed", None)]
    totals = ledger.file_totals(DAY)
    assert (totals.events, totals.duplicates, totals.rejected, totals.released) == (2, 1, 0, 0)
    assert totals.other_events == {"order.created": 1}
    assert adds_up(ledger)
    assert len(ledger.refunds_to_pay(DAY)) == 2


def test_two_lines_of_one_new_refund_are_one_refund(
    ledger: Ledger, entries: list[RejectedEntry]
) -> None:
    read_as = dict.fromkeys((entries[0].line.id, entries[1].line.id), make_event(2))
    became = ledger.release_lines(entries[:2], read_as=read_as, actor="anna", note="x")
    assert list(became.values()) == ["refund", "duplicate"]
    assert adds_up(ledger)


def test_a_line_that_contradicts_a_refund_holds_it_and_stays_for_a_person(
    ledger: Ledger, entries: list[RejectedEntry]
) -> None:
    other = make_event(1, amount=Decimal("99.00"))
    became = ledger.release_lines(
        entries[:1], read_as={entries[0].line.id: other}, actor="anna", note="x"
    )
    assert list(became.values()) == ["conflict"]
    assert statuses(ledger, other)[-1] == ("held", "conflicting_event")
    (left,) = ledger.rejected_entries(day=DAY, line_number=2)
    assert "conflicting event for refund" in left.line.problems[0]
    assert left.line.line_sha256 == "", "it is not read again"
    assert ledger.file_totals(DAY).conflicts == 1
    assert adds_up(ledger)
    ledger.release_lines([left], read_as={}, actor="anna", note="asked")
    assert ledger.file_totals(DAY).rejected == 2
    assert adds_up(ledger)


def test_letting_go_is_done_whole_or_not_at_all(
    ledger: Ledger, entries: list[RejectedEntry], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_out(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(rejected, "_count_again", run_out)
    with pytest.raises(MemoryError):
        ledger.release_lines(
            entries, read_as={entries[0].line.id: make_event(2)}, actor="anna", note="x"
        )
    assert ledger.refund(make_event(2).refund_id) is None
    assert len(ledger.rejected_entries(day=DAY)) == 3


def test_a_stray_file_is_let_go_like_a_line(ledger: Ledger) -> None:
    stray = file_named("stray", kind="stray")
    land(ledger, file=stray, rejected=[bad(0, sha="", file=stray)])
    (entry,) = ledger.rejected_entries(key=stray.key)
    assert entry.file.kind == "stray"
    ledger.release_lines([entry], read_as={}, actor="anna", note="a readme")
    assert ledger.rejected_entries() == []
