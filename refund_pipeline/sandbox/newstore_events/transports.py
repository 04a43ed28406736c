"""How events leave NewStore: one POST per event, or one file of many in a bucket.

One attempt at a time; when and how often is `subscription.py`.
"""

import random
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import urllib3

from refund_pipeline.sandbox.landing import LandingSandbox, UploadRefused, export_key
from refund_pipeline.sandbox.newstore_events.integrations import Integration
from refund_pipeline.sandbox.newstore_events.publications import Answer, Target

_OK = 200
_FORBIDDEN = 403


class Transport(Protocol):
    """Sends some events of an integration at once."""

    target: Target

    def send(self, integration: Integration, lines: Sequence[str], *, timeout: float) -> Answer:
        """Send the events and return what came back; `timeout` is in seconds."""


class Webhook:
    """Posts one event per request (contract 1.2); connections are kept and shared by threads."""

    target: Target = "webhook"

    def __init__(self, *, connections: int) -> None:
        # Without retries a redirect is an answer, too: urllib3 does not follow it.
        self._pool = urllib3.PoolManager(maxsize=connections, retries=False)

    def send(self, integration: Integration, lines: Sequence[str], *, timeout: float) -> Answer:
        """Post one event; no answer within `timeout` seconds is no answer."""
        callback = integration.callback_parameters
        assert callback is not None  # noqa: S101 - it is a webhook's integration
        (line,) = lines
        headers = {"Content-Type": "application/json"}
        if callback.api_key is not None:
            headers["Authorization"] = f"Bearer {callback.api_key}"
        began = time.monotonic()
        try:
            response = self._pool.request(
                "POST",
                callback.callback_url,
                body=line.encode(),
                headers=headers,
                timeout=urllib3.Timeout(total=timeout),
            )
        except urllib3.exceptions.HTTPError as error:
            return Answer(None, type(error).__name__, _milliseconds_since(began))
        body = response.data.decode("utf-8", "replace")
        return Answer(response.status, body, _milliseconds_since(began))

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()


class S3Export:
    """Writes files as NewStore's export does (contract 1.3), with the integration's credentials."""

    target: Target = "s3"

    def __init__(
        self,
        landing: LandingSandbox | None,
        *,
        tenant: str,
        clock: Callable[[], datetime],
        seed: int,
    ) -> None:
        self._landing = landing
        self._tenant = tenant
        self._clock = clock
        self._random = random.Random(seed)

    def send(self, integration: Integration, lines: Sequence[str], *, timeout: float) -> Answer:  # noqa: ARG002 - the transport's interface
        """Write one file of events; the answer's body is its key, or why it was refused."""
        to = integration.s3_parameters
        assert to is not None  # noqa: S101 - it is an export's integration
        began = time.monotonic()
        if self._landing is None:
            return Answer(_FORBIDDEN, "NoSuchBucket", _milliseconds_since(began))
        key = export_key(to.key_prefix, self._tenant, self._clock(), self._random)
        try:
            self._landing.upload(
                ("\n".join(lines) + "\n").encode(),
                key=key,
                bucket=to.bucket,
                region=to.aws_region,
                access_key_id=to.aws_access_key_id,
                secret_access_key=to.aws_secret_access_key,
            )
        except UploadRefused as refused:
            return Answer(_FORBIDDEN, str(refused), _milliseconds_since(began))
        return Answer(_OK, key, _milliseconds_since(began))


def _milliseconds_since(began: float) -> int:
    return int((time.monotonic() - began) * 1_000)
