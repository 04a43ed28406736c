"""Order lines of refunds posted long ago go; what proves something stays."""

from dataclasses import replace
from datetime import timedelta

from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline_tests.gateways.ledger_makers import (
    DAY,
    NOON,
    ORDER,
    SetClock,
    file_named,
    land,
    make_event,
    make_ready,
)

LATER = NOON + timedelta(days=1)


def posted(ledger: Ledger, number: int, *, difference: str | None = None) -> None:
    event = make_event(number)
    land(ledger, event, file=file_named(str(number)))
    make_ready(ledger, event, landed=True)
    ledger.finish_posting(event.refund_id, state="posted", erp_id=str(number))
    ledger.record_verifications([(event.refund_id, difference)])


def orders(ledger: Ledger) -> dict[str, object]:
    with ledger.reported_refunds(DAY, DAY) as found:
        return {one.refund_id: one.order for one in found}


def test_the_lines_of_an_order_go_once_its_refund_is_posted_and_verified(ledger: Ledger) -> None:
    posted(ledger, 1)
    assert ledger.orders_with_lines(posted_before=LATER) == 1
    before = ledger.refunds(), ledger.history(make_event(1).refund_id)
    assert ledger.drop_order_lines(posted_before=LATER) == 1
    assert orders(ledger) == {make_event(1).refund_id: replace(ORDER, items=())}
    assert (ledger.refunds(), ledger.history(make_event(1).refund_id)) == before
    assert len(ledger.postings_to_verify(DAY, everything=True)) == 1
    assert ledger.drop_order_lines(posted_before=LATER) == 0


def test_what_is_young_differs_or_is_not_posted_keeps_its_lines(
    ledger: Ledger, clock: SetClock
) -> None:
    posted(ledger, 1, difference="amount")
    land(ledger, make_event(2), file=file_named("2"))
    make_ready(ledger, make_event(2), landed=True)
    clock.now = LATER
    posted(ledger, 3)
    assert ledger.orders_with_lines(posted_before=LATER) == 0
    assert ledger.drop_order_lines(posted_before=LATER) == 0
    assert set(orders(ledger).values()) == {ORDER}
