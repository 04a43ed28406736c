"""A bucket in memory, as far as the gateways use one; it counts calls and breaks on request."""

# ruff: noqa: N803  (boto3's names)

import hashlib
import io
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

PAGE = 1000
MODIFIED = datetime(2026, 11, 21, 8, 0, tzinfo=timezone.utc)


def refusal(status: int, code: str) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": "a message"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, "Operation")


class FakeBody(io.BytesIO):
    """A body that times out after some bytes."""

    def __init__(self, content: bytes, breaks_after: int | None) -> None:
        super().__init__(content)
        self._left = breaks_after

    def read(self, size: int | None = -1, /) -> bytes:
        if self._left is None:
            return super().read(size)
        if self._left == 0:
            raise ReadTimeoutError(endpoint_url="http://fake")
        data = super().read(min(self._left, size if size and size > 0 else self._left))
        self._left -= len(data)
        return data


class FakeS3:
    """One bucket of a fake S3."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.lists = 0
        self.gets: list[Mapping[str, str]] = []
        self.breaks_after: list[int] = []
        """The next bodies end with a time-out after so many bytes."""
        self.refusals: list[Exception] = []
        """The next calls raise these."""

    def put(self, key: str, content: bytes) -> str:
        self.objects[key] = content
        return key

    def list_objects_v2(
        self, *, Bucket: str, Prefix: str, StartAfter: str = "", ContinuationToken: str = ""
    ) -> dict[str, Any]:
        self.lists += 1
        self._refuse()
        after = ContinuationToken or StartAfter
        keys = sorted(k for k in self.objects if k.startswith(Prefix) and k > after)
        page = keys[:PAGE]
        answer: dict[str, Any] = {"IsTruncated": len(keys) > PAGE}
        if page:
            answer["Contents"] = [
                {
                    "Key": key,
                    "ETag": f'"{self._etag(key)}"',
                    "Size": len(self.objects[key]),
                    "LastModified": MODIFIED,
                }
                for key in page
            ]
        if len(keys) > PAGE:
            answer["NextContinuationToken"] = page[-1]
        return answer

    def get_object(
        self, *, Bucket: str, Key: str, IfMatch: str | None = None, Range: str = "bytes=0-"
    ) -> dict[str, Any]:
        self.gets.append({"Key": Key, "Range": Range})
        self._refuse()
        if Key not in self.objects:
            raise refusal(404, "NoSuchKey")
        if IfMatch is not None and IfMatch.strip('"') != self._etag(Key):
            raise refusal(412, "PreconditionFailed")
        start = int(Range.removeprefix("bytes=").removesuffix("-"))
        breaks_after = self.breaks_after.pop(0) if self.breaks_after else None
        return {"Body": FakeBody(self.objects[Key][start:], breaks_after)}

    def _refuse(self) -> None:
        if self.refusals:
            raise self.refusals.pop(0)

    def _etag(self, key: str) -> str:
        return hashlib.md5(self.objects[key], usedforsecurity=False).hexdigest()
