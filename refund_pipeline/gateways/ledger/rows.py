"""What crosses the ledger's methods: frozen records in and out. No SQL here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, TypeAlias

from refund_pipeline.domain.events import RefundEvent
from refund_pipeline.domain.orders import Order
from refund_pipeline.domain.payments import PaymentLine, Payments, RefundFacts
from refund_pipeline.domain.resolutions import Resolution
from refund_pipeline.domain.transactions import Built, RefundTransaction

FileKind: TypeAlias = Literal["export", "stray"]
LineId: TypeAlias = tuple[str, str, int]
"""Key, etag and number of a line."""
ReleasedAs: TypeAlias = Literal["rejected", "refund", "duplicate", "conflict", "other"]
"""What a line turned out to be when it was read again; a conflict is left to a person."""
PostingState: TypeAlias = Literal["new", "retry", "intended", "uncertain"]
PostingEnd: TypeAlias = Literal["posted", "uncertain", "retry", "held"]


@dataclass(frozen=True, slots=True)
class LandedFile:
    """One version of one landed object; a stray is a key that does not fit the layout."""

    key: str
    etag: str
    landing_day: date
    size: int
    kind: FileKind = "export"


@dataclass(frozen=True, slots=True)
class FileCounts:
    """Where the lines of one file went; every line is in exactly one count."""

    new: int
    duplicates: int
    conflicts: int
    rejected: int
    other: int


@dataclass(frozen=True, slots=True)
class FileTotals:
    """What has landed on one day.

    `events` are new refunds. `rejected` counts the unreleased rejected lines, those of conflicting
    events among them.
    """

    files: int
    strays: int
    lines: int
    events: int
    duplicates: int
    conflicts: int
    rejected: int
    other_events: Mapping[str, int]
    bytes: int
    released: int = 0
    """Rejected lines that a person has looked at and let go as they are."""


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A line a person must look at; its text stays in the bucket, since it can hold personal data.

    `line_sha256` is empty and `line_bytes` 0 for a conflicting event: its line was read, not
    refused.
    """

    key: str
    etag: str
    line_number: int
    problems: tuple[str, ...]
    line_sha256: str
    line_bytes: int

    @property
    def id(self) -> LineId:
        """What tells it from every other line."""
        return self.key, self.etag, self.line_number


@dataclass(frozen=True, slots=True)
class RejectedEntry:
    """A rejected line as the ledger keeps it: with its file, and who released it, if somebody did.

    `line.line_number` is 0 for a whole file whose key does not fit the layout.
    """

    line: RejectedLine
    file: LandedFile
    released_at: datetime | None
    released_by: str | None
    released_note: str | None


@dataclass(frozen=True, slots=True)
class AmountToBuild:
    """A refund to build, as far as it decides which refunds must be built together."""

    refund_id: str
    order_id: str
    currency: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class PaymentWork:
    """A refund whose payments are to be read; `attempts` were made before.

    `facts` are what NewStore said of the refund itself, if it was asked.
    """

    event: RefundEvent
    attempts: int
    facts: RefundFacts | None = None


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """What NewStore said about a refund's order and payments; `attempts` counts this one too."""

    refund_id: str
    order: Order | None
    payments: Payments
    attempts: int
    next_attempt_at: datetime | None
    facts: RefundFacts | None = None


@dataclass(frozen=True, slots=True)
class TransactionWork:
    """A refund whose transaction is to be built (again).

    `order` is None and `lines` empty where payments were never read.
    """

    event: RefundEvent
    order: Order | None
    lines: tuple[PaymentLine, ...]
    attempts: int
    facts: RefundFacts | None = None


@dataclass(frozen=True, slots=True)
class TransactionRow:
    """What building came to; `attempts` counts this one too."""

    refund_id: str
    built: Built
    attempts: int
    next_attempt_at: datetime | None


@dataclass(frozen=True, slots=True)
class Intent:
    """The last write that was begun for a refund: the how many-th, and when it was confirmed."""

    attempts: int
    at: datetime | None


NO_INTENT = Intent(0, None)
"""Of a refund nobody has begun to write."""


@dataclass(frozen=True, slots=True)
class PostingWork:
    """A refund transaction to be written, or whose earlier write is to be settled first."""

    transaction: RefundTransaction
    state: PostingState
    intent: Intent = NO_INTENT


@dataclass(frozen=True, slots=True)
class PostedRefund:
    """A posting to compare with the ERP; `verified` once it was compared without a difference."""

    transaction: RefundTransaction
    erp_id: str
    posted_at: datetime
    verified: bool


@dataclass(frozen=True, slots=True)
class StatusTotal:
    """How many refunds, and how much money, stand where, in one currency."""

    status: str
    reason: str | None
    currency: str
    count: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class RefundStatus:
    """One row of the view `refund_status`, in its columns' order."""

    refund_id: str
    order_id: str
    landing_day: date
    amount: Decimal
    currency: str
    status: str
    reason: str | None
    detail: str | None
    attempts: int
    next_attempt_at: datetime | None
    external_id: str | None
    erp_id: str | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ResolutionWork:
    """A refund somebody wants to decide about: where it stands, and what its posting came to.

    `external_id` is the one its writes had; it and what follows are None while none was begun.
    """

    standing: RefundStatus
    external_id: str | None
    posting_state: str | None
    posting_attempts: int | None
    posting_updated_at: datetime | None
    lines: tuple[PaymentLine, ...]
    resolutions: tuple[Resolution, ...]
    """Oldest first."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One change of a refund's status or reason; `from_status` is None when it landed."""

    at: datetime
    from_status: str | None
    to_status: str
    reason: str | None
    detail: str | None
    run_id: str


@dataclass(frozen=True, slots=True)
class OutstandingDay:
    """The outstanding refunds of one day: due by now, without a date, and when the next is due."""

    day: date
    due: int
    undated: int
    earliest: datetime | None
