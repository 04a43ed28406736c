"""Let go rejected lines a person has looked at; each is read once more before, so none is lost.

A line that is an event by now (the tenant's name was corrected, or the parser) is taken in as if it
had been read so at first. The rest is let go with the person's name and note.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from typing_extensions import assert_never

from refund_pipeline.domain.events import OtherEvent, RefundEvent, Rejected, parse_line
from refund_pipeline.domain.resolutions import Decision
from refund_pipeline.gateways.landing_bucket import (
    CorruptObject,
    LandingBucket,
    ObjectChanged,
    OversizedLine,
)
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import LandedFile, LineId, RejectedEntry, ReleasedAs

_GONE = "its file is gone or was rewritten: let go unread"
_OUTSIDE = "a file outside the layout: let go as it is"
_CONTRADICTS = "contradicts a known refund, which stays held: let go as it is"
_NO_EVENT = "still no event: let go as it is"


@dataclass(frozen=True, slots=True)
class ReadAgain:
    """One rejected line, what it reads as by now (None: no event), and what happens to it."""

    entry: RejectedEntry
    event: RefundEvent | OtherEvent | None
    what: str


def read_again(
    entries: Sequence[RejectedEntry], *, bucket: LandingBucket, tenant: str
) -> list[ReadAgain]:
    """Read these lines once more from the bucket; nothing is changed.

    Raises:
        Unavailable, Misconfigured: the bucket cannot be read.
    """
    files: dict[LandedFile, set[int]] = {}
    for entry in entries:
        if _can_be_read(entry):
            files.setdefault(entry.file, set()).add(entry.line.line_number)
    found = {
        (file.key, file.etag, number): line
        for file, numbers in files.items()
        for number, line in _lines(bucket, file, numbers).items()
    }
    return [_judged(entry, found, tenant) for entry in entries]


def text_of(entry: RejectedEntry, *, bucket: LandingBucket) -> bytes | None:
    """Return a line's text, or its beginning; None where it cannot be had any more.

    It may hold personal data: show it to the person who asked, and keep it nowhere.

    Raises:
        Unavailable, Misconfigured: the bucket cannot be read.
    """
    if not _can_be_read(entry):
        return None
    line = _lines(bucket, entry.file, {entry.line.line_number}).get(entry.line.line_number)
    return line.head if isinstance(line, OversizedLine) else line


def release(
    planned: Sequence[ReadAgain], decision: Decision, *, ledger: Ledger
) -> Mapping[LineId, ReleasedAs]:
    """Let the lines go as planned; return what became of each that nobody released meanwhile."""
    return ledger.release_lines(
        [one.entry for one in planned],
        read_as={one.entry.line.id: one.event for one in planned if one.event is not None},
        actor=decision.actor.strip(),
        note=decision.note.strip(),
    )


def sentence(became: Mapping[LineId, ReleasedAs]) -> str:
    """Say what was done."""
    counts = Counter(became.values())
    parts: Mapping[ReleasedAs, str] = {
        "refund": "{} are refunds now",
        "duplicate": "{} are refunds that were known",
        "other": "{} are events of other kinds",
        "conflict": "{} contradict a known refund, which is held",
        "rejected": "{} were let go as they are",
    }
    told = [text.format(counts[name]) for name, text in parts.items() if counts[name]]
    return "; ".join(told) or "nothing was released"


def _can_be_read(entry: RejectedEntry) -> bool:
    return entry.file.kind == "export" and bool(entry.line.line_sha256)


def _lines(
    bucket: LandingBucket, file: LandedFile, numbers: set[int]
) -> dict[int, bytes | OversizedLine]:
    """Return these lines of one version of a file, as far as it can be read."""
    found: dict[int, bytes | OversizedLine] = {}
    try:
        for number, line in bucket.lines(file):
            if number in numbers:
                found[number] = line
            if number >= max(numbers):
                break
    except (ObjectChanged, CorruptObject):
        pass
    return found


def _judged(
    entry: RejectedEntry, lines: Mapping[LineId, bytes | OversizedLine], tenant: str
) -> ReadAgain:
    if not _can_be_read(entry):
        return ReadAgain(entry, None, _OUTSIDE if entry.file.kind == "stray" else _CONTRADICTS)
    line = lines.get(entry.line.id)
    if line is None:
        return ReadAgain(entry, None, _GONE)
    if isinstance(line, OversizedLine) or _differs(entry, line):
        return ReadAgain(entry, None, _NO_EVENT)
    parsed = parse_line(line, tenant=tenant)
    match parsed:
        case RefundEvent():
            what = f"refund {parsed.refund_id}, {parsed.amount} {parsed.currency}: taken in"
            return ReadAgain(entry, parsed, what)
        case OtherEvent():
            return ReadAgain(entry, parsed, "an event of another kind: counted so")
        case Rejected():
            return ReadAgain(entry, None, _NO_EVENT)
        case _:
            assert_never(parsed)


def _differs(entry: RejectedEntry, line: bytes) -> bool:
    return hashlib.sha256(line).hexdigest() != entry.line.line_sha256
