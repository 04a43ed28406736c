"""What the ledger and Dagster show to the watch: facts, before anything is judged.

`situations.py` makes sentences of them. Lists of ids are short; counts are whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

WATCH_SUBSCRIPTION = "watch_subscription"
"""The job of the hourly watch of NewStore's event stream."""


@dataclass(frozen=True, slots=True)
class Held:
    """The refunds held for one reason."""

    reason: str
    count: int
    amounts: Mapping[str, Decimal]
    """Sum by currency."""
    since: datetime


@dataclass(frozen=True, slots=True)
class Outstanding:
    """The outstanding refunds that landed before some moment."""

    count: int
    by_status: Mapping[str, int]
    oldest_id: str
    oldest_landed_at: datetime


@dataclass(frozen=True, slots=True)
class Named:
    """Some things, the first few by name, of these landing days."""

    count: int
    names: Sequence[str]
    days: Sequence[date]
    since: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """What of the whole ledger a person may have to know of; None where there is nothing."""

    held: Sequence[Held]
    outstanding: Outstanding | None
    rejected: Named | None
    """Lines; the names are `file:line`."""
    different: Named | None
    """Posted refunds that the ERP shows differently."""
    unknown: Named | None
    """External ids of ERP records under our prefix that the ledger does not know."""


@dataclass(frozen=True, slots=True)
class SensorTicks:
    """How the landing sensor ticks; times are None where there was no such tick."""

    last: datetime | None
    last_good: datetime | None
    started: datetime | None
    """When it was switched on."""
    stopped: bool
    """Whether a person has stopped it."""


@dataclass(frozen=True, slots=True)
class FailedRun:
    """A run that failed, and that Dagster does not try again."""

    job: str
    partition: str
    """Empty for a run of no partition."""
    run_id: str
    failed_at: datetime
    why: str
    """Our own sentence; empty if the run said none."""
    given_up: bool = False
    """Dagster was to try it again, and has not for long."""
