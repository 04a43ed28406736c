"""What the sensors decide, as pure functions: which days deserve a run, under which key.

What landed today or in the two days before is live; all that is not of today is looked through by
`history.py` too.

Dagster remembers run keys for ever, so a key carries what changed and a time bucket: when an
attempt must be repeated the key changes (design, decision 6). No day is requested while a run of it
is queued or running.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

OVERLAP = timedelta(minutes=15)
"""How far behind the newest file a late one may land and be noticed by the next tick."""
REPEAT_AFTER = timedelta(minutes=5)
"""A request that did not lead to the files being read is made again after this long."""
LIVE = timedelta(days=2)
"""Today and so much before it is listed at every tick; a clock may be a day wrong."""
FIRST_BACKOFF = timedelta(minutes=1)
LONGEST_BACKOFF = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class DayRequest:
    """Ask for one run of a landing day."""

    day: date
    run_key: str


@dataclass(frozen=True, slots=True)
class UnreadFile:
    """A landed file the ledger does not know, and the landing day whose run will read it."""

    key: str
    etag: str
    day: date
    landed_at: datetime


@dataclass(frozen=True, slots=True)
class LandingPlan:
    """Days to request, and where the next tick starts to list."""

    requests: tuple[DayRequest, ...]
    resume_at: datetime


def live_from(start: datetime, now: datetime) -> datetime:
    """Return where the live days begin, never before `start`."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return max(start, today - LIVE)


def listing_start(cursor: datetime | None, *, start: datetime, now: datetime) -> datetime:
    """Return where a tick begins to list: where the one before said, but inside of the live days.

    A cursor from the future is of a clock that was set back: all live days are listed again.
    """
    begin = live_from(start, now)
    return begin if cursor is None or cursor > now else max(begin, cursor)


def plan_landing(
    unread: Sequence[UnreadFile],
    *,
    newest_seen: datetime,
    listed_from: datetime,
    busy_days: Collection[date],
    now: datetime,
) -> LandingPlan:
    """Request each day that has unread files; keep every unread file inside the next listing.

    A day that has not begun (a clock ahead of ours wrote the name) has no partition yet: it waits.
    """
    requests = tuple(
        day_request("landing", day, files, now=now)
        for day, files in files_by_day(unread).items()
        if day not in busy_days and day <= now.date()
    )
    oldest_unread = min((file.landed_at for file in unread), default=newest_seen)
    resume_at = max(min(newest_seen - OVERLAP, oldest_unread), listed_from)
    return LandingPlan(requests, resume_at)


def files_by_day(unread: Sequence[UnreadFile]) -> dict[date, list[UnreadFile]]:
    """Return unread files by landing day, oldest first."""
    by_day: dict[date, list[UnreadFile]] = {}
    for file in unread:
        by_day.setdefault(file.day, []).append(file)
    return dict(sorted(by_day.items()))


def day_request(lane: str, day: date, files: Sequence[UnreadFile], *, now: datetime) -> DayRequest:
    """Request a day for its unread files; the same files are asked for again after a while."""
    key = f"{lane}:{day}:{_fingerprint(files)}:{_bucket(now, REPEAT_AFTER)}"
    return DayRequest(day, key)


@dataclass(frozen=True, slots=True)
class DueDay:
    """Outstanding refunds of one day: `due` have reached their time, `undated` carry none."""

    day: date
    due: int
    undated: int


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often a day was requested in vain, and when it may be again."""

    requests: int
    not_before: datetime

    def is_over(self, now: datetime) -> bool:
        """Whether `not_before` has come, or was set by a clock that ran ahead."""
        return not now < self.not_before <= now + LONGEST_BACKOFF


@dataclass(frozen=True, slots=True)
class OutstandingPlan:
    """Days to request, and the backoff state for the next tick."""

    requests: tuple[DayRequest, ...]
    backoffs: Mapping[date, Backoff]


def plan_outstanding(
    days: Sequence[DueDay],
    *,
    backoffs: Mapping[date, Backoff],
    busy_days: Collection[date],
    now: datetime,
) -> OutstandingPlan:
    """Request each day with refunds that are due, or that were never attempted.

    A run gives each of its refunds a next attempt, unless it broke off: the ERP was down, or it
    died. So a day is requested at once, then with growing pauses while something of it is still
    due, and its pause is forgotten once nothing is.
    """
    requests: list[DayRequest] = []
    kept: dict[date, Backoff] = {}
    for item in sorted(days, key=lambda item: item.day):
        if not (item.due or item.undated):
            continue
        backoff = backoffs.get(item.day)
        if backoff is not None:
            kept[item.day] = backoff
        if item.day in busy_days or not (backoff is None or backoff.is_over(now)):
            continue
        requests.append(
            DayRequest(item.day, f"outstanding:{item.day}:{_bucket(now, FIRST_BACKOFF)}")
        )
        made = (backoff.requests if backoff else 0) + 1
        pause = min(FIRST_BACKOFF * 2 ** min(made - 1, 10), LONGEST_BACKOFF)
        kept[item.day] = Backoff(made, now + pause)
    return OutstandingPlan(tuple(requests), kept)


def _fingerprint(files: Sequence[UnreadFile]) -> str:
    names = sorted((file.key, file.etag) for file in files)
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()[:16]


def _bucket(now: datetime, width: timedelta) -> int:
    return int(now.timestamp() // width.total_seconds())
