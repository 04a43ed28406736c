"""The page of a landing day: amounts that tie, who has to do what, since when."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from refund_pipeline.domain.payments import PaymentsAwaited
from refund_pipeline.domain.transactions import Held
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.orchestration.day_summary import age, day_summary
from refund_pipeline_tests.gateways.ledger_makers import (
    DAY,
    NOON,
    SetClock,
    build,
    land,
    make_event,
    make_ready,
    pay,
)

LATER = NOON + timedelta(hours=3)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: SetClock) -> Iterator[Ledger]:
    book = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock=clock)
    yield book
    book.close()


def page(ledger: Ledger) -> str:
    return str(day_summary(ledger, DAY, ledger.status_totals(DAY), now=LATER).value)


def post(ledger: Ledger, number: int) -> None:
    transaction = make_ready(ledger, make_event(number), landed=True)
    assert ledger.begin_posting(transaction)
    ledger.finish_posting(
        transaction.refund_id, state="posted", erp_id="77", amount=transaction.amount
    )


def test_an_empty_day_says_so(ledger) -> None:
    assert "No refund landed." in page(ledger)


def test_amounts_per_currency_tie_with_what_landed(ledger) -> None:
    land(ledger, make_event(1), make_event(2), make_event(3, currency="JPY", amount=Decimal(300)))
    post(ledger, 1)
    text = page(ledger)
    assert "| posted | 1 | 0 | 12.30 |" in text
    assert "| outstanding | 2 | 300 | 12.30 |" in text
    assert "| **landed** | 3 | **300** | **24.60** |" in text
    assert "1 file(s) with 3 line(s): 3 refund(s)" in text


def test_a_day_that_is_all_posted_asks_nothing_of_anybody(ledger) -> None:
    land(ledger, make_event(1))
    post(ledger, 1)
    assert "**Nothing to do.** Every refund is posted" in page(ledger)


def test_a_held_refund_says_since_when_and_what_to_do(ledger, clock) -> None:
    event = make_event(1)
    land(ledger, event)
    pay(ledger, event)
    build(ledger, event, Held("unmapped_tender", "add to payment_items: card/adyen/USD"))
    clock.now = NOON + timedelta(hours=2)
    build(ledger, event, Held("unmapped_store", "add to stores: store-1"))
    text = page(ledger)
    assert "**1 refund(s) wait for a person**" in text
    assert "add to stores: store-1" in text
    assert "then `refund-pipeline retry --reason unmapped_store`" in text
    assert "`unmapped_store` since 2026-11-20 12:00 UTC (3 h)" in text, (
        "held since the first reason, not the last"
    )


def test_an_outstanding_refund_says_why_and_when_it_is_tried_next(ledger) -> None:
    event = make_event(1)
    land(ledger, event)
    due = NOON + timedelta(hours=4)
    pay(ledger, event, PaymentsAwaited("5.00 of 12.30 USD is there"), next_attempt_at=due)
    text = page(ledger)
    assert "**Nothing to do.** 1 refund(s) are on their way" in text
    assert "5.00 of 12.30 USD is there" in text
    assert "2026-11-20 16:00 UTC" in text


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(-5, "0 min"), (59, "59 min"), (60, "1 h"), (47 * 60, "47 h"), (48 * 60, "2 days")],
)
def test_ages_are_written_as_people_say_them(minutes: int, words: str) -> None:
    assert age(timedelta(minutes=minutes)) == words
