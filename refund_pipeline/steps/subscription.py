"""Our event stream integration: register it, keep it running, say what is wrong with it.

NewStore stops streams in practice (contract newstore 1.1), so somebody has to look. What was not
delivered meanwhile is brought by `replay.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from typing_extensions import assert_never

from refund_pipeline.domain.errors import SystemicFailure
from refund_pipeline.domain.events import REFUND_ISSUED
from refund_pipeline.gateways.newstore_integrations import (
    Integration,
    NewIntegration,
    S3Target,
    Target,
    WebhookTarget,
    rfc3339,
)
from refund_pipeline.gateways.newstore_subscriptions import (
    MOST_INTEGRATIONS,
    Refused,
    Subscriptions,
)

COMMAND = "refund-pipeline newstore subscription"
DELIVERY_LAG = timedelta(minutes=20)
"""An event may reach the bucket this long after it was created: 15 minutes to be delivered
(contract 1.2) and 5 to be written to a file (contract 1.3)."""
_LOOKS = 3
_PAUSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Registered:
    """It was made."""

    integration: Integration


@dataclass(frozen=True, slots=True)
class AlreadyRegistered:
    """It was there, equal as far as NewStore shows it."""

    integration: Integration


@dataclass(frozen=True, slots=True)
class RegisteredOtherwise:
    """It is there, but differs in these fields."""

    fields: tuple[str, ...]
    is_new: bool
    """Whether it was made just now."""


Registration: TypeAlias = Registered | AlreadyRegistered | RegisteredOtherwise | Refused


def register(subscriptions: Subscriptions, new: NewIntegration) -> Registration:
    """Register an integration unless it is there."""
    found = subscriptions.find(new.integration_id)
    if found is not None:
        differing = differences(found, new)
        return (
            RegisteredOtherwise(differing, is_new=False) if differing else AlreadyRegistered(found)
        )
    made = subscriptions.create(new)
    if isinstance(made, Refused):
        return Refused(made.detail + _about_the_limit(subscriptions))
    differing = differences(made, new)
    return RegisteredOtherwise(differing, is_new=True) if differing else Registered(made)


def differences(found: Integration, wanted: NewIntegration) -> tuple[str, ...]:
    """Return the fields of `found` that are not as wanted; what NewStore does not show is none."""
    differing = []
    if found.integration_type not in {None, wanted.integration_type}:
        differing.append("integration_type")
    differing += _target_differences(found.target, wanted.delivery.target)
    if set(found.event_filter) != {REFUND_ISSUED}:
        differing.append("event_filter")
    if found.entity_filter:
        differing.append("entity_filter")
    return tuple(differing)


def _target_differences(found: Target | None, wanted: Target) -> list[str]:
    match found, wanted:
        case None, _:
            return []
        case WebhookTarget(url), WebhookTarget(wanted_url):
            return [] if url == wanted_url else ["callback_url"]
        case S3Target(), S3Target():
            pairs = {
                "bucket": (found.bucket, wanted.bucket),
                "key_prefix": (found.key_prefix, wanted.key_prefix),
                "aws_region": (found.region, wanted.region),
            }
            return [name for name, (is_, should) in pairs.items() if is_ not in {None, should}]
        case _:
            return ["transport"]


def _about_the_limit(subscriptions: Subscriptions) -> str:
    try:
        count = len(subscriptions.all())
    except SystemicFailure:
        return ""  # the refusal is what the reader needs
    if count < MOST_INTEGRATIONS:
        return ""
    return (
        f"; there are {count} integrations and NewStore allows {MOST_INTEGRATIONS}, temporary and"
        " stopped ones too: have one removed"
    )


@dataclass(frozen=True, slots=True)
class Runs:
    """It ran when we looked."""

    integration: Integration


@dataclass(frozen=True, slots=True)
class StartedAgain:
    """It did not run, and runs now."""

    integration: Integration


@dataclass(frozen=True, slots=True)
class StaysStopped:
    """It does not run, and could not be started."""

    status: str
    detail: str


@dataclass(frozen=True, slots=True)
class Missing:
    """It does not exist."""


Watched: TypeAlias = Runs | StartedAgain | StaysStopped | Missing


def ensure_running(
    subscriptions: Subscriptions, integration_id: str, *, sleep: Callable[[float], None]
) -> Watched:
    """Start our integration if it does not run, and look again, also after a refusal.

    A start whose answer was lost is repeated, and then refused because it runs.
    """
    found = subscriptions.find(integration_id)
    if found is None:
        return Missing()
    if found.is_running:
        return Runs(found)
    refusal = subscriptions.start(integration_id)
    for look in range(_LOOKS if refusal is None else 1):
        if look:
            sleep(_PAUSE_SECONDS)
        found = subscriptions.find(integration_id)
        if found is None:
            return Missing()
        if found.is_running:
            return StartedAgain(found)
    detail = "NewStore accepted the start" if refusal is None else refusal.detail
    return StaysStopped(found.status, detail)


def stop(subscriptions: Subscriptions, integration_id: str) -> Integration | Refused | Missing:
    """Stop an integration unless it is stopped, and return it as it then is."""
    found = subscriptions.find(integration_id)
    refusal = None
    if found is not None and found.is_running:
        refusal = subscriptions.stop(integration_id)
        found = subscriptions.find(integration_id)
    if found is None:
        return Missing()
    return refusal if refusal is not None and found.is_running else found


def alert(
    watched: Watched, integration_id: str, *, ran_at: datetime | None, now: datetime
) -> str | None:
    """Say what a person has to do; None: nothing.

    `ran_at` is when it was last seen running, None if never.
    """
    gap = f"replay what was missed: {replay_command(ran_at, now)}"
    match watched:
        case Runs(integration):
            if integration.delivers_refunds:
                return None
            return (
                f"{integration_id} runs, but its filter leaves out {REFUND_ISSUED}: nothing"
                " arrives; have it removed and create it again"
            )
        case StartedAgain():
            return f"{integration_id} was stopped and has been started again; {gap}"
        case StaysStopped(status, detail):
            return (
                f"{integration_id} is {status} and could not be started again ({detail}); no"
                f" refund arrives until it runs: ask NewStore, run {COMMAND} start, then {gap}"
            )
        case Missing():
            return (
                f"{integration_id} does not exist at NewStore; no refund arrives until it does:"
                f" check NEWSTORE_INTEGRATION_ID, run {COMMAND} create, then {gap}"
            )
        case _:
            assert_never(watched)


def replay_command(ran_at: datetime | None, now: datetime) -> str:
    """Return the command that covers the time since our integration was last seen running."""
    begins = "TIME-IT-LAST-RAN" if ran_at is None else rfc3339(ran_at - DELIVERY_LAG)
    return f"{COMMAND} replay --from {begins} --to {rfc3339(now)}"
