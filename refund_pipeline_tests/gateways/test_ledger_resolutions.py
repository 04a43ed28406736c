"""Decisions in the ledger, on both databases: kept whole, in order, and stronger than a rebuild."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from refund_pipeline.domain.actions import Action
from refund_pipeline.domain.payments import PaymentsHeld
from refund_pipeline.domain.resolutions import Decision, Tender, TenderChoice
from refund_pipeline.domain.transactions import Held
from refund_pipeline.gateways.ledger import resolutions
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline_tests.gateways.ledger_makers import (
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

EVENT, OTHER = make_event(1), make_event(2)
SKIP = Decision(Action.SKIP, "anna", "booked by hand")
CHOICE = TenderChoice(Tender("pay/pal", "pay=pal"), Tender("cash"))


def held(ledger: Ledger, *, reason: str = "unmapped_tender") -> None:
    land(ledger, EVENT, OTHER)
    for event in (EVENT, OTHER):
        pay(ledger, event)
        build(ledger, event, Held(reason, "why"))


def test_decisions_are_kept_in_their_order_with_all_they_say(
    ledger: Ledger, clock: SetClock
) -> None:
    held(ledger)
    tender = Decision(Action.TENDER, " anna ", " as cash ")
    assert ledger.resolve(
        [EVENT.refund_id, OTHER.refund_id, "unknown"],
        tender,
        tenders={EVENT.refund_id: (CHOICE,)},
    ) == [EVENT.refund_id, OTHER.refund_id]
    clock.now = NOON + timedelta(hours=1)
    build(ledger, EVENT, Held("closed_period", "why"))
    assert ledger.resolve([EVENT.refund_id], SKIP) == [EVENT.refund_id]
    made = ledger.resolutions([EVENT.refund_id, OTHER.refund_id])
    assert [
        (one.action, one.actor, one.note, one.resolved_at) for one in made[EVENT.refund_id]
    ] == [
        (Action.TENDER, "anna", "as cash", NOON),
        (Action.SKIP, "anna", "booked by hand", NOON + timedelta(hours=1)),
    ]
    assert [one.tenders for one in made[EVENT.refund_id]] == [(CHOICE,), ()]
    assert [one.tenders for one in made[OTHER.refund_id]] == [()]


def test_a_decision_that_cannot_be_written_whole_is_not_made(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    held(ledger)

    def run_out(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(resolutions, "_skip", run_out)
    with pytest.raises(MemoryError):
        ledger.resolve([EVENT.refund_id], SKIP)
    assert ledger.resolutions([EVENT.refund_id]) == {}
    assert statuses(ledger, EVENT)[-1] == ("held", "unmapped_tender")


def test_a_skipped_refund_is_no_work_for_any_step(ledger: Ledger) -> None:
    held(ledger)
    ledger.resolve([EVENT.refund_id, OTHER.refund_id], SKIP)
    day = EVENT.requested_at.date()
    for refresh in (False, True):
        assert ledger.refunds_to_pay(day, refresh=refresh) == []
    assert ledger.refunds_to_build(day) == []
    assert ledger.refunds_to_post(day) == []


def test_a_rebuild_after_the_decision_does_not_overwrite_it(ledger: Ledger) -> None:
    held(ledger)
    ledger.resolve([EVENT.refund_id], SKIP)
    build(ledger, EVENT)
    pay(ledger, EVENT, PaymentsHeld("overpaid", "x"))
    assert statuses(ledger, EVENT)[-1] == ("skipped", "handled_by_hand")


def test_what_does_not_fit_is_not_decided_whatever_was_planned(ledger: Ledger) -> None:
    make_ready(ledger, EVENT)
    land(ledger, replace(EVENT, reason="other"), file=file_named("b"))
    release = Decision(Action.RELEASE, "anna", "let it through")
    assert ledger.resolve([EVENT.refund_id], release) == []
    land(ledger, OTHER, file=file_named("c"))
    posted = make_ready(ledger, OTHER, landed=True)
    ledger.finish_posting(posted.refund_id, state="posted", erp_id="1")
    assert ledger.resolve([OTHER.refund_id], SKIP, looked_up={OTHER.refund_id: 0}) == []
    assert ledger.resolutions([EVENT.refund_id, OTHER.refund_id]) == {}


def test_a_decision_about_a_refund_of_which_a_write_was_begun_meanwhile_is_not_made(
    ledger: Ledger, open_ledger: Callable[..., Ledger]
) -> None:
    transaction = make_ready(ledger, EVENT)
    assert ledger.begin_posting(transaction)
    ledger.finish_posting(EVENT.refund_id, state="retry")
    assert open_ledger("run-2").begin_posting(transaction)
    assert ledger.resolve([EVENT.refund_id], SKIP, looked_up={EVENT.refund_id: 1}) == []
    assert ledger.resolve([EVENT.refund_id], SKIP, looked_up={EVENT.refund_id: 2}) == [
        EVENT.refund_id
    ]
    assert statuses(ledger, EVENT)[-1] == ("skipped", "handled_by_hand")
    assert not ledger.begin_posting(transaction)


def test_a_write_that_stays_without_an_answer_after_a_skip_is_shown(ledger: Ledger) -> None:
    transaction = make_ready(ledger, EVENT)
    assert ledger.begin_posting(transaction)
    ledger.resolve([EVENT.refund_id], SKIP, looked_up={EVENT.refund_id: 1})
    ledger.finish_posting(EVENT.refund_id, state="uncertain")
    assert statuses(ledger, EVENT)[-1] == ("uncertain", "erp_uncertain")


def test_the_external_id_of_a_skipped_refund_is_nobody_s(ledger: Ledger) -> None:
    transaction = make_ready(ledger, EVENT)
    assert ledger.begin_posting(transaction)
    ledger.resolve([EVENT.refund_id], SKIP, looked_up={EVENT.refund_id: 1})
    assert ledger.known_external_ids([transaction.external_id]) == frozenset()


def test_what_was_decided_is_one_more_line_of_the_history(ledger: Ledger) -> None:
    held(ledger)
    ledger.resolve([EVENT.refund_id], Decision(Action.RETRY, "anna", "mapping mended"))
    last = ledger.history(EVENT.refund_id)[-1]
    assert (last.from_status, last.to_status, last.reason) == ("held", "landed", None)
    assert last.detail == "retry, decided by anna: mapping mended"
    assert len(ledger.history(OTHER.refund_id)) == 2


def test_a_skip_keeps_the_steps_of_older_versions_away_too(ledger: Ledger, ledger_url: str) -> None:
    """They leave a refund alone whose two events disagree, and know nothing of skips."""
    held(ledger)
    ledger.resolve([EVENT.refund_id], SKIP)
    engine = sa.create_engine(ledger_url)
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT refund_id FROM refund_event WHERE conflict IS NULL"
        ).all()
    engine.dispose()
    assert [row.refund_id for row in rows] == [OTHER.refund_id]
    build(ledger, EVENT)
    assert not ledger.begin_posting(make_transaction(EVENT))
