"""Reads one landed object as lines: streamed, resumed after a broken connection, gzip sniffed.

It reads exactly the version that was listed (`If-Match`), and its memory does not grow with the
object: a chunk and one line of at most 10 MB. What a line means is `domain/events.py`.
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, TypeAlias, cast

from refund_pipeline.domain.errors import PipelineError, Unavailable
from refund_pipeline.gateways.s3 import boto_errors, error_code

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client

LONGEST_LINE = 10 * 1024 * 1024
_CHUNK = 256 * 1024
_HEAD = 4096
_RESUMES = 3
_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


class ObjectChanged(PipelineError):
    """The object was rewritten or deleted since it was listed; list again."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"{key} changed while it was read; the next run reads what is there then")


class CorruptObject(PipelineError):
    """The object cannot be unpacked to its end; the lines before were yielded."""

    def __init__(self, key: str, *, after_line: int, problem: str) -> None:
        self.key = key
        self.after_line = after_line
        self.problem = problem
        super().__init__(f"{key} cannot be read after line {after_line}: {problem}")


@dataclass(frozen=True, slots=True)
class OversizedLine:
    """A line too long to be an event; `head` holds its first bytes, `size` counts all of them."""

    size: int
    head: bytes


LandedLine: TypeAlias = bytes | OversizedLine


def object_lines(
    client: "S3Client", *, bucket: str, key: str, etag: str, size: int
) -> Iterator[tuple[int, LandedLine]]:
    """Yield the non-blank lines of an object; see `LandingBucket.lines`."""
    if size == 0:
        return
    stream = _ObjectStream(client, bucket=bucket, key=key, etag=etag, size=size)
    splitter = _Splitter()
    with io.BufferedReader(stream, _CHUNK) as packed:
        source = cast("IO[bytes]", packed)
        if packed.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC):
            source = cast("IO[bytes]", gzip.GzipFile(fileobj=packed))
        try:
            # read1 returns what is unpacked so far; read would lose it before corrupt bytes
            while chunk := source.read1(_CHUNK):  # type: ignore[attr-defined]
                yield from splitter.feed(chunk)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise CorruptObject(
                key, after_line=splitter.number, problem=_gzip_problem(error)
            ) from None
    yield from splitter.rest()


def _gzip_problem(error: Exception) -> str:
    return "the gzip data ends early" if isinstance(error, EOFError) else "the gzip data is corrupt"


class _Splitter:
    """Cuts chunks into numbered lines; a line that is too long is counted, not kept."""

    def __init__(self) -> None:
        self.number = 0
        self._open = bytearray()
        self._dropped = 0

    def feed(self, chunk: bytes) -> Iterator[tuple[int, LandedLine]]:
        first, *rest = chunk.split(b"\n")
        self._extend(first)
        if not rest:
            return
        yield from self._close()
        number = self.number
        for line in rest[:-1]:
            number += 1
            if line and not line.isspace():
                self.number = number
                yield number, line[:-1] if line.endswith(b"\r") else line
        self.number = number
        self._extend(rest[-1])

    def rest(self) -> Iterator[tuple[int, LandedLine]]:
        if self._open or self._dropped:
            yield from self._close()

    def _extend(self, piece: bytes) -> None:
        if self._dropped:
            self._dropped += len(piece)
            return
        self._open += piece
        if len(self._open) > LONGEST_LINE:
            self._dropped = len(self._open) - _HEAD
            del self._open[_HEAD:]

    def _close(self) -> Iterator[tuple[int, LandedLine]]:
        self.number += 1
        line, dropped = bytes(self._open), self._dropped
        self._open.clear()
        self._dropped = 0
        if self.number == 1:
            line = line.removeprefix(_BOM)
        if dropped:
            yield self.number, OversizedLine(size=len(line) + dropped, head=line)
        elif line and not line.isspace():
            yield self.number, line[:-1] if line.endswith(b"\r") else line


class _ObjectStream(io.RawIOBase):
    """The bytes of one version of an object; a broken connection is taken up where it broke."""

    def __init__(self, client: "S3Client", *, bucket: str, key: str, etag: str, size: int) -> None:
        self._client = client
        self._bucket = bucket
        self._key = key
        self._etag = etag
        self._size = size
        self._offset = 0
        self._resumes = 0
        self._body: StreamingBody | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        if self._offset >= self._size:
            return 0
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        self._offset += len(data)
        return len(data)

    def close(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None
        super().close()

    def _read(self, count: int) -> bytes:
        while True:
            try:
                return self._read_once(count)
            except Unavailable:  # noqa: PERF203  (a resume, at most three times)
                if self._body is None or self._resumes >= _RESUMES:
                    raise  # opening was already repeated by botocore
                self._body.close()
                self._body = None
                self._resumes += 1

    def _read_once(self, count: int) -> bytes:
        reading = f"reading s3://{self._bucket}/{self._key}"
        with boto_errors(reading):
            if self._body is None:
                self._body = self._open()
            data = self._body.read(count)
        if not data:
            raise Unavailable(f"{reading}: it ended early; the next run reads it again")
        return data

    def _open(self) -> "StreamingBody":
        from botocore.exceptions import ClientError

        request: dict[str, Any] = {"Bucket": self._bucket, "Key": self._key}
        if self._offset:
            request["Range"] = f"bytes={self._offset}-"
        try:
            answer = self._client.get_object(**request, IfMatch=f'"{self._etag}"')
        except ClientError as error:
            code, status = error_code(error)
            if code in {"NoSuchKey", "PreconditionFailed"} or status == 412:  # noqa: PLR2004
                raise ObjectChanged(self._key) from None
            raise
        return answer["Body"]
