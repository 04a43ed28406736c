"""Replay a window of events: a temporary integration delivers them again and is removed.

Nothing is posted here: what is delivered lands in the landing bucket and is read like everything
else. What of it was new is counted by `replay_count.py`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol, TypeAlias

from refund_pipeline.domain.errors import SystemicFailure, Unavailable
from refund_pipeline.gateways.newstore_integrations import (
    Delivery,
    NewIntegration,
    S3Delivery,
    rfc3339,
)
from refund_pipeline.gateways.newstore_subscriptions import Refused, Subscriptions

EXPORT_CADENCE = timedelta(minutes=5)
"""The export's last file may be written this long after the integration stopped (contract 1.3)."""
_STAMP = "%Y%m%dT%H%M%S"
_LOOKS_THAT_AGREE = 2
"""A new integration may be shown stopped before it has begun, so one look does not settle it."""


class Teller(Protocol):
    """Shows a person how it goes."""

    def say(self, sentence: str) -> None:
        """Show a sentence that stays."""

    def waiting(self, sentence: str) -> None:
        """Show what is being waited for, until the next sentence."""


@dataclass(frozen=True, slots=True)
class Time:
    """The clock: the aware UTC time, and waiting by it."""

    now: Callable[[], datetime]
    sleep: Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Window:
    """Events created from `begins` to `ends` (aware) are delivered again."""

    begins: datetime
    ends: datetime


Ending: TypeAlias = Literal["finished", "timed_out", "removed_by_others"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """How a replay ended, and whether its integration could not be removed."""

    integration_id: str
    ending: Ending
    left_behind: bool


@dataclass(frozen=True, slots=True)
class Patience:
    """How often to look, and when to give up."""

    between_looks: timedelta = timedelta(seconds=10)
    at_most: timedelta = timedelta(hours=2)


def replay(
    subscriptions: Subscriptions,
    window: Window,
    *,
    permanent_id: str,
    delivery: Delivery,
    time: Time,
    patience: Patience,
    teller: Teller,
) -> Replayed | Refused:
    """Deliver a window again, wait until that is done, and remove the temporary integration.

    It is removed whatever happens, also when the wait is interrupted or times out.

    Raises:
        Unavailable, Misconfigured: NewStore cannot be used.
    """
    _remove_leftovers(subscriptions, permanent_id, teller)
    new = NewIntegration(
        integration_id=f"{permanent_id}-replay-{time.now().strftime(_STAMP)}",
        delivery=delivery,
        starts_at=window.begins,
        ends_at=window.ends,
    )
    left_behind = True
    try:
        made = subscriptions.create(new)
        if isinstance(made, Refused):
            outcome: Ending | Refused = made
        else:
            teller.say(
                f"{new.integration_id} delivers the events of {rfc3339(window.begins)} to"
                f" {rfc3339(window.ends)} again"
            )
            outcome = _wait_for_end(subscriptions, new, time, patience, teller)
    finally:
        left_behind = not _remove(subscriptions, new.integration_id, teller)
    if isinstance(outcome, Refused):
        return outcome
    return Replayed(new.integration_id, outcome, left_behind)


def _wait_for_end(
    subscriptions: Subscriptions,
    new: NewIntegration,
    time: Time,
    patience: Patience,
    teller: Teller,
) -> Ending:
    began = time.now()
    stopped_looks = 0
    while True:
        try:
            found = subscriptions.find(new.integration_id)
        except Unavailable as error:
            teller.say(f"{error}; still waiting")
            stopped_looks, status = 0, "not known"
        else:
            if found is None:
                return "removed_by_others"
            stopped_looks = 0 if found.is_running else stopped_looks + 1
            status = found.status
        if stopped_looks == _LOOKS_THAT_AGREE:
            _wait_for_last_file(new.delivery, time, teller)
            return "finished"
        waited = time.now() - began
        if waited >= patience.at_most:
            return "timed_out"
        teller.waiting(f"after {_minutes(waited)} it is {status}; it stops by itself when done")
        time.sleep(patience.between_looks.total_seconds())


def _wait_for_last_file(delivery: Delivery, time: Time, teller: Teller) -> None:
    if isinstance(delivery, S3Delivery):
        teller.waiting(f"it has stopped; its last file may need {_minutes(EXPORT_CADENCE)}")
        time.sleep(EXPORT_CADENCE.total_seconds())


def _remove_leftovers(subscriptions: Subscriptions, permanent_id: str, teller: Teller) -> None:
    """Remove what a replay that was killed has left; one that runs may be somebody's at work."""
    pattern = re.compile(re.escape(permanent_id) + r"-replay-\d{8}T\d{6}", re.ASCII)
    for found in subscriptions.all():
        if not pattern.fullmatch(found.integration_id):
            continue
        if found.is_running:
            teller.say(
                f"{found.integration_id} of another replay is running; if nobody waits for it,"
                " stop it with the command stop --integration, and the next replay removes it"
            )
        elif _remove(subscriptions, found.integration_id, teller):
            teller.say(f"removed {found.integration_id}, left by an earlier replay")


def _remove(subscriptions: Subscriptions, integration_id: str, teller: Teller) -> bool:
    try:
        refusal = subscriptions.delete(integration_id)
        if refusal is not None:  # it may have to be stopped first; the contract does not say
            subscriptions.stop(integration_id)
            refusal = subscriptions.delete(integration_id)
    except SystemicFailure as error:
        refusal = Refused(str(error))
    if refusal is None:
        return True
    teller.say(
        f"{integration_id} could not be removed ({refusal.detail}); the next replay tries again"
    )
    return False


def _minutes(duration: timedelta) -> str:
    return f"{duration.total_seconds() / 60:.0f} min"
