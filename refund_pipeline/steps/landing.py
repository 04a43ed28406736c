"""Read what has landed on a day: every line becomes a refund, a counted event, a duplicate or a rejected line.

One file is one transaction of the ledger. A file the ledger knows (key and etag) is not read again.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from typing_extensions import assert_never

from refund_pipeline.domain.events import OtherEvent, RefundEvent, Rejected, parse_line
from refund_pipeline.gateways.landing_bucket import (
    CorruptObject,
    LandedObject,
    LandingBucket,
    ObjectChanged,
    OversizedLine,
)
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import FileCounts, LandedFile, RejectedLine

_STRAY = "the key does not fit {prefix}/{tenant}/{epoch_ms}-data-{random}.export"


@dataclass(frozen=True, slots=True)
class LandingRead:
    """What one run read: files (strays not among them), lines by what became of them, LIST calls."""

    files: int
    counts: FileCounts
    changed: tuple[str, ...]
    """Keys rewritten while they were read; the next run reads what is there then."""
    list_calls: int


def read_landing_day(
    day: date, *, bucket: LandingBucket, ledger: Ledger, tenant: str
) -> LandingRead:
    """Record every file of `day` the ledger does not know, and every stray key that belongs to it.

    Raises:
        Unavailable, Misconfigured: bucket or ledger cannot be used; files recorded so far stay recorded.
    """
    calls_before = bucket.list_calls
    total: Counter[str] = Counter()
    files, changed = 0, list[str]()
    for obj in _unread(day, bucket, ledger):
        if obj.landing_day is None:
            _record_stray(obj, day, ledger)
            continue
        try:
            counts = _record_export(obj, day, bucket, ledger, tenant)
        except ObjectChanged:
            changed.append(obj.key)
            continue
        files += 1
        total.update({name: getattr(counts, name) for name in FileCounts.__slots__})
    return LandingRead(
        files=files,
        counts=FileCounts(**{name: total[name] for name in FileCounts.__slots__}),
        changed=tuple(changed),
        list_calls=bucket.list_calls - calls_before,
    )


def _unread(day: date, bucket: LandingBucket, ledger: Ledger) -> Iterator[LandedObject]:
    """Yield the day's unknown objects, and the unknown strays that no day shows but which came on it."""
    listed = list(bucket.day(day))
    listed += [obj for obj in bucket.strays() if obj.last_modified.date() == day]
    known = ledger.known_files([obj.key for obj in listed])
    return (obj for obj in listed if (obj.key, obj.etag) not in known)


def _record_export(
    obj: LandedObject, day: date, bucket: LandingBucket, ledger: Ledger, tenant: str
) -> FileCounts:
    events: list[tuple[int, RefundEvent]] = []
    rejected: list[RejectedLine] = []
    others: Counter[str] = Counter()
    lines = 0
    try:
        for number, line in bucket.lines(obj):
            lines += 1
            if isinstance(line, OversizedLine):
                problem = f"$: is a line of {line.size} bytes, too long for an event"
                rejected.append(_rejected(obj, number, line.head, (problem,), size=line.size))
                continue
            parsed = parse_line(line, tenant=tenant)
            match parsed:
                case RefundEvent():
                    events.append((number, parsed))
                case OtherEvent(name):
                    others[name] += 1
                case Rejected(problems):
                    rejected.append(_rejected(obj, number, line, problems))
                case _:
                    assert_never(parsed)
    except CorruptObject as error:
        lines += 1
        rejected.append(_rejected(obj, error.after_line + 1, b"", (error.problem,)))
    return ledger.record_file(
        LandedFile(obj.key, obj.etag, day, obj.size),
        events=events,
        rejected=rejected,
        other_events=others,
        lines=lines,
    )


def _record_stray(obj: LandedObject, day: date, ledger: Ledger) -> None:
    ledger.record_file(
        LandedFile(obj.key, obj.etag, day, obj.size, kind="stray"),
        events=[],
        rejected=[_rejected(obj, 0, b"", (_STRAY,))],
        other_events={},
        lines=1,
    )


def _rejected(
    obj: LandedObject,
    number: int,
    line: bytes,
    problems: tuple[str, ...],
    *,
    size: int | None = None,
) -> RejectedLine:
    return RejectedLine(
        key=obj.key,
        etag=obj.etag,
        line_number=number,
        problems=problems,
        line_sha256=hashlib.sha256(line).hexdigest() if line else "",
        line_bytes=len(line) if size is None else size,
    )
