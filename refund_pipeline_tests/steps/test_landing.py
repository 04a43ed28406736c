"""Landing: every line is accounted for once, and a file is read once per version."""

import gzip
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from refund_pipeline.gateways.landing_bucket import LandedObject, LandingBucket
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import FileCounts
from refund_pipeline.sandbox.event_lines import envelope, impossible, republished
from refund_pipeline.sandbox.landing import LandingSandbox
from refund_pipeline.steps.landing import LandingRead, read_landing_day
from refund_pipeline_tests.fakes import DAY, NOON, FakeClock, event_line, refund_id

MIDNIGHT = datetime(2026, 11, 20, tzinfo=timezone.utc)
MILLISECOND = timedelta(milliseconds=1)
OTHER = envelope("order.opened", {"id": "1"}, tenant="demo", published_at=NOON)


@pytest.fixture(scope="module")
def server() -> Iterator[LandingSandbox]:
    with LandingSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def landing(server: LandingSandbox, tmp_path: Path) -> LandingSandbox:
    """The same server, a prefix for each test."""
    server.prefix = f"events/{tmp_path.name}"
    return server


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: FakeClock) -> Iterator[Ledger]:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock=clock.now, run_id="test")
    yield ledger
    ledger.close()


class CountingBucket(LandingBucket):
    """A bucket that counts the objects opened, and can be disturbed before one is read."""

    opened = 0
    before_reading = staticmethod(lambda obj: None)

    def lines(self, obj: LandedObject):
        self.opened += 1
        self.before_reading(obj)
        return super().lines(obj)


@pytest.fixture
def bucket(landing: LandingSandbox, clock: FakeClock) -> CountingBucket:
    return CountingBucket(
        landing.url, tenant="demo", client=lambda: landing.client, clock=clock.now
    )


def read(bucket: LandingBucket, ledger: Ledger, day=DAY) -> LandingRead:
    return read_landing_day(day, bucket=bucket, ledger=ledger, tenant="demo")


def put(landing: LandingSandbox, key: str, body: bytes) -> str:
    landing.client.put_object(Bucket=landing.bucket, Key=key, Body=body)
    return key


def counts(**named: int) -> FileCounts:
    zeros = dict.fromkeys(FileCounts.__slots__, 0)
    return FileCounts(**{**zeros, **named})


def landed(ledger: Ledger, day=DAY) -> Counter[str]:
    return Counter(row.refund_id for row in ledger.refunds(day=day))


def test_every_line_of_a_file_is_exactly_one_of_five_things(landing, bucket, ledger) -> None:
    lines = [
        event_line(1),
        OTHER,
        "{not json",
        republished(event_line(1), at=NOON + timedelta(hours=1)),
        event_line(1, amount="13.00"),
        impossible(event_line(2)),
        event_line(3),
    ]
    landing.land(lines, at=NOON)
    assert read(bucket, ledger).counts == counts(
        new=2, other=1, duplicates=1, conflicts=1, rejected=2
    )
    totals = ledger.file_totals(DAY)
    assert (totals.lines, totals.rejected) == (7, 3)
    assert totals.other_events == {"order.opened": 1}
    assert landed(ledger) == Counter([refund_id(1), refund_id(3)])


def test_a_conflict_holds_the_refund_and_names_the_line(landing, bucket, ledger) -> None:
    key = landing.land([event_line(1), event_line(1, amount="13.00")], at=NOON)
    read(bucket, ledger)
    row = ledger.refund(refund_id(1))
    assert (row.status, row.reason) == ("held", "conflicting_event")
    assert row.detail == f"line 2 of {key} says otherwise: amount"
    (rejected,) = ledger.rejected_lines(DAY)
    assert rejected.line_number == 2


def test_a_bad_line_is_named_with_its_number_and_problems_and_the_rest_is_read(
    landing, bucket, ledger
) -> None:
    key = landing.land([event_line(1), "[]", "", impossible(event_line(2)), event_line(3)], at=NOON)
    read(bucket, ledger)
    first, second = ledger.rejected_lines(DAY)
    assert (first.key, first.line_number, first.problems) == (
        key,
        2,
        ("$: is not a JSON object",),
    )
    assert (second.line_number, second.problems) == (
        4,
        ("$.payload.amount: has more than the 2 decimals of USD",),
    )
    assert second.line_bytes == len(impossible(event_line(2)))
    assert len(second.line_sha256) == 64
    assert landed(ledger) == Counter([refund_id(1), refund_id(3)])


def test_a_line_of_another_tenant_is_rejected(landing, bucket, ledger) -> None:
    landing.land([event_line(1, tenant="rival"), event_line(2, tenant="DEMO")], at=NOON)
    assert read(bucket, ledger).counts == counts(new=1, rejected=1)
    assert landed(ledger) == Counter([refund_id(2)])


def test_a_line_too_long_for_an_event_is_rejected_with_its_size(
    landing, bucket, ledger, monkeypatch
) -> None:
    monkeypatch.setattr("refund_pipeline.gateways.landed_lines.LONGEST_LINE", 5_000)
    landing.land(["x" * 6_000, event_line(1)], at=NOON)
    assert read(bucket, ledger).counts == counts(new=1, rejected=1)
    (rejected,) = ledger.rejected_lines(DAY)
    assert rejected.line_bytes == 6_000
    assert rejected.problems == ("$: is a line of 6000 bytes, too long for an event",)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_blank_lines_and_a_missing_last_newline_are_no_lines(
    landing, bucket, ledger, packed
) -> None:
    lines = ["", event_line(1), "   ", "", event_line(2)]
    landing.land(lines, at=NOON, gzip=packed, trailing_newline=False)
    assert read(bucket, ledger).counts == counts(new=2)
    assert ledger.file_totals(DAY).lines == 2


def test_an_empty_file_is_recorded_and_not_read_again(landing, bucket, ledger) -> None:
    put(landing, landing.key(NOON), b"")
    assert (read(bucket, ledger).files, read(bucket, ledger).files) == (1, 0)


def test_the_same_refund_in_two_files_is_one_refund(landing, bucket, ledger) -> None:
    landing.land([event_line(1)], at=NOON)
    landing.land([event_line(1), event_line(2)], at=NOON + timedelta(hours=1))
    done = read(bucket, ledger)
    assert (done.files, done.counts) == (2, counts(new=2, duplicates=1))


def test_a_second_run_reads_nothing(landing, bucket, ledger) -> None:
    for hour in range(3):
        landing.land([event_line(hour), "bad"], at=NOON + timedelta(hours=hour))
    read(bucket, ledger)
    before = ledger.file_totals(DAY)
    again = read(bucket, ledger)
    assert (again.files, again.counts) == (0, counts())
    assert bucket.opened == 3
    assert ledger.file_totals(DAY) == before


def test_a_rewritten_file_is_read_again_and_its_known_lines_are_duplicates(
    landing, bucket, ledger
) -> None:
    key = landing.land([event_line(1)], at=NOON)
    read(bucket, ledger)
    put(landing, key, f"{event_line(1)}\n{event_line(2)}\n".encode())
    done = read(bucket, ledger)
    assert (done.files, done.counts) == (1, counts(new=1, duplicates=1))
    assert ledger.file_totals(DAY).files == 2


@pytest.mark.parametrize("rewritten", [True, False], ids=["rewritten", "deleted"])
def test_a_file_that_changes_while_it_is_read_is_left_to_the_next_run(
    landing, bucket, ledger, rewritten
) -> None:
    key = landing.land([event_line(1)], at=NOON)
    landing.land([event_line(2)], at=NOON + timedelta(hours=1))

    def disturb(obj: LandedObject) -> None:
        if obj.key != key:
            return
        if rewritten:
            put(landing, key, event_line(3).encode())
        else:
            landing.client.delete_object(Bucket=landing.bucket, Key=key)

    bucket.before_reading = disturb
    done = read(bucket, ledger)
    assert (done.files, done.changed) == (1, (key,))
    assert landed(ledger) == Counter([refund_id(2)])
    bucket.before_reading = lambda _: None
    assert read(bucket, ledger).counts == counts(new=int(rewritten))


def test_a_corrupt_gzip_keeps_the_lines_before_and_is_one_rejected_line(
    landing, bucket, ledger
) -> None:
    head = gzip.compress(f"{event_line(1)}\n{event_line(2)}\n".encode())
    put(landing, landing.key(NOON), head + gzip.compress(event_line(3).encode())[:-20])
    assert read(bucket, ledger).counts == counts(new=2, rejected=1)
    (rejected,) = ledger.rejected_lines(DAY)
    assert (rejected.line_number, rejected.problems) == (3, ("the gzip data ends early",))
    assert read(bucket, ledger).files == 0


def test_a_day_is_utc_to_the_millisecond(landing, bucket, ledger) -> None:
    tomorrow = MIDNIGHT + timedelta(days=1)
    for number, moment in enumerate(
        [MIDNIGHT - MILLISECOND, MIDNIGHT, tomorrow - MILLISECOND, tomorrow]
    ):
        landing.land([event_line(number)], at=moment)
    assert read(bucket, ledger).counts == counts(new=2)
    assert landed(ledger) == Counter([refund_id(1), refund_id(2)])
    for days in (-1, 1):
        day = DAY + timedelta(days=days)
        assert read(bucket, ledger, day).counts == counts(new=1)
        assert len(landed(ledger, day)) == 1


def test_a_stray_among_the_days_keys_is_reported_on_that_day_once(landing, bucket, ledger) -> None:
    key = put(landing, landing.key(NOON).replace("-data-", "-note-"), event_line(1).encode())
    for _ in range(2):
        done = read(bucket, ledger)
        assert (done.files, done.counts, done.ahead) == (0, counts(), 0)
    (rejected,) = ledger.rejected_lines(DAY)
    assert (rejected.key, rejected.line_number) == (key, 0)
    assert "does not fit" in rejected.problems[0]
    totals = ledger.file_totals(DAY)
    assert (totals.files, totals.strays, totals.events) == (0, 1, 0)
    assert bucket.opened == 0


@pytest.mark.parametrize("name", ["readme.txt", "0-data-x.export", "9999999999999-note.txt"])
def test_a_stray_that_no_day_shows_is_reported_once_on_the_day_it_came(
    landing, bucket, ledger, name
) -> None:
    put(landing, f"{landing.prefix}/demo/{name}", b"hello")
    (came,) = (obj.last_modified.date() for obj in bucket.strays())
    for day in (came - timedelta(days=1), came, came, came + timedelta(days=1)):
        read(bucket, ledger, day)
        assert ledger.file_totals(day).strays == (day == came)


def test_a_file_named_for_a_day_to_come_is_counted_and_read_when_its_day_is_there(
    landing, bucket, ledger, clock
) -> None:
    later = NOON + timedelta(days=30)
    landing.land([event_line(1)], at=later)
    (came,) = (obj.last_modified.date() for obj in bucket.strays())
    for day in (DAY, came):
        done = read(bucket, ledger, day)
        assert (done.files, done.ahead) == (0, 1)
        assert ledger.file_totals(day).strays == 0
    clock.sleep(timedelta(days=30).total_seconds())
    done = read(bucket, ledger, later.date())
    assert (done.files, done.counts, done.ahead) == (1, counts(new=1), 0)


def test_a_run_whose_clock_is_days_slow_leaves_the_days_files_to_the_next(
    landing, bucket, ledger, clock
) -> None:
    landing.land([event_line(1)], at=NOON)
    clock.sleep(-timedelta(days=2).total_seconds())
    done = read(bucket, ledger)
    assert (done.files, done.ahead) == (0, 1)
    assert ledger.file_totals(DAY).strays == 0, "taken for a stray it would never be read"
    clock.sleep(timedelta(days=2).total_seconds())
    assert read(bucket, ledger).counts == counts(new=1)


def test_the_calls_to_list_are_counted_for_this_run_alone(landing, bucket, ledger) -> None:
    landing.land([event_line(1)], at=NOON)
    assert read(bucket, ledger).list_calls == read(bucket, ledger).list_calls == 3
