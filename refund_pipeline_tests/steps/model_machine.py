"""The model as a state machine: arbitrary interleavings of everything that can happen.

Each rule is one thing that happens in a `World`; what must hold is looked at after each. At the end
the faults stop, and what can be posted must be posted.
"""

import sys
from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from refund_pipeline.domain.actions import Action
from refund_pipeline.domain.resolutions import ACTIONS
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline_tests.steps.model_erp import ANSWERS
from refund_pipeline_tests.steps.model_refunds import (
    DAYS,
    FRESH,
    LINES,
    MAPPINGS,
    ORDINARY,
    SOME,
    USUAL,
)
from refund_pipeline_tests.steps.model_rules import Watch, check_the_end
from refund_pipeline_tests.steps.model_runs import CALLS, Stop
from refund_pipeline_tests.steps.model_world import World

MOST_PAUSED = 3
HOME = 1
"""The day on which most happens, so that runs meet."""
days = st.sampled_from([HOME, HOME, HOME, *range(len(DAYS))])
indices = st.integers(0, 7)
numbers = st.lists(st.sampled_from(SOME), min_size=1, max_size=4, unique=True).map(tuple)
subsets = numbers | st.just(tuple(SOME))
SOME_LINES = [line for line in sorted(LINES) if line not in {f"refund {n}" for n in FRESH}]
lines = st.lists(st.sampled_from(SOME_LINES), min_size=1, max_size=4).map(tuple)
answers = st.lists(st.none() | st.sampled_from(ANSWERS), max_size=4).map(tuple)
AROUND_A_WRITE = ("begin_posting", "confirm_posting", "post", "finish_posting")
calls = st.sampled_from([*AROUND_A_WRITE * 2, *CALLS])
nths = st.sampled_from([1, 1, 1, 2, 3])
deaths = st.sampled_from([False, False, False, True])
stops = st.builds(Stop, calls, nths, st.booleans(), deaths)
some_stops = st.lists(stops, min_size=1, max_size=4)
stops_around_a_write = st.lists(
    st.builds(Stop, st.sampled_from(AROUND_A_WRITE), nths, st.booleans(), deaths),
    min_size=1,
    max_size=3,
)
waits = st.sampled_from([0.5, 0.5, 3.0, 3.0, 7.0, 30.0, 300.0, 1000.0, 6 * 3600.0])


class RefundsModel(RuleBasedStateMachine):
    """Refunds of three landing days, from the bucket to the ERP."""

    def __init__(self, ledger: Ledger, tally: Counter[str] | None = None) -> None:
        super().__init__()
        self.world = World(ledger)
        self.watch = Watch(self.world)
        self.tally = Counter() if tally is None else tally

    @initialize(first=lines, paid=subsets, sold=subsets)
    def begin(self, first: tuple[str, ...], paid: tuple[int, ...], sold: tuple[int, ...]) -> None:
        self.world.land((*ORDINARY, *first), day=HOME)
        self.appear(paid, sold, partly=False)

    @rule(lines=lines, day=days, over=st.none() | indices)
    def land(self, lines: tuple[str, ...], day: int, over: int | None) -> None:
        self.world.land(lines, day=day, over=over)

    @rule(count=st.integers(1, 3), day=days)
    def land_complete(self, count: int, day: int) -> None:
        self.world.land_complete(count, day=day)

    @rule(which=indices, day=days)
    def land_again(self, which: int, day: int) -> None:
        self.world.land_again(which, day=day)

    @rule(paid=subsets, sold=subsets, partly=st.booleans())
    def appear(self, paid: tuple[int, ...], sold: tuple[int, ...], partly: bool) -> None:
        self.world.pay(paid, partly=partly)
        self.world.sell(sold)

    @rule(mapping=st.just(USUAL) | st.sampled_from(sorted(MAPPINGS)))
    def edit_mapping(self, mapping: str) -> None:
        self.world.mapping = mapping

    @rule(seconds=waits, index_catches_up=st.booleans())
    def wait(self, seconds: float, index_catches_up: bool) -> None:
        self.world.sleep(seconds)
        if index_catches_up:
            self.world.erp.show_everything()

    @rule(which=indices, action=indices, at_once=st.integers(0, 3))
    def decide(self, which: int, action: int, at_once: int) -> None:
        waiting = [row for row in self.world.ledger.refunds() if row.status != "posted"]
        if waiting:
            row = waiting[which % len(waiting)]
            fitting = sorted(ACTIONS[row.reason]) or list(Action)
            self.world.plan([row.refund_id], fitting[action % len(fitting)])
            if at_once:
                self.world.say_yes()

    @precondition(lambda self: self.world.plans)
    @rule()
    def say_yes(self) -> None:
        self.world.say_yes()

    @rule(day=days, answers=answers, numbers=st.none() | numbers, refresh=st.booleans())
    def run(
        self,
        day: int,
        answers: tuple[str | None, ...],
        numbers: tuple[int, ...] | None,
        refresh: bool,
    ) -> None:
        self.world.run(day, answers=answers, numbers=numbers, refresh=refresh)

    @rule(answers=answers)
    def backfill(self, answers: tuple[str | None, ...]) -> None:
        self.world.backfill(answers=answers)

    @precondition(lambda self: len(self.world.paused) < MOST_PAUSED)
    @rule(day=days, answers=answers, stops=some_stops)
    def run_that_stops(self, day: int, answers: tuple[str | None, ...], stops: list[Stop]) -> None:
        self.world.run(day, answers=answers, stops=stops)

    @precondition(lambda self: len(self.world.paused) < MOST_PAUSED)
    @rule(
        count=st.integers(1, 2),
        mapping=st.sampled_from([USUAL, USUAL, USUAL, "headers"]),
        one=stops_around_a_write,
        other=st.just([]) | stops_around_a_write,
        seconds=waits,
        answers=answers,
    )
    def two_runs_meet(
        self,
        count: int,
        mapping: str,
        one: list[Stop],
        other: list[Stop],
        seconds: float,
        answers: tuple[str | None, ...],
    ) -> None:
        self.world.mapping = mapping
        self.world.land_complete(count, day=HOME)
        first = self.world.run(HOME, stops=one, answers=answers[1:])
        self.world.sleep(seconds)
        self.world.run(HOME, stops=other, answers=answers)
        if first in self.world.paused:
            self.world.resume(self.world.paused.index(first))

    @precondition(lambda self: self.world.paused)
    @rule(which=indices, dies=deaths)
    def resume(self, which: int, dies: bool) -> None:
        self.world.resume(which, dies=dies)

    @invariant()
    def everything_holds(self) -> None:
        self.watch.look()

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self.world.let_faults_stop()
                self.watch.look()
                self.world.settle()
                self.watch.look()
                check_the_end(self.world)
        finally:
            self.world.close()
            self.tally["cases"] += 1
            self.tally.update(self.world.happened)
            self.tally.update(self.world.erp.answers)
            self.tally["refunds"] += len(self.watch.standing)
