"""A refund's story and how it is found, on SQLite and on PostgreSQL."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from refund_pipeline.domain.actions import Action
from refund_pipeline.domain.payments import PaymentsAwaited
from refund_pipeline.domain.resolutions import Decision
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import PaymentRow
from refund_pipeline.gateways.ledger.tables import order_payment
from refund_pipeline_tests.gateways.ledger_makers import (
    NOON,
    ORDER,
    land,
    make_event,
    make_ready,
    pay,
    proven,
)

FIRST, SECOND = make_event(1), make_event(2)


def found(ledger: Ledger, term: str) -> list[str]:
    return [story.event.refund_id for story in ledger.for_reading().stories_of(term)]


def post(ledger: Ledger, number: int, erp_id: str) -> None:
    transaction = make_ready(ledger, make_event(number), landed=True)
    assert ledger.begin_posting(transaction)
    ledger.finish_posting(
        transaction.refund_id, state="posted", erp_id=erp_id, amount=transaction.amount
    )


def test_an_order_with_several_refunds_shows_all_in_landing_order(ledger) -> None:
    land(ledger, SECOND, replace(FIRST, order_id=SECOND.order_id))
    assert found(ledger, SECOND.order_id) == [SECOND.refund_id, FIRST.refund_id]


def test_the_number_of_an_order_is_compared_as_a_whole(ledger) -> None:
    land(ledger, FIRST, SECOND)
    for event, number in ((FIRST, 'US-1"%_'), (SECOND, "US-10")):
        order = replace(ORDER, order_id=event.order_id, order_number=number)
        ledger.save_payments([PaymentRow(event.refund_id, order, proven(event), 1, None)])
    assert found(ledger, 'US-1"%_') == [FIRST.refund_id]
    assert found(ledger, "US-10") == [SECOND.refund_id]
    assert found(ledger, "US-1") == []


@pytest.mark.parametrize("term", ["901", "902", " 902 "])
def test_any_of_several_records_leads_to_the_refund(ledger, term: str) -> None:
    land(ledger, FIRST, SECOND)
    post(ledger, 1, "901, 902")
    post(ledger, 2, "9011")
    assert found(ledger, term) == [FIRST.refund_id]


def test_the_external_id_of_a_part_leads_to_the_whole(ledger) -> None:
    land(ledger, FIRST)
    transaction = make_ready(ledger, FIRST, landed=True)
    assert found(ledger, f"{transaction.external_id.upper()}-2") == [FIRST.refund_id]


def test_a_number_may_be_a_record_of_the_erp_and_an_order_at_once(ledger) -> None:
    land(ledger, FIRST, SECOND)
    post(ledger, 1, "4711")
    order = replace(ORDER, order_number="4711")
    ledger.save_payments([PaymentRow(SECOND.refund_id, order, proven(SECOND), 1, None)])
    assert found(ledger, "4711") == [FIRST.refund_id, SECOND.refund_id]


def test_what_an_older_version_beside_this_one_has_read_is_found_as_well(ledger) -> None:
    land(ledger, FIRST)
    pay(ledger, FIRST)
    with ledger._database.write() as connection:  # it knows no column of the number
        connection.execute(sa.update(order_payment).values(order_number=None))
    assert found(ledger, ORDER.order_number) == [FIRST.refund_id]


def test_an_external_id_is_found_after_its_transaction_was_forgotten(ledger, clock) -> None:
    land(ledger, FIRST)
    transaction = make_ready(ledger, FIRST, landed=True)
    assert ledger.begin_posting(transaction)
    ledger.finish_posting(FIRST.refund_id, state="held", reason="refused_by_erp", detail="no")
    decision = Decision(Action.RETRY, "anna", "mended")
    assert ledger.resolve([FIRST.refund_id], decision, looked_up={FIRST.refund_id: 1})
    (story,) = ledger.for_reading().stories_of(transaction.external_id)
    assert story.built is None
    assert [one.actor for one in story.resolutions] == ["anna"]
    assert story.history[-1].detail == "retry, decided by anna: mended"


def test_what_is_not_known_yet_is_none(ledger) -> None:
    land(ledger, FIRST)
    (story,) = ledger.for_reading().stories_of(FIRST.refund_id)
    assert (story.payments, story.built, story.posting) == (None, None, None)
    assert (story.source_line, story.landed_at, story.order_number) == (1, NOON, None)
    assert story.event == FIRST


def test_payments_that_are_awaited_have_no_lines(ledger) -> None:
    land(ledger, FIRST)
    pay(ledger, FIRST, PaymentsAwaited("5.00 of 12.30 USD"), next_attempt_at=NOON)
    (story,) = ledger.for_reading().stories_of(FIRST.refund_id)
    assert story.payments is not None
    assert (story.payments.state, story.payments.lines) == ("awaiting", ())
    assert story.standing.detail == "5.00 of 12.30 USD"
