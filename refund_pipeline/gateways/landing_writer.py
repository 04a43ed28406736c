"""Writes files of events into the landing bucket, as NewStore's own export does.

`{prefix}/{tenant}/{epoch_ms}-data-{random}.export`, one event per line (contract newstore 1.3), so
that whoever reads the bucket cannot tell them apart. Reading is `landing_bucket.py`.
"""

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING

from refund_pipeline.gateways.s3 import boto_errors, new_client, split_url

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_CONNECT_SECONDS = 2.0
_READ_SECONDS = 5.0
_ATTEMPTS = 2
_RANDOM_BYTES = 8
THREADS = 4
"""Files written at once."""


class LandingWriter:
    """Puts events below `url` for one tenant; its methods may be called by several threads."""

    def __init__(
        self,
        url: str,
        *,
        tenant: str,
        client: "Callable[[], S3Client] | None" = None,
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._bucket, prefix = split_url(url)
        folders = [part for part in (prefix.strip("/"), tenant.strip().strip("/")) if part]
        self._base = "/".join(folders) + "/"
        self._clock = clock
        make = client or partial(
            new_client,
            connect_seconds=_CONNECT_SECONDS,
            read_seconds=_READ_SECONDS,
            attempts=_ATTEMPTS,
            connections=THREADS,
        )
        with boto_errors(f"connecting to s3://{self._bucket}"):
            self._s3 = make()

    def write(self, lines: Sequence[bytes]) -> str:
        """Write one file and return its key; a line holds one event and no line break.

        Raises:
            Unavailable, Misconfigured: it is not known to be there; it may be all the same.
        """
        milliseconds = (self._clock() - _EPOCH) // timedelta(milliseconds=1)
        suffix = secrets.token_hex(_RANDOM_BYTES)
        key = f"{self._base}{milliseconds}-data-{suffix}.export"
        with boto_errors(f"writing events to s3://{self._bucket}/{self._base}"):
            self._s3.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=b"\n".join(lines) + b"\n",
                ContentType="application/x-ndjson",
            )
        return key

    def check(self) -> None:
        """Make sure that the bucket is there and lets us in.

        Raises:
            Unavailable, Misconfigured: it is not, or it does not.
        """
        with boto_errors(f"asking for s3://{self._bucket}"):
            self._s3.head_bucket(Bucket=self._bucket)

    def close(self) -> None:
        """Close the connections."""
        self._s3.close()
