"""The ledger remembers what people were told, on SQLite and on PostgreSQL."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from refund_pipeline.domain.alerts import CLAIM, Remembered, Settlement, Situation
from refund_pipeline.gateways.ledger import alerts
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.watched import WatchedLedger
from refund_pipeline_tests.gateways.ledger_makers import NOON

HELD = Situation(
    key="held:overpaid",
    title="2 refunds held: overpaid",
    text="text",
    severity="error",
    since=NOON - timedelta(hours=1),
    what_to_do="look",
    runbook="held-refunds",
)
SILENT = replace(HELD, key="landing:silent", title="No file", severity="warning")
KINDS = ("held", "landing")
LOOK = timedelta(minutes=10)


def claim(watched: WatchedLedger, *seen: Situation, now=NOON, channels=("a", "b")) -> Settlement:
    return watched.claim(seen, looked_at=KINDS, channels=channels, now=now)


def told(watched: WatchedLedger, settled: Settlement, *channels: str, now=NOON) -> None:
    delivered = {notice.situation.key: channels for notice in settled.notices}
    watched.record_told(settled.rows, delivered, now=now)


def summary(settled: Settlement) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(notice.news, notice.situation.key, notice.channels) for notice in settled.notices]


@pytest.fixture
def watched(ledger: Ledger) -> WatchedLedger:
    return ledger.for_the_watch()


def test_a_situation_is_remembered_from_look_to_look(watched) -> None:
    first = claim(watched, HELD, SILENT)
    assert summary(first) == [
        ("new", "held:overpaid", ("a", "b")),
        ("new", "landing:silent", ("a", "b")),
    ]
    told(watched, first, "a", "b")
    assert claim(watched, HELD, SILENT, now=NOON + LOOK).notices == ()
    assert watched.lasting() == {"held:overpaid", "landing:silent"}
    over = claim(watched, HELD, now=NOON + LOOK * 2)
    assert summary(over) == [("over", "landing:silent", ("a", "b"))]
    told(watched, over, "a", "b")
    assert watched.lasting() == {"held:overpaid"}
    next_day = claim(watched, HELD, SILENT, now=NOON + timedelta(days=1))
    assert [notice[0] for notice in summary(next_day)] == ["repeated", "new"]


def test_every_field_comes_back_as_it_was_written(watched) -> None:
    (row,) = claim(watched, HELD).rows
    assert row == Remembered(
        key="held:overpaid",
        title="2 refunds held: overpaid",
        severity="error",
        runbook="held-refunds",
        since=NOON - timedelta(hours=1),
        first_seen_at=NOON,
        last_seen_at=NOON,
        rounds=1,
        sent_at=None,
        pending=("a", "b"),
        cleared_at=None,
        claimed_until=NOON + CLAIM,
    )
    (later,) = claim(watched, HELD, now=NOON + CLAIM, channels=("b", "a")).rows
    assert later == replace(
        row,
        last_seen_at=NOON + CLAIM,
        pending=("b", "a"),
        claimed_until=NOON + CLAIM * 2,
    )


def test_a_channel_that_failed_is_told_alone_the_next_time(watched) -> None:
    told(watched, claim(watched, HELD), "a")
    second = claim(watched, HELD, now=NOON + LOOK)
    assert summary(second) == [("new", "held:overpaid", ("b",))]
    told(watched, second, "b", now=NOON + LOOK)
    assert claim(watched, HELD, now=NOON + LOOK * 2).notices == ()


def test_looks_at_the_same_time_tell_once(open_ledger: Callable[..., Ledger]) -> None:
    ledgers = [open_ledger() for _ in range(4)]
    for each in ledgers:
        each.status_totals()
    together = threading.Barrier(len(ledgers))
    settled: list[Settlement] = []

    def look(ledger: Ledger) -> None:
        together.wait(10)
        settled.append(claim(ledger.for_the_watch(), HELD, SILENT))

    threads = [threading.Thread(target=look, args=(ledger,)) for ledger in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(len(one.notices) for one in settled) == [0, 0, 0, 2]


def test_a_look_that_begins_while_another_decides_waits_for_it(
    open_ledger: Callable[..., Ledger],
) -> None:
    first, second = open_ledger(), open_ledger()
    second.status_totals()
    settled: list[Settlement] = []
    late = threading.Thread(target=lambda: settled.append(claim(second.for_the_watch(), HELD)))
    with first._database.write() as connection:
        decided = alerts.claim(connection, [HELD], looked_at=KINDS, channels=("a",), now=NOON)
        late.start()
        late.join(0.2)  # it waits; else it would have decided by now, without knowing
    late.join(30)
    assert [len(one.notices) for one in (decided, *settled)] == [1, 0]


def test_a_look_that_died_while_telling_is_made_good(watched) -> None:
    claim(watched, HELD)
    assert claim(watched, HELD, now=NOON + CLAIM - timedelta(seconds=1)).notices == ()
    assert summary(claim(watched, HELD, now=NOON + CLAIM)) == [("new", "held:overpaid", ("a", "b"))]


def test_a_look_whose_claim_another_took_over_records_nothing(watched) -> None:
    slow = claim(watched, HELD)
    other = claim(watched, now=NOON + CLAIM)
    assert summary(other) == [("over", "held:overpaid", ("a", "b"))]
    told(watched, slow, "a", "b", now=NOON + CLAIM)
    assert claim(watched, now=NOON + CLAIM * 3).notices == other.notices


def test_nothing_to_tell_and_nothing_told_takes_no_write(watched, ledger) -> None:
    told(watched, claim(watched, HELD), "a", "b")
    told(watched, claim(watched, now=NOON + LOOK), "a", "b")
    with ledger._database.write():
        assert claim(watched, now=NOON + LOOK * 2) == Settlement((), ())
