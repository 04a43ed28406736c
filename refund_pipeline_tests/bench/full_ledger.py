"""A ledger of very many posted refunds: one is made by the ledger's own methods, the rest copied.

Copies differ in what is unique: ids, keys, the day. SQLite, written without waiting for the disk.
"""

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path

from refund_pipeline.domain.payments import PaymentsAvailable
from refund_pipeline.domain.transactions import Ready
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import LandedFile, PaymentRow, TransactionRow
from refund_pipeline_tests.bench.landed_days import PREFIX, TENANT
from refund_pipeline_tests.fakes import event, order, payment_lines, transaction

PER_DAY, FILES_PER_DAY = 1_000, 288
LAST_DAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 20, 23, 59, tzinfo=timezone.utc)
_BATCH = 10_000
_MADE = 1
_TABLES = (
    *("refund_event", "order_payment", "refund_transaction", "erp_posting"),
    "refund_history",
)


def new_ledger(path: Path) -> Ledger:
    """Return an empty ledger with one posted and compared refund of the day after the last one."""
    ledger = Ledger(f"sqlite:///{path}", clock=lambda: NOW, run_id=str(uuid.UUID(int=1)))
    of, built = event(_MADE), transaction(_MADE)
    ledger.record_file(
        LandedFile(_key(LAST_DAY + timedelta(days=1), 0), "e", LAST_DAY + timedelta(days=1), 1),
        events=[(1, of)],
        rejected=[],
        other_events={},
        lines=1,
    )
    paid = PaymentsAvailable(payment_lines(of))
    ledger.save_payments([PaymentRow(of.refund_id, order(of), paid, 1, None)])
    ledger.save_transactions(
        [TransactionRow(of.refund_id, Ready(built), 0, None)], mapping_version="v1"
    )
    assert ledger.begin_posting(built)
    ledger.finish_posting(of.refund_id, state="posted", erp_id="ERP-0", amount=of.amount)
    ledger.record_verifications([(of.refund_id, None)])
    return ledger


def grow(path: Path, *, begin: int, end: int, per_day: int = PER_DAY) -> None:
    """Add the refunds numbered from `begin` to before `end`, so many on each landing day."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        made = event(_MADE)
        templates = {
            name: connection.execute(
                f"SELECT * FROM {name} WHERE refund_id = ?",  # noqa: S608  (our own names)
                (made.refund_id,),
            )
            for name in _TABLES
        }
        columns = {
            name: [column[0] for column in found.description] for name, found in templates.items()
        }
        rows = {name: found.fetchall() for name, found in templates.items()}
        with connection:
            days = {_day(number, per_day) for number in range(begin, end)}
            connection.executemany(
                "INSERT INTO landed_file SELECT ?, etag, ?, kind, size, lines, new, duplicates,"
                " conflicts, rejected, other, other_events, read_at, run_id FROM landed_file"
                " WHERE key = ?",
                [
                    (_key(day, number), day.isoformat(), _key(LAST_DAY + timedelta(days=1), 0))
                    for day in sorted(days)
                    for number in range(FILES_PER_DAY)
                ],
            )
        for name in _TABLES:
            marks = ", ".join("?" * len(columns[name]))
            for start in range(begin, end, _BATCH):
                with connection:
                    connection.executemany(
                        f"INSERT INTO {name} VALUES ({marks})",  # noqa: S608  (our own names)
                        (
                            copy
                            for number in range(start, min(start + _BATCH, end))
                            for row in rows[name]
                            for copy in _copies(columns[name], row, number, per_day)
                        ),
                    )
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def refund_of(number: int) -> str:
    """Return the id of a copy; ids are spread as random ones are."""
    return str(uuid.UUID(int=(number * 0x9E3779B97F4A7C15F39CC0605CEDC835 + 1) % 2**128))


def _copies(
    columns: list[str], row: tuple[object, ...], number: int, per_day: int
) -> Iterator[list[object]]:
    refund, made, day = refund_of(number), event(_MADE), _day(number, per_day)
    replaced: dict[str, object] = {
        "id": None,
        "landing_day": day.isoformat(),
        "source_key": _key(day, number % per_day % FILES_PER_DAY),
        "source_line": 1 + number % per_day // FILES_PER_DAY,
        "erp_id": f"ERP-{number + 1}",
    }
    copied = []
    for name, value in zip(columns, row, strict=True):
        if name in replaced:
            copied.append(replaced[name])
        elif isinstance(value, str):
            copied.append(
                value.replace(made.refund_id, refund)
                .replace(made.refund_id.replace("-", ""), refund.replace("-", ""))
                .replace(made.order_id, refund)
                .replace(f"SO-{made.order_id[:8]}", f"SO-{refund}")
            )
        else:
            copied.append(value)
    yield copied


def _day(number: int, per_day: int) -> date:
    return LAST_DAY - timedelta(days=number // per_day)


def _key(day: date, number: int) -> str:
    start = datetime.combine(day, time(), timezone.utc)
    at = int(start.timestamp() * 1000) + number * 300_000
    return f"{PREFIX}/{TENANT}/{at}-data-{number:012d}.export"
