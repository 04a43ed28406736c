"""Channels that keep what they are told, and a Dagster that shows what it is told to."""

import threading
from collections.abc import Sequence

from refund_pipeline.domain.errors import Unavailable
from refund_pipeline.domain.standing import FailedRun, SensorTicks
from refund_pipeline.gateways.alert_texts import Message
from refund_pipeline.gateways.alerts import Alerts, Heartbeat
from refund_pipeline.steps.watching import DagsterUnreadable


class FakeAlerts(Alerts):
    """Keeps (news, key) of every notice it took."""

    def __init__(self, name: str = "fake") -> None:
        self.name = name
        self.is_down = False
        self.defect: Exception | None = None
        self.hangs_until: threading.Event | None = None
        self.messages: list[Message] = []
        self.is_closed = False

    @property
    def told(self) -> list[tuple[str, str]]:
        return [
            (notice.news, notice.situation.key)
            for message in self.messages
            for notice in message.notices
        ]

    def send(self, message: Message) -> None:
        if self.defect is not None:
            raise self.defect
        if self.is_down:
            raise Unavailable(f"{self.name} is down")
        if self.hangs_until is not None:
            self.hangs_until.wait(10)
        self.messages.append(message)

    def close(self) -> None:
        self.is_closed = True


class FakeHeartbeat(Heartbeat):
    """Counts its beats."""

    def __init__(self) -> None:
        self.beats = 0
        self.is_down = False

    def beat(self) -> None:
        if self.is_down:
            raise Unavailable("the heartbeat is down")
        self.beats += 1

    def close(self) -> None:
        pass


class FakeDagster:
    """What Dagster shows."""

    def __init__(self, ticks: SensorTicks) -> None:
        self.ticks = ticks
        self.runs: Sequence[FailedRun] = ()
        self.is_unreadable = False
        self.asked_about: frozenset[str] = frozenset()

    def landing_sensor(self) -> SensorTicks:
        return self.ticks

    def failed_runs(self, *, lasting: frozenset[str]) -> Sequence[FailedRun]:
        if self.is_unreadable:
            raise DagsterUnreadable("Dagster's storage cannot be read (OperationalError).")
        self.asked_about = lasting
        return self.runs
