"""Read what has landed on a day: each line is a refund, a counted event, a duplicate or rejected.

One file is one transaction of the ledger. A file the ledger knows (key and etag) is not read again,
so what is named for a day to come is not recorded before that day.
"""

import hashlib
from collections import Counter
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

_MOST_REJECTED = 100_000
"""Bad lines of one file that are kept one by one: a small packed file can hold billions of them."""
_STRAY = "the key does not fit {prefix}/{tenant}/{epoch_ms}-data-{random}.export"


@dataclass(frozen=True, slots=True)
class LandingRead:
    """What one run read: files (no strays), lines by what became of them, LIST calls."""

    files: int
    counts: FileCounts
    changed: tuple[str, ...]
    """Keys rewritten while they were read; the next run reads what is there then."""
    ahead: int
    """Files in the whole bucket named for days to come; the runs of their days read them."""
    list_calls: int


def read_landing_day(
    day: date, *, bucket: LandingBucket, ledger: Ledger, tenant: str
) -> LandingRead:
    """Record every file of `day` the ledger does not know, and every stray key that belongs to it.

    Raises:
        Unavailable, Misconfigured: bucket or ledger cannot be used; files recorded so far stay
            recorded.
    """
    calls_before = bucket.list_calls
    total: Counter[str] = Counter()
    files, changed = 0, list[str]()
    outside = list(bucket.strays())
    listed = [*bucket.day(day), *(obj for obj in outside if _came_on(day, obj))]
    known = ledger.known_files([obj.key for obj in listed])
    for obj in listed:
        if (obj.key, obj.etag) in known:
            continue
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
        ahead=sum(obj.is_ahead for obj in outside),
        list_calls=bucket.list_calls - calls_before,
    )


def _came_on(day: date, stray: LandedObject) -> bool:
    """Whether a stray that no day shows is accounted for by `day`; what is ahead is no stray."""
    return not stray.is_ahead and stray.last_modified.date() == day


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
            if len(rejected) >= _MOST_REJECTED:
                problem = (
                    f"{_MOST_REJECTED} lines before are no events: the rest of the file was not"
                    " read; look at the file"
                )
                rejected.append(_rejected(obj, number, b"", (problem,)))
                break
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
