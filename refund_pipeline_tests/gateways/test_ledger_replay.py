"""What the ledger says of refunds that are delivered again."""

from datetime import timedelta

from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline_tests.gateways.ledger_makers import NOON, file_named, land, make_event


def test_known_refunds_are_told_with_the_file_that_brought_them_first(ledger: Ledger) -> None:
    first, second = file_named("a"), file_named("b")
    land(ledger, make_event(1), file=first)
    land(ledger, make_event(1), make_event(2), file=second)
    ids = [make_event(number).refund_id for number in (1, 2, 3)]
    assert ledger.known_refunds(ids) == {ids[0]: first.key, ids[1]: second.key}
    assert ledger.known_refunds(()) == {}


def test_many_refunds_are_asked_for_at_once(ledger: Ledger) -> None:
    events = [make_event(number) for number in range(1, 1202)]
    land(ledger, *events)
    assert len(ledger.known_refunds([event.refund_id for event in events])) == 1201


def test_refunds_are_found_by_when_their_event_was_published(ledger: Ledger) -> None:
    minutes = (-1, 0, 30, 60)
    events = [
        make_event(number, published_at=NOON + timedelta(minutes=minute))
        for number, minute in enumerate(minutes)
    ]
    land(ledger, *events)
    found = ledger.refunds_published(NOON, NOON + timedelta(hours=1))
    assert found == {events[1].refund_id, events[2].refund_id}
