"""What goes on in a running sandbox until it is stopped: a retailer's days, or scenarios."""

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta

from refund_pipeline.sandbox.newstore import utc_now
from refund_pipeline.sandbox.retailer import Retailer
from refund_pipeline.sandbox.scenarios.listing import programme
from refund_pipeline.sandbox.scenarios.staged import StagedScenario
from refund_pipeline.sandbox.scenarios.timeline import Timeline

_LATE = timedelta(seconds=25)
"""Every second new refund's payments come this much later: long enough to need a run retry."""


class Days:
    """A week of history, a demo day, and then one refund after another, every second paid late."""

    def __init__(self, retailer: Retailer, now: datetime, interval: float) -> None:
        self._retailer = retailer
        self._interval = interval
        retailer.history(now)
        day = retailer.demo_day(now)
        self.announcement = [
            f"{len(day.refunds)} refunds landed today; one more every {interval:.0f} s"
        ]

    def go_on(self, stopped: threading.Event) -> None:
        """Land new refunds until stopped."""
        late = False
        while not stopped.wait(self._interval):
            at = utc_now()
            paid = at + _LATE if late else at
            refund = self._retailer.any_refund(at, payments_available_at=paid)
            self._retailer.land(refund, at=at)
            self._retailer.publish(refund)
            late = not late


class Scenarios:
    """Scenarios by their own timelines."""

    def __init__(self, timeline: Timeline, staged: Sequence[StagedScenario]) -> None:
        self._timeline = timeline
        self.announcement = [line for one in staged for line in programme(one)]

    def go_on(self, stopped: threading.Event) -> None:
        """Let happen what is due until stopped."""
        while True:
            self._timeline.play(utc_now())
            next_at = self._timeline.next_at
            wait = None if next_at is None else max((next_at - utc_now()).total_seconds(), 0)
            if stopped.wait(wait):
                return
