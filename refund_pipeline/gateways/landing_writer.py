"""Writes files of events into the landing bucket, named and filled as NewStore's export does it.

`{prefix}/{tenant}/{epoch_ms}-data-{random}.export`, one event per line (contract newstore 1.3):
whoever reads the bucket cannot tell them apart. Reading is `landing_bucket.py`.
"""

import secrets
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from refund_pipeline.gateways.s3 import boto_errors, new_client, split_url

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND = timedelta(milliseconds=1)
_RETRIED = "whoever sent the events sends them again"


def new_impatient_client() -> "S3Client":
    """Return a client that gives up before the sender of a webhook does."""
    return new_client(connect_seconds=2, read_seconds=5, attempts=3)


class LandingWriter:
    """Puts files below `url` for one tenant; for any number of threads.

    Args:
        url: `s3://bucket/prefix`.
        tenant: The folder below it.
        client: Makes the S3 client when the first call needs it.
        clock: Aware time, for the files' names.
        suffix: Returns the random part of a name, letters and digits, never twice the same.
    """

    def __init__(
        self,
        url: str,
        *,
        tenant: str,
        client: Callable[[], "S3Client"] = new_impatient_client,
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        suffix: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._bucket, prefix = split_url(url)
        folders = [part for part in (prefix.strip("/"), tenant.strip().strip("/")) if part]
        self._base = "/".join(folders) + "/"
        self._new_client = client
        self._client: S3Client | None = None
        self._making = threading.Lock()
        self._clock = clock
        self._suffix = suffix

    def write(self, lines: Sequence[bytes]) -> str:
        """Write one file and return its key; a line holds one event and no line end.

        The request is repeated under the same key, so it makes one object or none.

        Raises:
            Unavailable, Misconfigured: it is not known to be there; it may be all the same.
        """
        milliseconds = (self._clock() - _EPOCH) // _MILLISECOND
        key = f"{self._base}{milliseconds}-data-{self._suffix()}.export"
        body = b"\n".join(lines) + b"\n"
        with boto_errors(f"writing s3://{self._bucket}/{key}", then=_RETRIED):
            self._s3().put_object(Bucket=self._bucket, Key=key, Body=body)
        return key

    def check(self) -> None:
        """Make sure that the bucket is there and lets us in, which takes `s3:ListBucket`.

        Raises:
            Unavailable, Misconfigured: it is not, or does not.
        """
        with boto_errors(f"asking for s3://{self._bucket}", then="it is asked again"):
            self._s3().head_bucket(Bucket=self._bucket)

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        with self._making:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _s3(self) -> "S3Client":
        with self._making:  # boto3 makes clients in one thread only; many may use one
            if self._client is None:
                self._client = self._new_client()
            return self._client
