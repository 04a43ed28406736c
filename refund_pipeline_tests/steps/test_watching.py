"""One look: what it sees, whom it tells, and what it does when a part cannot be looked at."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from refund_pipeline.domain.errors import Unavailable
from refund_pipeline.domain.payments import PaymentsHeld
from refund_pipeline.domain.standing import FailedRun, SensorTicks
from refund_pipeline.gateways.alert_file import AlertFile
from refund_pipeline.gateways.landing_bucket import LandedObject
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import LandedFile, RejectedLine
from refund_pipeline.steps import telling
from refund_pipeline.steps.watching import Limits, Look, Watch, look, trial_message
from refund_pipeline_tests.fake_alerts import FakeAlerts, FakeDagster, FakeHeartbeat
from refund_pipeline_tests.fakes import NOON, FakeClock, event, opened_ledger
from refund_pipeline_tests.gateways.ledger_makers import land, pay, post_different

MINUTE, HOUR, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(weeks=1)


class FakeBucket:
    """One page of objects, or S3 is down."""

    def __init__(self) -> None:
        self.keys: Sequence[str] = ()
        self.is_down = False
        self.asked = 0

    def since(self, start: datetime) -> Iterator[list[LandedObject]]:
        self.asked += 1
        if self.is_down:
            raise Unavailable("S3 is down")
        found = [landed_object(key) for key in self.keys]
        yield [one for one in found if one.landed_at >= start]


def key_at(at: datetime) -> str:
    return f"events/demo/{int(at.timestamp() * 1000)}-data-x.export"


def landed_object(key: str) -> LandedObject:
    at = datetime.fromtimestamp(int(key.rpartition("/")[2][:13]) / 1000, tz=NOON.tzinfo)
    return LandedObject(key, "e1", 1, at, at.date(), at, at.date())


class Scene:
    """A ledger, channels, Dagster and a bucket, all well."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.ledger = opened_ledger(folder, self.clock)
        self.first, self.second = FakeAlerts("first"), FakeAlerts("second")
        self.heartbeat = FakeHeartbeat()
        self.dagster = FakeDagster(SensorTicks(NOON, NOON, NOON, stopped=False))
        self.bucket = FakeBucket()
        self.file = folder / "alerts.json"
        self.watch = Watch(
            ledger=self.ledger,
            dagster=self.dagster,
            bucket=self.bucket,
            channels=(self.first, self.second),
            heartbeat=self.heartbeat,
            notes=AlertFile(self.file),
            tenant="acme",
            start=None,
            limits=Limits(),
            clock=self.clock.now,
        )

    def look(self, after: timedelta = 10 * MINUTE, *, dagster_ticks: bool = True) -> Look:
        self.clock.sleep(after.total_seconds())
        if dagster_ticks:
            self.dagster.ticks = replace(self.dagster.ticks, last_good=self.clock.now())
        return look(self.watch)

    def seen(self, after: timedelta = 10 * MINUTE) -> list[str]:
        return [situation.key for situation in self.look(after).situations]

    def break_ledger(self) -> None:
        broken = Ledger("postgresql://x:s3cret@127.0.0.1:1/x", clock=self.clock.now)
        self.watch = replace(self.watch, ledger=broken)

    def mend_ledger(self) -> None:
        self.watch = replace(self.watch, ledger=self.ledger)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_when_all_is_well_nobody_is_told_and_the_heart_beats(scene) -> None:
    looked = scene.look()
    assert looked.situations == ()
    assert looked.is_whole
    assert (scene.first.told, scene.second.told, scene.heartbeat.beats) == ([], [], 1)
    assert "held" in looked.looked_at
    assert "landing_sensor" in looked.looked_at


def test_a_held_refund_is_told_once_to_everybody_and_told_when_it_is_over(scene) -> None:
    refund = event(1)
    land(scene.ledger, refund)
    pay(scene.ledger, refund, PaymentsHeld("overpaid", "too much"))
    for _ in range(5):
        assert scene.seen() == ["held:overpaid"]
    pay(scene.ledger, refund)
    assert scene.seen() == []
    expected = [("new", "held:overpaid"), ("over", "held:overpaid")]
    assert scene.first.told == scene.second.told == expected
    (situation,) = scene.first.messages[0].notices
    assert "12.50 USD" in situation.situation.text
    assert scene.first.messages[0].tenant == "acme"


def test_new_refunds_held_for_a_reason_already_told_are_not_told_again(scene) -> None:
    land(scene.ledger, event(1), event(2))
    pay(scene.ledger, event(1), PaymentsHeld("overpaid", "too much"))
    scene.look()
    pay(scene.ledger, event(2), PaymentsHeld("overpaid", "too much"))
    assert "2 refunds held" in scene.look().situations[0].title
    pay(scene.ledger, event(2), PaymentsHeld("refund_failed", "failed"))
    scene.look()
    assert scene.first.told == [("new", "held:overpaid"), ("new", "held:refund_failed")]


def test_what_a_gate_holds_is_a_gate_s_situation(scene) -> None:
    land(scene.ledger, event(1))
    pay(scene.ledger, event(1), PaymentsHeld("daily_gate", "over"))
    assert scene.seen() == ["gate:daily_gate"]


def test_a_refund_outstanding_beyond_the_limit_is_told_with_its_age(scene) -> None:
    land(scene.ledger, event(1))
    assert scene.seen(after=23 * HOUR + 50 * MINUTE) == []
    looked = scene.look(after=11 * MINUTE)
    (situation,) = looked.situations
    assert situation.key == "outstanding"
    assert situation.numbers == {"refunds": 1, "landed": 1}
    assert event(1).refund_id in situation.text
    scene.watch = replace(scene.watch, limits=Limits(outstanding=48 * HOUR))
    assert scene.seen() == []
    assert scene.first.told == [("new", "outstanding"), ("over", "outstanding")]


def test_rejected_lines_and_differences_are_told(scene) -> None:
    rejected = RejectedLine("events/acme/a.export", "e1", 1, ("bad",), "0" * 64, 3)
    land(scene.ledger, event(1), rejected=[rejected])
    refund_id = post_different(scene.ledger, event(1))
    scene.ledger.record_unknown(date(2026, 11, 20), [("apz-9", "99")])
    looked = scene.look()
    by_key = {one.key: one for one in looked.situations}
    assert set(by_key) == {
        "rejected_lines",
        "reconciliation:different",
        "reconciliation:unknown",
    }
    assert "events/acme/a.export:1" in by_key["rejected_lines"].text
    assert refund_id in by_key["reconciliation:different"].text
    assert "apz-9" in by_key["reconciliation:unknown"].text
    assert len(scene.first.messages) == 1, "one message, however many situations"


# the landing


def land_at(scene: Scene, at: datetime) -> None:
    key = key_at(at)
    land(scene.ledger, file=LandedFile(key, "e1", at.date(), 1))


def land_hourly(scene: Scene, *, weeks: int) -> None:
    """Files at every full hour around noon, for so many weeks until now."""
    for week in range(weeks + 1):
        for hours in range(-1, 7):
            at = NOON - WEEK * week + HOUR * hours
            if at <= NOON:
                land_at(scene, at)


def test_no_file_for_longer_than_usual_is_told_and_over_once_one_lands(scene) -> None:
    land_hourly(scene, weeks=8)
    assert scene.seen(after=2 * HOUR) == []
    looked = scene.look(after=10 * MINUTE)
    (situation,) = looked.situations
    assert situation.key == "landing:silent"
    assert situation.since == NOON
    assert "usual for at most 2 h 0 min" in situation.text
    land_at(scene, scene.clock.now())
    assert scene.seen() == []
    assert scene.first.told == [("new", "landing:silent"), ("over", "landing:silent")]


def test_files_that_land_and_are_not_read_are_another_situation(scene) -> None:
    land_hourly(scene, weeks=8)
    scene.bucket.keys = [key_at(NOON - HOUR), key_at(NOON), key_at(NOON + HOUR)]
    (situation,) = scene.look(after=3 * HOUR).situations
    assert situation.key == "landing:unread"
    assert situation.numbers == {"unread_files": 1}


def test_a_bucket_that_cannot_be_asked_leaves_the_silence_as_the_ledger_knows_it(scene) -> None:
    land_hourly(scene, weeks=8)
    scene.bucket.is_down = True
    assert scene.seen(after=3 * HOUR) == ["landing:silent"]
    scene.watch = replace(scene.watch, bucket=None)
    assert scene.seen() == ["landing:silent"]


def test_the_bucket_is_asked_only_when_nothing_seems_to_land(scene) -> None:
    land_hourly(scene, weeks=8)
    scene.look(after=2 * HOUR)
    assert scene.bucket.asked == 0
    scene.look(after=HOUR)
    assert scene.bucket.asked == 1


def test_a_young_ledger_is_not_told_to_be_silent_for_two_days(scene) -> None:
    land_at(scene, NOON)
    assert scene.seen(after=47 * HOUR) == []
    assert scene.seen(after=2 * HOUR) == ["landing:silent"]


def test_where_no_file_ever_landed_the_first_day_that_is_ours_counts(scene) -> None:
    assert scene.seen(after=9 * WEEK) == []
    scene.watch = replace(scene.watch, start=scene.clock.now().date())
    assert scene.seen(after=24 * HOUR) == []
    (situation,) = scene.look(after=24 * HOUR).situations
    assert situation.text.startswith("No file has ever landed.")


# Dagster


def failed_run(**changes: object) -> FailedRun:
    values = {
        "job": "sync_refunds",
        "partition": "2026-11-20",
        "run_id": "0123456789",
        "failed_at": NOON,
        "why": "NetSuite refuses the credentials",
    }
    return FailedRun(**{**values, **changes})


def test_a_run_that_failed_for_good_is_told_once_and_over_when_it_is_made_good(scene) -> None:
    scene.dagster.runs = [failed_run()]
    looked = scene.look()
    assert "It said: NetSuite refuses the credentials" in looked.situations[0].text
    scene.dagster.runs = [failed_run(run_id="another", why="again")]
    scene.look()
    assert scene.dagster.asked_about == {"run_failed:sync_refunds:2026-11-20"}
    scene.dagster.runs = []
    scene.look()
    key = "run_failed:sync_refunds:2026-11-20"
    assert scene.first.told == [("new", key), ("over", key)]


def test_what_the_hourly_watch_says_of_the_event_stream_comes_whole(scene) -> None:
    sentence = "ours was stopped and has been started again; replay what was missed: …"
    scene.dagster.runs = [failed_run(job="watch_subscription", partition="", why=sentence)]
    (situation,) = scene.look().situations
    assert (situation.key, situation.text) == ("subscription", sentence)


@pytest.mark.parametrize(
    ("ticks", "says"),
    [
        (SensorTicks(NOON, NOON, NOON, stopped=False), "Dagster does not evaluate it."),
        (SensorTicks(NOON, NOON, NOON, stopped=True), "A person has stopped it."),
        (SensorTicks(NOON + 15 * MINUTE, NOON, NOON, stopped=False), "every tick fails"),
        (SensorTicks(None, None, None, stopped=False), "It never worked."),
        (SensorTicks(NOON, None, NOON, stopped=False), "It never worked."),
    ],
)
def test_a_landing_sensor_that_does_no_work_is_told_with_the_reason(scene, ticks, says) -> None:
    scene.dagster.ticks = ticks
    looked = scene.look(after=16 * MINUTE, dagster_ticks=False)
    (situation,) = looked.situations
    assert situation.key == "landing_sensor"
    assert says in situation.text


@pytest.mark.parametrize(
    "ticks",
    [
        SensorTicks(NOON, NOON, NOON - 100 * HOUR, stopped=False),
        SensorTicks(None, None, NOON, stopped=False),
        SensorTicks(NOON, NOON, None, stopped=True),
    ],
)
def test_a_landing_sensor_that_worked_or_was_started_within_the_limit_is_well(scene, ticks) -> None:
    scene.dagster.ticks = ticks
    assert scene.look(after=15 * MINUTE, dagster_ticks=False).situations == ()


def test_without_dagster_its_situations_are_left_as_they_were(scene) -> None:
    scene.dagster.runs = [failed_run()]
    scene.look()
    scene.watch = replace(scene.watch, dagster=None)
    looked = scene.look()
    assert looked.situations == ()
    assert "run_failed" not in looked.looked_at
    assert scene.first.told == [("new", "run_failed:sync_refunds:2026-11-20")]


def test_a_dagster_that_cannot_be_read_is_told_and_nothing_of_it_is_over(scene) -> None:
    scene.dagster.runs = [failed_run()]
    scene.look()
    scene.dagster.is_unreadable = True
    looked = scene.look()
    assert [situation.key for situation in looked.situations] == ["dagster"]
    assert looked.heartbeat.startswith("withheld")
    scene.dagster.is_unreadable = False
    scene.look()
    assert scene.first.told == [
        ("new", "run_failed:sync_refunds:2026-11-20"),
        ("new", "dagster"),
        ("over", "dagster"),
    ]


# telling


def test_a_channel_that_is_down_is_told_later_and_keeps_nobody_waiting(scene) -> None:
    scene.dagster.runs = [failed_run()]
    scene.first.is_down = True
    looked = scene.look()
    assert looked.told.undelivered == (("first", "first is down"),)
    assert looked.heartbeat.startswith("withheld")
    assert len(scene.second.told) == 1
    scene.first.is_down = False
    assert scene.look().is_whole
    assert scene.first.told == scene.second.told == [("new", looked.situations[0].key)]
    assert scene.heartbeat.beats == 1


def test_a_defect_of_one_channel_does_not_silence_the_others(scene) -> None:
    scene.dagster.runs = [failed_run()]
    scene.first.defect = KeyError("s3cret")
    looked = scene.look()
    assert looked.told.undelivered == (("first", "it failed in a way nobody expected (KeyError)"),)
    assert len(scene.second.told) == 1


def test_a_channel_that_hangs_is_not_waited_for(scene) -> None:
    release = threading.Event()
    scene.first.hangs_until = release
    message = trial_message("acme", NOON)
    problems = telling.send({scene.first: message, scene.second: message}, seconds=0.05)
    assert problems == {"first": "it took longer than 0 s"}
    assert len(scene.second.messages) == 1
    release.set()


def test_a_look_that_dies_while_telling_has_it_told_again(scene, monkeypatch) -> None:
    scene.dagster.runs = [failed_run()]

    def die(*_: object) -> dict[str, str]:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(telling, "send", die)
        with pytest.raises(SystemExit):
            scene.look()
    assert scene.first.told == []
    assert scene.look().told.notices
    assert len(scene.first.told) == 1


# the heartbeat


def test_the_heart_does_not_beat_when_its_service_is_down(scene) -> None:
    scene.heartbeat.is_down = True
    assert scene.look().heartbeat == "the heartbeat is down"


def test_the_heart_beats_while_people_are_needed_but_know(scene) -> None:
    scene.dagster.runs = [failed_run()]
    assert scene.look().heartbeat == "sent"
    scene.watch = replace(scene.watch, heartbeat=None)
    assert scene.look().heartbeat == "not set"


# the ledger cannot be used


def test_a_ledger_that_cannot_be_used_is_told_once_though_nothing_else_is_known(scene) -> None:
    scene.dagster.runs = [failed_run()]
    scene.look()
    scene.break_ledger()
    for _ in range(3):
        looked = scene.look()
        assert [situation.key for situation in looked.situations] == ["ledger"]
        assert looked.heartbeat.startswith("withheld")
    scene.mend_ledger()
    assert scene.seen() == ["run_failed:sync_refunds:2026-11-20"]
    assert scene.first.told == [
        ("new", "run_failed:sync_refunds:2026-11-20"),
        ("new", "ledger"),
        ("over", "ledger"),
    ]
    assert not scene.file.exists()
    assert "s3cret" not in str(scene.first.messages)


def test_it_is_repeated_daily_and_told_later_to_a_channel_that_was_down(scene) -> None:
    scene.break_ledger()
    scene.first.is_down = True
    scene.look()
    scene.first.is_down = False
    scene.look()
    scene.look(after=24 * HOUR)
    assert scene.first.told == [("new", "ledger"), ("repeated", "ledger")]
    assert scene.second.told == [("new", "ledger"), ("repeated", "ledger")]


def test_without_a_place_for_the_note_every_look_tells(scene) -> None:
    scene.watch = replace(scene.watch, notes=AlertFile(None))
    scene.break_ledger()
    scene.look()
    scene.look()
    assert scene.first.told == [("new", "ledger"), ("new", "ledger")]


@pytest.mark.parametrize("content", ["", "{", "[{}]", '{"a": 1}', "[1]", '[{"key": "x"}]'])
def test_a_note_nobody_can_read_is_as_good_as_none(scene, content) -> None:
    scene.file.write_text(content)
    scene.break_ledger()
    scene.look()
    scene.look()
    assert scene.first.told == [("new", "ledger")]


def test_a_disk_that_takes_no_note_does_not_keep_people_from_being_told(scene) -> None:
    scene.watch = replace(scene.watch, notes=AlertFile(scene.file / "no" / "such" / "folder"))
    scene.break_ledger()
    scene.look()
    assert scene.first.told == [("new", "ledger")]
