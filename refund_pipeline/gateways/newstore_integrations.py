"""What an event stream integration is (contract newstore 1.1): target, delivery, filter, window.

Its documents are `newstore_integration_documents.py`, asking is `newstore_subscriptions.py`.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.domain.events import REFUND_ISSUED

RUNNING = "running"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """Where a webhook posts to. Somebody else's address may bear a token, so it is not shown."""

    url: str = field(repr=False)

    @property
    def shown(self) -> str:
        """Scheme and host."""
        try:
            parts = urlsplit(self.url)
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            return "no URL"
        return f"{parts.scheme}://{parts.hostname or ''}{port}"


@dataclass(frozen=True, slots=True)
class S3Target:
    """Where the export writes to: `{key_prefix}/{tenant}/...`; None: NewStore does not show it."""

    bucket: str
    key_prefix: str | None
    region: str | None

    @property
    def shown(self) -> str:
        """Return it as a URL."""
        return f"s3://{self.bucket}/{self.key_prefix or ''}"


Target: TypeAlias = WebhookTarget | S3Target


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """A webhook and the key it authorises itself with."""

    target: WebhookTarget
    api_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class S3Delivery:
    """An export and the AWS keys NewStore writes with."""

    target: S3Target
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)


Delivery: TypeAlias = WebhookDelivery | S3Delivery


@dataclass(frozen=True, slots=True)
class NewIntegration:
    """An integration to register, for issued refunds only. `ends_at` makes it temporary."""

    integration_id: str
    delivery: Delivery
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    @property
    def integration_type(self) -> Literal["permanent", "temporary"]:
        """As NewStore calls it."""
        return "permanent" if self.ends_at is None else "temporary"


@dataclass(frozen=True, slots=True)
class Integration:
    """An integration as NewStore shows it; times are aware UTC."""

    integration_id: str
    status: str
    integration_type: str | None
    target: Target | None
    """None: neither webhook nor S3 is shown."""
    event_filter: tuple[str, ...]
    """Names of events; empty means all."""
    entity_filter: tuple[str, ...]
    starts_at: datetime | None
    ends_at: datetime | None

    @property
    def is_running(self) -> bool:
        """Whether it delivers."""
        return self.status == RUNNING

    @property
    def delivers_refunds(self) -> bool:
        """Whether issued refunds are among the events it delivers."""
        return not self.event_filter or REFUND_ISSUED in self.event_filter


def checked_id(text: str, *, name: str) -> str:
    """Return an integration's id that is safe in a path; `name` is the setting it came from.

    Raises:
        Misconfigured: it is none.
    """
    if not _ID.fullmatch(text):
        raise Misconfigured(
            f"{name} is no id: use letters, digits, - and _, at most 64, like refund-pipeline"
        )
    return text


def rfc3339(moment: datetime) -> str:
    """Write an aware time as NewStore does: UTC, milliseconds, Z."""
    text = moment.astimezone(timezone.utc).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
