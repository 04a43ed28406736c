"""A bucket whose one object is made while it is read, so that its size costs the test no memory."""

# ruff: noqa: N803  (boto3's names)

from collections.abc import Callable, Iterator
from typing import Any

from refund_pipeline_tests.gateways.fake_s3 import MODIFIED, refusal

ETAG = "generated"


class GeneratedBody:
    """Reads from pieces that are made one at a time."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = b""

    def read(self, count: int) -> bytes:
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._left = piece
        data, self._left = self._left[:count], self._left[count:]
        return data

    def close(self) -> None:
        self._left = b""


class GeneratedS3:
    """One object of `size` bytes; a read that resumes is refused, because none should have to."""

    def __init__(self, key: str, size: int, pieces: Callable[[], Iterator[bytes]]) -> None:
        self._row = {"Key": key, "ETag": f'"{ETAG}"', "Size": size, "LastModified": MODIFIED}
        self._pieces = pieces

    def list_objects_v2(self, *, Prefix: str, StartAfter: str = "", **_: Any) -> dict[str, Any]:
        key = str(self._row["Key"])
        shown = key.startswith(Prefix) and key > StartAfter
        return {"IsTruncated": False} | ({"Contents": [self._row]} if shown else {})

    def get_object(self, *, Range: str | None = None, **_: Any) -> dict[str, Any]:
        if Range is not None:
            raise refusal(416, "InvalidRange")
        return {"Body": GeneratedBody(self._pieces())}
