"""The report for finance: per day, currency, tender, store and reason, and how old what waits is.

Figures only; files and charts are made in `report_files.py` and `report_charts.py`. Amounts are
`Decimal` throughout: pandas sums them as Python objects, exactly.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from refund_pipeline.domain.money import total
from refund_pipeline.domain.statuses import STANDINGS, standing_of

if TYPE_CHECKING:
    import pandas as pd

    from refund_pipeline.gateways.ledger.ledger import Ledger
    from refund_pipeline.gateways.ledger.report import ReportedRefund

NOT_KNOWN_YET = "not known yet"
WEB = "web"
NO_REASON = "none given"
WAITING = ("outstanding", "held")
_BY_DAY = ("landing_day", "currency")
_BY_TENDER = (*_BY_DAY, "tender", "store", "reason")
_BY_AGE = ("currency", "standing", "age")
AGES = ("under 1 day", "1 to 3 days", "3 to 7 days", "7 to 30 days", "over 30 days")
_AGE_ENDS = tuple(timedelta(days=days) for days in (1, 3, 7, 30))
_OPEN = (
    *("refund", "order", "landing_day", "currency", "amount"),
    *("status", "reason", "age_days"),
)


@dataclass(frozen=True, slots=True)
class Report:
    """The report's tables, over the landing days `first` to `last` as the ledger stood at `at`.

    `by_day` has a row per landing day and currency, `by_tender` one per tender, store and reason
    too, both with a count and an amount of what landed and of each standing. A refund given back on
    two tenders counts once in `by_day` and on either tender in `by_tender`; amounts tie in both.
    `ageing` counts what is not posted by how long ago it landed; `open_refunds` names it.
    """

    first: date
    last: date
    at: datetime
    by_day: "pd.DataFrame"
    by_tender: "pd.DataFrame"
    ageing: "pd.DataFrame"
    open_refunds: "pd.DataFrame"

    @property
    def tables(self) -> "dict[str, pd.DataFrame]":
        """The tables by name."""
        names = ("by_day", "by_tender", "ageing", "open_refunds")
        return {name: getattr(self, name) for name in names}


def make_report(ledger: "Ledger", first: date, last: date, *, now: datetime) -> Report:
    """Count the refunds that landed from `first` to `last`, inclusive; `now` is aware."""
    by_day, by_tender, by_age = _Sums(_BY_DAY), _Sums(_BY_TENDER), _Sums(_BY_AGE)
    waiting: list[tuple[object, ...]] = []
    with ledger.reported_refunds(first, last) as refunds:
        for refund in refunds:
            standing = standing_of(refund.status)
            day = (refund.landing_day, refund.currency)
            by_day.add(day, standing, refund.amount)
            place = (_store(refund), refund.reason_code or NO_REASON)
            for tender, amount in _tenders(refund):
                by_tender.add((*day, tender, *place), standing, amount)
            if standing in WAITING:
                age = now - refund.landed_at
                by_age.add((refund.currency, standing, age_of(age)), standing, refund.amount)
                waiting.append(_open_row(refund, age))
    return Report(
        first,
        last,
        now,
        by_day.wide(),
        by_tender.wide(),
        by_age.plain(),
        _frame(sorted(waiting, key=_oldest_first), _OPEN),
    )


class _Sums:
    """Counts and amounts by key and standing, so that memory does not grow with the refunds."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._sums: dict[tuple[object, ...], tuple[int, Decimal]] = {}

    def add(self, key: tuple[object, ...], standing: str, amount: Decimal) -> None:
        count, before = self._sums.get((*key, standing), (0, Decimal(0)))
        self._sums[(*key, standing)] = (count + 1, before + amount)

    def wide(self) -> "pd.DataFrame":
        """One row per key: count and amount of what landed and of every standing."""
        keys = sorted({key[:-1] for key in self._sums}, key=_written)
        nothing = (0, Decimal(0))
        rows = []
        for key in keys:
            each = [self._sums.get((*key, standing), nothing) for standing in STANDINGS]
            landed = (sum(count for count, _ in each), total(amount for _, amount in each))
            rows.append((*key, *(value for pair in (landed, *each) for value in pair)))
        measures = [
            f"{name}_{what}" for name in ("landed", *STANDINGS) for what in ("count", "amount")
        ]
        return _frame(rows, (*self._names, *measures))

    def plain(self) -> "pd.DataFrame":
        """One row per key, which holds the standing itself."""
        keys = sorted(self._sums, key=lambda key: (key[0], key[1], AGES.index(str(key[2]))))
        rows = [(*key[:-1], *self._sums[key]) for key in keys]
        return _frame(rows, (*self._names, "count", "amount"))


def age_of(age: timedelta) -> str:
    """Name how long ago something landed."""
    return AGES[sum(age >= end for end in _AGE_ENDS)]


def totals(report: Report) -> "pd.DataFrame":
    """Sum `by_day` per currency."""
    measures = [name for name in report.by_day.columns if name not in _BY_DAY]
    summed: pd.DataFrame = report.by_day.groupby("currency", as_index=False)[measures].sum()
    return summed


def _frame(rows: Iterable[tuple[object, ...]], names: tuple[str, ...]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(list(rows), columns=list(names), dtype=object)


def _tenders(refund: "ReportedRefund") -> Iterator[tuple[str, Decimal]]:
    """Split a refund over its tenders; all of it is unknown while its lines do not prove it."""
    lines = refund.payment_lines
    if not lines or total(line.amount for line in lines) != refund.amount:
        yield NOT_KNOWN_YET, refund.amount
        return
    tenders: dict[str, Decimal] = {}
    for line in lines:
        name = f"{line.method}/{line.provider}"
        tenders[name] = tenders.get(name, Decimal(0)) + line.amount
    yield from tenders.items()


def _store(refund: "ReportedRefund") -> str:
    order = refund.order
    if order is None:
        return NOT_KNOWN_YET
    if not order.is_store_order:
        return WEB
    return order.store_id or order.channel or NOT_KNOWN_YET


def _open_row(refund: "ReportedRefund", age: timedelta) -> tuple[object, ...]:
    return (
        *(refund.refund_id, refund.order_id, refund.landing_day, refund.currency, refund.amount),
        *(refund.status, refund.status_reason or "", age.days),
    )


def _oldest_first(row: tuple[object, ...]) -> tuple[str, ...]:
    return (str(row[2]), str(row[0]))


def _written(key: tuple[object, ...]) -> tuple[str, ...]:
    return tuple(str(part) for part in key)
