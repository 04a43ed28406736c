"""What people have been told of: one row per situation, claimed before it is told.

What is news is decided by `domain/alerts.py`. One look at a time decides; telling happens outside
of the transaction, under a claim that ends by itself. So two looks at once tell once, and what a
look that died was telling is told again: doubled at worst, never lost.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from refund_pipeline.domain.alerts import (
    Remembered,
    Settlement,
    Situation,
    after_telling,
    settle,
)
from refund_pipeline.gateways.ledger.database import fetch, upsert
from refund_pipeline.gateways.ledger.tables import alert

_ALERT_LOCK = 0x7265_6675_6E64_0003  # beside the migration's
_COLUMNS = tuple(alert.c[field.name] for field in fields(Remembered))
_NOBODY = "[]"


def lasting_keys(connection: Connection) -> frozenset[str]:
    """Return the keys of the situations that are not over, as far as is known."""
    statement = sa.select(alert.c.key).where(alert.c.cleared_at.is_(None))
    return frozenset(connection.scalars(statement))


def something_to_settle(connection: Connection) -> bool:
    """Whether any situation lasts, or is still to be told to a channel."""
    statement = sa.select(sa.literal(1)).where(_open()).limit(1)
    return connection.scalar(statement) is not None


def claim(
    connection: Connection,
    seen: Sequence[Situation],
    *,
    looked_at: Collection[str],
    channels: Sequence[str],
    now: datetime,
) -> Settlement:
    """Settle what is seen, remember it, and claim what is to be told."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ALERT_LOCK)))
    rows = connection.execute(sa.select(*_COLUMNS).where(_open())).all()
    known = {row.key: _remembered(row) for row in rows}
    others = [one.key for one in seen if one.key not in known]
    for row in fetch(connection, sa.select(*_COLUMNS), alert.c.key, others):
        known[row.key] = _remembered(row)
    settled = settle(known.values(), seen, looked_at=looked_at, channels=channels, now=now)
    _write(connection, settled.rows)
    return settled


def record_told(
    connection: Connection,
    claimed: Iterable[Remembered],
    delivered: Mapping[str, Collection[str]],
    *,
    now: datetime,
) -> None:
    """Record which channels took the message of each claimed row, where the claim is still ours."""
    ours = {row.key: row.claimed_until for row in claimed if row.claimed_until is not None}
    found = fetch(connection, sa.select(*_COLUMNS).with_for_update(), alert.c.key, list(ours))
    _write(
        connection,
        [
            after_telling(_remembered(row), delivered.get(row.key, ()), now)
            for row in found
            if row.claimed_until == ours[row.key]
        ],
    )


def _open() -> sa.ColumnElement[bool]:
    return alert.c.cleared_at.is_(None) | (alert.c.pending != _NOBODY)


def _remembered(row: sa.Row[Any]) -> Remembered:
    values = row._asdict()
    return Remembered(**{**values, "pending": tuple(json.loads(values["pending"]))})


def _write(connection: Connection, rows: Sequence[Remembered]) -> None:
    upsert(
        connection,
        alert,
        [
            {
                column.name: json.dumps(list(row.pending))
                if column.name == "pending"
                else getattr(row, column.name)
                for column in _COLUMNS
            }
            for row in rows
        ],
    )
