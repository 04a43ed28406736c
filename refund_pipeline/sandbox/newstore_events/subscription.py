"""One integration at work: what it still owes, every attempt, retries, interruption, rejection.

Contract 1.2 and 1.4. An inference, at its strictest: while an integration is stopped nothing is
sent and nothing is kept for it; what was on its way becomes rejected, and what is created meanwhile
comes only with a replay.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from refund_pipeline.sandbox.newstore_events.event_log import CreatedEvent
from refund_pipeline.sandbox.newstore_events.integrations import Integration, Status
from refund_pipeline.sandbox.newstore_events.publications import (
    Answer,
    Publication,
    RejectedEvent,
    new_publication,
)
from refund_pipeline.sandbox.newstore_events.rules import Interruption, Setting
from refund_pipeline.sandbox.newstore_events.transports import Transport

_HELD_FOR = 60.0
"""NewStore's seconds a burst is waited for."""


@dataclass(frozen=True, slots=True)
class _Copy:
    """One copy of an event on its way; a duplicate is another one."""

    number: int
    event: CreatedEvent
    line: str


class Subscription:
    """The deliveries of one integration. Methods take the setting's lock; sending does not."""

    def __init__(
        self,
        integration: Integration,
        setting: Setting,
        transport: Transport,
        *,
        settled: Callable[["Subscription"], None],
    ) -> None:
        self.integration = integration
        self.status: Status = "running"
        self.publications: list[Publication] = []
        self.rejected: dict[int, RejectedEvent] = {}
        self._setting = setting
        self._transport = transport
        self._settled = settled
        self._since = setting.clock()
        self._numbers = itertools.count()
        self._open: dict[int, _Copy] = {}
        self._at_work: set[int] = set()
        self._delivered: set[int] = set()
        self._held: list[_Copy] = []
        self._next_file: list[_Copy] = []

    @property
    def is_busy(self) -> bool:
        """Whether anything is still on its way."""
        return bool(self._open)

    def expect(self, event: CreatedEvent, line: str) -> None:
        """Send an event, with the disturbances that are on."""
        with self._setting.changed:
            self._held.append(self._copy(event, line))
            if len(self._held) >= self._setting.disturbances.burst:
                self._release()
            elif len(self._held) == 1:
                due = self._setting.later(_HELD_FOR)
                self._setting.timetable.at(due, self._release, owner=self._held)

    def republish(self, event_number: int) -> None:
        """Try a rejected event once more, at once, whether the integration runs or not.

        Raises:
            KeyError: the event is not among the rejected ones.
        """
        with self._setting.changed:
            event = self.rejected[event_number].event
            copy = self._copy(event, event.line)
            again = partial(self._ship, (copy,), failures=self._setting.rules.retries, alone=True)
            self._setting.timetable.at(self._setting.clock(), again, owner=self)

    def start(self) -> None:
        """Run again; what was missed is not made up for."""
        with self._setting.changed:
            self.status = "running"
            self._setting.changed.notify_all()

    def stop(self) -> None:
        """Stop; what has not been sent yet is rejected."""
        with self._setting.changed:
            self.status = "stopped"
            self._setting.timetable.cancel(self)
            self._setting.timetable.cancel(self._held)
            self._held, self._next_file = [], []
            for copy in list(self._open.values()):
                if copy.number not in self._at_work:
                    self._close(copy, delivered=False)
            self._setting.changed.notify_all()

    def _copy(self, event: CreatedEvent, line: str) -> _Copy:
        copy = _Copy(next(self._numbers), event, line)
        self._open[copy.number] = copy
        return copy

    def _release(self) -> None:
        with self._setting.changed:
            held, self._held = self._held, []
            self._setting.timetable.cancel(held)
            if not held:
                return
            disturbances, name = self._setting.disturbances, self.integration.id
            for copy in disturbances.arranged(held, name, held[0].event.number):
                first, *others = disturbances.pauses(name, copy.event.number)
                self._send_after(first, copy)
                for pause in others:
                    self._send_after(pause, self._copy(copy.event, copy.line))

    def _send_after(self, pause: float, copy: _Copy) -> None:
        due = self._setting.later(pause)
        self._setting.timetable.at(due, partial(self._arrive, copy, due), owner=self)

    def _arrive(self, copy: _Copy, at: datetime) -> None:
        """Send a copy whose time has come, or put it into the file that is next after `at`."""
        if self._transport.target == "webhook":
            self._ship((copy,))
            return
        with self._setting.changed:
            if copy.number not in self._open:
                return
            self._next_file.append(copy)
            if len(self._next_file) == 1:
                self._setting.timetable.at(self._next_export(at), self._export, owner=self)

    def _next_export(self, at: datetime) -> datetime:
        every = self._setting.rules.export_every_seconds / self._setting.time_scale
        cadence = timedelta(seconds=every)
        return self._since + ((at - self._since) // cadence + 1) * cadence

    def _export(self) -> None:
        with self._setting.changed:
            copies, self._next_file = self._next_file, []
        self._ship(copies)

    def _ship(self, copies: Sequence[_Copy], *, failures: int = 0, alone: bool = False) -> None:
        """Try some copies together; `alone` is a person's attempt: no retry, no interruption."""
        with self._setting.changed:
            copies = [copy for copy in copies if copy.number in self._open]
            if not copies:
                return
            self._at_work.update(copy.number for copy in copies)
            attempted_at = self._setting.clock()
            integration, rules = self.integration, self._setting.rules
        lines = [copy.line for copy in copies]
        answer = self._transport.send(integration, lines, timeout=rules.timeout_seconds)
        with self._setting.changed:
            self._at_work.difference_update(copy.number for copy in copies)
            self.publications += [
                new_publication(
                    integration.id,
                    self._transport.target,
                    copy.event,
                    attempted_at=attempted_at,
                    retries_remaining=max(0, rules.retries - failures),
                    answer=answer,
                )
                for copy in copies
            ]
            if answer.is_success:
                self._close_all(copies, delivered=True)
            elif alone or self.status == "stopped":
                self._close_all(copies, delivered=False)
            elif failures >= rules.retries or self._interrupts(answer):
                self._close_all(copies, delivered=False)
                self.stop()
            else:
                again = partial(self._ship, copies, failures=failures + 1)
                due = self._setting.later(rules.pause(failures + 1))
                self._setting.timetable.at(due, again, owner=self)
        self._settled(self)

    def _interrupts(self, answer: Answer) -> bool:
        match self._setting.rules.interruption:
            case Interruption.AT_FIRST_FAILURE:
                return True
            case Interruption.AT_FIRST_REFUSAL:
                return answer.is_refusal
            case Interruption.AFTER_RETRIES:
                return False

    def _close_all(self, copies: Sequence[_Copy], *, delivered: bool) -> None:
        for copy in copies:
            self._close(copy, delivered=delivered)

    def _close(self, copy: _Copy, *, delivered: bool) -> None:
        del self._open[copy.number]
        event = copy.event
        if delivered:
            self._delivered.add(event.number)
            self.rejected.pop(event.number, None)
        elif event.number not in self._delivered:
            rejected = RejectedEvent(self.integration.id, event, self._setting.clock())
            self.rejected[event.number] = rejected
