"""One refund on its way to the ERP, and what the ledger is told of it.

A write is begun and confirmed by the run that holds the refund's intent; what a run that was
overtaken has to say is taken only if it is "posted".
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from refund_pipeline.domain.outcomes import Refused, Uncertain
from refund_pipeline.domain.retry_policy import next_attempt
from refund_pipeline.domain.transactions import RefundTransaction
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import Intent, PostingWork

_FRESH = timedelta(seconds=1)
"""An intent older than this is confirmed before the write: another run may have settled it."""
_MOST_CONFIRMATIONS = 5


@dataclass(slots=True)
class Task:
    """One refund on its way: its ERP records, and those of them that are there (by external id)."""

    work: PostingWork
    intent: Intent = field(init=False)
    outcome: Refused | Uncertain | None = None
    """What the last write came to, where that leaves something to settle."""
    there: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.intent = self.work.intent

    @property
    def transaction(self) -> RefundTransaction:
        """What is to be in the ERP."""
        return self.work.transaction

    @property
    def refund_id(self) -> str:
        """The refund's own id."""
        return self.transaction.refund_id

    @property
    def missing(self) -> list[RefundTransaction]:
        """The ERP records still to be written or settled."""
        return [one for one in self.transaction.records if one.external_id not in self.there]

    @property
    def erp_id(self) -> str | None:
        """The ids of those records that are there."""
        return ", ".join(self.there.values()) or None


class Book:
    """What one batch writes to the ledger."""

    def __init__(
        self, ledger: Ledger, clock: Callable[[], datetime], random_source: random.Random
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._random_source = random_source

    def begin(self, task: Task) -> bool:
        """Record that a write begins; False if the refund is another run's, or no work any more."""
        return self._is_ours(task, self._ledger.begin_posting(task.transaction, seen=task.intent))

    def confirm(self, task: Task) -> bool:
        """Make sure right before a write that it is still this run's.

        A run that slept since it began may have been taken for dead, and its write settled as one
        that never was.
        """
        for _ in range(_MOST_CONFIRMATIONS):
            if task.intent.at is not None and abs(self._clock() - task.intent.at) <= _FRESH:
                return True
            intent = self._ledger.confirm_posting(task.transaction, task.intent)
            if not self._is_ours(task, intent):
                return False
        return False

    def _is_ours(self, task: Task, intent: Intent | None) -> bool:
        if intent is not None:
            task.intent = intent
        return intent is not None

    def posted(self, task: Task) -> None:
        """Record that all of it is in the ERP."""
        self._ledger.finish_posting(
            task.refund_id, state="posted", erp_id=task.erp_id, amount=task.transaction.amount
        )

    def held(self, task: Task, reason: str, detail: str, erp_id: str | None = None) -> None:
        """Leave it to a person."""
        self._ledger.finish_posting(
            task.refund_id,
            state="held",
            seen=task.intent,
            erp_id=erp_id or task.erp_id,
            reason=reason,
            detail=detail + _partly(task),
        )

    def uncertain(self, task: Task) -> None:
        """Leave a write uncertain; only looking up can settle it."""
        unclear = task.outcome.detail if task.outcome else "the rest is still to be written"
        self._ledger.finish_posting(
            task.refund_id,
            state="uncertain",
            seen=task.intent,
            erp_id=task.erp_id,
            reason="erp_uncertain",
            detail=unclear + _partly(task),
            next_attempt_at=self._next_attempt(task),
        )

    def retry_later(self, task: Task, detail: str) -> None:
        """Record that the ERP took nothing in."""
        if task.there:  # what is partly there must stay as it was sent
            self.uncertain(task)
            return
        self._ledger.finish_posting(
            task.refund_id,
            state="retry",
            seen=task.intent,
            reason="erp_unavailable",
            detail=detail,
            next_attempt_at=self._next_attempt(task),
        )

    def _next_attempt(self, task: Task) -> datetime:
        return next_attempt(
            max(task.intent.attempts, 1), now=self._clock(), random_source=self._random_source
        )


def _partly(task: Task) -> str:
    if not task.there:
        return ""
    total = len(task.transaction.records)
    return f" ({len(task.there)} of {total} records are in the ERP: {task.erp_id})"
