"""Where the refunds of some landing days stand: sums that tie, what waits, what a person has to do.

Counts what `refund_status` says; how it is shown is `commands/status_output.py`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from refund_pipeline.domain.advice import advice
from refund_pipeline.domain.money import in_full
from refund_pipeline.domain.retry_policy import WAITING_TOO_LONG
from refund_pipeline.domain.statuses import OUTSTANDING, STANDINGS, standing_of
from refund_pipeline.gateways.ledger.landed_days import LandedDay, OpenRefund
from refund_pipeline.gateways.ledger.reader import LedgerReader
from refund_pipeline.gateways.ledger.rows import StatusTotal

_HELD = frozenset({"held"})


@dataclass(frozen=True, slots=True)
class Tally:
    """How many refunds, and how much money in one currency."""

    count: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Sums:
    """The refunds of one currency: `standings` has every one of `STANDINGS`, and they sum up."""

    currency: str
    landed: Tally
    standings: Mapping[str, Tally]


@dataclass(frozen=True, slots=True)
class DayStatus:
    """One landing day."""

    day: date
    sums: Sequence[Sums]
    files: int
    brought: int
    """Refunds its files brought when they were read; as many must be in the ledger."""
    rejected: int

    @property
    def landed(self) -> int:
        """How many refunds of the day the ledger has."""
        return sum(one.landed.count for one in self.sums)

    @property
    def ties(self) -> bool:
        """Whether what was read is what is there, and landed is the sum of where it stands."""
        return self.brought == self.landed and all(
            one.landed
            == Tally(
                sum(tally.count for tally in one.standings.values()),
                sum((tally.amount for tally in one.standings.values()), Decimal(0)),
            )
            for one in self.sums
        )


@dataclass(frozen=True, slots=True)
class Group:
    """The refunds of one status and reason."""

    status: str
    reason: str | None
    count: int
    amounts: Mapping[str, Decimal]
    """By currency."""

    @property
    def to_do(self) -> str:
        """What a person does about them, or that it is nothing."""
        return advice(self.status, self.reason).to_do


@dataclass(frozen=True, slots=True)
class Status:
    """The whole answer."""

    at: datetime
    days: Sequence[DayStatus]
    totals: Sequence[Sums]
    waiting: Sequence[Group]
    """What is not posted and not skipped: held first, then by count."""
    oldest_outstanding: OpenRefund | None
    oldest_held: OpenRefund | None

    @property
    def rejected(self) -> int:
        """Lines nobody could read, and nobody has released."""
        return sum(day.rejected for day in self.days)

    @property
    def held(self) -> int:
        """How many refunds need a person."""
        return sum(group.count for group in self.waiting if group.status == "held")

    @property
    def overdue(self) -> timedelta | None:
        """How long the oldest outstanding refund has waited, once that is too long."""
        if self.oldest_outstanding is None:
            return None
        waited = self.at - self.oldest_outstanding.landed_at
        return waited if waited >= WAITING_TOO_LONG else None

    @property
    def untied(self) -> Sequence[date]:
        """The days whose counts contradict each other: a defect, or a damaged ledger."""
        return [day.day for day in self.days if not day.ties]


def status_of(
    ledger: LedgerReader,
    first: date,
    last: date | None = None,
    *,
    clock: Callable[[], datetime],
    older: bool = False,
) -> Status:
    """Return where the refunds of these landing days stand; `older`: and of open days before."""
    found = ledger.landed_days(first, last, older=older)
    totals = [total for day in found for total in day.totals]
    days = {day.day for day in found}
    return Status(
        at=clock(),
        days=[_day(one) for one in found],
        totals=_sums(totals),
        waiting=_groups(totals),
        oldest_outstanding=_oldest(ledger, OUTSTANDING, days),
        oldest_held=_oldest(ledger, _HELD, days),
    )


def _oldest(
    ledger: LedgerReader, statuses: Collection[str], days: Collection[date]
) -> OpenRefund | None:
    return ledger.oldest(statuses, days=days) if days else None


def _day(found: LandedDay) -> DayStatus:
    return DayStatus(found.day, _sums(found.totals), found.files, found.brought, found.rejected)


def _sums(totals: Iterable[StatusTotal]) -> list[Sums]:
    by_currency: dict[str, dict[str, Tally]] = {}
    landed: dict[str, Tally] = {}
    nothing = Tally(0, Decimal(0))
    for total in totals:
        standings = by_currency.setdefault(total.currency, dict.fromkeys(STANDINGS, nothing))
        standing = standing_of(total.status)
        standings[standing] = _plus(standings[standing], total)
        landed[total.currency] = _plus(landed.get(total.currency, nothing), total)
    return [
        Sums(
            currency,
            _in_full(landed[currency], currency),
            {name: _in_full(tally, currency) for name, tally in by_currency[currency].items()},
        )
        for currency in sorted(landed)
    ]


def _plus(tally: Tally, total: StatusTotal) -> Tally:
    return Tally(tally.count + total.count, tally.amount + total.amount)


def _in_full(tally: Tally, currency: str) -> Tally:
    return Tally(tally.count, in_full(tally.amount, currency))


def _groups(totals: Iterable[StatusTotal]) -> list[Group]:
    counts: dict[tuple[str, str | None], int] = {}
    amounts: dict[tuple[str, str | None], dict[str, Decimal]] = {}
    for total in totals:
        if standing_of(total.status) not in {"held", "outstanding"}:
            continue
        key = (total.status, total.reason)
        counts[key] = counts.get(key, 0) + total.count
        sums = amounts.setdefault(key, {})
        sums[total.currency] = sums.get(total.currency, Decimal(0)) + total.amount
    ordered = sorted(counts, key=lambda key: (key[0] != "held", -counts[key], key[0], key[1] or ""))
    return [
        Group(
            *key,
            counts[key],
            {name: in_full(amount, name) for name, amount in sorted(amounts[key].items())},
        )
        for key in ordered
    ]
