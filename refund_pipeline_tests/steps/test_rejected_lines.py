"""A rejected line is read once more before it is let go, so that none that is a refund is lost."""

import gzip
from pathlib import Path

import pytest

from refund_pipeline.domain.actions import Action
from refund_pipeline.domain.resolutions import Decision
from refund_pipeline.gateways.landing_bucket import LandingBucket
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.steps.landing import read_landing_day
from refund_pipeline.steps.rejected_lines import read_again, release, sentence, text_of
from refund_pipeline_tests.fakes import (
    DAY,
    NOON,
    FakeClock,
    event_line,
    opened_ledger,
    refund_id,
)
from refund_pipeline_tests.gateways.fake_s3 import FakeS3

WHY = Decision(Action.RELEASE, "anna", "looked at")
KEY = f"events/demo/{int(NOON.timestamp() * 1000)}-data-x.export"
LINES = [
    event_line(1, tenant="other"),
    "not json",
    event_line(2),
    event_line(3, tenant="other"),
]


@pytest.fixture
def s3() -> FakeS3:
    return FakeS3()


@pytest.fixture
def bucket(s3: FakeS3) -> LandingBucket:
    return LandingBucket(
        "s3://landing/events", tenant="demo", client=lambda: s3, clock=FakeClock().now
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return opened_ledger(tmp_path, FakeClock())


def landed(ledger: Ledger, bucket: LandingBucket, s3: FakeS3, content: bytes) -> None:
    s3.put(KEY, content)
    read_landing_day(DAY, bucket=bucket, ledger=ledger, tenant="demo")
    s3.gets.clear()


@pytest.mark.parametrize("packed", [False, True])
def test_lines_of_a_corrected_tenant_become_refunds_and_the_rest_is_let_go(
    ledger, bucket, s3, packed
) -> None:
    content = "\n".join(LINES).encode()
    landed(ledger, bucket, s3, gzip.compress(content) if packed else content)
    entries = ledger.rejected_entries(day=DAY)
    assert [entry.line.line_number for entry in entries] == [1, 2, 4]
    planned = read_again(entries, bucket=bucket, tenant="other")
    assert [one.what.split(":")[0] for one in planned] == [
        f"refund {refund_id(1)}, 12.50 USD",
        "still no event",
        f"refund {refund_id(3)}, 12.50 USD",
    ]
    assert len(s3.gets) == 1, "a file is read once"
    assert ledger.refund(refund_id(1)) is None, "nothing is changed by planning"
    became = release(planned, WHY, ledger=ledger)
    assert sentence(became) == "2 are refunds now; 1 were let go as they are"
    row = ledger.refund(refund_id(3))
    assert row is not None
    assert (row.status, row.landing_day) == ("landed", DAY)
    assert ledger.file_totals(DAY).rejected == 0


def test_a_file_that_is_gone_or_rewritten_is_let_go_unread(ledger, bucket, s3) -> None:
    landed(ledger, bucket, s3, "\n".join(LINES).encode())
    (entry, *_) = ledger.rejected_entries(day=DAY)
    s3.put(KEY, b"something else")
    (planned,) = read_again([entry], bucket=bucket, tenant="other")
    assert (planned.event, "unread" in planned.what) == (None, True)
    assert text_of(entry, bucket=bucket) is None
    del s3.objects[KEY]
    (planned,) = read_again([entry], bucket=bucket, tenant="other")
    assert planned.event is None


def test_a_stray_file_is_not_read(ledger, bucket, s3) -> None:
    s3.put("events/demo/1763640000000-readme.txt", b"hello")
    entries_before = ledger.rejected_entries()
    assert entries_before == []
    s3.put("events/demo/readme.txt", b"hello")
    read_landing_day(DAY.replace(day=21), bucket=bucket, ledger=ledger, tenant="demo")
    entries = ledger.rejected_entries()
    assert entries
    s3.gets.clear()
    planned = read_again(entries, bucket=bucket, tenant="demo")
    assert {one.what for one in planned} == {"a file outside the layout: let go as it is"}
    assert s3.gets == []


def test_the_line_of_a_contradicting_event_is_not_read(ledger, bucket, s3) -> None:
    landed(ledger, bucket, s3, "\n".join([event_line(1), event_line(1, reason_code="7")]).encode())
    (entry,) = ledger.rejected_entries(day=DAY)
    (planned,) = read_again([entry], bucket=bucket, tenant="demo")
    assert (planned.event, "contradicts" in planned.what, s3.gets) == (None, True, [])


def test_a_line_that_became_an_event_of_another_kind_is_counted_so(ledger, bucket, s3) -> None:
    other = '{"tenant": "other", "name": "order.created", "published_at": "2026-11-20T12:00:00Z",'
    landed(ledger, bucket, s3, (other + ' "payload": {}}').encode())
    planned = read_again(ledger.rejected_entries(day=DAY), bucket=bucket, tenant="other")
    release(planned, WHY, ledger=ledger)
    assert ledger.file_totals(DAY).other_events == {"order.created": 1}


def test_the_text_of_a_line_is_read_from_the_bucket(ledger, bucket, s3) -> None:
    landed(ledger, bucket, s3, "\n".join(LINES).encode())
    entries = ledger.rejected_entries(day=DAY)
    assert text_of(entries[1], bucket=bucket) == b"not json"
    assert text_of(entries[2], bucket=bucket) == LINES[3].encode()


def test_nothing_released_is_said_so() -> None:
    assert sentence({}) == "nothing was released"
