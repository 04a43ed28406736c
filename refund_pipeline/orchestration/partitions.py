"""The partition: the UTC day of the milliseconds in a landed file's name (decision 1)."""

from datetime import date, datetime, timedelta, timezone

import dagster as dg

from refund_pipeline.domain.errors import Misconfigured

DAY_FORMAT = "%Y-%m-%d"


def landing_days(start: date) -> dg.DailyPartitionsDefinition:
    """Return one partition per UTC day from `start` to today, which fills while it lasts."""
    return dg.DailyPartitionsDefinition(
        start_date=start.isoformat(), timezone="UTC", end_offset=1, fmt=DAY_FORMAT
    )


def day_of(partition_key: str) -> date:
    """Return the landing day of a partition key."""
    return datetime.strptime(partition_key, DAY_FORMAT).replace(tzinfo=timezone.utc).date()


def landing_day(partition_key: str, *, start: date | None) -> date:
    """Return the landing day to run.

    Raises:
        Misconfigured: it is none, or is before `start`: what landed then is not ours.
    """
    try:
        day = day_of(partition_key)
    except ValueError:
        raise Misconfigured(
            f"{partition_key[:40]!r} is not a landing day like 2026-01-31"
        ) from None
    if start is not None and day < start:
        raise Misconfigured(
            f"{day} is before REFUNDS_START_DATE {start}: what landed then is not touched"
        )
    return day


def midnight(day: date) -> datetime:
    """Return the first moment of a landing day."""
    return datetime(day.year, day.month, day.day, tzinfo=timezone.utc)


def yesterday(now: datetime) -> date:
    """Return the landing day before the one `now` is in."""
    return (now.astimezone(timezone.utc) - timedelta(days=1)).date()
