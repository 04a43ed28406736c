"""The ledger in numbers, for monitoring that asks every minute: a second among millions of refunds.

What is open is counted whole, by the index of open refunds; what is settled only of the last
landing days, since summing up years would take as long as years are. How the numbers are written is
`gateways/metrics.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from refund_pipeline.domain.statuses import OUTSTANDING, STANDINGS, standing_of
from refund_pipeline.gateways.ledger import landed_days, standing
from refund_pipeline.gateways.ledger.rows import StatusTotal
from refund_pipeline.gateways.ledger.tables import (
    erp_posting,
    landed_file,
    refund_event,
    refund_status,
    rejected_line,
    unknown_record,
)

RECENT_DAYS = 7
LATENCY_OVER = timedelta(days=1)
_EVENT, _VIEW, _POSTING, _FILE = (
    table.c for table in (refund_event, refund_status, erp_posting, landed_file)
)


@dataclass(frozen=True, slots=True)
class Numbers:
    """What monitoring shows; sums and counts by status, reason and currency."""

    landed: int
    """All refunds there are."""
    unsettled: int
    """Of these, those neither posted nor skipped."""
    open: Sequence[StatusTotal]
    recent: Sequence[StatusTotal]
    """By standing, of what landed within the last `RECENT_DAYS` landing days."""
    oldest: Mapping[str, datetime]
    """When the oldest outstanding and the oldest held refund landed; absent where there is none."""
    seconds_to_post: Sequence[float]
    """Of recent refunds posted within the last day, from landing to posting; in order."""
    last_landed_at: datetime | None
    last_read_at: datetime | None
    rejected_lines: int
    different: int
    """Posted refunds that the ERP shows differently."""
    unknown: int
    """Records of the ERP under our prefix that the ledger does not know."""


def numbers(connection: Connection, *, now: datetime) -> Numbers:
    """Read them all."""
    first = now.date() - timedelta(days=RECENT_DAYS - 1)
    count = sa.select(sa.func.count())
    differs = (_POSTING.difference.is_not(None), _POSTING.state == "posted")
    return Numbers(
        landed=_scalar(connection, count.select_from(refund_event)),
        unsettled=_scalar(connection, count.select_from(refund_event).where(_EVENT.unsettled)),
        open=_open(connection),
        recent=_recent(connection, first),
        oldest=_oldest(connection),
        seconds_to_post=_seconds_to_post(connection, first, since=now - LATENCY_OVER),
        last_landed_at=standing.last_landed(connection, now=now),
        last_read_at=_last_read(connection, first),
        rejected_lines=_scalar(
            connection,
            count.select_from(rejected_line).where(rejected_line.c.released_at.is_(None)),
        ),
        different=_scalar(connection, count.select_from(erp_posting).where(*differs)),
        unknown=_scalar(
            connection, sa.select(sa.func.count(sa.distinct(unknown_record.c.external_id)))
        ),
    )


def _scalar(connection: Connection, statement: sa.Select[tuple[int]]) -> int:
    return connection.scalar(statement) or 0


def _open(connection: Connection) -> list[StatusTotal]:
    groups = (_VIEW.status, _VIEW.reason, _VIEW.currency, _VIEW.amount)
    statement = (
        sa.select(*groups, sa.func.count().label("refunds"))
        .select_from(refund_event.join(refund_status, _VIEW.refund_id == _EVENT.refund_id))
        .where(_EVENT.unsettled)
        .group_by(*groups)
    )
    sums: dict[tuple[str, str | None, str], tuple[int, Decimal]] = {}
    for row in connection.execute(statement):  # summed here: SQLite's SUM is a float
        key = (row.status, row.reason, row.currency)
        count, amount = sums.get(key, (0, Decimal(0)))
        sums[key] = (count + row.refunds, amount + row.amount * row.refunds)
    return [StatusTotal(*key, *sums[key]) for key in sorted(sums, key=str)]


def _recent(connection: Connection, first: date) -> list[StatusTotal]:
    days = landed_days.landed_days(connection, first, None, older=False)
    sums: dict[tuple[str, str], tuple[int, Decimal]] = {}
    for total in (total for day in days for total in day.totals):
        for standing_ in STANDINGS:  # all of a currency, so that a series does not end at zero
            sums.setdefault((standing_, total.currency), (0, Decimal(0)))
        key = (standing_of(total.status), total.currency)
        count, amount = sums[key]
        sums[key] = (count + total.count, amount + total.amount)
    return [
        StatusTotal(stands, None, currency, *sums[stands, currency])
        for stands, currency in sorted(sums)
    ]


def _oldest(connection: Connection) -> dict[str, datetime]:
    found = {
        "outstanding": landed_days.oldest(connection, OUTSTANDING, days=None),
        "held": landed_days.oldest(connection, {"held"}, days=None),
    }
    return {name: row.landed_at for name, row in found.items() if row is not None}


def _seconds_to_post(connection: Connection, first: date, *, since: datetime) -> list[float]:
    statement = (
        sa.select(_EVENT.landed_at, _POSTING.posted_at)
        .select_from(refund_event.join(erp_posting, _POSTING.refund_id == _EVENT.refund_id))
        .where(_EVENT.landing_day >= first, _POSTING.posted_at >= since)
    )
    return sorted(
        max((row.posted_at - row.landed_at).total_seconds(), 0.0)
        for row in connection.execute(statement)
    )


def _last_read(connection: Connection, first: date) -> datetime | None:
    found: datetime | None = connection.scalar(
        sa.select(sa.func.max(_FILE.read_at)).where(_FILE.landing_day >= first)
    )
    return found
