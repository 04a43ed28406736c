"""The partition: the UTC day of the milliseconds in a landed file's name (decision 1)."""

from datetime import date, datetime, timedelta, timezone

import dagster as dg

DAY_FORMAT = "%Y-%m-%d"


def landing_days(start: date) -> dg.DailyPartitionsDefinition:
    """Return one partition per UTC day from `start` to today, which fills while it lasts."""
    return dg.DailyPartitionsDefinition(
        start_date=start.isoformat(), timezone="UTC", end_offset=1, fmt=DAY_FORMAT
    )


def day_of(partition_key: str) -> date:
    """Return the landing day of a partition key."""
    return datetime.strptime(partition_key, DAY_FORMAT).replace(tzinfo=timezone.utc).date()


def midnight(day: date) -> datetime:
    """Return the first moment of a landing day."""
    return datetime(day.year, day.month, day.day, tzinfo=timezone.utc)


def yesterday(now: datetime) -> date:
    """Return the landing day before the one `now` is in."""
    return (now.astimezone(timezone.utc) - timedelta(days=1)).date()
