"""What the landing bucket and the mapping file share of S3: URLs, the client, boto's exceptions.

boto3 is imported inside functions only, so that a run that needs no S3 does not pay for it
(design, decision 4).
"""

import contextlib
import ipaddress
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from refund_pipeline.domain.errors import Misconfigured, PipelineError, Unavailable

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError
    from mypy_boto3_s3 import S3Client

_BUCKET = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,253}[a-zA-Z0-9]", re.ASCII)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_SERVER_ERROR = 500
_BUSY_CODES = frozenset(
    {
        "429",
        "503",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "TooManyRequestsException",
    }
)


def split_url(url: str) -> tuple[str, str]:
    """Split `s3://bucket/some/key` into bucket and key; the key may be empty.

    Raises:
        Misconfigured: it is not such a URL.
    """
    scheme, separator, rest = url.strip().partition("://")
    bucket, _, key = rest.partition("/")
    if scheme.lower() != "s3" or not separator or not _BUCKET.fullmatch(bucket):
        raise Misconfigured(f"{url!r} is not an S3 URL; write s3://bucket/prefix")
    return bucket, key.lstrip("/")


def new_client(
    *,
    connect_seconds: float = 5,
    read_seconds: float = 30,
    attempts: int = 5,
) -> "S3Client":
    """Return an S3 client configured by the standard AWS variables and files.

    Timeouts are short, and botocore makes so many attempts of a request. Servers other than AWS get
    path-style addresses, because `bucket.minio` or `bucket.localhost` seldom resolves; botocore
    itself gives them to an IP address.

    Raises:
        Misconfigured: the endpoint is no URL, or plain http to another machine.
    """
    import boto3
    from botocore.config import Config

    options = Config(
        connect_timeout=connect_seconds,
        read_timeout=read_seconds,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )
    try:
        client = boto3.client("s3", config=options)
        endpoint = urlsplit(client.meta.endpoint_url)
    except ValueError:
        raise Misconfigured("AWS_ENDPOINT_URL is no URL") from None
    host = endpoint.hostname or ""
    if endpoint.scheme != "https" and host not in _LOOPBACK:
        raise Misconfigured(
            "AWS_ENDPOINT_URL must be an https:// URL (http:// is for loopback only)"
        )
    if host.endswith((".amazonaws.com", ".amazonaws.com.cn")) or _is_address(host):
        return client
    return boto3.client("s3", config=options.merge(Config(s3={"addressing_style": "path"})))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@contextlib.contextmanager
def boto_errors(doing: str, *, then: str = "the next run tries again") -> Iterator[None]:
    """Turn boto's exceptions into `Unavailable` or `Misconfigured`.

    `doing` says what was tried, `then` what happens next if S3 is only unavailable.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise _from_answer(doing, then, error) from None
    except BotoCoreError as error:
        raise _without_answer(doing, then, error) from None


def error_code(error: "ClientError") -> tuple[str, int]:
    """Return S3's error code and the HTTP status of an answer."""
    code = str(error.response.get("Error", {}).get("Code", "unknown"))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return code, int(status)


def _from_answer(doing: str, then: str, error: "ClientError") -> PipelineError:
    code, status = error_code(error)
    if status >= _SERVER_ERROR or code in _BUSY_CODES:
        return Unavailable(f"{doing}: S3 answered {status} {code}; {then}")
    return Misconfigured(
        f"{doing}: S3 answered {status} {code}; check the URL, credentials and permissions"
    )


def _without_answer(doing: str, then: str, error: "BotoCoreError") -> PipelineError:
    from botocore import exceptions as boto

    kind = type(error).__name__
    transient = (
        boto.ConnectionError,
        boto.HTTPClientError,
        boto.IncompleteReadError,
        boto.ResponseStreamingError,
        boto.FlexibleChecksumError,
        boto.CredentialRetrievalError,
        boto.MetadataRetrievalError,
    )
    if isinstance(error, transient) and not isinstance(
        error, (boto.SSLError, boto.ProxyConnectionError)
    ):
        return Unavailable(f"{doing}: no usable answer from S3 ({kind}); {then}")
    return Misconfigured(
        f"{doing}: boto3 cannot ask S3 ({kind}); check the AWS_* variables and credentials"
    )
