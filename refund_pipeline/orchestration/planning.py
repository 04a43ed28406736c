"""What the sensors decide, as pure functions: which days deserve a run, under which key.

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
    by_day: dict[date, list[UnreadFile]] = {}
    for file in unread:
        by_day.setdefault(file.day, []).append(file)
    requests = tuple(
        DayRequest(day, f"landing:{day}:{_fingerprint(files)}:{_bucket(now, REPEAT_AFTER)}")
        for day, files in sorted(by_day.items())
        if day not in busy_days and day <= now.date()
    )
    oldest_unread = min((file.landed_at for file in unread), default=newest_seen)
    resume_at = max(min(newest_seen - OVERLAP, oldest_unread), listed_from)
    return LandingPlan(requests, resume_at)


@dataclass(frozen=True, slots=True)
class DueDay:
    """Outstanding refunds of one day: `due` have reached their time, `undated` carry none."""

    day: date
    due: int
    undated: int


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often a day with undated refunds was requested in vain, and when it may be again."""

    requests: int
    not_before: datetime


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
    """Request each day with due refunds.

    Refunds carry their own next attempt once they were attempted. Those that were not (a run died,
    the ERP was down) are undated: their day is requested at once, then with growing pauses, and
    forgotten when it is clean.
    """
    requests: list[DayRequest] = []
    kept: dict[date, Backoff] = {}
    for item in sorted(days, key=lambda item: item.day):
        backoff = backoffs.get(item.day)
        undated_due = item.undated > 0 and (backoff is None or backoff.not_before <= now)
        if item.undated and backoff is not None:
            kept[item.day] = backoff
        if item.day in busy_days or not (item.due or undated_due):
            continue
        requests.append(
            DayRequest(item.day, f"outstanding:{item.day}:{_bucket(now, FIRST_BACKOFF)}")
        )
        if undated_due:
            made = (backoff.requests if backoff else 0) + 1
            pause = min(FIRST_BACKOFF * 2 ** min(made - 1, 10), LONGEST_BACKOFF)
            kept[item.day] = Backoff(made, now + pause)
    return OutstandingPlan(tuple(requests), kept)


def _fingerprint(files: Sequence[UnreadFile]) -> str:
    names = sorted((file.key, file.etag) for file in files)
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()[:16]


def _bucket(now: datetime, width: timedelta) -> int:
    return int(now.timestamp() // width.total_seconds())
