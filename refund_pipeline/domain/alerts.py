"""Situations a person must know of, and which of them are news: new, to be repeated, or over.

Pure: what was seen and what is remembered go in, what to remember and what to tell comes out. The
sentences of each situation are `situations.py`; who remembers and who tells are gateways.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

REPEAT_AFTER = timedelta(hours=23, minutes=55)
"""A day, less half the time between two looks, so that repetitions stay at their time of day."""
GIVE_UP_AFTER = timedelta(days=1)
"""That something is over is not told later than this to a channel that was out of order."""
CLAIM = timedelta(minutes=5)
"""Longer than a look takes. If it dies on the way, the next look after this tells again."""

Severity: TypeAlias = Literal["error", "warning"]
News: TypeAlias = Literal["new", "repeated", "over"]


@dataclass(frozen=True, slots=True)
class Situation:
    """One thing a person must know of; no field holds a secret or personal data."""

    key: str
    """`kind`, or `kind:what`; the same key is the same situation."""
    title: str
    text: str
    severity: Severity
    since: datetime
    what_to_do: str
    runbook: str
    """The heading's anchor in docs/operations.md."""
    numbers: Mapping[str, int | str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """What of the pipeline it is about."""
        return kind_of(self.key)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is remembered of a situation between two looks."""

    key: str
    title: str
    severity: Severity
    runbook: str
    since: datetime
    first_seen_at: datetime
    last_seen_at: datetime
    rounds: int = 0
    """How often telling it was begun: 1 is news, more are repetitions."""
    sent_at: datetime | None = None
    """When a channel last took a message about it."""
    pending: tuple[str, ...] = ()
    """The channels that have not taken the current message yet; this look may not have them all."""
    cleared_at: datetime | None = None
    claimed_until: datetime | None = None
    """Until then another look is telling about it."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell, and the channels to tell it to."""

    news: News
    situation: Situation
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a look comes to: the rows to remember, and what to tell."""

    rows: tuple[Remembered, ...]
    notices: tuple[Notice, ...]


def kind_of(key: str) -> str:
    """Return the part of a situation's key that says what it is about."""
    return key.partition(":")[0]


def settle(
    remembered: Iterable[Remembered],
    seen: Sequence[Situation],
    *,
    looked_at: Collection[str],
    channels: Sequence[str],
    now: datetime,
) -> Settlement:
    """Compare what is seen with what is remembered.

    A situation is over when its kind was looked at (`looked_at`) and it was not seen. What another
    look has claimed is left to it. Everything to be told is claimed for this look.
    """
    known = {row.key: row for row in remembered}
    current = {situation.key: situation for situation in seen}
    rows, notices = list[Remembered](), list[Notice]()
    for key in sorted({*known, *current}):
        row, situation = known.get(key), current.get(key)
        if row is not None and row.claimed_until is not None and row.claimed_until > now:
            continue
        if situation is not None:
            after = _lasting(row, situation, channels, now)
        elif row is not None and kind_of(key) in looked_at:
            after = _over(row, channels, now)
            situation = _as_it_was(after)
        else:
            continue
        told = tuple(name for name in channels if name in after.pending)
        if told:
            notices.append(Notice(_news(after), situation, told))
            after = replace(after, claimed_until=now + CLAIM)
        if after != row:
            rows.append(after)
    return Settlement(tuple(rows), tuple(notices))


def after_telling(row: Remembered, delivered: Collection[str], now: datetime) -> Remembered:
    """Return what to remember of a claimed row once these channels have taken its message."""
    return replace(
        row,
        pending=tuple(name for name in row.pending if name not in delivered),
        sent_at=now if delivered else row.sent_at,
        claimed_until=None,
    )


def _lasting(
    row: Remembered | None, situation: Situation, channels: Sequence[str], now: datetime
) -> Remembered:
    if row is None or row.cleared_at is not None:
        row = Remembered(
            key=situation.key,
            title=situation.title,
            severity=situation.severity,
            runbook=situation.runbook,
            since=situation.since,
            first_seen_at=now,
            last_seen_at=now,
        )
    due = row.sent_at is None or now - row.sent_at >= REPEAT_AFTER
    rounds = row.rounds
    if due and channels and (row.sent_at is not None or not rounds):
        rounds += 1
    return replace(
        row,
        title=situation.title,
        severity=situation.severity,
        runbook=situation.runbook,
        since=min(row.since, situation.since),
        last_seen_at=now,
        rounds=rounds,
        pending=tuple(channels) if due else row.pending,
        claimed_until=None,
    )


def _over(row: Remembered, channels: Sequence[str], now: datetime) -> Remembered:
    if row.cleared_at is None:
        told = row.sent_at is not None or row.pending
        return replace(
            row, cleared_at=now, pending=tuple(channels) if told else (), claimed_until=None
        )
    given_up = now - row.cleared_at >= GIVE_UP_AFTER
    return replace(row, pending=() if given_up else row.pending, claimed_until=None)


def _news(row: Remembered) -> News:
    if row.cleared_at is not None:
        return "over"
    return "new" if row.rounds <= 1 else "repeated"


def _as_it_was(row: Remembered) -> Situation:
    lasted = length((row.cleared_at or row.last_seen_at) - row.since)
    return Situation(
        key=row.key,
        title=row.title,
        text=f"It is over. It had been so since {moment(row.since)}, for {lasted}.",
        severity=row.severity,
        since=row.since,
        what_to_do="Nothing.",
        runbook=row.runbook,
    )


def moment(at: datetime) -> str:
    """Write a moment for people."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def length(span: timedelta) -> str:
    """Write a length of time for people, in its two largest units."""
    minutes = max(int(span.total_seconds() // 60), 0)
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
