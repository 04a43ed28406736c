"""S3 as far as the gateways and dagster-aws ask it, over keys that sort: LIST in pages of 1,000.

`FolderS3` serves files of a directory, so that a large day needs no memory; `KeysS3` has keys
alone. Both count their LIST calls.
"""

# ruff: noqa: N803  (boto3's names)

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

PAGE = 1000
_MODIFIED = datetime(2026, 11, 21, 8, 0, tzinfo=timezone.utc)


class KeysS3:
    """A bucket of empty objects under sorted keys."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = sorted(keys)
        self.lists = 0

    def list_objects_v2(
        self,
        *,
        Bucket: str,
        Prefix: str,
        StartAfter: str = "",
        ContinuationToken: str = "",
        Delimiter: str = "",
    ) -> dict[str, Any]:
        self.lists += 1
        after = ContinuationToken or StartAfter
        first = max(bisect_left(self.keys, Prefix), bisect_right(self.keys, after) if after else 0)
        page = [key for key in self.keys[first : first + PAGE] if key.startswith(Prefix)]
        more = first + PAGE < len(self.keys) and self.keys[first + PAGE].startswith(Prefix)
        answer: dict[str, Any] = {"IsTruncated": more, "Contents": [*map(self._described, page)]}
        if more:
            answer["NextContinuationToken"] = page[-1]
        return answer

    def get_paginator(self, _operation: str) -> "_Pages":
        return _Pages(self)

    def _described(self, key: str) -> dict[str, Any]:
        return {"Key": key, "ETag": '"e"', "Size": self._size(key), "LastModified": _MODIFIED}

    def _size(self, key: str) -> int:
        return 0


class FolderS3(KeysS3):
    """A bucket whose objects are the files below a directory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        files = (one for one in folder.rglob("*") if one.is_file())
        super().__init__([str(one.relative_to(folder)) for one in files])

    def get_object(self, *, Bucket: str, Key: str, IfMatch: str, Range: str = "") -> dict[str, Any]:
        return {"Body": (self._folder / Key).open("rb")}

    def _size(self, key: str) -> int:
        return (self._folder / key).stat().st_size


class _Pages:
    def __init__(self, client: KeysS3) -> None:
        self._client = client

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        token = ""
        while True:
            page = self._client.list_objects_v2(**request, ContinuationToken=token)
            yield page
            if not page["IsTruncated"]:
                return
            token = page["NextContinuationToken"]
