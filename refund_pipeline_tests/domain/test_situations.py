"""Every situation there is, as people read it."""

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest

from refund_pipeline.domain import situations
from refund_pipeline.domain.alerts import Situation
from refund_pipeline.domain.gates import GATE_REASONS
from refund_pipeline.domain.reasons import REASONS
from refund_pipeline.domain.standing import (
    FailedRun,
    Held,
    Named,
    Outstanding,
    SensorTicks,
    Standing,
)
from refund_pipeline_tests.test_docs import anchors

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
DAYS = (date(2026, 11, 19), date(2026, 11, 18))
OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
RUN = FailedRun("sync_refunds", "2026-11-20", "0123456789", NOW, "NetSuite  answered\n503")


def held(reason: str) -> Held:
    return Held(reason, 2, {"USD": Decimal("12.30"), "EUR": Decimal("0.10")}, NOW - HOUR)


def named(count: int) -> Named:
    return Named(count, ("a", "b"), DAYS, NOW - HOUR)


def every_situation() -> list[Situation]:
    standing = Standing(
        [held(reason) for reason in REASONS],
        Outstanding(3, {"ready": 1, "awaiting_payment": 2}, "refund-1", NOW - 26 * HOUR),
        named(7),
        named(2),
        named(1),
    )
    found = list(situations.of_the_ledger(standing, limit=24 * HOUR, now=NOW))
    found += [
        situations.nothing_lands(last, since=NOW - 3 * HOUR, limit=HOUR, unread=unread, now=NOW)
        for last, unread in ((NOW, 0), (None, 0), (NOW, 5))
    ]
    sensors = [
        situations.sensor_situation(ticks, limit=HOUR, now=NOW)
        for ticks in (
            SensorTicks(None, None, None, stopped=False),
            SensorTicks(NOW, NOW - 2 * HOUR, None, stopped=False),
            SensorTicks(NOW, NOW - 2 * HOUR, None, stopped=True),
        )
    ]
    found += [one for one in sensors if one is not None]
    given_up = FailedRun("make_report", "", "0123456789", NOW, "", given_up=True)
    found += [situations.run_situation(RUN), situations.run_situation(given_up)]
    found += [situations.subscription_situation(RUN), situations.subscription_situation(given_up)]
    found += [
        situations.ledger_unusable("down", now=NOW),
        situations.dagster_unusable("down", now=NOW),
    ]
    return found


ALL = every_situation()


@pytest.mark.parametrize("situation", ALL, ids=lambda one: one.key)
def test_a_situation_says_what_it_is_what_to_do_and_where_to_read_on(situation) -> None:
    assert situation.runbook in anchors(OPERATIONS)
    for sentence in (situation.title, situation.text, situation.what_to_do):
        assert sentence
        assert sentence.isprintable()
        assert "None" not in sentence
        assert "  " not in sentence
    assert not situation.title.endswith(".")
    assert situation.what_to_do.endswith(".")
    assert situation.since <= NOW


def test_every_kind_is_looked_at_somewhere() -> None:
    kinds = {situation.kind for situation in ALL}
    apart = {situations.LANDING, situations.LEDGER, situations.DAGSTER}
    assert kinds == situations.OF_THE_LEDGER | situations.OF_DAGSTER | apart


def test_gates_are_told_from_other_reasons() -> None:
    gates = {one.key for one in ALL if one.kind == situations.GATE}
    assert gates == {f"gate:{reason}" for reason in GATE_REASONS}


def text_of(key: str) -> str:
    return next(one.text for one in ALL if one.key == key)


def test_sums_are_exact_and_by_currency() -> None:
    assert text_of("held:overpaid").startswith("2 refunds (0.10 EUR, 12.30 USD) wait")


def test_what_is_too_many_to_name_is_counted() -> None:
    assert "in a, b and 5 more." in text_of("rejected_lines")
    assert "different: a, b." in text_of("reconciliation:different")


def test_the_oldest_outstanding_refund_is_named_with_its_age() -> None:
    assert text_of("outstanding") == (
        "They are still tried by themselves (2 awaiting_payment, 1 ready). The oldest, refund-1,"
        " landed 1 d 2 h ago."
    )


def test_a_sentence_of_a_run_is_one_line_and_not_endless() -> None:
    assert text_of("run_failed:sync_refunds:2026-11-20").endswith("It said: NetSuite answered 503")
    long = FailedRun("sync_refunds", "2026-11-20", "0", NOW, "x" * 10_000)
    assert len(situations.run_situation(long).text) < 700
