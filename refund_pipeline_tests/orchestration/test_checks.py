"""The check of what is outstanding: green at first, a warning when it is slow, red after a day."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from refund_pipeline.domain.payments import PaymentsAwaited
from refund_pipeline.domain.retry_policy import FAST_ATTEMPTS, WAITING_TOO_LONG
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import PaymentRow
from refund_pipeline.orchestration.checks import (
    nothing_outstanding_too_long,
)
from refund_pipeline_tests.gateways.ledger_makers import (
    DAY,
    NOON,
    ORDER,
    SetClock,
    land,
    make_event,
)

EVENT = make_event()
A_DAY_LATER = NOON + WAITING_TOO_LONG


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    book = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock=SetClock())
    land(book, EVENT)
    yield book
    book.close()


def wait(ledger: Ledger, *, attempts: int) -> None:
    awaited = PaymentsAwaited("0 of 12.30 USD")
    ledger.save_payments([PaymentRow(EVENT.refund_id, ORDER, awaited, attempts, NOON)])


def test_what_is_within_its_fast_attempts_is_on_its_way(ledger) -> None:
    wait(ledger, attempts=FAST_ATTEMPTS - 1)
    found = nothing_outstanding_too_long(ledger, DAY, now=NOON)
    assert found.passed


def test_what_is_past_its_fast_attempts_is_a_warning(ledger) -> None:
    wait(ledger, attempts=FAST_ATTEMPTS)
    found = nothing_outstanding_too_long(ledger, DAY, now=A_DAY_LATER - timedelta(seconds=1))
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)


def test_what_waits_for_a_day_is_an_error(ledger) -> None:
    found = nothing_outstanding_too_long(ledger, DAY, now=A_DAY_LATER)
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "24.0 h" in (found.description or "")
    assert nothing_outstanding_too_long(ledger, DAY + timedelta(days=1), now=A_DAY_LATER).passed
