"""Write ready refund transactions to the ERP: look up, intent row, POST, outcome row.

A write is never repeated without a look-up. What has no clear answer is looked up twice, with a
pause, before it is written again under the same external id; what the ERP refused is looked up
before the refusal is believed.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
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
)
from refund_pipeline.domain.retry_policy import next_attempt
from refund_pipeline.domain.transactions import RefundTransaction
from refund_pipeline.gateways.erp import Erp
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import PostingWork

_UNCLEAR_IN_A_ROW = 3
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
    batch = _Batch(ledger, erp, surroundings, size=len(work))
    if work:
        batch.run(work, concurrency)
    return PostingSummary(
        looked_at=len(work),
        results=dict(batch.results),
        erp_requests=erp.requests_made - before,
        seconds=time.monotonic() - started,
    )


class _Batch:
    """One batch of writes; its workers share the stop flag, the counts and the progress line."""

    def __init__(self, ledger: Ledger, erp: Erp, surroundings: Surroundings, *, size: int) -> None:
        self.results: Counter[str] = Counter()
        self._ledger = ledger
        self._erp = erp
        self._around = surroundings
        self._size = size
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._unclear_in_a_row = 0
        self._to_settle: list[tuple[PostingWork, Refused | Uncertain]] = []
        self._started = self._last_progress = time.monotonic()

    def run(self, work: Sequence[PostingWork], concurrency: int) -> None:
        """Look everything up, post what is not there, settle what had no clear answer."""
        to_post: list[PostingWork] = []
        unsettled: list[tuple[PostingWork, Refused | Uncertain]] = []
        existing = self._erp.find([key for item in work for key in _keys(item.transaction)])
        for item in work:
            record = _first(existing, item.transaction)
            if record is not None:
                self._found(item, record)
            elif item.state in {"intended", "uncertain"}:
                unsettled.append((item, Uncertain("an earlier write had no answer")))
            else:
                to_post.append(item)
        self._write(to_post, concurrency)
        again = self._settle(unsettled + self._to_settle)
        self._to_settle = []
        self._write(again, concurrency)
        for item, outcome in self._to_settle:
            self._leave(item, outcome)

    # --- writing

    def _write(self, work: Sequence[PostingWork], concurrency: int) -> None:
        queue = iter(work)
        with ThreadPoolExecutor(max_workers=min(concurrency, len(work)) or 1) as pool:
            workers = [pool.submit(self._worker, queue) for _ in range(min(concurrency, len(work)))]
        for worker in workers:
            worker.result()

    def _worker(self, queue: Iterator[PostingWork]) -> None:
        while not self._stop.is_set():
            with self._lock:
                item = next(queue, None)
            if item is None:
                return
            try:
                self._post(item)
            except BaseException:
                self._stop.set()
                raise

    def _post(self, item: PostingWork) -> None:
        if not self._ledger.begin_posting(item.transaction, attempts=item.attempts):
            self._count("left to another run")
            return
        item = replace(item, attempts=item.attempts + 1)
        try:
            outcome = self._attempt(item.transaction)
        except SystemicFailure as failure:
            # The ERP took nothing in: the write was not sent, or refused before it was looked at.
            self._retry_later(item, "erp_unavailable", str(failure))
            raise
        match outcome:
            case Posted(erp_id):
                self._ledger.finish_posting(
                    item.transaction.refund_id,
                    state="posted",
                    erp_id=erp_id,
                    amount=item.transaction.amount,
                )
                self._count("posted")
            case Busy():
                self._retry_later(item, "erp_unavailable", "the ERP stayed busy")
                self._count("busy")
            case Refused():
                with self._lock:
                    self._to_settle.append((item, outcome))
            case Uncertain():
                self._leave(item, outcome, counted=False)
                with self._lock:
                    self._to_settle.append((item, outcome))
            case _:
                assert_never(outcome)
        self._notice_outage(outcome)

    def _attempt(self, transaction: RefundTransaction) -> PostOutcome:
        outcome = self._erp.post(transaction)
        for tries in range(1, _BUSY_TRIES):
            if not isinstance(outcome, Busy) or self._stop.is_set():
                break
            growing = min(0.5 * 2**tries, 20.0) * (0.5 + self._around.random_source.random())
            self._around.sleep(max(growing, outcome.retry_after or 0.0))
            outcome = self._erp.post(transaction)
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

    def _settle(
        self, unsettled: Sequence[tuple[PostingWork, Refused | Uncertain]]
    ) -> list[PostingWork]:
        """Look each up; return what is certainly not there and may be written again."""
        missing = [pair for pair in unsettled if not self._looked_up(*pair)]
        if not missing:
            return []
        self._around.sleep(_SETTLE_PAUSE)
        return [item for item, outcome in missing if not self._looked_up(item, outcome)]

    def _looked_up(self, item: PostingWork, outcome: Refused | Uncertain) -> bool:
        """Settle one by looking it up; False while nothing is found for an unanswered write."""
        record = self._erp.look_up(item.transaction.external_id)
        if record is not None:
            self._found(item, record)
            return True
        if isinstance(outcome, Refused):
            self._ledger.finish_posting(
                item.transaction.refund_id,
                state="held",
                reason="refused_by_erp",
                detail=outcome.detail,
            )
            self._count("refused")
            return True
        return False

    def _found(self, item: PostingWork, record: ErpRecord) -> None:
        found = differences(item.transaction, record)
        if found:
            self._ledger.finish_posting(
                item.transaction.refund_id,
                state="held",
                erp_id=record.erp_id,
                reason="conflicting_erp_record",
                detail=f"record {record.erp_id} bears {record.external_id}, but "
                + "; ".join(found),
            )
            self._count("conflict")
            return
        self._ledger.finish_posting(
            item.transaction.refund_id,
            state="posted",
            erp_id=record.erp_id,
            amount=item.transaction.amount,
        )
        self._count("already posted")

    def _leave(
        self, item: PostingWork, outcome: Refused | Uncertain, *, counted: bool = True
    ) -> None:
        """Leave a write uncertain; only looking up can settle it."""
        self._ledger.finish_posting(
            item.transaction.refund_id,
            state="uncertain",
            reason="erp_uncertain",
            detail=outcome.detail,
            next_attempt_at=self._next_attempt(item),
        )
        if counted:
            self._count("uncertain")

    def _retry_later(self, item: PostingWork, reason: str, detail: str) -> None:
        self._ledger.finish_posting(
            item.transaction.refund_id,
            state="retry",
            reason=reason,
            detail=detail,
            next_attempt_at=self._next_attempt(item),
        )

    def _next_attempt(self, item: PostingWork) -> datetime:
        return next_attempt(
            max(item.attempts, 1),
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


def _keys(transaction: RefundTransaction) -> tuple[str, str]:
    """Our external id, and the bare refund id an earlier integration may have used."""
    return transaction.external_id, transaction.refund_id


def _first(existing: Mapping[str, ErpRecord], transaction: RefundTransaction) -> ErpRecord | None:
    return next((existing[key] for key in _keys(transaction) if key in existing), None)
