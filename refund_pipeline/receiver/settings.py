"""The receiver's settings; the only module of the room that reads the environment.

REFUNDS_RECEIVER_KEY, REFUNDS_RECEIVER_KEY_PREVIOUS while keys are rotated, REFUNDS_RECEIVER_EVENTS,
REFUNDS_RECEIVER_INTERVAL, REFUNDS_RECEIVER_METRICS_KEY, REFUNDS_LANDING_URL, REFUNDS_TENANT and
REFUNDS_LEDGER_URL. S3 is reached by the standard AWS variables.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.domain.events import REFUND_ISSUED
from refund_pipeline.gateways.s3 import split_url

EVERY_EVENT = "*"
_REQUIRED = ("REFUNDS_RECEIVER_KEY", "REFUNDS_LANDING_URL", "REFUNDS_TENANT")
_KEYS = ("REFUNDS_RECEIVER_KEY", "REFUNDS_RECEIVER_KEY_PREVIOUS")
_METRICS_KEY = "REFUNDS_RECEIVER_METRICS_KEY"
_KEY = re.compile(r"[!-~]{16,}", re.ASCII)
"""Visible ASCII, since it travels in a header; long enough not to be found by trying."""
_DEFAULT_INTERVAL = 0.2
_LONGEST_INTERVAL = 2.0
"""Well within the time a request waits for its answer."""
_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """How much and how long; sizes in bytes, times in seconds."""

    body: int = _MEBIBYTE
    """The largest body of a request."""
    file: int = _MEBIBYTE
    """A file of this size is written without waiting for more."""
    in_hand: int = 64 * _MEBIBYTE
    """Bodies being read and events being written, together."""
    body_seconds: float = 5.0
    """For a body to arrive."""
    answer_seconds: float = 5.0
    """For an event to be durable. NewStore's own time-out is unknown (contract newstore 6)."""


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """Where events go, who may send them, and which ones are stored."""

    landing_url: str
    tenant: str
    keys: tuple[bytes, ...] = field(repr=False)
    """All of them are valid."""
    events: frozenset[str] = frozenset({REFUND_ISSUED})
    """Names of the events that are stored; `*` is every name."""
    metrics_key: bytes | None = field(default=None, repr=False)
    """Who may ask for numbers; without one nobody may."""
    ledger_url: str = field(default="", repr=False)
    """Only for numbers; empty: those of the receiver alone."""
    interval: float = _DEFAULT_INTERVAL
    """Seconds from the first event of a file until it is written."""
    limits: Limits = Limits()

    def stores(self, name: str) -> bool:
        """Say whether events of this name are stored; the pipeline ignores space around names."""
        return EVERY_EVENT in self.events or name.strip() in self.events


def settings_from_environment() -> ReceiverSettings:
    """Read the settings from the environment; see `read_settings`."""
    return read_settings(os.environ)


def read_settings(environment: Mapping[str, str]) -> ReceiverSettings:
    """Read the settings.

    Raises:
        Misconfigured: one is missing or cannot be right; the receiver must not start.
    """
    values = {name: value.strip() for name, value in environment.items()}
    missing = [name for name in _REQUIRED if not values.get(name)]
    if missing:
        raise Misconfigured(
            f"the receiver does not start: {', '.join(missing)} must be set and not be empty"
        )
    keys = tuple(_key(name, values[name]) for name in _KEYS if values.get(name))
    return ReceiverSettings(
        landing_url=_landing_url(values["REFUNDS_LANDING_URL"]),
        tenant=values["REFUNDS_TENANT"],
        keys=keys,
        metrics_key=_metrics_key(values.get(_METRICS_KEY, ""), keys),
        ledger_url=values.get("REFUNDS_LEDGER_URL", ""),
        events=_events(values.get("REFUNDS_RECEIVER_EVENTS", "")),
        interval=_interval(values.get("REFUNDS_RECEIVER_INTERVAL", "")),
    )


def _key(name: str, value: str) -> bytes:
    if not _KEY.fullmatch(value):
        raise Misconfigured(
            f"{name} is too weak or cannot be sent: it needs at least 16 visible ASCII characters"
            " and no space, as `openssl rand -hex 32` makes them"
        )
    return value.encode("ascii")


def _metrics_key(value: str, keys: tuple[bytes, ...]) -> bytes | None:
    if not value:
        return None
    key = _key(_METRICS_KEY, value)
    if key in keys:
        raise Misconfigured(
            f"{_METRICS_KEY} is a key of the events as well: who reads numbers could send refunds;"
            " choose another"
        )
    return key


def _landing_url(value: str) -> str:
    try:
        split_url(value)
    except Misconfigured as error:
        raise Misconfigured(f"REFUNDS_LANDING_URL: {error}") from None
    return value


def _events(value: str) -> frozenset[str]:
    names = frozenset(name.strip() for name in value.split(",") if name.strip())
    if names and not names & {EVERY_EVENT, REFUND_ISSUED}:
        raise Misconfigured(
            f"REFUNDS_RECEIVER_EVENTS does not name {REFUND_ISSUED}: every refund would be"
            " acknowledged and lost; add it, or write *"
        )
    return names or frozenset({REFUND_ISSUED})


def _interval(value: str) -> float:
    try:
        interval = float(value) if value else _DEFAULT_INTERVAL
    except ValueError:
        interval = -1.0
    if not 0 <= interval <= _LONGEST_INTERVAL:
        raise Misconfigured(
            f"REFUNDS_RECEIVER_INTERVAL is not a number of seconds from 0 to {_LONGEST_INTERVAL}"
        )
    return interval
