"""Runs actions when their time has come: one thread watches the clock, a few others run them.

The clock is the sandbox's and may jump, so it is looked at again and again; waiting for the work to
end is exact, never a matter of luck. What the actions do is not known here.
"""

import heapq
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

_LOOK_AGAIN = 0.02
"""Seconds between two looks at the clock while something waits for its time."""


@dataclass(order=True, slots=True)
class _Entry:
    due: datetime
    number: int
    owner: object = field(compare=False)
    action: Callable[[], None] = field(compare=False)
    counts: bool = field(compare=False)


class Timetable:
    """Actions and their times; safe to use from any thread, from the actions too."""

    def __init__(self, clock: Callable[[], datetime], *, workers: int) -> None:
        self._clock = clock
        self._workers = workers
        self._changed = threading.Condition()
        self._entries: list[_Entry] = []
        self._numbers = itertools.count()
        self._at_work = 0
        self._failure: BaseException | None = None
        self._stopping = False
        self._pool: ThreadPoolExecutor | None = None
        self._thread = threading.Thread(target=self._watch, name="newstore-timetable", daemon=True)

    def start(self) -> None:
        """Start running what is due."""
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="newstore-stream")
        self._thread.start()

    def stop(self) -> None:
        """Forget what is still to come and wait for what is at work."""
        with self._changed:
            self._stopping = True
            self._entries = []
            self._changed.notify_all()
        if self._pool is not None:
            self._thread.join()
            self._pool.shutdown()

    def at(
        self, due: datetime, action: Callable[[], None], *, owner: object, counts: bool = True
    ) -> None:
        """Run `action` at the aware time `due`, in the order of the times.

        Args:
            due: When, by the clock; at once if it has passed.
            action: What to run, on one of the working threads.
            owner: Whose it is, for `cancel`.
            counts: Whether `wait_until_empty` waits for it.
        """
        with self._changed:
            if self._stopping:
                return
            entry = _Entry(due, next(self._numbers), owner, action, counts)
            heapq.heappush(self._entries, entry)
            self._changed.notify_all()

    def cancel(self, owner: object) -> None:
        """Forget everything of an owner that is not at work yet."""
        with self._changed:
            self._entries = [entry for entry in self._entries if entry.owner is not owner]
            heapq.heapify(self._entries)
            self._changed.notify_all()

    def wait_until_idle(self, timeout: float) -> None:
        """Wait until nothing is at work and nothing is due by the clock as it stands.

        Raises:
            TimeoutError: it is not so after `timeout` seconds.
        """
        self._wait(lambda: not self._at_work and not self._is_due(self._clock()), timeout)

    def wait_until_empty(self, timeout: float) -> None:
        """Wait until nothing is at work and nothing that counts is still to come.

        Raises:
            TimeoutError: it is not so after `timeout` seconds.
        """
        self._wait(
            lambda: not self._at_work and not any(entry.counts for entry in self._entries), timeout
        )

    def _wait(self, reached: Callable[[], bool], timeout: float) -> None:
        with self._changed:
            done = self._changed.wait_for(lambda: self._failure or reached(), timeout)
            if self._failure is not None:
                raise RuntimeError("the sandbox's event stream failed") from self._failure
            if not done:
                raise TimeoutError(
                    f"after {timeout:g} s {self._at_work} deliveries are under way and "
                    f"{len(self._entries)} are still to come"
                )

    def _is_due(self, now: datetime) -> bool:
        return bool(self._entries) and self._entries[0].due <= now

    def _watch(self) -> None:
        with self._changed:
            while not self._stopping:
                now = self._clock()
                if self._is_due(now):
                    self._begin(heapq.heappop(self._entries))
                elif self._entries:
                    pause = (self._entries[0].due - now).total_seconds()
                    self._changed.wait(min(pause, _LOOK_AGAIN))
                else:
                    self._changed.wait()

    def _begin(self, entry: _Entry) -> None:
        assert self._pool is not None  # noqa: S101 - the watching thread starts after it
        self._at_work += 1
        self._pool.submit(self._run, entry.action)

    def _run(self, action: Callable[[], None]) -> None:
        failure: BaseException | None = None
        try:
            action()
        except Exception as error:  # noqa: BLE001 - told to whoever waits
            failure = error
        with self._changed:
            self._at_work -= 1
            self._failure = self._failure or failure
            self._changed.notify_all()
