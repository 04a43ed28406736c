"""Landed files and their events: each file is recorded once, whole, in one transaction.

Knows nothing of what happens to a refund after it has landed.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from refund_pipeline.domain.events import RefundEvent
from refund_pipeline.domain.reasons import HANDLED_BY_HAND
from refund_pipeline.gateways.ledger.database import fetch
from refund_pipeline.gateways.ledger.history import Writing
from refund_pipeline.gateways.ledger.rows import FileCounts, FileTotals, LandedFile, RejectedLine
from refund_pipeline.gateways.ledger.snapshots import EVENT_COLUMNS, event_of
from refund_pipeline.gateways.ledger.tables import landed_file, refund_event, rejected_line

_LANDING_LOCK = 0x7265_6675_6E64_0002  # beside the migration's
# NewStore may publish a refund again; one ledger has one tenant.
_CONTENT = tuple(
    field.name
    for field in fields(RefundEvent)
    if field.name not in {"refund_id", "tenant", "published_at"}
)


def known_files(connection: Connection, keys: Collection[str]) -> frozenset[tuple[str, str]]:
    """Return the recorded (key, etag) pairs of these keys."""
    statement = sa.select(landed_file.c.key, landed_file.c.etag)
    rows = fetch(connection, statement, landed_file.c.key, keys)
    return frozenset((row.key, row.etag) for row in rows)


def wait_for_turn(connection: Connection) -> None:
    """Let one process record at a time, so that a refund id is judged new by one of them only."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LANDING_LOCK)))


def recorded_counts(connection: Connection, file: LandedFile) -> FileCounts | None:
    """Return the counts of a file that is recorded already."""
    row = landed_file.c
    found = connection.execute(
        sa.select(row.new, row.duplicates, row.conflicts, row.rejected, row.other).where(
            row.key == file.key, row.etag == file.etag
        )
    ).one_or_none()
    return None if found is None else FileCounts(*found)


def record(
    writing: Writing,
    file: LandedFile,
    *,
    events: Sequence[tuple[int, RefundEvent]],
    rejected: Sequence[RejectedLine],
    other_events: Mapping[str, int],
    lines: int,
) -> FileCounts:
    """Write a file that is not recorded yet, its new refunds, conflicts and rejected lines."""
    connection = writing.connection
    known = known_events(connection, [event.refund_id for _, event in events])
    new: list[tuple[int, RefundEvent]] = []
    conflicts: list[tuple[int, RefundEvent, str]] = []
    for line_number, event in events:
        first = known.get(event.refund_id)
        if first is None:
            known[event.refund_id] = event
            new.append((line_number, event))
        elif differing := ", ".join(differing_fields(first, event)):
            conflicts.append((line_number, event, differing))
    counts = FileCounts(
        new=len(new),
        duplicates=len(events) - len(new) - len(conflicts),
        conflicts=len(conflicts),
        rejected=len(rejected),
        other=sum(other_events.values()),
    )
    _insert_file(writing, file, counts, other_events=other_events, lines=lines)
    insert_events(writing, file, new)
    mark_conflicts(writing, file, conflicts)
    refused = [
        RejectedLine(
            file.key,
            file.etag,
            number,
            (f"conflicting event for refund {event.refund_id}: {differing}",),
            "",
            0,
        )
        for number, event, differing in conflicts
    ]
    _insert_rejected(connection, file, [*rejected, *refused])
    return counts


def known_events(connection: Connection, refund_ids: Iterable[str]) -> dict[str, RefundEvent]:
    """Return the events of those of these refunds that have landed."""
    rows = fetch(connection, sa.select(*EVENT_COLUMNS), refund_event.c.refund_id, list(refund_ids))
    return {row.refund_id: event_of(row) for row in rows}


def differing_fields(first: RefundEvent, second: RefundEvent) -> list[str]:
    """Name the fields in which two events of one refund differ, never their values."""
    return [name for name in _CONTENT if getattr(first, name) != getattr(second, name)]


def _insert_file(
    writing: Writing,
    file: LandedFile,
    counts: FileCounts,
    *,
    other_events: Mapping[str, int],
    lines: int,
) -> None:
    writing.connection.execute(
        sa.insert(landed_file).values(
            key=file.key,
            etag=file.etag,
            landing_day=file.landing_day,
            kind=file.kind,
            size=file.size,
            lines=lines,
            new=counts.new,
            duplicates=counts.duplicates,
            conflicts=counts.conflicts,
            rejected=counts.rejected,
            other=counts.other,
            other_events=json.dumps(dict(other_events), sort_keys=True),
            read_at=writing.now,
            run_id=writing.run_id,
        )
    )


def insert_events(
    writing: Writing, file: LandedFile, events: Sequence[tuple[int, RefundEvent]]
) -> None:
    """Write new refunds with the lines they stand on."""
    if not events:
        return
    rows = [
        {name: getattr(event, name) for name in RefundEvent.__slots__}
        | {
            "landing_day": file.landing_day,
            "content_hash": event.content_hash,
            "source_key": file.key,
            "source_etag": file.etag,
            "source_line": line_number,
            "landed_at": writing.now,
            "unsettled": True,
        }
        for line_number, event in events
    ]
    writing.connection.execute(sa.insert(refund_event), rows)


def mark_conflicts(
    writing: Writing, file: LandedFile, conflicts: Sequence[tuple[int, RefundEvent, str]]
) -> None:
    """Hold the refunds that these lines contradict; each comes with the fields that differ."""
    for line_number, event, differing in conflicts:
        row = refund_event.c
        writing.connection.execute(
            sa.update(refund_event)
            .where(
                row.refund_id == event.refund_id,
                row.conflict.is_(None) | (row.conflict == HANDLED_BY_HAND),
            )
            .values(
                conflict=f"line {line_number} of {file.key} says otherwise: {differing}",
                conflict_at=writing.now,
                by_hand_at=None,  # whoever handled it did not know of this
            )
        )


def _insert_rejected(
    connection: Connection, file: LandedFile, rejected: Sequence[RejectedLine]
) -> None:
    if not rejected:
        return
    connection.execute(
        sa.insert(rejected_line),
        [
            {
                "key": file.key,
                "etag": file.etag,
                "line_number": line.line_number,
                "landing_day": file.landing_day,
                "problems": json.dumps(list(line.problems)),
                "line_sha256": line.line_sha256,
                "line_bytes": line.line_bytes,
            }
            for line in rejected
        ],
    )


def file_totals(connection: Connection, day: date) -> FileTotals:
    """Return what has landed on `day`."""
    row = landed_file.c
    sums = [
        sa.func.coalesce(sa.func.sum(column), 0)
        for column in (row.lines, row.new, row.duplicates, row.conflicts, row.rejected, row.size)
    ]
    strays = sa.func.count().filter(row.kind == "stray")
    found = connection.execute(
        sa.select(sa.func.count(), strays, *sums).where(row.landing_day == day)
    ).one()
    files, stray_count, lines, new, duplicates, conflicts, refused, size = map(int, found)
    others: Counter[str] = Counter()
    named = sa.select(row.other_events).where(row.landing_day == day, row.other > 0)
    for text in connection.scalars(named):
        others.update(json.loads(text))
    unreleased = sa.select(sa.func.count()).where(
        rejected_line.c.landing_day == day, rejected_line.c.released_at.is_(None)
    )
    rejected = connection.scalar(unreleased) or 0
    return FileTotals(
        files=files - stray_count,
        strays=stray_count,
        lines=lines,
        events=new,
        duplicates=duplicates,
        conflicts=conflicts,
        rejected=rejected,
        other_events=dict(sorted(others.items())),
        bytes=size,
        released=refused + conflicts - rejected,
    )
