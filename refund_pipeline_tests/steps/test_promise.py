"""The promise of the design in stories that broke it once, or nearly: quick, and easily read.

Everything that can happen, in any order, is `test_model.py`; both live in `model_world.py`.
"""

from collections.abc import Iterator

import pytest

from refund_pipeline.domain.actions import Action
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline_tests.fakes import refund_id
from refund_pipeline_tests.steps.model_refunds import (
    SOME,
    SPLIT,
    UNMAPPED,
)
from refund_pipeline_tests.steps.model_rules import Watch, check_the_end
from refund_pipeline_tests.steps.model_runs import Stop
from refund_pipeline_tests.steps.model_world import World, new_ledger

A_NIGHT = 6 * 3600.0


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    opened = new_ledger(tmp_path_factory.mktemp("promise"))
    yield opened
    opened.close()


@pytest.fixture
def world(ledger: Ledger) -> Iterator[World]:
    lived = World(ledger)
    yield lived
    lived.close()


def everything_appears(world: World) -> None:
    world.pay(SOME)
    world.sell(SOME)


def statuses_once_the_faults_stop(world: World) -> dict[str, str]:
    """Let the faults stop, check all that must hold, and return the statuses by refund."""
    watch = Watch(world)
    watch.look()
    world.let_faults_stop()
    watch.look()
    world.settle()
    watch.look()
    check_the_end(world)
    return {row.refund_id: row.status for row in world.ledger.refunds()}


def test_what_a_killed_run_wrote_is_looked_up_before_anything_is_written_again(
    world: World,
) -> None:
    world.land(["refund 1"])
    everything_appears(world)
    world.run(stops=[Stop("post", after=True, dies=True)])

    assert statuses_once_the_faults_stop(world) == {refund_id(1): "posted"}
    assert world.erp.posts == 1


def test_a_write_without_an_answer_whose_run_died_before_it_looked_is_looked_up(
    world: World,
) -> None:
    world.land(["refund 1"])
    everything_appears(world)
    world.run(answers=["lost"], stops=[Stop("look_up", dies=True)])

    assert statuses_once_the_faults_stop(world) == {refund_id(1): "posted"}
    assert world.erp.posts == 1


def test_a_record_that_is_there_is_not_hidden_by_a_skip(world: World) -> None:
    world.land(["refund 1"])
    everything_appears(world)
    world.run(answers=["lost"], stops=[Stop("look_up", dies=True)])
    world.sleep(A_NIGHT)
    world.decide([1], Action.SKIP)

    assert statuses_once_the_faults_stop(world) == {refund_id(1): "posted"}


def test_a_skip_that_is_taken_back_is_written_once(world: World) -> None:
    world.land(["refund 1"])
    everything_appears(world)
    world.run(answers=["dropped"], stops=[Stop("look_up", dies=True)])
    world.sleep(A_NIGHT)
    world.decide([1], Action.SKIP)
    world.decide([1], Action.REOPEN)
    world.run(answers=["lost"])

    assert statuses_once_the_faults_stop(world) == {refund_id(1): "posted"}


def test_what_was_written_by_a_decision_is_not_taken_back_by_another(world: World) -> None:
    world.land([f"refund {UNMAPPED}"])
    everything_appears(world)
    world.run()
    world.decide([UNMAPPED], Action.TENDER)
    world.run(answers=["lost"])
    world.decide([UNMAPPED], Action.REOPEN)
    world.decide([UNMAPPED], Action.SKIP)

    assert statuses_once_the_faults_stop(world) == {refund_id(UNMAPPED): "posted"}


def test_an_event_that_contradicts_a_skipped_refund_is_shown_and_can_be_skipped_again(
    world: World,
) -> None:
    world.land(["refund 0"])
    world.run()
    world.decide([0], Action.SKIP)
    world.land(["refund 0 told otherwise"])
    everything_appears(world)
    world.run()
    assert [row.reason for row in world.ledger.refunds()] == ["conflicting_event"]
    world.decide([0], Action.SKIP)

    assert statuses_once_the_faults_stop(world) == {refund_id(0): "skipped"}


def test_a_run_that_slept_before_its_write_leaves_it_to_the_one_that_settled_it(
    world: World,
) -> None:
    world.land(["refund 1"])
    everything_appears(world)
    world.run(stops=[Stop("begin_posting", after=True)])
    world.sleep(300)
    world.run()
    world.resume(0)

    assert world.erp.posts == 1
    assert statuses_once_the_faults_stop(world) == {refund_id(1): "posted"}


def test_a_refund_of_two_records_whose_second_is_unknown_gets_no_third(world: World) -> None:
    world.mapping = "headers"
    world.land([f"refund {SPLIT}"])
    everything_appears(world)
    world.run(answers=[None, "lost"], stops=[Stop("look_up", dies=True)])

    assert statuses_once_the_faults_stop(world) == {refund_id(SPLIT): "posted"}
    assert len(world.erp.made) == 2


def test_a_write_under_way_in_one_run_is_awaited_by_the_run_that_settles_it(world: World) -> None:
    world.land(["refund 1"])
    everything_appears(world)
    world.run(stops=[Stop("post")])
    world.run()

    assert world.paused == [], "it wrote while the other waited"
    assert world.erp.posts == 1
    assert statuses_once_the_faults_stop(world) == {refund_id(1): "posted"}


def test_what_a_person_settled_stays_so_when_a_slow_run_has_its_say(world: World) -> None:
    world.land(["refund 1"])
    everything_appears(world)
    world.run(answers=["dropped"], stops=[Stop("finish_posting")])
    world.sleep(1000)
    world.decide([1], Action.SKIP)
    assert [row.status for row in world.ledger.refunds()] == ["skipped"]
    world.resume(0)

    assert statuses_once_the_faults_stop(world) == {refund_id(1): "skipped"}


def test_a_refund_refused_half_way_and_tried_again_by_a_person_is_completed_once(
    world: World,
) -> None:
    world.mapping = "headers"
    world.land([f"refund {SPLIT}"])
    everything_appears(world)
    world.run(answers=[None, "refused"])
    assert [row.reason for row in world.ledger.refunds()] == ["refused_by_erp"]
    world.decide([SPLIT], Action.RETRY)
    world.run()

    assert [row.status for row in world.ledger.refunds()] == ["posted"]
    assert statuses_once_the_faults_stop(world) == {refund_id(SPLIT): "posted"}
