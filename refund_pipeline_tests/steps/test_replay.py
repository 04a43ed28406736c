"""A replay: delivered again, waited for, and always cleaned up."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from refund_pipeline.domain.errors import Unavailable
from refund_pipeline.gateways.newstore_integrations import S3Delivery, S3Target
from refund_pipeline.gateways.newstore_subscriptions import Refused
from refund_pipeline.steps.replay import Patience, Replayed, Time, Window, replay
from refund_pipeline_tests.fake_subscriptions import WEBHOOK, FakeSubscriptions, integration
from refund_pipeline_tests.fakes import NOON, FakeClock

WINDOW = Window(NOON - timedelta(days=2), NOON - timedelta(days=1))
ID = "ours-replay-20261120T120000"
EXPORT = S3Delivery(S3Target("bucket", "events", "eu-west-1"), "AKIA", "planted-secret")


class Said:
    """Keeps what a person would see."""

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.waits: list[str] = []

    def say(self, sentence: str) -> None:
        self.sentences.append(sentence)

    def waiting(self, sentence: str) -> None:
        self.waits.append(sentence)


class Replaying:
    """One replay against a fake that stops the integration at the given look, or never."""

    def __init__(self, *, stops_at_look: int | None = 3, **fake: Any) -> None:
        self.subscriptions = FakeSubscriptions(**fake).put(integration())
        self.subscriptions.on_find = self._look
        self.said = Said()
        self.clock = FakeClock()
        self._looks = 0
        self._stops_at_look = stops_at_look

    def _look(self) -> None:
        self._looks += 1
        if self._stops_at_look is not None and self._looks >= self._stops_at_look:
            self.subscriptions.change(ID, status="stopped")

    def run(self, delivery: Any = WEBHOOK, sleep: Any = None) -> Replayed | Refused:
        return replay(
            self.subscriptions,
            WINDOW,
            permanent_id="ours",
            delivery=delivery,
            time=Time(self.clock.now, sleep or self.clock.sleep),
            patience=Patience(timedelta(seconds=10), timedelta(minutes=30)),
            teller=self.said,
        )


def test_a_window_is_delivered_again_until_the_integration_stops_by_itself() -> None:
    replaying = Replaying()
    assert replaying.run() == Replayed(ID, "finished", left_behind=False)
    (made,) = replaying.subscriptions.made
    assert (made.integration_id, made.integration_type) == (ID, "temporary")
    assert (made.starts_at, made.ends_at) == (WINDOW.begins, WINDOW.ends)
    assert made.delivery == WEBHOOK
    assert list(replaying.subscriptions.there) == ["ours"]
    assert replaying.subscriptions.calls == [
        "all",
        f"create {ID}",
        *[f"find {ID}"] * 4,
        f"delete {ID}",
    ]
    assert replaying.clock.now() - NOON == timedelta(seconds=30)
    assert "delivers the events of 2026-11-18T12:00:00.000Z" in replaying.said.sentences[0]
    assert "it is running; it stops by itself" in replaying.said.waits[0]


def test_a_new_integration_that_is_shown_stopped_before_it_begins_is_waited_for() -> None:
    replaying = Replaying(stops_at_look=None)
    looks = iter(["stopped", "running", "running", "stopped", "stopped"])
    replaying.subscriptions.on_find = lambda: replaying.subscriptions.change(ID, status=next(looks))
    assert replaying.run() == Replayed(ID, "finished", left_behind=False)


def test_an_export_is_given_time_for_its_last_file_before_it_is_removed() -> None:
    replaying = Replaying()
    replaying.run(delivery=EXPORT)
    assert replaying.clock.now() - NOON == timedelta(minutes=5, seconds=30)
    assert "last file" in replaying.said.waits[-1]


def test_one_that_never_stops_is_given_up_and_removed() -> None:
    replaying = Replaying(stops_at_look=None)
    assert replaying.run() == Replayed(ID, "timed_out", left_behind=False)
    assert replaying.clock.now() - NOON == timedelta(minutes=30)
    assert list(replaying.subscriptions.there) == ["ours"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_an_interrupted_wait_is_cleaned_up(interruption) -> None:
    replaying = Replaying(stops_at_look=None)

    def interrupted(_seconds: float) -> None:
        raise interruption

    with pytest.raises(interruption):
        replaying.run(sleep=interrupted)
    assert list(replaying.subscriptions.there) == ["ours"]


def test_a_creation_that_may_have_happened_is_cleaned_up() -> None:
    class Lost(FakeSubscriptions):
        def create(self, new):
            super().create(new)
            raise Unavailable("the answer was lost")

    replaying = Replaying()
    replaying.subscriptions = Lost().put(integration())
    with pytest.raises(Unavailable, match="lost"):
        replaying.run()
    assert list(replaying.subscriptions.there) == ["ours"]


def test_a_refusal_is_passed_on() -> None:
    replaying = Replaying(refusals={"create": "NewStore answered 422"})
    assert replaying.run() == Refused("NewStore answered 422")


def test_an_outage_while_waiting_is_waited_out() -> None:
    replaying = Replaying(outages={"find": 2})
    assert replaying.run() == Replayed(ID, "finished", left_behind=False)
    assert replaying.said.sentences.count("find: NewStore is down; still waiting") == 2


def test_one_removed_by_somebody_else_has_not_come_to_its_end() -> None:
    replaying = Replaying()
    replaying.subscriptions.on_find = lambda: replaying.subscriptions.there.pop(ID, None)
    assert replaying.run() == Replayed(ID, "removed_by_others", left_behind=False)


def test_one_that_must_be_stopped_before_it_can_be_deleted_is() -> None:
    class Strict(FakeSubscriptions):
        def delete(self, integration_id):
            if self.there[integration_id].is_running:
                self.calls.append("refused")
                return Refused("NewStore answered 409")
            return super().delete(integration_id)

    replaying = Replaying(stops_at_look=None)
    replaying.subscriptions = Strict().put(integration())
    assert replaying.run() == Replayed(ID, "timed_out", left_behind=False)
    assert replaying.subscriptions.calls[-3:] == ["refused", f"stop {ID}", f"delete {ID}"]


@pytest.mark.parametrize(
    "fake", [{"refusals": {"delete": "NewStore answered 409"}}, {"outages": {"delete": 1}}]
)
def test_what_cannot_be_removed_is_named_and_removed_by_the_next_replay(fake) -> None:
    replaying = Replaying(**fake)
    assert replaying.run() == Replayed(ID, "finished", left_behind=True)
    assert f"{ID} could not be removed" in replaying.said.sentences[-1]

    again = Replaying(stops_at_look=2)
    again.subscriptions.there.update(replaying.subscriptions.there)
    again.clock.sleep(60)
    later = "ours-replay-20261120T120100"
    again.subscriptions.on_find = lambda: again.subscriptions.change(later, status="stopped")
    assert again.run() == Replayed(later, "finished", left_behind=False)
    assert list(again.subscriptions.there) == ["ours"]
    assert f"removed {ID}, left by an earlier replay" in again.said.sentences


def test_a_failure_to_clean_up_does_not_hide_why_the_wait_ended() -> None:
    replaying = Replaying(stops_at_look=None, outages={"delete": 1})

    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replaying.run(sleep=interrupted)
    assert f"{ID} could not be removed" in replaying.said.sentences[-1]


def test_a_replay_that_runs_is_named_and_left_alone() -> None:
    replaying = Replaying()
    replaying.subscriptions.put(
        integration("ours-replay-20261120T080000", integration_type="temporary")
    )
    assert replaying.run() == Replayed(ID, "finished", left_behind=False)
    assert "ours-replay-20261120T080000" in replaying.subscriptions.there
    assert "of another replay is running" in replaying.said.sentences[0]


@pytest.mark.parametrize(
    "stranger",
    ["ours-replay", "ours-replay-2026", "yours-replay-20261120T080000", "ours", "OURS-replay-1"],
)
def test_nothing_but_our_own_leftovers_is_removed(stranger) -> None:
    replaying = Replaying()
    replaying.subscriptions.put(integration(stranger, status="stopped"))
    replaying.run()
    assert stranger in replaying.subscriptions.there


def test_times_are_asked_from_the_clock_that_is_passed_in() -> None:
    replaying = Replaying()
    replaying.clock = FakeClock(datetime(2027, 1, 2, 3, 4, 5, tzinfo=timezone.utc))
    replaying.subscriptions.on_find = replaying.subscriptions.there.clear
    outcome = replaying.run()
    assert outcome == Replayed(
        "ours-replay-20270102T030405", "removed_by_others", left_behind=False
    )
