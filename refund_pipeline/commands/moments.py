"""Times on the command line: with a zone, or a date, which is a day in UTC; click callbacks."""

from datetime import date, datetime, timedelta, timezone

import click

_DATE_LENGTH = len("2026-11-20")


def first_moment(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> datetime | None:
    """Read an aware UTC time; a date is the first moment of its day."""
    return None if value is None else _moment(value.strip(), days=0)


def last_moment(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> datetime | None:
    """Read an aware UTC time; a date is the end of its day."""
    return None if value is None else _moment(value.strip(), days=1)


def _moment(text: str, *, days: int) -> datetime:
    try:
        if len(text) == _DATE_LENGTH:
            day = date.fromisoformat(text) + timedelta(days=days)
            return datetime(day.year, day.month, day.day, tzinfo=timezone.utc)
        # Python 3.10 does not read Z
        moment = datetime.fromisoformat(text[:-1] + "+00:00" if text[-1:] in "zZ" else text)
        if moment.tzinfo is not None:
            return moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        pass
    raise click.BadParameter(
        f"{text!r} is neither a time with its zone, like 2026-11-20T09:00:00Z, nor a date"
    )
