"""What the watch is told by its settings, read the same way for Dagster and for the command line.

The values come from the caller: the environment is read elsewhere.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.domain.retry_policy import WAITING_TOO_LONG
from refund_pipeline.gateways.alert_file import FILE_NAME, AlertFile
from refund_pipeline.gateways.alerts import Heartbeat, channels
from refund_pipeline.gateways.landing_bucket import LandingBucket
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.steps.watching import (
    TICK_LIMIT,
    DagsterView,
    Limits,
    Watch,
)

_WHOLE_NUMBER = re.compile(r"[1-9]\d{0,3}", re.ASCII)


@dataclass(frozen=True, slots=True, repr=False)
class WatchSettings:
    """The settings as text; empty means the default. Without a `repr`: URLs are secrets."""

    tenant: str
    alerts: str = ""
    heartbeat_url: str = ""
    outstanding_limit_hours: str = ""
    tick_limit_minutes: str = ""

    def limits(self) -> Limits:
        """Return from when on something is worth telling.

        Raises:
            Misconfigured: one is no number.
        """
        return Limits(
            outstanding=timedelta(
                hours=_number(
                    self.outstanding_limit_hours,
                    default=WAITING_TOO_LONG / timedelta(hours=1),
                    name="REFUNDS_OUTSTANDING_LIMIT_HOURS",
                )
            ),
            tick=timedelta(
                minutes=_number(
                    self.tick_limit_minutes,
                    default=TICK_LIMIT / timedelta(minutes=1),
                    name="REFUNDS_TICK_LIMIT_MINUTES",
                )
            ),
        )


@contextmanager
def opened_watch(
    settings: WatchSettings,
    *,
    ledger: Ledger,
    bucket: LandingBucket | None,
    dagster: DagsterView | None,
    start: date | None,
    home: Path | None,
    clock: Callable[[], datetime],
) -> Iterator[Watch]:
    """Open the channels for the length of a `with` block; `home` keeps a note of its own.

    Raises:
        Misconfigured: a limit is no number. A channel that cannot be right raises nothing: it is a
            channel that takes no message, so that the others are told.
    """
    limits = settings.limits()
    told = channels(settings.alerts)
    heartbeat = Heartbeat(settings.heartbeat_url) if settings.heartbeat_url.strip() else None
    try:
        yield Watch(
            ledger=ledger,
            dagster=dagster,
            bucket=bucket,
            channels=told,
            heartbeat=heartbeat,
            notes=AlertFile(home / FILE_NAME if home else None),
            tenant=settings.tenant,
            start=start,
            limits=limits,
            clock=clock,
        )
    finally:
        for channel in told:
            channel.close()
        if heartbeat is not None:
            heartbeat.close()


def _number(text: str, *, default: float, name: str) -> float:
    if not text.strip():
        return default
    if not _WHOLE_NUMBER.fullmatch(text.strip()):
        raise Misconfigured(f"{name} is not a whole number from 1 to 9999")
    return int(text)
