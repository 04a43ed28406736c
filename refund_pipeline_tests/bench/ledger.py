"""The ledger at growing sizes: what sensors, people and reruns ask of it, and by which plan."""

import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import sqlalchemy as sa

from refund_pipeline.gateways.landing_bucket import LandingBucket
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import LandedFile
from refund_pipeline.orchestration.checks import nothing_outstanding_too_long
from refund_pipeline.orchestration.day_summary import day_summary
from refund_pipeline.orchestration.summaries import refunds_table
from refund_pipeline.steps.landing import read_landing_day
from refund_pipeline.steps.payments import fetch_payments
from refund_pipeline.steps.posting import Surroundings, post_refunds
from refund_pipeline.steps.reconciliation import reconcile
from refund_pipeline.steps.status import status_of
from refund_pipeline.steps.transactions import build_transactions
from refund_pipeline_tests.bench.folder_s3 import KeysS3
from refund_pipeline_tests.bench.full_ledger import (
    LAST_DAY,
    NOW,
    PER_DAY,
    grow,
    new_ledger,
    refund_of,
)
from refund_pipeline_tests.bench.landed_days import PREFIX, TENANT
from refund_pipeline_tests.bench.results import Budget, Result, Settings, count
from refund_pipeline_tests.fakes import FakeErp, FakeNewStore, event, example_mapping

_OPEN = 20
_FLAT = 3.0
"""From the second size to the last one, ten times as many, a flat or logarithmic question may take
so many times as long: caches of the machine are part of it."""
_BIG = frozenset({"refund_event", "order_payment", "refund_transaction", "erp_posting"}) | {
    "refund_history",
    "landed_file",
}
Question = Callable[[Ledger], object]


def ledger(settings: Settings) -> Result:
    """Ask the same questions at every size."""
    sizes = settings.pick(
        full=(1_000, 100_000, 1_000_000), quick=(1_000, 20_000, 100_000), tiny=(PER_DAY,)
    )
    path = settings.place / "ledger.db"
    book = new_ledger(path)
    book.record_file(
        LandedFile(f"{PREFIX}/open", "e", LAST_DAY, 0),
        events=[(number, event(1000 + number)) for number in range(1, _OPEN + 1)],
        rejected=[],
        other_events={},
        lines=_OPEN,
    )
    took: dict[str, list[float]] = {name: [] for name in _QUESTIONS}
    scans: dict[str, set[str]] = {}
    had = 0
    for size in sizes:
        grow(path, begin=had, end=size)
        had = size
        for name, question in _QUESTIONS.items():
            with _scanned(book, scans.setdefault(name, set())):
                question(book)
            took[name].append(_milliseconds(lambda question=question: question(book)))
    book.close()
    rows = [
        (name, *(f"{one:.1f}" for one in took[name]), ", ".join(sorted(scans[name])) or "none")
        for name in _QUESTIONS
    ]
    headings = (
        "question, ms",
        *(f"{count(size)} refunds" for size in sizes),
        "tables read from end to end",
    )
    grows = [
        name
        for name, several in took.items()
        if len(several) > 1 and several[-1] > max(_FLAT * several[-2], several[-2] + 5)
    ]
    budget = Budget(
        "what sensors, people and reruns ask of the ledger",
        "flat or logarithmic",
        f"grows: {', '.join(grows)}" if grows else f"flat up to {count(sizes[-1])} refunds",
        not grows,
    )
    return Result(headings, tuple(rows), (budget,))


def _rerun(book: Ledger) -> None:
    """Run every step of a day that is done, with what its assets show; no Dagster."""
    erp, chance, mapping = FakeErp(), random.Random(7), example_mapping()
    keys = KeysS3(_keys_of_last_day(book))
    bucket = LandingBucket(
        f"s3://bucket/{PREFIX}", tenant=TENANT, client=lambda: keys, clock=lambda: NOW
    )
    day = LAST_DAY - timedelta(days=1) if len(keys.keys) > 1 else LAST_DAY
    read_landing_day(day, bucket=bucket, ledger=book, tenant=TENANT)
    common = {"ledger": book, "mapping": mapping, "clock": lambda: NOW, "random_source": chance}
    fetch_payments(day, open_newstore=FakeNewStore, **common)
    build_transactions(day, erp=erp, mapping_version="v1", **common)
    around = Surroundings(lambda: NOW, time.sleep, chance, lambda _: None)
    post_refunds(day, ledger=book, erp=erp, concurrency=2, surroundings=around)
    reconcile(day, ledger=book, erp=erp, prefix="apz-", clock=lambda: NOW)
    assert not erp.requests_made
    book.file_totals(day)
    for _ in range(4):
        book.status_totals(day)
        refunds_table(book, day)
    day_summary(book, day, book.status_totals(day), now=NOW)
    nothing_outstanding_too_long(book, day, now=NOW)


def _keys_of_last_day(book: Ledger) -> list[str]:
    with book._database.read() as connection:
        found = connection.exec_driver_sql(
            "SELECT key FROM landed_file WHERE landing_day = ?",
            ((LAST_DAY - timedelta(days=1)).isoformat(),),
        )
        return [row[0] for row in found]


_REFUND = refund_of(PER_DAY // 2)
_SINCE = LAST_DAY - timedelta(days=13)
_KEYS = [f"{PREFIX}/{TENANT}/{number}" for number in range(1_000)]
_QUESTIONS: dict[str, Question] = {
    "landing sensor: which of 1,000 files are read": lambda book: book.known_files(_KEYS),
    "outstanding sensor: which days are due": lambda book: book.outstanding_days(now=NOW),
    "`refund-pipeline status`, 14 days": lambda book: status_of(
        book.for_reading(), _SINCE, clock=lambda: NOW, older=True
    ),
    "`refund-pipeline show`, by refund id": lambda book: book.for_reading().stories_of(_REFUND),
    "`refund-pipeline show`, by order number": lambda book: book.for_reading().stories_of(
        f"SO-{_REFUND}"
    ),
    "`refund-pipeline show`, by ERP id": lambda book: book.for_reading().stories_of("ERP-500"),
    "what is held": lambda book: book.refunds(statuses=["held"]),
    "a look of the watch": lambda book: book.for_the_watch().standing(landed_before=NOW),
    "numbers for monitoring": lambda book: book.for_reading().numbers(now=NOW),
    "rerun of a finished day of 1,000": _rerun,
}


@contextmanager
def _scanned(book: Ledger, tables: set[str]) -> Iterator[None]:
    """Collect the large tables that a statement of the body reads from end to end."""
    asked: list[tuple[str, object]] = []
    engine = book._database._open()

    def _note(_connection, _cursor, statement, parameters, *_rest) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            asked.append((statement, parameters))

    sa.event.listen(engine, "before_cursor_execute", _note)
    try:
        yield
    finally:
        sa.event.remove(engine, "before_cursor_execute", _note)
    with engine.connect() as connection:
        for statement, parameters in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            for row in plan:
                tables |= _scanned_table(str(row[-1]))


def _scanned_table(step: str) -> set[str]:
    """Return the large table that a step of SQLite's plan scans, but by a partial index."""
    words = step.split()
    if words[0] != "SCAN" or "ix_refund_event_unsettled" in step or "difference" in step:
        return set()
    return {words[1]} & _BIG


def _milliseconds(function: Callable[[], object], *, times: int = 5) -> float:
    took = []
    for _ in range(times):
        started = time.perf_counter()
        function()
        took.append((time.perf_counter() - started) * 1000)
    return statistics.median(took)
