"""Where the refunds stand and came from, for people and planners: the view `refund_status`."""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from refund_pipeline.domain.retry_policy import LONGEST_WAIT
from refund_pipeline.domain.statuses import OUTSTANDING, SETTLED
from refund_pipeline.gateways.ledger.database import fetch
from refund_pipeline.gateways.ledger.rows import (
    OutstandingDay,
    RefundStatus,
    StatusTotal,
)
from refund_pipeline.gateways.ledger.tables import refund_event, refund_status

_COLUMNS = tuple(refund_status.c[name] for name in RefundStatus.__slots__)


def status_totals(connection: Connection, day: date | None) -> list[StatusTotal]:
    """Return count and exact sum per status, reason and currency."""
    event, view, count = refund_event.c, refund_status.c, sa.func.count().label("refunds")
    # The view joins four tables. Most refunds are posted, and told without it; both in one
    # statement, so that none is missed or counted twice while it is being posted.
    posted = sa.literal("posted").label("status"), sa.null().label("reason")
    others = view.status, view.reason, event.currency, event.amount
    counted = [
        sa.select(*posted, event.currency, event.amount, count)
        .where(event.is_posted)
        .group_by(event.currency, event.amount),
        _from_the_view(*others, count).where(~event.is_posted).group_by(*others),
    ]
    if day is not None:
        counted = [one.where(event.landing_day == day) for one in counted]
    totals: dict[tuple[str, str | None, str], tuple[int, Decimal]] = {}
    for row in connection.execute(sa.union_all(*counted)):  # summed here: SQLite's SUM is a float
        key = (row.status, row.reason, row.currency)
        refunds, amount = totals.get(key, (0, Decimal(0)))
        totals[key] = (refunds + row.refunds, amount + row.amount * row.refunds)
    ordered = sorted(totals, key=lambda key: (key[0], key[1] or "", key[2]))
    return [StatusTotal(*key, *totals[key]) for key in ordered]


def refunds(
    connection: Connection,
    *,
    day: date | None,
    statuses: Collection[str] | None,
    limit: int,
) -> list[RefundStatus]:
    """Return rows of the view, oldest landing day first."""
    open_only = statuses is not None and SETTLED.isdisjoint(statuses)
    statement = _open_refunds(*_COLUMNS) if open_only else sa.select(*_COLUMNS)
    if statuses is not None:
        statement = statement.where(refund_status.c.status.in_(sorted(statuses)))
    if day is not None:
        statement = statement.where(refund_status.c.landing_day == day)
    if statuses is None:  # which rows they are is told without the view, which joins every refund
        event = refund_event.c
        first = sa.select(event.refund_id).order_by(event.landing_day, event.refund_id)
        if day is not None:
            first = first.where(event.landing_day == day)
        statement = statement.where(refund_status.c.refund_id.in_(first.limit(limit)))
    statement = statement.order_by(refund_status.c.landing_day, refund_status.c.refund_id)
    return [RefundStatus(*row) for row in connection.execute(statement.limit(limit))]


def refund(connection: Connection, refund_id: str) -> RefundStatus | None:
    """Return where one refund stands."""
    statement = sa.select(*_COLUMNS).where(refund_status.c.refund_id == refund_id)
    row = connection.execute(statement).one_or_none()
    return None if row is None else RefundStatus(*row)


def known_refunds(connection: Connection, refund_ids: Collection[str]) -> Mapping[str, str]:
    """Return the key of the file that brought each of these refunds; unknown ones are absent."""
    event = refund_event.c
    rows = fetch(
        connection, sa.select(event.refund_id, event.source_key), event.refund_id, refund_ids
    )
    return {row.refund_id: row.source_key for row in rows}


def refunds_published(connection: Connection, begins: datetime, ends: datetime) -> frozenset[str]:
    """Return the refunds whose event was published from `begins` (aware) to before `ends`."""
    event = refund_event.c
    statement = sa.select(event.refund_id).where(
        event.published_at >= begins, event.published_at < ends
    )
    return frozenset(connection.scalars(statement))


def outstanding_days(connection: Connection, *, now: datetime) -> list[OutstandingDay]:
    """Return the landing days with outstanding refunds, oldest first."""
    next_at = refund_status.c.next_attempt_at
    waits = (next_at > now) & (next_at <= now + LONGEST_WAIT)
    statement = (
        _open_refunds(
            refund_event.c.landing_day,
            sa.func.count().filter(~waits).label("due"),
            sa.func.count().filter(next_at.is_(None)).label("undated"),
            sa.func.min(next_at).filter(waits).label("earliest"),
        )
        .where(refund_status.c.status.in_(sorted(OUTSTANDING)))
        .group_by(refund_event.c.landing_day)
        .order_by(refund_event.c.landing_day)
    )
    return [OutstandingDay(*row) for row in connection.execute(statement)]


def oldest_outstanding(connection: Connection, day: date) -> datetime | None:
    """Return when the oldest outstanding refund of `day` landed."""
    statement = _open_refunds(sa.func.min(refund_event.c.landed_at)).where(
        refund_status.c.status.in_(sorted(OUTSTANDING)), refund_event.c.landing_day == day
    )
    found: datetime | None = connection.scalar(statement)
    return found


def _open_refunds(*columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """Select from the view by the partial index of unsettled refunds: settled ones cost nothing."""
    return _from_the_view(*columns).where(refund_event.c.unsettled)


def _from_the_view(*columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """Select from the view by what is known of the events."""
    own_id = refund_event.c.refund_id
    return (
        sa.select(*columns)
        .select_from(refund_event)
        .join(refund_status, refund_status.c.refund_id == own_id)
    )
