"""Write ready refund transactions to the ERP: look up, intent row, POST, outcome row.

A write is never repeated without a look-up. What has no clear answer is looked up twice, with a
pause, before it is written again under the same external id; what the ERP refused is looked up
before the refusal is believed. A refund of several ERP records is posted once all of them are.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from typing_extensions import assert_never

from refund_pipeline.domain.errors import SystemicFailure, Unavailable
from refund_pipeline.domain.outcomes import (
    Busy,
    ErpRecord,
    Posted,
    PostOutcome,
    Refused,
    Uncertain,
    differences,
    found_records,
)
from refund_pipeline.domain.retry_policy import next_attempt
from refund_pipeline.domain.transactions import RefundTransaction
from refund_pipeline.gateways.erp import Erp
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import PostingWork
from refund_pipeline.steps.pace import Pace

_UNCLEAR_IN_A_ROW = 5
"""So many writes in a row without a clear answer are an outage, not bad luck."""
_BUSY_TRIES = 6
_SETTLE_PAUSE = 2.0
_PROGRESS_EVERY = 5.0


@dataclass(frozen=True, slots=True)
class PostingSummary:
    """What one run wrote; `results` counts refunds by outcome."""

    looked_at: int
    results: Mapping[str, int]
    erp_requests: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Time and chance, passed in."""

    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    random_source: random.Random
    log: Callable[[str], None]


def post_refunds(
    day: date,
    *,
    ledger: Ledger,
    erp: Erp,
    concurrency: int,
    surroundings: Surroundings,
    refund_ids: Collection[str] | None = None,
) -> PostingSummary:
    """Post every ready refund of `day`, `concurrency` at a time.

    Raises:
        Unavailable, Misconfigured: the batch cannot go on; rows not reached are untouched, rows in
        flight have their
            outcome or stay uncertain.
    """
    started = time.monotonic()
    before = erp.requests_made
    work = ledger.refunds_to_post(day, refund_ids=refund_ids)
    batch = _Batch(ledger, erp, surroundings, size=len(work), concurrency=concurrency)
    if work:
        batch.run(work, is_past=day < surroundings.clock().date())
    return PostingSummary(
        looked_at=len(work),
        results=dict(batch.results),
        erp_requests=erp.requests_made - before,
        seconds=time.monotonic() - started,
    )


@dataclass(slots=True)
class _Task:
    """One refund on its way: its ERP records, and those of them that are there (by external id)."""

    work: PostingWork
    outcome: Refused | Uncertain | None = None
    """What the last write came to, where that leaves something to settle."""
    there: dict[str, str] = field(default_factory=dict)

    @property
    def refund_id(self) -> str:
        return self.work.transaction.refund_id

    @property
    def missing(self) -> list[RefundTransaction]:
        """The ERP records still to be written or settled."""
        return [one for one in self.work.transaction.records if one.external_id not in self.there]

    @property
    def erp_id(self) -> str | None:
        return ", ".join(self.there.values()) or None


class _Batch:
    """One batch of writes; its workers share the stop flag, the counts and the progress line."""

    def __init__(
        self, ledger: Ledger, erp: Erp, surroundings: Surroundings, *, size: int, concurrency: int
    ) -> None:
        self.results: Counter[str] = Counter()
        self._ledger = ledger
        self._erp = erp
        self._around = surroundings
        self._size = size
        self._concurrency = concurrency
        self._pace = Pace(concurrency)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._unclear_in_a_row = 0
        self._to_settle: list[_Task] = []
        self._started = self._last_progress = time.monotonic()

    def run(self, work: Sequence[PostingWork], *, is_past: bool) -> None:
        """Look everything up, post what is not there, settle what had no clear answer.

        Of a day that `is_past` nothing should be new: a lost ledger may have posted it, and under
        another prefix. Then it is looked for by its own id as well.
        """
        tasks = [_Task(item) for item in work]
        existing = self._erp.find(
            [key for task in tasks for key in task.work.transaction.possible_ids]
        )
        open_tasks = [task for task in tasks if not self._found(task, existing, "already posted")]
        if is_past:
            open_tasks = self._not_there_by_field(open_tasks)
        begun = [task for task in open_tasks if task.work.state in {"intended", "uncertain"}]
        for task in begun:
            task.outcome = Uncertain("an earlier write had no answer")
        self._write([task for task in open_tasks if task.outcome is None])
        again = self._settle([*begun, *self._to_settle])
        self._to_settle = []
        self._write(again)
        for task in self._to_settle:
            self._leave(task)
            self._count("uncertain")

    # --- writing

    def _write(self, tasks: Sequence[_Task]) -> None:
        queue = iter(tasks)
        workers = min(self._concurrency, len(tasks))
        with ThreadPoolExecutor(max_workers=workers or 1) as pool:
            running = [pool.submit(self._worker, queue) for _ in range(workers)]
        for worker in running:
            worker.result()

    def _worker(self, queue: Iterator[_Task]) -> None:
        while not self._stop.is_set():
            with self._lock:
                task = next(queue, None)
            if task is None:
                return
            try:
                self._post(task)
            except BaseException:
                self._stop.set()
                raise

    def _post(self, task: _Task) -> None:
        if not self._ledger.begin_posting(task.work.transaction, attempts=task.work.attempts):
            self._count("left to another run")
            return
        task.work = replace(task.work, attempts=task.work.attempts + 1)
        task.outcome = None
        for record in task.missing:
            try:
                outcome = self._attempt(record)
            except SystemicFailure as failure:
                # The ERP took nothing in: not sent, or refused before it was looked at.
                self._retry_later(task, str(failure))
                raise
            if not isinstance(outcome, Posted):
                self._not_posted(task, outcome)
                return
            task.there[record.external_id] = outcome.erp_id
            self._notice_outage(outcome)
        self._finish(task, "posted")

    def _not_posted(self, task: _Task, outcome: Refused | Uncertain | Busy) -> None:
        match outcome:
            case Busy():
                self._retry_later(task, "the ERP stayed busy")
                self._count("busy")
            case Refused() | Uncertain():
                task.outcome = outcome
                if isinstance(outcome, Uncertain):
                    self._leave(task)
                with self._lock:
                    self._to_settle.append(task)
            case _:
                assert_never(outcome)
        self._notice_outage(outcome)

    def _attempt(self, record: RefundTransaction) -> PostOutcome:
        for tries in range(1, _BUSY_TRIES + 1):
            with self._pace.slot():
                outcome = self._erp.post(record)
            if not isinstance(outcome, Busy):
                self._pace.accepted()
                break
            self._pace.busy()
            if self._stop.is_set() or tries == _BUSY_TRIES:
                break
            growing = min(0.5 * 2**tries, 20.0) * (0.5 + self._around.random_source.random())
            self._around.sleep(max(growing, outcome.retry_after or 0.0))
        return outcome

    def _notice_outage(self, outcome: PostOutcome) -> None:
        with self._lock:
            clear = not isinstance(outcome, Uncertain)
            self._unclear_in_a_row = 0 if clear else self._unclear_in_a_row + 1
            down = self._unclear_in_a_row >= _UNCLEAR_IN_A_ROW
        if down:
            raise Unavailable(
                f"the ERP gave no clear answer to {_UNCLEAR_IN_A_ROW} writes in a row; the batch "
                "stops here and goes on by itself later"
            )

    # --- settling

    def _settle(self, tasks: Sequence[_Task]) -> list[_Task]:
        """Look each up; return what is certainly not there and may be written again."""
        if not tasks:
            return []
        # Most are in the index already; what it does not show is asked of the ERP one by one.
        shown = self._erp.find([one.external_id for task in tasks for one in task.missing])
        unsettled = [task for task in tasks if not self._found(task, shown, "already posted")]
        missing = [task for task in unsettled if not self._looked_up(task)]
        if not missing:
            return []
        self._around.sleep(_SETTLE_PAUSE)
        return self._not_there_by_field([task for task in missing if not self._looked_up(task)])

    def _not_there_by_field(self, tasks: Sequence[_Task]) -> list[_Task]:
        """Look for records whose external id was taken away or is another, before a write."""
        by_field: dict[str, list[str]] = {}
        for task in tasks:
            if (field := task.work.transaction.refund_id_field) is not None:
                by_field.setdefault(field, []).append(task.refund_id)
        found: dict[str, Sequence[ErpRecord]] = {}
        for field, refund_ids in by_field.items():
            found |= self._erp.find_by_field(field, refund_ids)
        return [task for task in tasks if not self._is_one_of(found.get(task.refund_id, ()), task)]

    def _is_one_of(self, found: Sequence[ErpRecord], task: _Task) -> bool:
        others = [record for record in found if record.erp_id not in task.there.values()]
        by_id = {
            ours.external_id: record
            for record in others
            for ours in task.missing
            if not differences(ours, record)
        }
        if others and not by_id:  # it is this refund's and not equal: a person decides
            by_id = {task.missing[0].external_id: others[0]}
        return self._found(task, by_id, "already posted")

    def _looked_up(self, task: _Task) -> bool:
        """Settle one by looking it up; False while nothing is found for an unanswered write."""
        found = {
            record.external_id: there
            for record in task.missing
            if (there := self._erp.look_up(record.external_id)) is not None
        }
        if self._found(task, found, "already posted"):
            return True
        if isinstance(task.outcome, Refused):
            self._hold(task, "refused_by_erp", task.outcome.detail)
            self._count("refused")
            return True
        return False

    def _found(self, task: _Task, existing: Mapping[str, ErpRecord], result: str) -> bool:
        """Take in what is there; True if that settles the refund: all is equal, or a conflict."""
        for there, found in found_records(task.work.transaction, existing):
            if isinstance(found, RefundTransaction):
                task.there[found.external_id] = there.erp_id
                continue
            bears = f"record {there.erp_id} bears {there.external_id}, but "
            self._hold(task, "conflicting_erp_record", bears + "; ".join(found), there.erp_id)
            self._count("conflict")
            return True
        if task.missing:
            return False
        self._finish(task, result)
        return True

    # --- the ledger

    def _finish(self, task: _Task, result: str) -> None:
        self._ledger.finish_posting(
            task.refund_id,
            state="posted",
            erp_id=task.erp_id,
            amount=task.work.transaction.amount,
        )
        self._count(result)

    def _hold(self, task: _Task, reason: str, detail: str, erp_id: str | None = None) -> None:
        self._ledger.finish_posting(
            task.refund_id,
            state="held",
            erp_id=erp_id or task.erp_id,
            reason=reason,
            detail=detail + _partly(task),
        )

    def _leave(self, task: _Task) -> None:
        """Leave a write uncertain; only looking up can settle it."""
        unclear = task.outcome.detail if task.outcome else "the rest is still to be written"
        self._ledger.finish_posting(
            task.refund_id,
            state="uncertain",
            erp_id=task.erp_id,
            reason="erp_uncertain",
            detail=unclear + _partly(task),
            next_attempt_at=self._next_attempt(task),
        )

    def _retry_later(self, task: _Task, detail: str) -> None:
        if task.there:  # what is partly there must stay as it was sent
            self._leave(task)
            return
        self._ledger.finish_posting(
            task.refund_id,
            state="retry",
            reason="erp_unavailable",
            detail=detail,
            next_attempt_at=self._next_attempt(task),
        )

    def _next_attempt(self, task: _Task) -> datetime:
        return next_attempt(
            max(task.work.attempts, 1),
            now=self._around.clock(),
            random_source=self._around.random_source,
        )

    def _count(self, result: str) -> None:
        with self._lock:
            self.results[result] += 1
            done = sum(self.results.values())
            now = time.monotonic()
            due = now - self._last_progress >= _PROGRESS_EVERY
            if due:
                self._last_progress = now
        if due:
            rate = done / (now - self._started)
            self._around.log(
                f"{done} of {self._size} refunds done, {rate:.1f} per second, "
                f"about {(self._size - done) / rate:.0f} s left"
            )


def _partly(task: _Task) -> str:
    if not task.there:
        return ""
    total = len(task.work.transaction.records)
    return f" ({len(task.there)} of {total} records are in the ERP: {task.erp_id})"
