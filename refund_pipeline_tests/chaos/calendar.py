"""Wrong clocks, and days on which dates go wrong: clock changes, leap days, new year, midnight."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

from refund_pipeline.sandbox.retail import CASH
from refund_pipeline.sandbox.retailer import SandboxRefund
from refund_pipeline_tests.chaos.host import Host
from refund_pipeline_tests.chaos.rows import CampaignFailed, Row
from refund_pipeline_tests.fakes import FakeClock


def clock_skew(seed: int, place: Path) -> Row:
    """Set the host's clock a day ahead, then a day behind, for six hours each."""
    return clock_skew_of(
        (timedelta(days=1), timedelta(days=-1), timedelta(hours=25), timedelta(minutes=-20)),
        seed,
        place,
        per_file=20,
    )


def clock_skew_of(skews: tuple[timedelta, ...], seed: int, place: Path, *, per_file: int) -> Row:
    started = time.monotonic()
    lost = twice = refunds = runs = stopped = 0
    longest = 0
    for number, skew in enumerate(skews):
        folder = place / f"host-{number}"
        folder.mkdir()
        noon = datetime(2026, 11, 16, 12, tzinfo=timezone.utc) + timedelta(days=7 * number)
        with Host(folder, seed + number, FakeClock(noon)) as host:
            _live_with(host, skew, per_file)
            longest = max(longest, host.pass_time(240, until_posted=True))
            host.pass_time(26 * 60, every=60)
            one_lost, one_twice = host.verdict()
            lost, twice = lost + one_lost, twice + one_twice
            refunds, runs = refunds + len(host.refunds), runs + host.runs
            stopped += len(host.stopped)
    return Row(
        campaign="clock-skew",
        seed=seed,
        cases=len(skews),
        refunds=refunds,
        faults="the host's clock " + ", ".join(_said(skew) for skew in skews) + ", for six hours "
        f"each; NetSuite then refuses its signatures: {stopped} runs stopped",
        lost=lost,
        twice=twice,
        outcome=f"all posted at most {longest} min after the clock was right again; {runs} runs",
        seconds=time.monotonic() - started,
    )


def _live_with(host: Host, skew: timedelta, per_file: int) -> None:
    """Let files land before, while and just before the end of a wrong clock; some pay late."""
    host.land(per_file, at=host.true_time.now())
    host.pass_time(5)
    late = host.true_time.now() + timedelta(hours=5)
    waits = [host.sandbox.retailer.any_refund(late, payments_available_at=late) for _ in range(3)]
    host.sandbox.retailer.land(*waits, at=host.true_time.now())
    host.refunds += waits
    host.pass_time(5)
    host.skew = skew
    for _ in range(6):
        host.land(per_file // 2, at=host.true_time.now())
        host.pass_time(60, every=10)
    host.land(per_file, at=host.true_time.now())
    host.skew = timedelta(0)


def _said(skew: timedelta) -> str:
    hours = abs(skew) / timedelta(hours=1)
    much = f"{hours:g} h" if hours >= 1 else f"{hours * 60:g} min"
    return f"{much} {'ahead' if skew > timedelta(0) else 'behind'}"


@dataclass(frozen=True, slots=True)
class Moment:
    """When a refund was requested, in which store, and the date its books then show."""

    at: str
    store: str
    booked_on: str


SPECIAL = (
    # New York puts its clocks forward on 8 March 2026 and back on 1 November
    Moment("2026-03-08T04:59:59.999Z", "NYC01", "2026-03-07"),
    Moment("2026-03-08T05:00:00.000Z", "NYC01", "2026-03-08"),
    Moment("2026-03-08T06:59:59.999Z", "NYC01", "2026-03-08"),
    Moment("2026-03-08T07:00:00.000Z", "NYC01", "2026-03-08"),
    Moment("2026-03-09T03:59:59.999Z", "NYC01", "2026-03-08"),
    Moment("2026-03-09T04:00:00.000Z", "NYC01", "2026-03-09"),
    Moment("2026-11-01T03:59:59.999Z", "NYC01", "2026-10-31"),
    Moment("2026-11-01T05:30:00.000Z", "NYC01", "2026-11-01"),
    Moment("2026-11-01T06:30:00.000Z", "NYC01", "2026-11-01"),
    Moment("2026-11-02T04:59:59.999Z", "NYC01", "2026-11-01"),
    Moment("2026-11-02T05:00:00.000Z", "NYC01", "2026-11-02"),
    # Berlin does on 28 March 2027 and on 31 October
    Moment("2027-03-27T22:59:59.999Z", "BER01", "2027-03-27"),
    Moment("2027-03-27T23:00:00.000Z", "BER01", "2027-03-28"),
    Moment("2027-03-28T21:59:59.999Z", "BER01", "2027-03-28"),
    Moment("2027-03-28T22:00:00.000Z", "BER01", "2027-03-29"),
    Moment("2027-10-30T22:00:00.000Z", "BER01", "2027-10-31"),
    Moment("2027-10-31T22:59:59.999Z", "BER01", "2027-10-31"),
    Moment("2027-10-31T23:00:00.000Z", "BER01", "2027-11-01"),
    # a leap day, and the turn of a year
    Moment("2028-02-28T14:59:59.999Z", "TYO01", "2028-02-28"),
    Moment("2028-02-28T15:00:00.000Z", "TYO01", "2028-02-29"),
    Moment("2028-02-28T23:59:59.999Z", "BER01", "2028-02-29"),
    Moment("2028-02-29T00:00:00.000Z", "BER01", "2028-02-29"),
    Moment("2028-02-29T23:59:59.999Z", "NYC01", "2028-02-29"),
    Moment("2028-03-01T00:00:00.000Z", "NYC01", "2028-02-29"),
    Moment("2028-03-01T05:00:00.000Z", "NYC01", "2028-03-01"),
    Moment("2026-12-31T14:59:59.999Z", "TYO01", "2026-12-31"),
    Moment("2026-12-31T15:00:00.000Z", "TYO01", "2027-01-01"),
    Moment("2026-12-31T23:59:59.999Z", "NYC01", "2026-12-31"),
    Moment("2027-01-01T00:00:00.000Z", "NYC01", "2026-12-31"),
)
CURRENCIES = {"NYC01": "USD", "BER01": "EUR", "TYO01": "JPY"}


def special_days(seed: int, place: Path) -> Row:
    """Land one refund at each special moment, and compare landing day and date of its record."""
    return special_days_of(SPECIAL, seed, place)


def special_days_of(moments: Sequence[Moment], seed: int, place: Path) -> Row:
    started = time.monotonic()
    in_order = sorted(moments, key=lambda moment: moment.at)
    first = datetime.fromisoformat(in_order[0].at.replace("Z", "+00:00"))
    clock = FakeClock(first - timedelta(days=1))
    expected: dict[str, tuple[date, date]] = {}
    with Host(place, seed, clock) as host:
        for moment in in_order:
            at = datetime.fromisoformat(moment.at.replace("Z", "+00:00"))
            clock._now = max(clock.now(), at + timedelta(milliseconds=500))
            refund = _refund_in(host, moment.store, at)
            host.sandbox.retailer.land(refund, at=at)
            host.refunds.append(refund)
            expected[refund.refund_id] = (at.date(), date.fromisoformat(moment.booked_on))
            host.pass_time(3, until_posted=True)
        lost, twice = host.verdict()
        wrong = _wrong_dates(host, expected)
    if wrong:
        raise CampaignFailed(f"landing day or date of the record are not as expected: {wrong}")
    return Row(
        campaign="special-days",
        seed=seed,
        cases=len(in_order),
        refunds=len(expected),
        faults="both clock changes of two zones, 29 February, new year; files named for the last "
        "and the first millisecond of a day",
        lost=lost,
        twice=twice,
        outcome=f"every landing day and every date as the store's wall clock had it; {host.runs} "
        "runs",
        seconds=time.monotonic() - started,
    )


def _refund_in(host: Host, store: str, at: datetime) -> SandboxRefund:
    while True:
        refund = host.sandbox.retailer.refund("store", CURRENCIES[store], CASH, at=at)
        if refund.order_number.startswith(store[:2]):
            return refund


def _wrong_dates(host: Host, expected: dict[str, tuple[date, date]]) -> list[str]:
    days = {row.refund_id: row.landing_day for row in host.ledger.refunds(limit=1000)}
    dates = {
        record.custom["custbody_nst_refund_id"]: record.tran_date
        for record in host.sandbox.netsuite.cash_refunds()
    }
    found = {one: (days.get(one), dates.get(one)) for one in expected}
    return [
        f"{found[one]} is not {expected[one]}" for one in expected if found[one] != expected[one]
    ]
