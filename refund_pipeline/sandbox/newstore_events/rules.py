"""What all deliveries of one event stream share: clock, rules, disturbances, lock."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from refund_pipeline.sandbox.newstore_events.disturbances import Disturbances
from refund_pipeline.sandbox.newstore_events.timetable import Timetable


class Interruption(Enum):
    """When a failing delivery stops the whole stream; the real table is not known (contract 1.2).

    Everywhere, the failing event becomes a rejected one, and so does what was still on its way.
    """

    AFTER_RETRIES = "after_retries"
    """Any answer but 2xx is retried; when the budget is used up, the stream stops."""
    AT_FIRST_REFUSAL = "at_first_refusal"
    """A 4xx stops it at once; anything else is retried first."""
    AT_FIRST_FAILURE = "at_first_failure"
    """Any answer but 2xx, and no answer, stop it at once."""


@dataclass(frozen=True, slots=True)
class DeliveryRules:
    """How deliveries are tried. Spacing of retries and time-out are assumptions (contract 6)."""

    timeout_seconds: float = 10.0
    """Real seconds: a receiver is not faster because the sandbox's time is."""
    retries: int = 10
    first_pause_seconds: float = 1.0
    """NewStore's seconds before the first retry; every further one waits twice as long."""
    export_every_seconds: float = 300.0
    """NewStore's seconds between two files of an S3 export."""
    interruption: Interruption = Interruption.AFTER_RETRIES

    def pause(self, failures: int) -> float:
        """Return NewStore's seconds to wait after so many failures of an event."""
        return float(self.first_pause_seconds * 2 ** (failures - 1))


@dataclass(slots=True)
class Setting:
    """What subscriptions are given; `rules` and `disturbances` may be replaced at any time."""

    clock: Callable[[], datetime]
    timetable: Timetable
    time_scale: float
    rules: DeliveryRules = field(default_factory=DeliveryRules)
    disturbances: Disturbances = field(default_factory=Disturbances)
    changed: threading.Condition = field(default_factory=threading.Condition)
    """Guards the state of the stream and of every subscription; reentrant."""

    def later(self, seconds: float) -> datetime:
        """Return when so many of NewStore's seconds will have passed on the sandbox's clock."""
        return self.clock() + timedelta(seconds=seconds / self.time_scale)
