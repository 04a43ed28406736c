"""Writes many concurrent events together: each waits for the file that holds its own.

A file is closed a short interval after its first event, or when it is large, so that 1,000 events
a second do not make 1,000 objects a second. Nothing is kept that was not asked for by a request
still waiting, so a killed process loses nothing that was answered.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from refund_pipeline.domain.errors import PipelineError

logger = logging.getLogger(__name__)


class NotDurable(Exception):
    """The event is not known to be in the bucket; whoever sent it has to send it again."""


@dataclass(slots=True)
class _Batch:
    written: "asyncio.Future[None]"
    lines: list[bytes] = field(default_factory=list)
    size: int = 0


class Batches:
    """Collects lines and writes them by `write` in threads; used on one event loop.

    Args:
        write: Writes the lines of one file; raises a `PipelineError` when it cannot.
        interval: Seconds from the first line of a file to its end.
        most_bytes: A file of this size is closed at once.
        most_waiting: Bytes that may wait; beyond, events are turned away.
        patience: Seconds a line waits at most.
        threads: Files written at once.
    """

    def __init__(
        self,
        write: Callable[[Sequence[bytes]], object],
        *,
        interval: float,
        most_bytes: int = 1024 * 1024,
        most_waiting: int = 64 * 1024 * 1024,
        patience: float = 10.0,
        threads: int = 4,
    ) -> None:
        self._write = write
        self._interval = interval
        self._most_bytes = most_bytes
        self._most_waiting = most_waiting
        self._patience = patience
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="landing")
        self._open: _Batch | None = None
        self._waiting = 0
        self._writing: set[asyncio.Task[None]] = set()

    async def put(self, line: bytes) -> None:
        """Return once the line is in the bucket.

        Raises:
            NotDurable: it is not known to be there.
        """
        if self._waiting + len(line) > self._most_waiting:
            raise NotDurable("too many events wait for the bucket")
        self._waiting += len(line)
        try:
            batch = self._batch_for(line)
            await asyncio.wait_for(asyncio.shield(batch.written), self._patience)
        except asyncio.TimeoutError:
            raise NotDurable("the bucket did not answer in time") from None
        finally:
            self._waiting -= len(line)

    async def drain(self) -> None:
        """Write what is open, and wait for all that is being written."""
        if self._open is not None:
            self._close(self._open)
        while self._writing:
            await asyncio.wait(set(self._writing))
        self._pool.shutdown(wait=False)

    def _batch_for(self, line: bytes) -> _Batch:
        loop = asyncio.get_running_loop()
        batch = self._open
        if batch is None:
            batch = self._open = _Batch(loop.create_future())
            loop.call_later(self._interval, self._close, batch)
        batch.lines.append(line)
        batch.size += len(line) + 1
        if batch.size >= self._most_bytes:
            self._close(batch)
        return batch

    def _close(self, batch: _Batch) -> None:
        if self._open is not batch:
            return  # closed before, because it was large
        self._open = None
        task = asyncio.get_running_loop().create_task(self._finish(batch))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _finish(self, batch: _Batch) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._pool, self._write, batch.lines)
        except PipelineError as error:
            logger.error("%d event(s) were not stored: %s", len(batch.lines), error)  # noqa: TRY400 - no trace
            batch.written.set_exception(NotDurable("the bucket did not take the event"))
            batch.written.exception()  # seen: those who waited may have given up
        else:
            batch.written.set_result(None)
