"""Older landing days: none is overlooked, none asked for without need, and live ones first."""

from collections import Counter
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import ClassVar

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.gateways.landing_bucket import LandingBucket
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.orchestration.history import (
    EVERY,
    FAR,
    HISTORY,
    LANE_TAG,
    MOST_WAITING,
    Sweep,
    landed_history_sensor,
    plan_history,
)
from refund_pipeline.orchestration.partitions import day_of, midnight
from refund_pipeline.orchestration.planning import REPEAT_AFTER, UnreadFile
from refund_pipeline.orchestration.resources import Clock, LandingBucketResource, LedgerResource
from refund_pipeline.orchestration.sensors import landing_bucket_sensor
from refund_pipeline.steps.landing import read_landing_day
from refund_pipeline_tests.fakes import FakeClock, event_line
from refund_pipeline_tests.gateways.fake_s3 import FakeS3

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
TODAY = NOW.date()
YEAR = [TODAY - timedelta(days=back) for back in range(365, -1, -1)]
LIVE_DAYS = set(YEAR[-3:])


class SetClock(Clock):
    """Dagster copies resources, so the time is where every copy finds it."""

    times: ClassVar[list[FakeClock]] = []

    def now(self) -> datetime:
        return self.times[-1].now()


class Bucket(LandingBucketResource):
    stores: ClassVar[list[FakeS3]] = []

    def open(self, *, attempts: int = 5) -> LandingBucket:
        return LandingBucket(
            self.url, tenant=self.tenant, client=lambda: self.stores[-1], clock=SetClock().now
        )


class World:
    """A bucket, a ledger, both sensors, and a queue that runs what they ask for."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.folder = folder
        self.time, self.s3 = FakeClock(NOW), FakeS3()
        SetClock.times.append(self.time)
        Bucket.stores.append(self.s3)
        self.bucket = Bucket(url="s3://landing/events", tenant="demo")
        self.book = LedgerResource(url=f"sqlite:///{folder / 'ledger.db'}")
        self.cursors: dict[str, str | None] = {}
        self.asked: list[tuple[str, str]] = []
        self.keys: set[str] = set()
        self.queue: list[tuple[str, dg.DagsterRun]] = []
        self.ledger = Ledger(self.book.url, clock=self.time.now)

    def land(self, day: date, number: int = 0, *, hour: int = 10) -> None:
        at = midnight(day) + timedelta(hours=hour)
        key = f"events/demo/{int(at.timestamp() * 1000)}-data-{number}.export"
        self.s3.put(key, event_line(day.toordinal() * 10 + number).encode())

    def tick(self, sensor: dg.SensorDefinition) -> list[str]:
        """Evaluate a sensor, keep its cursor, queue its requests; return the days it asked for."""
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursors.get(sensor.name),
            resources={"clock": SetClock(), "ledger": self.book, "landing_bucket": self.bucket},
        ) as context:
            result = sensor(context)
        if isinstance(result, dg.SkipReason):
            return []
        self.cursors[sensor.name] = result.cursor
        requests = [one for one in result.run_requests or () if one.run_key not in self.keys]
        for request in requests:
            self.keys.add(str(request.run_key))
            self.asked.append((sensor.name, str(request.partition_key)))
            self._queue(request)
        return [str(request.partition_key) for request in requests]

    def _queue(self, request: dg.RunRequest) -> None:
        run = self.instance.create_run_for_job(
            dg.GraphDefinition(name="sync_refunds").to_job(),
            status=dg.DagsterRunStatus.STARTED,
            tags={**request.tags, "dagster/partition": str(request.partition_key)},
        )
        self.queue.append((str(request.partition_key), run))

    def run_queue(self, *, reads: bool = True) -> None:
        """Run what is queued."""
        for key, run in self.queue:
            if reads:
                read_landing_day(
                    day_of(key), bucket=self.bucket.open(), ledger=self.ledger, tenant="demo"
                )
            self.instance.delete_run(run.run_id)
        self.queue.clear()

    def settle(self, *, ticks: int = 60) -> None:
        """Tick both sensors, a minute apart, until history is looked through."""
        for _ in range(ticks):
            self.tick(landing_bucket_sensor)
            self.tick(landed_history_sensor)
            self.run_queue()
            self.time.sleep(60)
            if self.is_clean:
                return
        pytest.fail(f"history is not looked through after {ticks} ticks")

    def lose_the_ledger(self) -> None:
        self.ledger.close()
        for file in self.folder.glob("ledger.db*"):
            file.unlink()
        self.asked.clear()
        self.keys.clear()

    @property
    def is_clean(self) -> bool:
        cursor = self.cursors.get("landed_history_sensor")
        return cursor is not None and Sweep.read(cursor).position is None

    def days_of(self, sensor: dg.SensorDefinition) -> list[str]:
        return [day for name, day in self.asked if name == sensor.name]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REFUNDS_START_DATE", YEAR[0].isoformat())
    with dg.DagsterInstance.ephemeral() as instance:
        made = World(tmp_path, instance)
        yield made
        made.ledger.close()


def keys_of(days) -> list[str]:
    return [day.isoformat() for day in days]


def test_a_first_deployment_takes_a_year_day_by_day_behind_what_is_live(world: World) -> None:
    for day in YEAR:
        world.land(day)
    first = world.tick(landing_bucket_sensor)
    assert set(first) == set(keys_of(LIVE_DAYS)), "history does not flood the queue"
    assert world.s3.lists == 1
    older = world.tick(landed_history_sensor)
    assert older == keys_of(YEAR[:MOST_WAITING]), "the oldest first, and only so many"
    assert world.tick(landed_history_sensor) == [], "while those wait no more are asked for"
    lanes = Counter(run.tags.get(LANE_TAG, "live") for _, run in world.queue)
    assert lanes == {"live": 3, HISTORY: MOST_WAITING}


def test_all_of_history_is_taken_each_day_once(world: World) -> None:
    for day in YEAR[-45:]:
        world.land(day)
    world.settle()
    days = sorted(day for _, day in world.asked)
    assert days == keys_of(YEAR[-45:])


def test_what_landed_before_the_start_is_neither_listed_nor_asked_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in YEAR:
        for number in range(3):
            world.land(day, number)
    start = YEAR[-11]
    monkeypatch.setenv("REFUNDS_START_DATE", start.isoformat())
    lists = world.s3.lists
    world.tick(landing_bucket_sensor)
    world.tick(landed_history_sensor)
    assert world.s3.lists - lists == 2
    world.settle()
    assert min(day for _, day in world.asked) == start.isoformat()
    assert len({day for _, day in world.asked}) == 11


def test_with_cursors_lost_nothing_known_is_asked_for_and_nothing_unread_is_missed(
    world: World,
) -> None:
    for day in YEAR[::10]:
        world.land(day)
    world.settle()
    world.cursors, world.asked, world.keys = {}, [], set()
    unread = YEAR[40]
    world.land(unread, 7)
    world.settle()
    assert world.asked == [("landed_history_sensor", unread.isoformat())]


def test_a_ledger_put_back_from_the_days_before_is_read_up_again_within_a_day(
    world: World,
) -> None:
    for day in YEAR[-12:-3]:
        world.land(day)
    world.settle()
    world.ledger.close()
    backup = (world.folder / "ledger.db").read_bytes()
    for day in YEAR[-3:]:
        world.land(day)
    world.time.sleep(EVERY.total_seconds())
    world.settle()
    world.lose_the_ledger()
    (world.folder / "ledger.db").write_bytes(backup)
    world.time.sleep(EVERY.total_seconds())
    world.settle()
    assert sorted(day for _, day in world.asked) == keys_of(YEAR[-3:])


def test_a_lost_ledger_is_not_rebuilt_before_a_person_says_so(world: World) -> None:
    for day in YEAR[-12:]:
        world.land(day)
    world.settle()
    world.lose_the_ledger()
    world.time.sleep(EVERY.total_seconds())
    with pytest.raises(Misconfigured, match="is this another ledger"):
        world.tick(landed_history_sensor)
    assert world.asked == []
    world.cursors.clear()
    world.settle()
    assert sorted(day for _, day in world.asked) == keys_of(YEAR[-12:])


def test_a_file_that_comes_late_under_an_old_name_is_read_the_next_day(world: World) -> None:
    world.land(TODAY)
    world.settle()
    late = TODAY - FAR + timedelta(days=2)
    world.land(late)
    assert world.tick(landed_history_sensor) == []
    world.time.sleep(EVERY.total_seconds())
    assert world.tick(landed_history_sensor) == [late.isoformat()]


def test_a_day_that_cannot_be_read_is_asked_for_again_and_keeps_no_other_waiting(
    world: World,
) -> None:
    days = YEAR[-17:-3]
    for day in days:
        world.land(day)
    for _ in range(18):  # every run fails
        world.tick(landed_history_sensor)
        world.run_queue(reads=False)
        world.time.sleep(60)
    asked = Counter(world.days_of(landed_history_sensor))
    assert set(asked) == set(keys_of(days))
    assert max(asked.values()) - min(asked.values()) <= 1
    assert min(asked.values()) > 1


def test_a_clock_that_ran_ahead_keeps_neither_sensor_waiting(world: World) -> None:
    for day in YEAR[-12:]:
        world.land(day)
    world.time.sleep(86_400 * 3)
    world.settle()
    world.time.sleep(-86_400 * 3)
    world.land(TODAY, 1, hour=11)
    world.land(YEAR[-8], 1)
    world.asked.clear()
    world.keys.clear()
    world.settle()
    assert sorted(day for _, day in world.asked) == keys_of([YEAR[-8], TODAY])


def test_a_cursor_that_names_a_time_to_come_overlooks_nothing(world: World) -> None:
    world.cursors["landing_bucket_sensor"] = (NOW + timedelta(days=1)).isoformat()
    world.land(TODAY, hour=12)
    assert world.tick(landing_bucket_sensor) == [TODAY.isoformat()]


def test_the_live_cursor_never_holds_on_to_what_is_history(world: World) -> None:
    stuck = YEAR[-3]
    world.land(stuck)
    world.tick(landing_bucket_sensor)
    world.run_queue(reads=False)
    world.time.sleep(86_400)
    world.tick(landing_bucket_sensor)
    cursor = datetime.fromisoformat(str(world.cursors["landing_bucket_sensor"]))
    assert cursor >= midnight(stuck + timedelta(days=1))
    assert world.tick(landed_history_sensor) == [stuck.isoformat()]


def unread(day: date) -> UnreadFile:
    return UnreadFile(f"{day}", "1", day, midnight(day))


days_of_history = st.sets(st.integers(3, 300).map(lambda back: TODAY - timedelta(days=back)))


@given(days=days_of_history, busy=days_of_history, room=st.integers(1, MOST_WAITING))
def test_no_look_ends_as_clean_while_it_saw_something_unread(days, busy, room) -> None:
    sweep, files = Sweep(midnight(YEAR[0]), None, NOW), [unread(day) for day in days]
    requested: set[date] = set()
    for _ in range(400):
        begin = sweep.position
        assert begin is not None
        requests, sweep = plan_history(
            [file for file in files if file.landed_at >= begin],
            sweep=sweep,
            reached=NOW,
            is_complete=True,
            busy_days=busy,
            room=room,
            now=NOW,
        )
        assert len(requests) <= room
        requested |= {request.day for request in requests}
        if sweep.not_before > NOW:
            break
    assert requested == days - busy
    if days:
        assert (sweep.position, sweep.not_before) == (midnight(min(days)), NOW + REPEAT_AFTER)
        assert sweep.read_before is None
    else:
        assert sweep == Sweep(None, None, NOW + EVERY, midnight(TODAY))
    assert Sweep.read(sweep.write()) == sweep
