"""What of the whole ledger a person may have to know of; settled refunds cost these reads nothing.

Only reads, and no judgement: that is `domain/situations.py`.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from refund_pipeline.domain.standing import Held, Named, Outstanding, Standing
from refund_pipeline.domain.statuses import OUTSTANDING
from refund_pipeline.gateways.ledger.tables import (
    erp_posting,
    landed_file,
    refund_event,
    refund_history,
    refund_status,
    rejected_line,
    unknown_record,
)

_NAMED = 5
_LANDED_AT = re.compile(r"(?:.*/)?(\d{13})-data-", re.ASCII | re.DOTALL)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_DAY = timedelta(days=1)
_DAYS_BACK = 3
"""The latest day may have only names from the future."""


def standing(connection: Connection, *, landed_before: datetime) -> Standing:
    """Return it all; outstanding are only refunds that landed before `landed_before`."""
    return Standing(
        held=_held(connection),
        outstanding=_outstanding(connection, landed_before),
        rejected=_rejected(connection),
        different=_different(connection),
        unknown=_unknown(connection),
    )


def last_landed(connection: Connection, *, now: datetime) -> datetime | None:
    """Return when the last file landed that was read; names from the future do not count."""
    day = landed_file.c.landing_day
    latest = (
        sa.select(day)
        .where(landed_file.c.kind == "export", day <= now.date())
        .distinct()
        .order_by(day.desc())
        .limit(_DAYS_BACK)
    )
    for found in connection.scalars(latest).all():
        known = [moment for moment in _moments(_keys(connection, [found])) if moment <= now]
        if known:
            return max(known)
    return None


def landed_around(connection: Connection, begin: datetime, end: datetime) -> list[datetime]:
    """Return when files landed from `begin` to `end`, with the last before and the first after.

    In order. Without the one before, the history begins later.
    """
    inside = _moments(_keys(connection, _days(begin, end)))
    before = [moment for moment in inside if moment < begin]
    after = [moment for moment in inside if moment > end]
    if not before:
        before = _moments(_keys(connection, _neighbour(connection, begin.date(), earlier=True)))
    if not after:
        after = _moments(_keys(connection, _neighbour(connection, end.date(), earlier=False)))
    within = [moment for moment in inside if begin <= moment <= end]
    return [*sorted(before)[-1:], *sorted(within), *sorted(after)[:1]]


def _days(begin: datetime, end: datetime) -> list[date]:
    return [begin.date() + _DAY * n for n in range((end.date() - begin.date()).days + 1)]


def _neighbour(connection: Connection, day: date, *, earlier: bool) -> list[date]:
    column = landed_file.c.landing_day
    chosen = sa.func.max(column) if earlier else sa.func.min(column)
    found = connection.scalar(
        sa.select(chosen).where(
            landed_file.c.kind == "export", column < day if earlier else column > day
        )
    )
    return [] if found is None else [found]


def _keys(connection: Connection, days: Sequence[date]) -> Iterable[str]:
    if not days:
        return []
    return connection.scalars(
        sa.select(landed_file.c.key).where(
            landed_file.c.landing_day.in_(days), landed_file.c.kind == "export"
        )
    )


def _moments(keys: Iterable[str]) -> list[datetime]:
    matches = (_LANDED_AT.match(key) for key in keys)
    return [_EPOCH + timedelta(milliseconds=int(match[1])) for match in matches if match]


def _held(connection: Connection) -> list[Held]:
    view = refund_status.c
    groups = (view.reason, view.currency, view.amount)
    statement = (
        sa.select(*groups, sa.func.count().label("refunds"))
        .select_from(_open_refunds())
        .where(refund_event.c.unsettled, view.status == "held")
        .group_by(*groups)
    )
    counts: dict[str, int] = {}
    amounts: dict[str, dict[str, Decimal]] = {}
    for row in connection.execute(statement):  # summed here: SQLite's SUM is a float
        counts[row.reason] = counts.get(row.reason, 0) + row.refunds
        sums = amounts.setdefault(row.reason, {})
        sums[row.currency] = sums.get(row.currency, Decimal(0)) + row.amount * row.refunds
    since = _held_since(connection) if counts else {}
    return [
        Held(reason, counts[reason], amounts[reason], since[reason]) for reason in sorted(counts)
    ]


def _held_since(connection: Connection) -> dict[str, datetime]:
    view, past = refund_status.c, refund_history.c
    statement = (
        sa.select(view.reason, sa.func.coalesce(sa.func.min(past.at), sa.func.min(view.updated_at)))
        .select_from(
            _open_refunds().outerjoin(
                refund_history,
                (past.refund_id == view.refund_id)
                & (past.to_status == "held")
                & (past.reason == view.reason),
            )
        )
        .where(refund_event.c.unsettled, view.status == "held")
        .group_by(view.reason)
    )
    return {row[0]: row[1] for row in connection.execute(statement)}


def _outstanding(connection: Connection, landed_before: datetime) -> Outstanding | None:
    view, event = refund_status.c, refund_event.c
    late = (
        event.unsettled,
        view.status.in_(sorted(OUTSTANDING)),
        event.landed_at < landed_before,
    )
    oldest = connection.execute(
        sa.select(event.refund_id, event.landed_at)
        .select_from(_open_refunds())
        .where(*late)
        .order_by(event.landed_at, event.refund_id)
        .limit(1)
    ).one_or_none()
    if oldest is None:
        return None
    counts = connection.execute(
        sa.select(view.status, sa.func.count())
        .select_from(_open_refunds())
        .where(*late)
        .group_by(view.status)
    )
    by_status = {row[0]: int(row[1]) for row in counts}
    return Outstanding(sum(by_status.values()), by_status, oldest.refund_id, oldest.landed_at)


def _rejected(connection: Connection) -> Named | None:
    line, file = rejected_line.c, landed_file.c
    waiting = line.released_at.is_(None)
    joined = rejected_line.join(landed_file, (file.key == line.key) & (file.etag == line.etag))
    name = line.key + sa.literal(":") + sa.cast(line.line_number, sa.Text)
    return _named(
        connection,
        sa.select(sa.func.count(), sa.func.min(file.read_at)).select_from(joined).where(waiting),
        sa.select(name).where(waiting).order_by(line.landing_day, line.key, line.line_number),
        sa.select(line.landing_day).where(waiting),
    )


def _different(connection: Connection) -> Named | None:
    event, posting = refund_event.c, erp_posting.c
    wrong = (posting.difference.is_not(None), posting.state == "posted")
    joined = erp_posting.join(refund_event, event.refund_id == posting.refund_id)
    return _named(
        connection,
        sa.select(sa.func.count(), sa.func.min(posting.verified_at)).where(*wrong),
        sa.select(posting.refund_id).where(*wrong).order_by(posting.refund_id),
        sa.select(event.landing_day).select_from(joined).where(*wrong),
    )


def _unknown(connection: Connection) -> Named | None:
    record = unknown_record.c
    return _named(
        connection,
        sa.select(sa.func.count(sa.distinct(record.external_id)), sa.func.min(record.found_at)),
        sa.select(record.external_id).distinct().order_by(record.external_id),
        sa.select(record.landing_day),
    )


def _named(
    connection: Connection,
    counted: sa.Select[Any],
    names: sa.Select[Any],
    days: sa.Select[Any],
) -> Named | None:
    count, since = connection.execute(counted).one()
    if not count:
        return None
    return Named(
        count,
        tuple(connection.scalars(names.limit(_NAMED))),
        tuple(sorted(connection.scalars(days.distinct()))),
        since,
    )


def _open_refunds() -> sa.Join:
    return sa.join(
        refund_event, refund_status, refund_status.c.refund_id == refund_event.c.refund_id
    )
