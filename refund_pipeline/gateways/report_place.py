"""Where reports are put: a directory, or a prefix of a bucket. What they say is not known here."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.gateways.s3 import boto_errors, new_client, split_url

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def put_report(
    location: str,
    folder: str,
    files: Mapping[str, bytes],
    *,
    client: "Callable[[], S3Client]" = new_client,
) -> str:
    """Write files into `folder` of `location`, a path or `s3://bucket/prefix`; return where.

    Each file is replaced at once: a reader sees the old one or the new one.

    Raises:
        Misconfigured: the directory cannot be written, or S3 refuses.
        Unavailable: S3 does not answer.
    """
    if "://" in location:
        return _put_in_bucket(location, folder, files, client())
    place = Path(location).resolve() / folder
    try:
        place.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            _replace(place / name, content)
    except OSError as error:
        raise Misconfigured(f"writing a report to {place}: {error.strerror}") from None
    return str(place)


def _replace(path: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    Path(file.name).replace(path)


def _put_in_bucket(
    location: str, folder: str, files: Mapping[str, bytes], client: "S3Client"
) -> str:
    bucket, prefix = split_url(location)
    base = "/".join(part for part in (prefix.strip("/"), folder) if part)
    with boto_errors(f"writing a report to s3://{bucket}/{base}"):
        for name, content in files.items():
            kind = _TYPES.get(Path(name).suffix, "application/octet-stream")
            client.put_object(Bucket=bucket, Key=f"{base}/{name}", Body=content, ContentType=kind)
    return f"s3://{bucket}/{base}"
