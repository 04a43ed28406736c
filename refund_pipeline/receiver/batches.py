"""Writes concurrent events together, so that 1,000 events a second do not make 1,000 objects.

A file is written a short interval after its first event came, or as soon as it is large; whoever
sent an event waits for the file that holds it. Nothing is kept that nobody waits for, so a killed
process loses nothing that was answered.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum

from refund_pipeline.domain.errors import PipelineError
from refund_pipeline.receiver.allowance import Allowance
from refund_pipeline.receiver.settings import Limits

_THREADS = 4
"""Files written at once: with one every interval, a slow write does not hold up the next."""
_log = logging.getLogger(__name__)


class Outcome(Enum):
    """What became of an event; the value is a sentence for whoever sent it."""

    STORED = "stored"
    NOT_WRITTEN = "the landing bucket did not take the event; send it again"
    NOT_IN_TIME = "the landing bucket did not take the event in time; send it again"
    TOO_MUCH_IN_HAND = "too many events are waiting for the landing bucket; send it again"


@dataclass(slots=True, eq=False)
class _File:
    written: "asyncio.Future[bool]"
    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    awaited_until: float = 0.0
    """By the clock; nobody waits for it any longer."""


class Batches:
    """Collects events into files; for one event loop at a time.

    Args:
        write: Writes the lines of one file, in a thread; returns its key or raises.
        interval: Seconds from a file's first event until it is written.
        limits: Of a file's size and of an answer's time.
        allowance: What is in hand counts against it until it is written.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        write: Callable[[Sequence[bytes]], str],
        *,
        interval: float,
        limits: Limits,
        allowance: Allowance,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write = write
        self._interval = interval
        self._limits = limits
        self._allowance = allowance
        self._clock = clock
        self._collecting: _File | None = None
        self._threads: ThreadPoolExecutor | None = None

    async def store(self, line: bytes) -> Outcome:
        """Return once the line is in the bucket, or once it is known not to be there in time."""
        if not self._allowance.take(len(line)):
            return Outcome.TOO_MUCH_IN_HAND
        file = self._add(line)
        # unlike wait_for, it leaves the file alone when this request gives up
        done, _ = await asyncio.wait({file.written}, timeout=self._limits.answer_seconds)
        if not done:
            return Outcome.NOT_IN_TIME
        return Outcome.STORED if file.written.result() else Outcome.NOT_WRITTEN

    async def close(self) -> None:
        """Write what was collected and wait for what is being written; may be used again."""
        if self._collecting is not None:
            self._send(self._collecting)
        threads, self._threads = self._threads, None
        if threads is not None:
            await asyncio.to_thread(threads.shutdown)

    def _add(self, line: bytes) -> _File:
        file = self._collecting
        if file is None:
            loop = asyncio.get_running_loop()
            file = self._collecting = _File(loop.create_future())
            loop.call_later(self._interval, self._send, file)
        file.lines.append(line)
        file.size += len(line)
        file.awaited_until = self._clock() + self._limits.answer_seconds
        if file.size >= self._limits.file:
            self._send(file)
        return file

    def _send(self, file: _File) -> None:
        if self._collecting is not file:
            return  # it was large, and sent before its interval was over
        self._collecting = None
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="landing")
        writing = asyncio.get_running_loop().run_in_executor(self._threads, self._write_file, file)
        writing.add_done_callback(lambda done: file.written.set_result(done.result()))

    def _write_file(self, file: _File) -> bool:
        """Write a file, in a thread; say whether it is in the bucket."""
        count = len(file.lines)
        try:
            if self._clock() > file.awaited_until:
                _log.error("%d event(s) not written: all were answered 500 meanwhile", count)
                return False
            key = self._write(file.lines)
        except PipelineError as error:
            _log.error("%d event(s) not written: %s", count, error)
            return False
        except Exception:  # noqa: BLE001 - a defect; those who wait are answered all the same
            _log.exception("%d event(s) not written", count)
            return False
        else:
            _log.info("%d event(s) written to %s", count, key)
            return True
        finally:
            self._allowance.give_back(file.size)
