"""Count what a replay brought: which refunds the ledger knew before, which are new, which missing.

Reads the files, and writes nothing. A refund the sensor has read meanwhile counts as new when the
file that brought it is one of those that landed since the replay began. NewStore does not say why
an integration stopped, so known refunds that did not come again show a replay that broke off.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

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
from refund_pipeline.steps.replay import Window

_EDGE = timedelta(minutes=1)
"""An event is published half a second after it was created, which is what the window goes by."""
CLOCK_DIFFERENCE = timedelta(minutes=10)
"""Files are named by another machine's clock; ours may be ahead of it by this much."""


@dataclass(frozen=True, slots=True)
class ReplayCount:
    """What landed since the replay began."""

    days: tuple[date, ...]
    """Landing days of the files."""
    files: int
    lines: int
    known: int
    """Refunds the ledger had from other files."""
    new: tuple[str, ...]
    """Refund ids the ledger did not have, in the order they landed."""
    missing: int
    """Refunds the ledger has that were published in the window and did not come again."""
    later: int
    """Refunds asked for after the window: the permanent integration delivered them meanwhile."""
    others: int
    """Events of other kinds."""
    rejected: int
    """Lines that are no event."""
    unread: tuple[str, ...]
    """Keys that could not be read to their end."""


def keys_landed_since(bucket: LandingBucket, moment: datetime) -> frozenset[str]:
    """Return the keys of files named `moment` or later, less what clocks may differ by.

    Raises:
        Unavailable, Misconfigured: the bucket cannot be used.
    """
    return frozenset(obj.key for obj in _landed(bucket, moment))


def count_replayed(
    bucket: LandingBucket,
    ledger: Ledger,
    *,
    tenant: str,
    began: datetime,
    before: frozenset[str],
    window: Window,
) -> ReplayCount:
    """Read the files that landed since `began` and are not among the keys `before`.

    Raises:
        Unavailable, Misconfigured: bucket or ledger cannot be used.
    """
    files = [obj for obj in _landed(bucket, began) if obj.key not in before]
    tally = _Tally(tenant, window.ends)
    unread = tuple(obj.key for obj in files if not _read(bucket, obj, tally))
    sources = ledger.known_refunds(tally.refunds)
    brought = {obj.key for obj in files}
    new = tuple(
        refund_id
        for refund_id in tally.refunds
        if refund_id not in sources or sources[refund_id] in brought
    )
    expected = ledger.refunds_published(window.begins + _EDGE, window.ends - _EDGE)
    return ReplayCount(
        days=tuple(sorted({obj.landing_day for obj in files if obj.landing_day})),
        files=len(files),
        lines=tally.lines,
        known=len(tally.refunds) - len(new),
        new=new,
        missing=len(expected.difference(tally.refunds)),
        later=len(tally.later),
        others=tally.others,
        rejected=tally.rejected,
        unread=unread,
    )


def _read(bucket: LandingBucket, obj: LandedObject, tally: "_Tally") -> bool:
    try:
        for _, line in bucket.lines(obj):
            tally.take(line)
    except (ObjectChanged, CorruptObject):
        return False
    return True


class _Tally:
    """Sorts lines; holds the ids of refunds, nothing else of them."""

    def __init__(self, tenant: str, window_ends: datetime) -> None:
        self._tenant = tenant
        self._window_ends = window_ends
        self.refunds: dict[str, None] = {}
        self.later: set[str] = set()
        self.lines = self.others = self.rejected = 0

    def take(self, line: bytes | OversizedLine) -> None:
        self.lines += 1
        if isinstance(line, OversizedLine):
            self.rejected += 1
            return
        parsed = parse_line(line, tenant=self._tenant)
        match parsed:
            case RefundEvent():
                if parsed.requested_at > self._window_ends:
                    self.later.add(parsed.refund_id)
                else:
                    self.refunds[parsed.refund_id] = None
            case OtherEvent():
                self.others += 1
            case Rejected():
                self.rejected += 1
            case _:
                assert_never(parsed)


def _landed(bucket: LandingBucket, moment: datetime) -> list[LandedObject]:
    return [
        obj
        for page in bucket.since(moment - CLOCK_DIFFERENCE)
        for obj in page
        if obj.landed_at is not None
    ]
