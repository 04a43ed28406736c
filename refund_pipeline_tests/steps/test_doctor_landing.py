"""The landing bucket is listed and the beginning of its newest file is read."""

from datetime import datetime, timedelta, timezone
from typing import Any, cast

import pytest

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.gateways.landing_bucket import LandingBucket
from refund_pipeline.steps.doctor_findings import Finding, Verdict
from refund_pipeline.steps.doctor_landing import check_landing
from refund_pipeline_tests.fakes import NOON, event_line
from refund_pipeline_tests.gateways.fake_s3 import FakeS3, refusal


class ListedOnly(FakeS3):
    """A bucket whose objects may be listed; `refused_gets` says whether not read."""

    refused_gets = False

    def get_object(self, **arguments: Any) -> dict[str, Any]:
        if self.refused_gets:
            raise refusal(403, "AccessDenied")
        return super().get_object(**arguments)


@pytest.fixture
def s3() -> ListedOnly:
    return ListedOnly()


def land(s3: FakeS3, at: datetime, content: bytes, name: str = "a", tenant: str = "demo") -> str:
    milliseconds = int(at.timestamp() * 1000)
    return s3.put(f"events/{tenant}/{milliseconds}-data-{name}.export", content)


def check(s3: FakeS3, tenant: str = "demo") -> list[Finding]:
    def opened(folder: str) -> LandingBucket:
        return LandingBucket(
            "s3://bucket/events", tenant=folder, client=lambda: cast("Any", s3), clock=lambda: NOON
        )

    return list(check_landing(opened, tenant=tenant, now=NOON))


def line() -> bytes:
    return event_line(1).encode()


@pytest.mark.parametrize("age", [timedelta(hours=1), timedelta(days=6), timedelta(days=34)])
def test_the_newest_file_is_found_however_long_ago_it_landed(s3: FakeS3, age: timedelta) -> None:
    land(s3, NOON - age - timedelta(minutes=5), b"not read")
    newest = land(s3, NOON - age, line())
    (found,) = check(s3)
    assert found.verdict is Verdict.OK
    assert f"{NOON - age:%Y-%m-%d %H:%M} UTC" in found.what
    assert [get["Key"] for get in s3.gets] == [newest]


def test_what_is_not_an_export_or_lies_ahead_is_not_taken_for_the_newest(s3: FakeS3) -> None:
    newest = land(s3, NOON - timedelta(hours=2), line())
    s3.put(f"events/demo/{int((NOON - timedelta(hours=1)).timestamp() * 1000)}-note.txt", b"x")
    land(s3, NOON + timedelta(days=30), b"x")
    check(s3)
    assert [get["Key"] for get in s3.gets] == [newest]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (b"<html>\n", "$: is not JSON"),
        (b"x" * (11 * 1024 * 1024), "it has 11534336 bytes"),
        (event_line(1).replace('"demo"', '"other"').encode(), "is not the tenant"),
    ],
)
def test_a_file_that_holds_no_event_of_ours_is_worth_a_look(
    s3: FakeS3, content: bytes, says: str
) -> None:
    land(s3, NOON - timedelta(hours=1), content)
    _, found = check(s3)
    assert found.verdict is Verdict.WARNING
    assert says in found.what
    assert "REFUNDS_TENANT" in found.fix


def test_nothing_landed_names_the_folders_that_hold_files(s3: FakeS3) -> None:
    land(s3, NOON, b"x", tenant="demo-staging")
    (found,) = check(s3)
    assert found.verdict is Verdict.WARNING
    assert "nothing of tenant demo landed" in found.what
    assert "events/demo-staging/ holds files" in found.what


def test_nothing_at_all_landed(s3: FakeS3) -> None:
    (found,) = check(s3)
    assert "holds files" not in found.what
    assert "refund-pipeline newstore subscription status" in found.fix


def test_a_bucket_that_may_be_listed_but_not_read_is_not_called_readable(s3: ListedOnly) -> None:
    land(s3, NOON - timedelta(hours=1), line())
    s3.refused_gets = True
    found = []
    with pytest.raises(Misconfigured, match="403 AccessDenied"):
        found += check(s3)
    assert found == []


def test_zones_of_the_clock_do_not_matter(s3: FakeS3) -> None:
    land(s3, NOON.astimezone(timezone(timedelta(hours=9))) - timedelta(hours=1), line())
    (found,) = check(s3)
    assert "2026-11-20 11:00 UTC" in found.what
