"""Write ready refund transactions to the ERP: look up, intent row, POST, outcome row.

A write is never repeated without a look-up. What has no clear answer is looked up twice, with a
pause, before it is written again under the same external id; what the ERP refused is looked up
before the refusal is believed. A refund of several ERP records is posted once all of them are.
"""

import functools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

from typing_extensions import assert_never

from refund_pipeline.domain.errors import SystemicFailure, Unavailable
from refund_pipeline.domain.outcomes import (
    Busy,
    ErpRecord,
    Posted,
    PostOutcome,
    Refused,
    Uncertain,
    found_records,
    paired,
)
from refund_pipeline.domain.transactions import RefundTransaction
from refund_pipeline.gateways.erp import Erp
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import PostingWork
from refund_pipeline.gateways.side_by_side import side_by_side
from refund_pipeline.steps.pace import Pace
from refund_pipeline.steps.parts import parts
from refund_pipeline.steps.posting_book import Book, Task

_UNCLEAR_IN_A_ROW = 5
"""So many writes in a row without a clear answer are an outage, not bad luck."""
_BUSY_TRIES = 6
_SETTLE_PAUSE = 2.0
_AHEAD = 5
"""For so many slots there is one refund more under way, so that no slot waits for the ledger."""
_WRITE_SECONDS = 10.0
"""So long a write may be under way that another run began: NetSuite's p99 is 8 s."""
_ASKED_AT_ONCE = 200
"""NetSuite skips ids of a longer list (contract suiteql 5)."""
_LEFT = "left to another run"
_PROGRESS_EVERY = 5.0

Found = TypeVar("Found")


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
    ids = ledger.ids_to_post(day, refund_ids=refund_ids)
    batch = _Batch(ledger, erp, surroundings, size=len(ids), concurrency=concurrency)
    looked_at = 0
    for part in parts(ids):
        work = ledger.refunds_to_post(day, refund_ids=part)
        looked_at += len(work)
        batch.run(work, is_past=day < surroundings.clock().date())
    return PostingSummary(
        looked_at=looked_at,
        results=dict(batch.results),
        erp_requests=erp.requests_made - before,
        seconds=time.monotonic() - started,
    )


class _Batch:
    """One batch of writes; its workers share the stop flag, the counts and the progress line."""

    def __init__(
        self, ledger: Ledger, erp: Erp, surroundings: Surroundings, *, size: int, concurrency: int
    ) -> None:
        self.results: Counter[str] = Counter()
        self._book = Book(ledger, surroundings.clock, surroundings.random_source)
        self._erp = erp
        self._around = surroundings
        self._size = size
        self._concurrency = concurrency
        self._pace = Pace(concurrency)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._unclear_in_a_row = 0
        self._is_down = False
        self._to_settle: list[Task] = []
        self._started = self._last_progress = time.monotonic()

    def run(self, work: Sequence[PostingWork], *, is_past: bool) -> None:
        """Look everything up, post what is not there, settle what had no clear answer.

        Of a day that `is_past` nothing should be new: a lost ledger may have posted it, and under
        another prefix. Then it is looked for by its own id as well.
        """
        tasks = [Task(item) for item in work]
        ids = [key for task in tasks for key in task.transaction.possible_ids]
        existing = self._look_up_all(self._erp.find, ids)
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
            self._book.uncertain(task)
            self._count("uncertain")

    # --- writing

    def _write(self, tasks: Sequence[Task]) -> None:
        queue = iter(tasks)
        workers = min(self._concurrency + self._concurrency // _AHEAD, len(tasks))
        with ThreadPoolExecutor(max_workers=workers or 1) as pool:
            running = [pool.submit(self._worker, queue) for _ in range(workers)]
        for worker in running:
            worker.result()

    def _worker(self, queue: Iterator[Task]) -> None:
        while not self._stop.is_set():
            with self._lock:
                task = next(queue, None)
            if task is None:
                return
            with self._ending_the_batch():
                self._post(task)

    @contextmanager
    def _ending_the_batch(self) -> Iterator[None]:
        """Let a failure stop all workers."""
        try:
            yield
        except BaseException:
            self._stop.set()
            raise

    def _post(self, task: Task) -> None:
        if not self._book.begin(task):
            self._count(_LEFT)
            return
        task.outcome = None
        for record in task.missing:
            try:
                outcome = self._attempt(task, record)
            except SystemicFailure as failure:
                # The ERP took nothing in: not sent, or refused before it was looked at.
                self._book.retry_later(task, str(failure))
                raise
            if outcome is None:
                self._count(_LEFT)
                return
            if not isinstance(outcome, Posted):
                self._not_posted(task, outcome)
                return
            task.there[record.external_id] = outcome.erp_id
        self._book.posted(task)
        self._count("posted")

    def _not_posted(self, task: Task, outcome: Refused | Uncertain | Busy) -> None:
        match outcome:
            case Busy():
                ended = self._stop.is_set()
                self._book.retry_later(task, "the batch ended" if ended else "the ERP stayed busy")
                self._count("busy")
            case Refused() | Uncertain():
                task.outcome = outcome
                if isinstance(outcome, Uncertain):
                    self._book.uncertain(task)
                with self._lock:
                    self._to_settle.append(task)
            case _:
                assert_never(outcome)
        if self._is_down:
            raise Unavailable(
                f"the ERP gave no clear answer to {_UNCLEAR_IN_A_ROW} writes in a row; the batch "
                "stops here and goes on by itself later"
            )

    def _attempt(self, task: Task, record: RefundTransaction) -> PostOutcome | None:
        """Write one record; None, and nothing was written, if the refund is another run's since."""
        for tries in range(1, _BUSY_TRIES + 1):
            with self._pace.slot(), self._ending_the_batch():
                if self._stop.is_set():
                    return Busy()
                if not self._book.confirm(task):
                    return None
                outcome = self._send(record)
            if not isinstance(outcome, Busy):
                self._pace.accepted()
                break
            self._pace.busy()
            if self._stop.is_set() or tries == _BUSY_TRIES:
                break
            growing = min(0.5 * 2**tries, 20.0) * (0.5 + self._around.random_source.random())
            self._around.sleep(max(growing, outcome.retry_after or 0.0))
        return outcome

    def _send(self, record: RefundTransaction) -> PostOutcome:
        """Write one record; an outage stops the others before the slot is theirs."""
        outcome = self._erp.post(record)
        with self._lock:
            clear = not isinstance(outcome, Uncertain)
            self._unclear_in_a_row = 0 if clear else self._unclear_in_a_row + 1
            if self._unclear_in_a_row >= _UNCLEAR_IN_A_ROW:
                self._is_down = True
                self._stop.set()
        return outcome

    # --- settling

    def _settle(self, tasks: Sequence[Task]) -> list[Task]:
        """Look each up; return what is certainly not there and may be written again."""
        if not tasks:
            return []
        # Most are in the index already; what it does not show is asked of the ERP one by one.
        shown = self._erp.find([one.external_id for task in tasks for one in task.missing])
        unsettled = [task for task in tasks if not self._found(task, shown, "already posted")]
        missing = [task for task in unsettled if not self._looked_up(task)]
        if not missing:
            return []
        self._around.sleep(self._pause(missing))
        return self._not_there_by_field([task for task in missing if not self._looked_up(task)])

    def _pause(self, tasks: Sequence[Task]) -> float:
        """Return how long to wait for writes that may be under way; another run may be at one."""
        begun_by_others = [
            task.intent.at
            for task in tasks
            if task.work.state == "intended" and task.intent == task.work.intent and task.intent.at
        ]
        if not begun_by_others:
            return _SETTLE_PAUSE
        age = (self._around.clock() - max(begun_by_others)).total_seconds()
        return min(max(_WRITE_SECONDS - age, _SETTLE_PAUSE), _WRITE_SECONDS)

    def _not_there_by_field(self, tasks: Sequence[Task]) -> list[Task]:
        """Look for records whose external id was taken away or is another, before a write."""
        by_field: dict[str, list[str]] = {}
        for task in tasks:
            if (field := task.transaction.refund_id_field) is not None:
                by_field.setdefault(field, []).append(task.refund_id)
        found: dict[str, Sequence[ErpRecord]] = {}
        for field, refund_ids in by_field.items():
            look_up = functools.partial(self._erp.find_by_field, field)
            found |= self._look_up_all(look_up, refund_ids)
        return [task for task in tasks if not self._is_one_of(found.get(task.refund_id, ()), task)]

    def _is_one_of(self, found: Sequence[ErpRecord], task: Task) -> bool:
        others = [record for record in found if record.erp_id not in task.there.values()]
        by_id = paired(task.missing, others)
        if others and not by_id:  # it is this refund's and not equal: a person decides
            by_id = {task.missing[0].external_id: others[0]}
        return self._found(task, by_id, "already posted")

    def _looked_up(self, task: Task) -> bool:
        """Settle one by looking it up; False while nothing is found for an unanswered write."""
        found = {
            record.external_id: there
            for record in task.missing
            if (there := self._erp.look_up(record.external_id)) is not None
        }
        if self._found(task, found, "already posted"):
            return True
        if isinstance(task.outcome, Refused):
            self._book.held(task, "refused_by_erp", task.outcome.detail)
            self._count("refused")
            return True
        return False

    def _found(self, task: Task, existing: Mapping[str, ErpRecord], result: str) -> bool:
        """Take in what is there; True if that settles the refund: all is equal, or a conflict."""
        for there, found in found_records(task.transaction, existing):
            if isinstance(found, RefundTransaction):
                task.there[found.external_id] = there.erp_id
                continue
            bears = f"record {there.erp_id} bears {there.external_id}, but "
            self._book.held(task, "conflicting_erp_record", bears + "; ".join(found), there.erp_id)
            self._count("conflict")
            return True
        if task.missing:
            return False
        self._book.posted(task)
        self._count(result)
        return True

    def _look_up_all(
        self, look_up: Callable[[Sequence[str]], Mapping[str, Found]], keys: Sequence[str]
    ) -> dict[str, Found]:
        """Look up many keys; once the first are answered, as many at a time as there may be."""
        first, *others = list(parts(keys, _ASKED_AT_ONCE)) or [()]
        found = dict(look_up(first))
        for part in side_by_side(look_up, others, at_most=self._concurrency):
            found.update(part)
        return found

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
