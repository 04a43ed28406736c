"""The ledger's one door: a method per thing the pipeline asks or records, each its own transaction.

What a method does is in the module of its subject beside this one; here are only transactions, time
and run. Every method raises `Unavailable` or `Misconfigured` when the database cannot be used.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from refund_pipeline.domain.events import RefundEvent
from refund_pipeline.domain.transactions import RefundTransaction
from refund_pipeline.gateways.ledger import (
    decisions,
    history,
    landing,
    overview,
    postings,
    probe,
    refund_work,
    rejected,
    report,
)
from refund_pipeline.gateways.ledger.history import tracked
from refund_pipeline.gateways.ledger.people import PeoplesLedger
from refund_pipeline.gateways.ledger.rows import (
    AmountToBuild,
    FileCounts,
    FileTotals,
    HistoryEntry,
    Intent,
    LandedFile,
    OutstandingDay,
    PaymentRow,
    PaymentWork,
    PostedRefund,
    PostingEnd,
    PostingWork,
    RefundStatus,
    RejectedLine,
    StatusTotal,
    TransactionRow,
    TransactionWork,
)

if TYPE_CHECKING:
    from refund_pipeline.gateways.ledger.reader import LedgerReader
    from refund_pipeline.gateways.ledger.watched import WatchedLedger


class Ledger(PeoplesLedger):
    """The ledger behind a SQLAlchemy URL; connects and migrates on first use. Thread-safe."""

    def for_the_watch(self) -> "WatchedLedger":
        """Return what the watch asks of this ledger, over the same connections."""
        from refund_pipeline.gateways.ledger.watched import WatchedLedger  # no run needs it

        return WatchedLedger(self._database)

    def for_reading(self) -> "LedgerReader":
        """Return what people and other systems read, over the same connections."""
        from refund_pipeline.gateways.ledger.reader import LedgerReader  # no run needs it

        return LedgerReader(self._database)

    def prove_writable(self) -> str:
        """Return the revision of the schema, which is migrated first, once a write would work.

        Nothing else is changed.
        """
        with self._database.write() as connection:
            return probe.prove_writable(connection)

    def known_files(self, keys: Collection[str]) -> frozenset[tuple[str, str]]:
        """Return which (key, etag) pairs of these keys are recorded, strays too."""
        with self._database.read() as connection:
            return landing.known_files(connection, keys)

    def record_file(
        self,
        file: LandedFile,
        *,
        events: Sequence[tuple[int, RefundEvent]],
        rejected: Sequence[RejectedLine],
        other_events: Mapping[str, int],
        lines: int,
    ) -> FileCounts:
        """Record one version of a file and all that is in it, at once or not at all.

        `events` are (line number, event); `lines` counts the lines that are not blank. An event of
        a known refund with other content is a conflict: the refund is held (unless posted) and the
        line rejected. Recording the same version again changes nothing and returns the counts of
        the first time.

        Raises:
            ValueError: the parts do not add up to `lines`; recording would lose a line.
        """
        parts = len(events) + len(rejected) + sum(other_events.values())
        if parts != lines:
            raise ValueError(f"{file.key}: {lines} lines were read, {parts} are accounted for")
        with self._writing() as writing:
            landing.wait_for_turn(writing.connection)
            recorded = landing.recorded_counts(writing.connection, file)
            if recorded is not None:
                return recorded
            with tracked(writing, [event.refund_id for _, event in events]):
                return landing.record(
                    writing,
                    file,
                    events=events,
                    rejected=rejected,
                    other_events=other_events,
                    lines=lines,
                )

    def file_totals(self, day: date) -> FileTotals:
        """Return what has landed on `day`."""
        with self._database.read() as connection:
            return landing.file_totals(connection, day)

    def rejected_lines(self, day: date, *, limit: int = 50) -> list[RejectedLine]:
        """Return the first unreleased rejected lines of `day`, in file order."""
        with self._database.read() as connection:
            return rejected.lines(connection, day, limit=limit)

    def ids_to_pay(
        self, day: date, *, refund_ids: Collection[str] | None = None, refresh: bool = False
    ) -> list[str]:
        """Return the ids of what `refunds_to_pay` returns."""
        with self._database.read() as connection:
            return refund_work.ids_to_pay(connection, day, refund_ids=refund_ids, refresh=refresh)

    def refunds_to_pay(
        self, day: date, *, refund_ids: Collection[str] | None = None, refresh: bool = False
    ) -> list[PaymentWork]:
        """Return the refunds of `day` whose payments are not available yet.

        With `refresh`, those too whose payments are, unless they are or may be in the ERP.
        """
        with self._database.read() as connection:
            return refund_work.to_pay(connection, day, refund_ids=refund_ids, refresh=refresh)

    def refunds_of_orders(self, order_ids: Collection[str]) -> Mapping[str, Sequence[RefundEvent]]:
        """Return every known refund of these orders, by order id."""
        with self._database.read() as connection:
            return refund_work.refunds_of_orders(connection, order_ids)

    def save_payments(self, rows: Sequence[PaymentRow]) -> None:
        """Record what NewStore said about orders and payments, in one transaction."""
        with self._changing([row.refund_id for row in rows]) as writing:
            decisions.save_payments(writing, rows)

    def amounts_to_build(
        self, day: date, *, refund_ids: Collection[str] | None = None
    ) -> list[AmountToBuild]:
        """Return what `refunds_to_build` returns, without all that building needs."""
        with self._database.read() as connection:
            return refund_work.amounts_to_build(connection, day, refund_ids=refund_ids)

    def refunds_to_build(
        self, day: date, *, refund_ids: Collection[str] | None = None
    ) -> list[TransactionWork]:
        """Return the refunds of `day` not in the ERP whose payments are proven or not needed."""
        with self._database.read() as connection:
            return refund_work.to_build(connection, day, refund_ids=refund_ids)

    def committed_amounts(
        self, order_ids: Collection[str], *, leaving_out: Collection[str]
    ) -> Mapping[str, Decimal]:
        """Return by order id what its other refunds take from the sale: posted, begun or ready."""
        with self._database.read() as connection:
            return refund_work.committed_amounts(connection, order_ids, leaving_out=leaving_out)

    def save_transactions(self, rows: Sequence[TransactionRow], *, mapping_version: str) -> None:
        """Record what building came to, in one transaction.

        What is or may be in the ERP stays as it was sent. A posting the ERP refused is reopened
        when its transaction has changed.
        """
        with self._changing([row.refund_id for row in rows]) as writing:
            decisions.save_transactions(writing, rows, mapping_version=mapping_version)

    def ids_to_post(self, day: date, *, refund_ids: Collection[str] | None = None) -> list[str]:
        """Return the ids of what `refunds_to_post` returns."""
        with self._database.read() as connection:
            return refund_work.ids_to_post(connection, day, refund_ids=refund_ids)

    def refunds_to_post(
        self, day: date, *, refund_ids: Collection[str] | None = None
    ) -> list[PostingWork]:
        """Return the refunds of `day` to write, or to settle first, in landing order."""
        with self._database.read() as connection:
            return refund_work.to_post(connection, day, refund_ids=refund_ids)

    def begin_posting(
        self, transaction: RefundTransaction, *, seen: Intent | None = None
    ) -> Intent | None:
        """Record the intent to write and return it; None means: do not write.

        That is when meanwhile the refund was posted, held or in conflict, when another transaction
        was built for it, or (with `seen`, as `PostingWork` showed it) when somebody else has begun
        or confirmed since.
        """
        with self._changing([transaction.refund_id]) as writing:
            return postings.begin(writing, transaction, seen=seen, again=False)

    def confirm_posting(self, transaction: RefundTransaction, intent: Intent) -> Intent | None:
        """Record that the write begun as `intent` comes now, and return the intent as it is since.

        None means: do not write, as with `begin_posting`.
        """
        with self._changing([transaction.refund_id]) as writing:
            return postings.begin(writing, transaction, seen=intent, again=True)

    def finish_posting(
        self,
        refund_id: str,
        *,
        state: PostingEnd,
        seen: Intent | None = None,
        erp_id: str | None = None,
        amount: Decimal | None = None,
        reason: str | None = None,
        detail: str | None = None,
        next_attempt_at: datetime | None = None,
    ) -> None:
        """Record what became of a write, or of a refund found in the ERP without one.

        What is posted stays posted, and less than posted is not recorded if somebody else has begun
        since the intent `seen`. Without a `reason`, uncertain means `erp_uncertain` and retry
        means `erp_unavailable`.
        """
        stored = postings.reason_for(state, reason, erp_id)
        with self._changing([refund_id]) as writing:
            postings.finish(
                writing,
                refund_id,
                state=state,
                seen=seen,
                erp_id=erp_id,
                amount=amount,
                reason=stored,
                detail=detail,
                next_attempt_at=next_attempt_at,
            )

    def known_external_ids(self, external_ids: Collection[str]) -> frozenset[str]:
        """Return those of these external ids that belong to a refund."""
        with self._database.read() as connection:
            return postings.known_external_ids(connection, external_ids)

    def ids_to_verify(self, day: date, *, everything: bool) -> list[str]:
        """Return the ids of what `postings_to_verify` returns."""
        with self._database.read() as connection:
            return postings.ids_to_verify(connection, day, everything=everything)

    def postings_to_verify(
        self, day: date, *, everything: bool, refund_ids: Collection[str] | None = None
    ) -> list[PostedRefund]:
        """Return the posted refunds of `day` not compared yet or found different, or all."""
        with self._database.read() as connection:
            return postings.to_verify(connection, day, everything=everything, refund_ids=refund_ids)

    def record_verifications(self, rows: Sequence[tuple[str, str | None]]) -> None:
        """Record (refund id, difference or None) for postings compared with the ERP."""
        with self._writing() as writing:
            postings.record_verifications(writing, rows)

    def record_unknown(self, day: date, records: Sequence[tuple[str, str]]) -> None:
        """Record the (external id, ERP id) pairs found around `day` that the ledger lacks."""
        with self._writing() as writing:
            postings.record_unknown(writing, day, records)

    def posting_differences(self, day: date) -> list[tuple[str, str]]:
        """Return (refund id, difference) for postings of `day` that the ERP shows differently."""
        with self._database.read() as connection:
            return postings.differences(connection, day)

    def status_totals(self, day: date | None = None) -> list[StatusTotal]:
        """Return count and exact sum per status, reason and currency, of `day` or of all days."""
        with self._database.read() as connection:
            return overview.status_totals(connection, day)

    def refunds(
        self,
        *,
        day: date | None = None,
        statuses: Collection[str] | None = None,
        limit: int = 100,
    ) -> list[RefundStatus]:
        """Return rows of the view, oldest landing day first."""
        with self._database.read() as connection:
            return overview.refunds(connection, day=day, statuses=statuses, limit=limit)

    @contextmanager
    def reported_refunds(
        self, first: date, last: date
    ) -> Iterator[Iterator[report.ReportedRefund]]:
        """Open the refunds of these landing days, all as they stood at one moment."""
        with self._database.read() as connection:
            yield report.reported_refunds(connection, first, last)

    def refund(self, refund_id: str) -> RefundStatus | None:
        """Return where one refund stands, or None when it has not landed."""
        with self._database.read() as connection:
            return overview.refund(connection, refund_id)

    def known_refunds(self, refund_ids: Collection[str]) -> Mapping[str, str]:
        """Return the key of the file that brought each of these refunds, if it is known."""
        with self._database.read() as connection:
            return overview.known_refunds(connection, refund_ids)

    def refunds_published(self, begins: datetime, ends: datetime) -> frozenset[str]:
        """Return the refunds whose event was published from `begins` (aware) to before `ends`."""
        with self._database.read() as connection:
            return overview.refunds_published(connection, begins, ends)

    def history(self, refund_id: str) -> list[HistoryEntry]:
        """Return every change of a refund's status or reason, oldest first."""
        with self._database.read() as connection:
            return history.entries(connection, refund_id)

    def outstanding_days(self, *, now: datetime) -> list[OutstandingDay]:
        """Return the landing days with outstanding refunds; settled refunds cost nothing."""
        with self._database.read() as connection:
            return overview.outstanding_days(connection, now=now)

    def oldest_outstanding(self, day: date) -> datetime | None:
        """Return when the oldest outstanding refund of `day` landed; None when there is none."""
        with self._database.read() as connection:
            return overview.oldest_outstanding(connection, day)
