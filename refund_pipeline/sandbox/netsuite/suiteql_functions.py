"""SQLite functions that behave like Oracle's: exact decimals, empty text is null, checked dates.

Numbers travel as canonical decimal text ("12.5", "0"), dates as ISO text: nothing becomes a float.
"""

import calendar
import sqlite3
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation

SqlValue = str | int | None
DATE_FORMATS = {
    "YYYY-MM-DD": "%Y-%m-%d",
    "YYYY-MM-DD HH24:MI:SS": "%Y-%m-%d %H:%M:%S",
    "YYYY-MM-DD HH24:MI": "%Y-%m-%d %H:%M",
    "YYYYMMDD": "%Y%m%d",
    "YYYY-MM": "%Y-%m",
    "MM/DD/YYYY": "%m/%d/%Y",
}
_ISO_DATE_LENGTH = 10
_SECONDS_OF_A_DAY = 86_400
_DATETIME = "%Y-%m-%d %H:%M:%S"


def decimal_text(value: Decimal) -> str:
    """Return a number as SuiteQL shows it: no padding, no exponent."""
    return "0" if value == 0 else format(value.normalize(), "f")


def register(
    connection: sqlite3.Connection,
    *,
    clock: Callable[[], datetime],
    day_first: Callable[[], bool],
) -> None:
    """Give a connection the functions and the collation the compiled queries use.

    `day_first` says how the account writes dates, which raw date columns are shown in.
    """
    connection.execute("PRAGMA case_sensitive_like = ON")
    connection.create_collation("DECIMALS", _compare)
    scalars: dict[str, tuple[int, Callable[..., SqlValue]]] = {
        "ns_add": (2, _arithmetic(lambda left, right: left + right)),
        "ns_subtract": (2, _arithmetic(lambda left, right: left - right)),
        "ns_divide": (2, _arithmetic(lambda left, right: left / right)),
        "ns_abs": (1, _unary(abs)),
        "ns_negate": (1, _unary(lambda value: -value)),
        "ns_number": (1, _unary(lambda value: value)),
        "ns_round": (2, _round),
        "ns_concat": (2, lambda left, right: f"{_shown(left)}{_shown(right)}" or None),
        "ns_to_date": (2, _to_date),
        "ns_to_char": (2, _to_char),
        "ns_raw_date": (1, lambda text: _raw_date(text, day_first=day_first())),
        "ns_add_months": (2, _add_months),
        "ns_add_days": (3, _add_days),
        "ns_days_between": (2, _days_between),
        "ns_moment": (1, lambda text: None if text is None else f"{text} 00:00:00"[:19]),
        "ns_day": (1, lambda text: None if text is None else text[:_ISO_DATE_LENGTH]),
        "ns_substr": (3, _substr),
    }
    for name, (arguments, function) in scalars.items():
        connection.create_function(name, arguments, function, deterministic=True)
    connection.create_function("ns_now", 0, lambda: clock().strftime(_DATETIME))
    connection.create_aggregate("ns_sum", 1, _Sum)  # type: ignore[arg-type]


class _Sum:
    def __init__(self) -> None:
        self._total: Decimal | None = None

    def step(self, value: SqlValue) -> None:
        number = _decimal(value)
        if number is not None:
            self._total = (self._total or Decimal(0)) + number

    def finalize(self) -> str | None:
        return None if self._total is None else decimal_text(self._total)


def _compare(left: str, right: str) -> int:
    try:
        first, second = Decimal(left), Decimal(right)
    except InvalidOperation:
        return (left > right) - (left < right)
    return (first > second) - (first < second)


def _decimal(value: SqlValue) -> Decimal | None:
    return None if value is None else Decimal(value)


def _arithmetic(
    operation: Callable[[Decimal, Decimal], Decimal],
) -> Callable[[SqlValue, SqlValue], str | None]:
    def apply(left: SqlValue, right: SqlValue) -> str | None:
        first, second = _decimal(left), _decimal(right)
        if first is None or second is None:
            return None
        return decimal_text(operation(first, second))

    return apply


def _unary(operation: Callable[[Decimal], Decimal]) -> Callable[[SqlValue], str | None]:
    def apply(value: SqlValue) -> str | None:
        number = _decimal(value)
        return None if number is None else decimal_text(operation(number))

    return apply


def _round(value: SqlValue, digits: SqlValue) -> str | None:
    number = _decimal(value)
    if number is None:
        return None
    unit = Decimal(1).scaleb(-int(digits or 0))
    return decimal_text(number.quantize(unit, rounding="ROUND_HALF_UP"))


def _shown(value: SqlValue) -> str:
    return "" if value is None else str(value)


def _to_date(text: SqlValue, layout: SqlValue) -> str | None:
    if text is None:
        return None
    moment = datetime.strptime(str(text), str(layout))  # noqa: DTZ007 - no zone here
    with_time = "%H" in str(layout)
    return moment.strftime(_DATETIME if with_time else "%Y-%m-%d")


def _to_char(text: SqlValue, layout: SqlValue) -> str | None:
    if text is None:
        return None
    return datetime.fromisoformat(str(text)).strftime(str(layout))


def _raw_date(text: SqlValue, *, day_first: bool) -> str | None:
    """Show a date in the account's format: a datetime loses its time (section 5)."""
    if text is None:
        return None
    day = date.fromisoformat(str(text)[:_ISO_DATE_LENGTH])
    return day.strftime("%d/%m/%Y") if day_first else f"{day.month}/{day.day}/{day.year}"


def _add_months(text: SqlValue, months: SqlValue) -> str | None:
    """Move a date by months; the last day of a month stays one, as in Oracle."""
    if text is None or months is None:
        return None
    day = date.fromisoformat(str(text)[:_ISO_DATE_LENGTH])
    years, month = divmod(day.year * 12 + day.month - 1 + int(Decimal(months)), 12)
    last = calendar.monthrange(years, month + 1)[1]
    at_end = day.day == calendar.monthrange(day.year, day.month)[1]
    moved = day.replace(year=years, month=month + 1, day=last if at_end else min(day.day, last))
    return moved.isoformat() + str(text)[_ISO_DATE_LENGTH:]


def _add_days(text: SqlValue, days: SqlValue, sign: int) -> str | None:
    if text is None or days is None:
        return None
    span = timedelta(seconds=float(Decimal(days) * sign * _SECONDS_OF_A_DAY))
    moved = datetime.fromisoformat(str(text)) + span
    return moved.strftime(_DATETIME)


def _days_between(left: SqlValue, right: SqlValue) -> str | None:
    if left is None or right is None:
        return None
    span = datetime.fromisoformat(str(left)) - datetime.fromisoformat(str(right))
    return decimal_text(Decimal(span.days) + Decimal(span.seconds) / _SECONDS_OF_A_DAY)


def _substr(text: SqlValue, start: SqlValue, length: SqlValue) -> str | None:
    if text is None or start is None or length is None:
        return None
    whole, first = str(text), int(start)
    begin = max(first - 1, 0) if first >= 0 else len(whole) + first
    return whole[begin : begin + int(length)] or None
