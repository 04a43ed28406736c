"""The landing bucket: lists and reads `{prefix}/{tenant}/{epoch_ms}-data-{random}.export`.

Names sort by time (contract newstore 1.3), so a day is one bounded listing. Every key below the
tenant is shown by exactly one of `day()` and `strays()`; nothing is skipped silently.
Unpacking a file is `landed_lines.py`, parsing a line `domain/events.py`.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Protocol

from refund_pipeline.gateways.landed_lines import (
    CorruptObject,
    LandedLine,
    ObjectChanged,
    OversizedLine,
    object_lines,
)
from refund_pipeline.gateways.s3 import boto_errors, new_client, split_url

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["CorruptObject", "LandedObject", "LandingBucket", "ObjectChanged", "OversizedLine"]

_LAYOUT = re.compile(r"(\d{13})-data-[A-Za-z0-9_-]+\.export", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND = timedelta(milliseconds=1)
_DIGITS = 13
_FIRST_MS = 10 ** (_DIGITS - 1)
"""The first moment with 13 digits, in 2001."""
_AHEAD = timedelta(days=2)
"""A name from the future belongs to no day until its day is near: no partition would read it."""


@dataclass(frozen=True, slots=True)
class LandedObject:
    """One object below the tenant's prefix; times are aware UTC."""

    key: str
    etag: str
    size: int
    last_modified: datetime
    landing_day: date | None
    """None: a stray, whose key does not fit the layout, or an object that is ahead."""
    landed_at: datetime | None
    listing_day: date | None = None
    """The day whose `day()` shows the object, strays too; None: `strays()` shows it."""
    is_ahead: bool = False
    """The key fits the layout but lies in the future; `day()` shows it once its day is near."""


class ObjectVersion(Protocol):
    """Which version of which object to read: a listed one, or one the ledger has recorded."""

    @property
    def key(self) -> str:
        """Its key."""

    @property
    def etag(self) -> str:
        """The etag of that version."""

    @property
    def size(self) -> int:
        """Its bytes."""


class LandingBucket:
    """What NewStore's export, or our receiver, put below `url` for one tenant; for one thread."""

    def __init__(
        self,
        url: str,
        *,
        tenant: str,
        client: Callable[[], "S3Client"] = new_client,
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._bucket, prefix = split_url(url)
        folders = [part for part in (prefix.strip("/"), tenant.strip().strip("/")) if part]
        self._base = "/".join(folders) + "/"
        self._new_client = client
        self._client: S3Client | None = None
        self._clock = clock
        self.list_calls = 0

    def day(self, day: date) -> Iterator[LandedObject]:
        """Yield what landed on `day` (UTC), oldest first, and the strays sorting among it.

        Nothing of a day that is ahead of our clock, which may be slow.
        """
        start = datetime(day.year, day.month, day.day, tzinfo=timezone.utc)
        first = self._key_at(start)
        end = self._key_at(min(start + timedelta(days=1), self._horizon()))
        for page in self._pages(start_after=_just_before(first), first=first):
            for item in page:
                if item.key >= end:
                    return
                yield item

    def strays(self) -> Iterator[LandedObject]:
        """Yield the objects no `day()` shows: those sorting before and after all landing days.

        What is ahead is among them until its day is near; it is no stray.
        """
        end = f"{self._base}{_FIRST_MS}"
        for page in self._pages(start_after="", first=self._base):
            before = [item for item in page if item.key < end]
            yield from before
            if len(before) < len(page):
                break
        after = self._key_at(self._horizon())
        for page in self._pages(start_after=_just_before(after), first=after):
            yield from page

    def since(self, start: datetime) -> Iterator[list[LandedObject]]:
        """Yield pages (≤ 1,000) of what landed at `start` (aware) or later, and strays among it."""
        first = self._key_at(start)
        return self._pages(start_after=_just_before(first), first=first)

    def lines(self, obj: ObjectVersion) -> Iterator[tuple[int, LandedLine]]:
        """Yield the non-blank lines of an object, unpacked, with their numbers from 1.

        A line comes without its end, one over 10 MB as `OversizedLine`. Memory stays flat.

        Raises:
            ObjectChanged: it was rewritten or deleted since it was listed; list again.
            CorruptObject: it cannot be unpacked to its end; raised after the lines that could be.
            Unavailable, Misconfigured: S3 cannot be used.
        """
        return object_lines(
            self._s3(), bucket=self._bucket, key=obj.key, etag=obj.etag, size=obj.size
        )

    def _pages(self, *, start_after: str, first: str) -> Iterator[list[LandedObject]]:
        request: dict[str, Any] = {"Bucket": self._bucket, "Prefix": self._base}
        if start_after:
            request["StartAfter"] = start_after
        horizon = self._horizon()
        while True:
            with boto_errors(f"listing s3://{self._bucket}/{self._base}"):
                self.list_calls += 1
                answer = self._s3().list_objects_v2(**request)
            rows = answer.get("Contents", [])
            page = [
                self._landed(row, horizon)
                for row in rows
                if row["Key"] >= first and row["Key"] != self._base  # the base: a console's folder
            ]
            if page:
                yield page
            if not answer.get("IsTruncated"):
                return
            request["ContinuationToken"] = answer["NextContinuationToken"]

    def _landed(self, row: Any, horizon: datetime) -> LandedObject:
        name = row["Key"][len(self._base) :]
        match = _LAYOUT.fullmatch(name)
        sorted_at = _moment_of(name)
        is_ahead = sorted_at is not None and sorted_at >= horizon
        if is_ahead:
            sorted_at = None
        landed_at = sorted_at if match else None
        return LandedObject(
            # No database holds NUL in text; a key that has one is a stray, and strays are not read.
            key=row["Key"].replace("\x00", "\u2400"),
            etag=row["ETag"].strip('"'),
            size=row["Size"],
            last_modified=row["LastModified"].astimezone(timezone.utc),
            landing_day=landed_at.date() if landed_at else None,
            landed_at=landed_at,
            listing_day=sorted_at.date() if sorted_at else None,
            is_ahead=is_ahead and match is not None,
        )

    def _horizon(self) -> datetime:
        tomorrow = self._clock().astimezone(timezone.utc) + _AHEAD
        return tomorrow.replace(hour=0, minute=0, second=0, microsecond=0)

    def _key_at(self, moment: datetime) -> str:
        ms = max((moment - _EPOCH) // _MILLISECOND, _FIRST_MS)
        return f"{self._base}{ms}"

    def _s3(self) -> "S3Client":
        if self._client is None:
            with boto_errors(f"connecting to s3://{self._bucket}"):
                self._client = self._new_client()
        return self._client


def _just_before(key: str) -> str:
    """Return a key to `StartAfter`, which leaves out its own key, so that `key` is listed."""
    head, ms = key[:-_DIGITS], int(key[-_DIGITS:])
    return f"{head}{ms - 1}~" if ms > _FIRST_MS else f"{head}1"


def _moment_of(name: str) -> datetime | None:
    """Return the millisecond among whose keys `name` sorts; None before and after all of them.

    `1763856000000-data-x.export` is exact, `17-note` sorts before 1700000000000, `17x` after
    1799999999999.
    """
    digits = re.match(r"\d{0,13}", name, re.ASCII)
    assert digits is not None  # noqa: S101  (matches the empty text)
    known = digits[0]
    if not known:
        return None
    if len(known) == _DIGITS:
        ms = int(known)
    elif name[len(known) :] < "0":
        ms = int(known.ljust(_DIGITS, "0")) - 1
    else:
        ms = int(known.ljust(_DIGITS, "9"))
    return _EPOCH + ms * _MILLISECOND if ms >= _FIRST_MS else None
