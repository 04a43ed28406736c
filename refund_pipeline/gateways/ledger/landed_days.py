"""Landing days as finance counts them: where the refunds of each stand, and what landed with them.

Only reads. Days before the window are shown as long as something of them waits.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from refund_pipeline.gateways.ledger.database import batches
from refund_pipeline.gateways.ledger.rows import StatusTotal
from refund_pipeline.gateways.ledger.tables import (
    landed_file,
    refund_event,
    refund_status,
    rejected_line,
)

_EVENT, _VIEW, _FILE, _LINE = refund_event.c, refund_status.c, landed_file.c, rejected_line.c


@dataclass(frozen=True, slots=True)
class LandedDay:
    """One landing day: its refunds by status, reason and currency, and its files."""

    day: date
    totals: tuple[StatusTotal, ...]
    files: int
    brought: int
    """Refunds its files brought, as counted when they were read."""
    rejected: int
    """Lines nobody could read, and nobody has released."""


@dataclass(frozen=True, slots=True)
class OpenRefund:
    """A refund that waits."""

    refund_id: str
    order_id: str
    landing_day: date
    landed_at: datetime
    amount: Decimal
    currency: str
    status: str
    reason: str | None
    next_attempt_at: datetime | None


def landed_days(
    connection: Connection, first: date, last: date | None, *, older: bool
) -> list[LandedDay]:
    """Return the days from `first` to `last`, in order; with `older`, open days before them too."""
    days = set(_days_between(connection, first, last))
    if older:
        days |= _open_days(connection, first)
    totals = _totals(connection, days)
    files = _files(connection, days)
    rejected = _rejected(connection, days)
    return [
        LandedDay(
            day,
            tuple(totals.get(day, ())),
            *files.get(day, (0, 0)),
            rejected.get(day, 0),
        )
        for day in sorted(days)
    ]


def oldest(
    connection: Connection, statuses: Collection[str], *, days: Collection[date] | None
) -> OpenRefund | None:
    """Return the refund of these open statuses that landed first; of all days if `days` is None."""
    statement = (
        sa.select(
            *(_EVENT.refund_id, _EVENT.order_id, _EVENT.landing_day, _EVENT.landed_at),
            *(_EVENT.amount, _EVENT.currency),
            *(_VIEW.status, _VIEW.reason, _VIEW.next_attempt_at),
        )
        .select_from(refund_event)
        .join(refund_status, _VIEW.refund_id == _EVENT.refund_id)
        .where(_EVENT.unsettled, _VIEW.status.in_(sorted(statuses)))
        .order_by(_EVENT.landed_at, _EVENT.source_key, _EVENT.source_line)
        .limit(1)
    )
    if days is not None:
        statement = statement.where(_EVENT.landing_day.in_(sorted(days)))
    row = connection.execute(statement).one_or_none()
    return None if row is None else OpenRefund(*row)


def _days_between(connection: Connection, first: date, last: date | None) -> list[date]:
    found: list[date] = []
    for column in (_EVENT.landing_day, _FILE.landing_day):
        statement = sa.select(column).distinct().where(column >= first)
        if last is not None:
            statement = statement.where(column <= last)
        found.extend(connection.scalars(statement))
    return found


def _open_days(connection: Connection, before: date) -> set[date]:
    waiting = sa.select(_EVENT.landing_day).where(_EVENT.unsettled, _EVENT.landing_day < before)
    unread = sa.select(_LINE.landing_day).where(
        _LINE.released_at.is_(None), _LINE.landing_day < before
    )
    return {day for each in (waiting, unread) for day in connection.scalars(each.distinct())}


def _totals(connection: Connection, days: Collection[date]) -> dict[date, list[StatusTotal]]:
    groups = (_VIEW.landing_day, _VIEW.status, _VIEW.reason, _VIEW.currency, _VIEW.amount)
    statement = sa.select(*groups, sa.func.count().label("refunds")).group_by(*groups)
    summed: dict[tuple[date, str, str | None, str], tuple[int, Decimal]] = {}
    for batch in _batched(days):
        for row in connection.execute(statement.where(_VIEW.landing_day.in_(batch))):
            # summed here: SQLite's SUM is a float
            key = (row.landing_day, row.status, row.reason, row.currency)
            count, amount = summed.get(key, (0, Decimal(0)))
            summed[key] = (count + row.refunds, amount + row.amount * row.refunds)
    found: dict[date, list[StatusTotal]] = {}
    for key in sorted(summed, key=lambda key: (key[0], key[1], key[2] or "", key[3])):
        found.setdefault(key[0], []).append(StatusTotal(*key[1:], *summed[key]))
    return found


def _files(connection: Connection, days: Collection[date]) -> dict[date, tuple[int, int]]:
    statement = sa.select(
        _FILE.landing_day,
        sa.func.count().filter(_FILE.kind == "export"),
        sa.func.coalesce(sa.func.sum(_FILE.new), 0),
    ).group_by(_FILE.landing_day)
    return {
        row[0]: (int(row[1]), int(row[2]))
        for batch in _batched(days)
        for row in connection.execute(statement.where(_FILE.landing_day.in_(batch)))
    }


def _rejected(connection: Connection, days: Collection[date]) -> dict[date, int]:
    statement = (
        sa.select(_LINE.landing_day, sa.func.count())
        .where(_LINE.released_at.is_(None))
        .group_by(_LINE.landing_day)
    )
    return {
        row[0]: int(row[1])
        for batch in _batched(days)
        for row in connection.execute(statement.where(_LINE.landing_day.in_(batch)))
    }


def _batched(days: Collection[date]) -> Sequence[list[date]]:
    return list(batches(sorted(days)))
