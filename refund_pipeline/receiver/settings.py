"""The receiver's settings, from the environment; only this module reads it.

REFUNDS_RECEIVER_KEY (and _PREVIOUS while it is rotated), REFUNDS_RECEIVER_EVENTS,
REFUNDS_RECEIVER_INTERVAL, REFUNDS_LANDING_URL, REFUNDS_TENANT; S3 by the standard AWS variables.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.domain.events import REFUND_ISSUED
from refund_pipeline.gateways.s3 import split_url

EVERYTHING = "*"
DEFAULT_INTERVAL = 0.2
_SHORTEST_KEY = 16
_LONGEST_INTERVAL = 5.0


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """What the receiver needs to know; `events` are the names of the events that are stored."""

    landing_url: str
    tenant: str
    keys: tuple[str, ...] = field(repr=False)
    events: frozenset[str] = frozenset({REFUND_ISSUED})
    interval: float = DEFAULT_INTERVAL
    """Seconds during which events are collected into one file."""

    def stores(self, name: str) -> bool:
        """Whether events of this name are stored."""
        return EVERYTHING in self.events or name in self.events


def read_settings(environ: Mapping[str, str]) -> ReceiverSettings:
    """Read the settings.

    Raises:
        Misconfigured: one is missing or cannot be right; the receiver must not start.
    """

    def required(name: str) -> str:
        value = environ.get(name, "").strip()
        if not value:
            raise Misconfigured(f"{name} is not set; the receiver does not start without it")
        return value

    keys = [required("REFUNDS_RECEIVER_KEY")]
    if previous := environ.get("REFUNDS_RECEIVER_KEY_PREVIOUS", "").strip():
        keys.append(previous)
    if any(len(key) < _SHORTEST_KEY or not key.isascii() or not key.isprintable() for key in keys):
        raise Misconfigured(
            f"REFUNDS_RECEIVER_KEY and REFUNDS_RECEIVER_KEY_PREVIOUS need at least {_SHORTEST_KEY} "
            "ASCII characters; `openssl rand -hex 32` makes one"
        )
    landing_url = required("REFUNDS_LANDING_URL")
    split_url(landing_url)
    names = environ.get("REFUNDS_RECEIVER_EVENTS", "").split(",")
    events = frozenset(name.strip() for name in names if name.strip())
    return ReceiverSettings(
        landing_url=landing_url,
        tenant=required("REFUNDS_TENANT"),
        keys=tuple(keys),
        events=events or frozenset({REFUND_ISSUED}),
        interval=_interval(environ.get("REFUNDS_RECEIVER_INTERVAL", "").strip()),
    )


def _interval(text: str) -> float:
    try:
        interval = float(text) if text else DEFAULT_INTERVAL
    except ValueError:
        interval = -1.0
    if not 0 <= interval <= _LONGEST_INTERVAL:
        raise Misconfigured(
            f"REFUNDS_RECEIVER_INTERVAL must be seconds between 0 and {_LONGEST_INTERVAL:.0f}"
        )
    return interval
