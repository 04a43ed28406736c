"""A run that stops between two of its calls, for good or for a while, as a test tells it to.

Ledger, ERP and NewStore are reached through it. A run that pauses has a thread of its own, but only
one thread ever works: who goes on hands over and waits. Every wait ends; nothing depends on timing.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from refund_pipeline.domain.errors import SystemicFailure

CALLS = (
    *("known_files", "record_file"),
    *("ids_to_pay", "refunds_to_pay", "orders", "payment_accounts", "save_payments"),
    *("amounts_to_build", "refunds_to_build", "origins", "save_transactions"),
    *("ids_to_post", "refunds_to_post", "find", "find_by_field", "look_up"),
    *("begin_posting", "confirm_posting", "post", "finish_posting"),
    *("ids_to_verify", "postings_to_verify", "record_verifications"),
)
"""Before and after which a run can stop."""
_PATIENCE = 60.0
"""Seconds after which a run that neither stops nor ends is a defect of the test."""


class Killed(BaseException):
    """The process dies here."""


@dataclass(frozen=True)
class Stop:
    """Where a run stops: at its nth call of a kind, before or after that took effect."""

    call: str
    nth: int = 1
    after: bool = False
    dies: bool = False
    """Ends there for good, as a killed process does; else it pauses."""


class StoppableRun:
    """The steps of one run, carried out until the next stop each time it is told to go on."""

    def __init__(
        self,
        steps: Callable[["StoppableRun"], object],
        *,
        stops: Iterable[Stop] = (),
        before_call: Callable[["StoppableRun", str], None] = lambda run, name: None,
    ) -> None:
        self.at: Stop | None = None
        """Where it stands still; None before it begins and once it has ended."""
        self.ended = False
        self.failure: SystemicFailure | None = None
        """What made it end early, if anything did."""
        self._steps = steps
        self._stops = {(one.call, one.nth): one for one in stops}
        self._before_call = before_call
        self._calls: Counter[str] = Counter()
        self.is_dead = False
        """Whether it was killed."""
        self._failed: BaseException | None = None
        self._go, self._handed_back = threading.Semaphore(0), threading.Semaphore(0)
        self._thread: threading.Thread | None = None

    def go_on(self, *, dies: bool = False) -> None:
        """Let it work until it stops or ends; with `dies` it ends where it stands."""
        assert not self.ended, "it has ended"
        self.at = None
        self.is_dead = self.is_dead or dies
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        else:
            self._go.release()
        assert self._handed_back.acquire(timeout=_PATIENCE), "a run hangs"
        if self.ended:
            self._thread.join(_PATIENCE)
        if self._failed is not None:
            raise self._failed

    def reach(self, inner: object) -> Any:
        """Return `inner` as this run reaches it."""
        return _Reached(inner, self)

    def call(self, name: str, carry_out: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Carry a call out, and stop before or after it if that is where to."""
        if self.is_dead:
            raise Killed
        self._calls[name] += 1
        stop = self._stops.get((name, self._calls[name]))
        if stop is not None and not stop.after:
            self._stop(stop)
        self._before_call(self, name)
        answer = carry_out(*args, **kwargs)
        if stop is not None and stop.after:
            self._stop(stop)
        return answer

    def _stop(self, stop: Stop) -> None:
        if stop.dies:
            self.is_dead = True
        else:
            self.at = stop
            self._handed_back.release()
            if not self._go.acquire(timeout=_PATIENCE):  # whoever started it is gone
                self.is_dead = True
        if self.is_dead:
            raise Killed

    def _work(self) -> None:
        try:
            self._steps(self)
        except Killed:
            pass
        except SystemicFailure as failure:
            self.failure = failure
        except BaseException as failure:  # noqa: BLE001  (told to whoever lets it go on)
            self._failed = failure
        self.ended = True
        self._handed_back.release()


class _Reached:
    """Passes everything on; the calls that are told of go through the run."""

    def __init__(self, inner: object, run: StoppableRun) -> None:
        self._inner = inner
        self._run = run

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._inner, name)
        return partial(self._run.call, name, attribute) if name in CALLS else attribute
