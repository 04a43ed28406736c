"""The landing bucket of the sandbox: moto's S3 server on loopback, and a writer of landed files.

Files are named and filled as NewStore's S3 export does it (contract 1.3). moto keeps its buckets
per process, so every sandbox has a bucket of its own name.
"""

import gzip as gzip_format
import random
import secrets
import string
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from types import TracebackType
from typing import TYPE_CHECKING

from refund_pipeline.sandbox.landing_server import LandingServer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from typing_extensions import Self

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_REGION = "us-east-1"
_ALPHABET = string.ascii_letters + string.digits


class UploadRefused(Exception):
    """An upload by somebody else that S3 refuses; the message is S3's error code."""


def export_key(prefix: str, tenant: str, at: datetime, chance: random.Random) -> str:
    """Return a new key for a file that NewStore creates at the aware time `at`."""
    milliseconds = (at - _EPOCH) // timedelta(milliseconds=1)
    suffix = "".join(chance.choices(_ALPHABET, k=12))
    return f"{prefix}/{tenant}/{milliseconds}-data-{suffix}.export".lstrip("/")


class LandingSandbox:
    """One bucket on loopback. `seed` decides the random part of the files' names."""

    access_key_id = "sandbox"
    secret_access_key = "sandbox"  # noqa: S105 - of the sandbox
    region = _REGION

    def __init__(
        self,
        bucket: str | None = None,
        prefix: str = "newstore/events",
        tenant: str = "demo",
        *,
        seed: int = 7,
    ) -> None:
        self.bucket = bucket or f"landing-{secrets.token_hex(6)}"
        self.prefix = prefix.strip("/")
        self.tenant = tenant
        self._random = random.Random(seed)
        self._server: LandingServer | None = None
        self._client: S3Client | None = None

    @property
    def endpoint_url(self) -> str:
        """The server's address; it exists once the sandbox has started."""
        return self._started.url

    @property
    def requests(self) -> int:
        """How many requests came, those during an outage among them."""
        return self._started.door.requests

    def start_outage(self) -> None:
        """Answer 503 to everything until `end_outage`."""
        self._started.door.is_shut = True

    def end_outage(self) -> None:
        """Answer again."""
        self._started.door.is_shut = False

    @property
    def _started(self) -> LandingServer:
        if self._server is None:
            raise RuntimeError("the landing sandbox has not started")
        return self._server

    @property
    def url(self) -> str:
        """Where files land, as `s3://bucket/prefix`."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def client(self) -> "S3Client":
        """A boto3 client of the server."""
        if self._client is None:
            raise RuntimeError("the landing sandbox has not started")
        return self._client

    def env(self) -> dict[str, str]:
        """Return the standard AWS variables that lead to this server."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_DEFAULT_REGION": self.region,
        }

    def start(self) -> None:
        """Start the server and make the bucket."""
        import boto3

        _quieten_access_log()
        self._server = LandingServer()
        self._server.start()
        env = self.env()
        self._client = boto3.client(
            "s3",
            endpoint_url=env["AWS_ENDPOINT_URL"],
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
            region_name=_REGION,
        )
        self._client.create_bucket(Bucket=self.bucket)

    def stop(self) -> None:
        """Stop the server."""
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._server is not None:
            self._server.stop()
            self._server = None

    def __enter__(self) -> "Self":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def land(
        self,
        lines: Sequence[str],
        *,
        at: datetime,
        gzip: bool = False,
        trailing_newline: bool = True,
    ) -> str:
        """Write one file of events, named by the aware time `at`, and return its key."""
        body = ("\n".join(lines) + ("\n" if trailing_newline else "")).encode()
        if gzip:
            body = gzip_format.compress(body, mtime=0)
        key = self.key(at)
        self.client.put_object(Bucket=self.bucket, Key=key, Body=body)
        return key

    def key(self, at: datetime) -> str:
        """Return a new key for a file created at the aware time `at`."""
        return export_key(self.prefix, self.tenant, at, self._random)

    def upload(
        self,
        body: bytes,
        *,
        key: str,
        bucket: str,
        region: str,
        access_key_id: str,
        secret_access_key: str,
    ) -> None:
        """Write an object as somebody with these credentials, and only these, can.

        Raises:
            UploadRefused: the credentials, the bucket or the region are not this sandbox's, or
                the bucket does not take it.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        if access_key_id != self.access_key_id:
            raise UploadRefused("InvalidAccessKeyId")
        if secret_access_key != self.secret_access_key:
            raise UploadRefused("SignatureDoesNotMatch")
        if bucket != self.bucket:  # moto keeps the buckets of all sandboxes of a process together
            raise UploadRefused("NoSuchBucket")
        if region != self.region:
            raise UploadRefused("AuthorizationHeaderMalformed")
        try:
            self.client.put_object(Bucket=bucket, Key=key, Body=body)
        except (BotoCoreError, ClientError) as error:
            raise UploadRefused(type(error).__name__) from error


def _quieten_access_log() -> None:
    """Keep the server's line per request off the terminal."""
    import logging

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
