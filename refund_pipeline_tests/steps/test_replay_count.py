"""What a replay brought, counted from the files in the bucket and the ledger."""

import gzip
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from refund_pipeline.gateways.landing_bucket import LandingBucket
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.steps.landing import read_landing_day
from refund_pipeline.steps.replay import Window
from refund_pipeline.steps.replay_count import ReplayCount, count_replayed, keys_landed_since
from refund_pipeline_tests.fakes import NOON, OPENED, FakeClock, event_line, refund_id
from refund_pipeline_tests.gateways.fake_s3 import FakeS3

WINDOW = Window(NOON - timedelta(days=1), NOON - timedelta(hours=1))
IN_WINDOW = NOON - timedelta(hours=3)


class Landing:
    """A bucket and a ledger; files land and are read as in production."""

    def __init__(self, directory: Path) -> None:
        self.s3 = FakeS3()
        self.clock = FakeClock()
        client: Any = lambda: self.s3  # noqa: E731
        self.bucket = LandingBucket(
            "s3://bucket/events", tenant="demo", client=client, clock=self.clock.now
        )
        self.ledger = Ledger(f"sqlite:///{directory / 'ledger.db'}", clock=self.clock.now)
        OPENED.append(self.ledger)
        self._files = 0

    def land(self, *lines: bytes, at: datetime, packed: bool = False) -> str:
        self._files += 1
        body = b"\n".join(lines) + b"\n"
        key = f"events/demo/{int(at.timestamp() * 1000)}-data-{self._files}.export"
        return self.s3.put(key, gzip.compress(body) if packed else body)

    def read(self) -> None:
        read_landing_day(NOON.date(), bucket=self.bucket, ledger=self.ledger, tenant="demo")

    def count(self, before: frozenset[str]) -> ReplayCount:
        return count_replayed(
            self.bucket, self.ledger, tenant="demo", began=NOON, before=before, window=WINDOW
        )


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path)


def line(number: int, at: datetime = IN_WINDOW, **envelope: Any) -> bytes:
    document = json.loads(event_line(number, requested_at=at.isoformat()))
    return json.dumps({**document, "published_at": at.isoformat(), **envelope}).encode()


def test_normally_nothing_is_new(landing: Landing) -> None:
    landing.land(line(1), line(2), at=NOON - timedelta(hours=2))
    landing.read()
    before = keys_landed_since(landing.bucket, NOON)
    landing.land(line(1), line(2), at=NOON + timedelta(minutes=3))
    count = landing.count(before)
    assert (count.files, count.lines, count.known, count.new) == (1, 2, 2, ())
    assert (count.missing, count.later, count.others, count.rejected) == (0, 0, 0, 0)
    assert count.days == (NOON.date(),)


def test_what_the_ledger_does_not_know_is_new_and_named(landing: Landing) -> None:
    landing.land(line(1), at=NOON - timedelta(hours=2))
    landing.read()
    landing.land(line(3), line(1), line(2), line(3), at=NOON + timedelta(minutes=3), packed=True)
    count = landing.count(frozenset())
    assert count.new == (refund_id(3), refund_id(2))
    assert (count.known, count.lines) == (1, 4)


def test_it_stays_new_when_the_sensor_reads_it_before_it_is_counted(landing: Landing) -> None:
    landing.land(line(1), at=NOON + timedelta(minutes=3))
    landing.read()
    assert landing.ledger.refund(refund_id(1)) is not None
    assert landing.count(frozenset()).new == (refund_id(1),)


def test_files_from_before_the_replay_do_not_count_whatever_the_clocks_say(
    landing: Landing,
) -> None:
    landing.land(line(1), at=NOON - timedelta(minutes=4))
    before = keys_landed_since(landing.bucket, NOON)
    landing.land(line(2), at=NOON - timedelta(minutes=3))  # written later by a clock that is behind
    count = landing.count(before)
    assert (count.files, count.new) == (1, (refund_id(2),))


def test_refunds_asked_for_after_the_window_came_by_the_permanent_integration(
    landing: Landing,
) -> None:
    landing.land(line(1, at=NOON), line(2, at=WINDOW.ends), at=NOON + timedelta(minutes=3))
    count = landing.count(frozenset())
    assert (count.later, count.new) == (1, (refund_id(2),))


def test_known_refunds_of_the_window_that_did_not_come_again_are_missing(landing: Landing) -> None:
    edges = [line(4, at=WINDOW.begins), line(5, at=WINDOW.ends - timedelta(seconds=1))]
    outside = line(6, at=WINDOW.begins - timedelta(hours=1))
    landing.land(line(1), line(2), line(3), *edges, outside, at=NOON - timedelta(hours=1))
    landing.read()
    before = keys_landed_since(landing.bucket, NOON)
    landing.land(line(1), at=NOON + timedelta(minutes=3))
    count = landing.count(before)
    assert (count.known, count.missing) == (1, 2)


def test_other_events_bad_lines_and_strays_are_no_refunds(landing: Landing) -> None:
    at = NOON + timedelta(minutes=3)
    landing.land(line(1, name="order.opened"), line(2, tenant="other"), b"{", at=at)
    landing.s3.put(f"events/demo/{int(at.timestamp() * 1000)}-notes.txt", line(3))
    count = landing.count(frozenset())
    assert (count.files, count.lines, count.others, count.rejected) == (1, 3, 1, 2)
    assert (count.known, count.new) == (0, ())


def test_a_file_that_cannot_be_read_to_its_end_is_named(landing: Landing) -> None:
    key = landing.land(line(1), at=NOON + timedelta(minutes=3))
    broken = gzip.compress(line(2) + b"\n")[:-4]
    other = landing.s3.put(key.replace("-data-", "-data-x"), broken)
    count = landing.count(frozenset())
    assert count.unread == (other,)
    assert refund_id(1) in count.new
