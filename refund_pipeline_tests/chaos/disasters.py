"""Disasters: the ledger is deleted, put back from a backup, or Dagster's storage is lost.

Each case is a landing week with faults; the daemon's part is played by ticking the real sensors. A
refund that has its record keeps it and gets no other: records are compared by their ids.
"""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from refund_pipeline.domain.statuses import OUTSTANDING
from refund_pipeline_tests.chaos.landing_week import IN_HEADER, LandingWeek
from refund_pipeline_tests.chaos.rows import CampaignFailed, Row

LAG = 3600.0
"""Seconds the ERP's index stays behind while a ledger is rebuilt: for all of the rebuild."""


@dataclass(frozen=True, slots=True)
class Case:
    """How a week goes: so many of its days `done` before the disaster, and what else is odd."""

    done: int
    mapping: Mapping[str, Any] = field(default_factory=dict)
    since: Mapping[str, Any] = field(default_factory=dict)
    """What has changed in the mapping by the time of the rebuild."""
    lag: float = 0.0


WHOLE_WEEKS = (
    Case(7),
    Case(4),
    Case(5, lag=LAG),
    Case(6, mapping=IN_HEADER),
    Case(4, mapping=IN_HEADER, lag=LAG),
    Case(7, since={"external_id_prefix": "new-"}),
    Case(7, since={"gates": {"stop_posting": True}}),
)


@dataclass
class Tally:
    """What a campaign has seen so far."""

    cases: int = 0
    refunds: int = 0
    kept: int = 0
    """Refunds that had their record when disaster struck."""
    new: int = 0
    """Records made for them all the same."""
    lost: int = 0
    twice: int = 0
    runs: int = 0
    started: float = field(default_factory=time.monotonic)

    def add(self, week: LandingWeek, kept: Mapping[str, Sequence[str]]) -> None:
        """Count what became of a week; `kept` are the records there were at the disaster."""
        now = week.records()
        self.cases += 1
        self.refunds += len(week.landed)
        self.runs += week.runs
        self.kept += len(kept)
        self.new += sum(len(now.get(refund, ())) - len(ids) for refund, ids in kept.items())
        lost, twice = week.verdict()
        self.lost, self.twice = self.lost + lost, self.twice + twice
        says = week.standings()
        others = [says.get(one) for one in week.ids({"posted", "released"})]
        unlike = [row for row in others if row is None or row.status != "posted"]
        if unlike:
            raise CampaignFailed(f"not posted, says the ledger: {unlike[:5]}")

    def row(self, name: str, seed: int, faults: str) -> Row:
        """Return the campaign's row; a record made anew counts as twice."""
        return Row(
            campaign=name,
            seed=seed,
            cases=self.cases,
            refunds=self.refunds,
            faults=faults,
            lost=self.lost,
            twice=max(self.twice, self.new),
            outcome=f"{self.new} new records for the {self.kept:,} refunds that had theirs; "
            f"{self.runs} runs",
            seconds=time.monotonic() - self.started,
        )


def ledger_deleted(seed: int, place: Path) -> Row:
    """Delete the ledger in the middle or at the end of a week, and let the sensors rebuild it."""
    return ledger_deleted_in(WHOLE_WEEKS, seed, place)


def ledger_deleted_in(
    cases: Sequence[Case], seed: int, place: Path, *, per_day: int = 40, length: int = 7
) -> Row:
    tally = Tally()
    for number, case in enumerate(cases):
        with _week(place, number, seed, per_day, length) as week:
            week.change_mapping(**case.mapping)
            _live(week, case.done)
            kept = _whole(week)
            week.delete_ledger()
            week.cursors.clear()  # as docs/operations.md has it: both landing sensors look anew
            week.change_mapping(**case.mapping, **case.since)
            index = week.sandbox.netsuite._suiteql._index
            index._lag = timedelta(seconds=case.lag)
            week.let_the_daemon_work()
            _assert_nothing_new(week, kept)
            index._lag = timedelta(0)
            week.change_mapping(**case.mapping)
            _finish(week)
            tally.add(week, kept)
    return tally.row(
        "ledger-deleted",
        seed,
        "ledger deleted after 4 to 7 days, writes unanswered; index behind for the whole rebuild; "
        "several records per refund; another prefix since; the kill switch on",
    )


def ledger_restored(seed: int, place: Path) -> Row:
    """Put a backup of a day ago back, in place of the ledger."""
    tally = Tally()
    for number, (saved, done) in enumerate(((3, 5), (1, 7), (5, 6))):
        with _week(place, number, seed) as week:
            week.change_mapping()
            _live(week, saved, settles=False)
            backup = place / f"backup-{number}.db"
            shutil.copyfile(week.ledger_file, backup)
            week.settle()
            _live(week, done, first=saved)
            kept = _whole(week)
            week.delete_ledger()
            shutil.copyfile(backup, week.ledger_file)
            week.cursors.pop("landed_history_sensor", None)
            week.let_the_daemon_work()
            _assert_nothing_new(week, kept)
            _finish(week)
            tally.add(week, kept)
    return tally.row(
        "ledger-restored",
        seed,
        "a backup taken 1 to 6 days before, with writes unanswered in it, put back",
    )


def dagster_storage_lost(seed: int, place: Path) -> Row:
    """Lose runs, cursors, ticks and run keys, again and again, in the middle of everything."""
    tally = Tally()
    for number in range(3):
        with _week(place, number, seed) as week:
            week.change_mapping()
            for position, day in enumerate(week.days):
                week.land(day)
                week.with_faults()
                week.let_the_daemon_work()
                week.lose_dagster_storage()
                late = week.chance.choice(week.days[: position + 1])
                again = [one for one in week.landed if one.day == late][:3]
                week.sandbox.retailer.land(*(one.refund for one in again), at=_noon(late))
            kept = week.records()
            asked = week.let_the_daemon_work()
            week.lose_dagster_storage()
            settled = week.let_the_daemon_work()
            if not set(settled) <= _outstanding_days(week):
                raise CampaignFailed(f"asked again for days that were read: {sorted(settled)}")
            if len(asked) > len(week.days):
                raise CampaignFailed(f"asked for {len(asked)} days")
            _finish(week)
            tally.add(week, kept)
    return tally.row(
        "dagster-storage-lost",
        seed,
        "runs, cursors, ticks and run keys lost every day; late files under old names",
    )


def _week(place: Path, number: int, seed: int, per_day: int = 40, length: int = 7) -> LandingWeek:
    folder = place / f"week-{number}"
    folder.mkdir()
    return LandingWeek(folder, seed + number, per_day=per_day, length=length)


def _live(week: LandingWeek, days: int, *, first: int = 0, settles: bool = True) -> None:
    """Land and run these days with faults; a person releases what is to be released."""
    for day in week.days[first:days]:
        week.land(day)
        week.with_faults()
        week.run(day)
    if settles:
        week.release()
        for day in week.days[first:days]:
            week.run(day)
            week.run(day)


def _whole(week: LandingWeek) -> dict[str, list[str]]:
    """Return the records of refunds that are whole: what a half-way refund lacks may still come."""
    says = week.standings()
    return {one: ids for one, ids in week.records().items() if says[one].status == "posted"}


def _assert_nothing_new(week: LandingWeek, kept: Mapping[str, Sequence[str]]) -> None:
    now = week.records()
    changed = [refund for refund, ids in kept.items() if now.get(refund) != ids]
    if changed:
        raise CampaignFailed(f"the rebuild made records anew: {changed[:5]}")


def _finish(week: LandingWeek) -> None:
    """Land what has not landed, release what is to be released, and let everything be posted."""
    for day in week.days:
        if not any(one.day == day for one in week.landed):
            week.land(day)
            week.run(day)
    week.let_the_daemon_work()
    week.settle()
    for day in week.release():
        week.run(day)
    week.settle()


def _outstanding_days(week: LandingWeek) -> set[date]:
    with week.ledger() as ledger:
        waiting = ledger.refunds(statuses=sorted(OUTSTANDING), limit=10_000)
    return {row.landing_day for row in waiting}


def _noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=timezone.utc)
