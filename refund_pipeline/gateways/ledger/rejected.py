"""Rejected lines: what could not be read, and what a person lets go.

A line that can be read by now becomes what it is, exactly as if it had been read so at first, and
is counted so in its file. How files are recorded is `landing.py`.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from refund_pipeline.domain.events import OtherEvent, RefundEvent
from refund_pipeline.gateways.ledger.history import Writing
from refund_pipeline.gateways.ledger.landing import (
    differing_fields,
    insert_events,
    known_events,
    mark_conflicts,
)
from refund_pipeline.gateways.ledger.rows import (
    LandedFile,
    LineId,
    RejectedEntry,
    RejectedLine,
    ReleasedAs,
)
from refund_pipeline.gateways.ledger.tables import landed_file, rejected_line

_LINE = rejected_line.c


def lines(connection: Connection, day: date, *, limit: int) -> list[RejectedLine]:
    """Return the first unreleased rejected lines of `day`, in file order."""
    found = entries(connection, day=day, key=None, line_number=None, released=False, limit=limit)
    return [entry.line for entry in found]


def entries(
    connection: Connection,
    *,
    day: date | None,
    key: str | None,
    line_number: int | None,
    released: bool,
    limit: int,
) -> list[RejectedEntry]:
    """Return rejected lines in file order, of a day, a file or one line; released ones if asked."""
    file = landed_file.c
    joined = rejected_line.join(landed_file, (file.key == _LINE.key) & (file.etag == _LINE.etag))
    statement = (
        sa.select(*_LINE, file.size, file.kind)
        .select_from(joined)
        .order_by(_LINE.key, _LINE.line_number, _LINE.etag)
        .limit(limit)
    )
    for column, value in ((_LINE.landing_day, day), (_LINE.key, key)):
        if value is not None:
            statement = statement.where(column == value)
    if line_number is not None:
        statement = statement.where(_LINE.line_number == line_number)
    if not released:
        statement = statement.where(_LINE.released_at.is_(None))
    return [
        RejectedEntry(
            RejectedLine(
                row.key,
                row.etag,
                row.line_number,
                tuple(json.loads(row.problems)),
                row.line_sha256,
                row.line_bytes,
            ),
            LandedFile(row.key, row.etag, row.landing_day, row.size, row.kind),
            row.released_at,
            row.released_by,
            row.released_note,
        )
        for row in connection.execute(statement)
    ]


def release(
    writing: Writing,
    chosen: Sequence[RejectedEntry],
    read_as: Mapping[LineId, RefundEvent | OtherEvent],
    *,
    actor: str,
    note: str,
) -> dict[LineId, ReleasedAs]:
    """Let lines go, each as what it was `read_as`; return what became of them.

    Absent from the answer are lines that somebody else released meanwhile.
    """
    files: dict[LandedFile, list[RejectedEntry]] = {}
    for entry in {entry.line.id: entry for entry in chosen}.values():
        files.setdefault(entry.file, []).append(entry)
    outcome: dict[LineId, ReleasedAs] = {}
    for file, rejected in files.items():
        waiting = _still_rejected(writing.connection, file)
        here = [entry.line for entry in rejected if entry.line.line_number in waiting]
        outcome |= _release_of(writing, file, here, read_as, actor=actor, note=note)
    return outcome


def _still_rejected(connection: Connection, file: LandedFile) -> set[int]:
    statement = sa.select(_LINE.line_number).where(
        _LINE.key == file.key, _LINE.etag == file.etag, _LINE.released_at.is_(None)
    )
    return set(connection.scalars(statement))


def _release_of(
    writing: Writing,
    file: LandedFile,
    rejected: Sequence[RejectedLine],
    read_as: Mapping[LineId, RefundEvent | OtherEvent],
    *,
    actor: str,
    note: str,
) -> dict[LineId, ReleasedAs]:
    events = [one for line in rejected if isinstance(one := read_as.get(line.id), RefundEvent)]
    known = known_events(writing.connection, [event.refund_id for event in events])
    outcome: dict[LineId, ReleasedAs] = {}
    for line in rejected:
        became, differing = _what(read_as.get(line.id), known)
        outcome[line.id] = became
        event = read_as.get(line.id)
        if isinstance(event, RefundEvent) and became == "refund":
            known[event.refund_id] = event
            insert_events(writing, file, [(line.line_number, event)])
        elif isinstance(event, RefundEvent) and became == "conflict":
            mark_conflicts(writing, file, [(line.line_number, event, differing)])
            _keep_as_conflict(writing.connection, line, event, differing)
            continue
        _let_go(writing, line, actor=actor, note=note)
    others = [one for line in rejected if isinstance(one := read_as.get(line.id), OtherEvent)]
    _count_again(writing.connection, file, Counter(outcome.values()), others)
    return outcome


def _what(
    read: RefundEvent | OtherEvent | None, known: Mapping[str, RefundEvent]
) -> tuple[ReleasedAs, str]:
    """Return what a line is by now, and the fields in which it contradicts what is known."""
    if read is None:
        return "rejected", ""
    if isinstance(read, OtherEvent):
        return "other", ""
    first = known.get(read.refund_id)
    if first is None:
        return "refund", ""
    differing = ", ".join(differing_fields(first, read))
    return ("conflict", differing) if differing else ("duplicate", "")


def _let_go(writing: Writing, line: RejectedLine, *, actor: str, note: str) -> None:
    writing.connection.execute(
        _of(line).values(released_at=writing.now, released_by=actor, released_note=note)
    )


def _keep_as_conflict(
    connection: Connection, line: RejectedLine, event: RefundEvent, differing: str
) -> None:
    """Leave the line to a person, as that of any event that contradicts the first."""
    problem = f"conflicting event for refund {event.refund_id}: {differing}"
    connection.execute(
        _of(line).values(problems=json.dumps([problem]), line_sha256="", line_bytes=0)
    )


def _of(line: RejectedLine) -> sa.Update:
    return sa.update(rejected_line).where(
        _LINE.key == line.key, _LINE.etag == line.etag, _LINE.line_number == line.line_number
    )


def _count_again(
    connection: Connection,
    file: LandedFile,
    became: Counter[ReleasedAs],
    others: Sequence[OtherEvent],
) -> None:
    """Count what was rejected as what it is by now, so that the file's lines still add up."""
    read = became.total() - became["rejected"]
    if not read:
        return
    row = landed_file.c
    this = (row.key == file.key) & (row.etag == file.etag)
    named = Counter(json.loads(connection.scalar(sa.select(row.other_events).where(this)) or "{}"))
    named.update(other.name for other in others)
    connection.execute(
        sa.update(landed_file)
        .where(this)
        .values(
            new=row.new + became["refund"],
            duplicates=row.duplicates + became["duplicate"],
            conflicts=row.conflicts + became["conflict"],
            other=row.other + became["other"],
            rejected=row.rejected - read,
            other_events=json.dumps(dict(named), sort_keys=True),
        )
    )
