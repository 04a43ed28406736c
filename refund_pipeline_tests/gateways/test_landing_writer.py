"""Files the receiver writes: nobody who reads the bucket can tell them from NewStore's own."""

from datetime import date, datetime, timezone
from typing import Any

import pytest

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.domain.events import parse_line
from refund_pipeline.gateways.landing_bucket import LandingBucket
from refund_pipeline.gateways.landing_writer import LandingWriter
from refund_pipeline_tests.fakes import event_line
from refund_pipeline_tests.gateways.fake_s3 import FakeS3, refusal

LAST_MOMENT = datetime(2026, 11, 20, 23, 59, 59, 999_000, tzinfo=timezone.utc)
LINES = [event_line(number).encode() for number in range(3)]


class WritableS3(FakeS3):
    """A fake bucket that takes objects in."""

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> None:  # noqa: N803 - boto3's
        self._refuse()
        self.put(Key, Body)

    def head_bucket(self, *, Bucket: str) -> None:  # noqa: N803 - boto3's
        self._refuse()

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def s3() -> WritableS3:
    return WritableS3()


def writer_to(s3: Any, url: str = "s3://bucket/some/prefix/") -> LandingWriter:
    return LandingWriter(url, tenant="demo", client=lambda: s3, clock=lambda: LAST_MOMENT)


def test_a_file_is_read_back_as_one_of_newstores_export(s3: Any) -> None:
    key = writer_to(s3).write(LINES)
    bucket = LandingBucket("s3://bucket/some/prefix", tenant="demo", client=lambda: s3)
    (landed,) = bucket.day(date(2026, 11, 20))
    assert (landed.key, landed.landed_at) == (key, LAST_MOMENT)
    assert list(bucket.strays()) == []
    read = [line for _, line in bucket.lines(landed)]
    assert read == LINES
    assert [parse_line(line, tenant="demo") for line in read if isinstance(line, bytes)] == [
        parse_line(line, tenant="demo") for line in LINES
    ]


def test_files_of_one_moment_do_not_replace_each_other(s3: Any) -> None:
    writer = writer_to(s3)
    assert len({writer.write([line]) for line in LINES}) == len(s3.objects) == 3


def test_a_bucket_without_a_prefix_has_the_tenant_first(s3: Any) -> None:
    key = writer_to(s3, "s3://bucket").write(LINES)
    assert key.startswith("demo/1795")
    assert key.endswith(".export")


@pytest.mark.parametrize(
    ("error", "kind"),
    [(refusal(503, "SlowDown"), Unavailable), (refusal(403, "AccessDenied"), Misconfigured)],
)
def test_what_s3_refuses_is_told_apart(s3: Any, error: Exception, kind: type[Exception]) -> None:
    writer = writer_to(s3)
    s3.refusals = [error, error]
    with pytest.raises(kind):
        writer.write(LINES)
    with pytest.raises(kind):
        writer.check()
    writer.check()
    writer.close()
