"""The ledger as people change it: decisions about refunds and rejected lines, and tidying up.

The base of `Ledger`, whose other methods are what the steps of a run ask and record.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime

from refund_pipeline.domain.events import OtherEvent, RefundEvent
from refund_pipeline.domain.resolutions import Decision, Resolution, TenderChoice
from refund_pipeline.gateways.ledger import landing, pruning, rejected, resolutions
from refund_pipeline.gateways.ledger.database import Database
from refund_pipeline.gateways.ledger.history import Writing, tracked
from refund_pipeline.gateways.ledger.rows import (
    LineId,
    RejectedEntry,
    ReleasedAs,
    ResolutionWork,
)
from refund_pipeline.gateways.ledger.status_lines import Listener


class PeoplesLedger:
    """What a person decides, each method its own transaction."""

    def __init__(
        self,
        url: str,
        *,
        clock: Callable[[], datetime],
        run_id: str = "",
        on_change: Listener | None = None,
    ) -> None:
        self._database = Database(url)
        self._clock = clock
        self._run_id = run_id
        self._on_change = on_change

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    @contextmanager
    def _writing(self) -> Iterator[Writing]:
        with self._database.write() as connection:
            writing = Writing(connection, self._clock(), self._run_id)
            yield writing
        if self._on_change is not None:  # committed by now: what is rolled back is never told
            self._on_change(writing.changes)

    @contextmanager
    def _changing(self, refund_ids: Collection[str]) -> Iterator[Writing]:
        with self._writing() as writing, tracked(writing, refund_ids):
            yield writing

    def resolve(
        self,
        refund_ids: Collection[str],
        decision: Decision,
        *,
        tenders: Mapping[str, tuple[TenderChoice, ...]] | None = None,
        looked_up: Mapping[str, int] | None = None,
    ) -> list[str]:
        """Record a person's decision and let it take effect, in one transaction.

        Returns the refunds decided about. Left alone are those that are unknown or posted, those
        the decision does not fit (`domain/resolutions.py`), and those of which a write was begun:
        unless `looked_up` says that the ERP was asked since, by refund id, with the attempts made
        until then.
        """
        told: dict[str, str] = {}
        with self._writing() as writing, tracked(writing, refund_ids, told=told):
            done = resolutions.record(
                writing, refund_ids, decision, tenders=tenders or {}, looked_up=looked_up or {}
            )
            what = f"{decision.action.value}, decided by {decision.actor}: {decision.note}"
            told.update(dict.fromkeys(done, what))
            return done

    def resolutions(self, refund_ids: Collection[str]) -> Mapping[str, Sequence[Resolution]]:
        """Return what people decided about these refunds, oldest first; absent where nothing."""
        with self._database.read() as connection:
            return resolutions.of(connection, refund_ids)

    def refunds_to_resolve(self, refund_ids: Collection[str]) -> list[ResolutionWork]:
        """Return what a decision about these refunds depends on; the unknown ones are absent."""
        with self._database.read() as connection:
            return resolutions.work(connection, refund_ids)

    def rejected_entries(
        self,
        *,
        day: date | None = None,
        key: str | None = None,
        line_number: int | None = None,
        released: bool = False,
        limit: int = 100,
    ) -> list[RejectedEntry]:
        """Return rejected lines with their files, in file order; released ones too if asked."""
        with self._database.read() as connection:
            return rejected.entries(
                connection,
                day=day,
                key=key,
                line_number=line_number,
                released=released,
                limit=limit,
            )

    def release_lines(
        self,
        chosen: Sequence[RejectedEntry],
        *,
        read_as: Mapping[LineId, RefundEvent | OtherEvent],
        actor: str,
        note: str,
    ) -> Mapping[LineId, ReleasedAs]:
        """Let rejected lines go, in one transaction; what reads as an event by now becomes one.

        Returns what became of each; absent are those that somebody released meanwhile.
        """
        refunds = [one.refund_id for one in read_as.values() if isinstance(one, RefundEvent)]
        with self._writing() as writing:
            landing.wait_for_turn(writing.connection)
            with tracked(writing, refunds):
                return rejected.release(writing, chosen, read_as, actor=actor, note=note)

    def orders_with_lines(self, *, posted_before: datetime) -> int:
        """Count the orders whose lines can go: posted before then, and found equal in the ERP."""
        with self._database.read() as connection:
            return pruning.with_lines(connection, posted_before=posted_before)

    def drop_order_lines(self, *, posted_before: datetime) -> int:
        """Drop the lines of these orders, some at a time; return of how many."""
        dropped = 0
        while True:
            with self._writing() as writing:
                now = pruning.drop_lines(writing.connection, posted_before=posted_before)
            if not now:
                return dropped
            dropped += now
