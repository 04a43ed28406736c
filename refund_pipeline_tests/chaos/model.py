"""The model of `steps/model_machine.py`, at length: thousands of interleavings from one seed."""

import time
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from refund_pipeline_tests.chaos.rows import CampaignFailed, Row
from refund_pipeline_tests.steps.model_erp import ANSWERS
from refund_pipeline_tests.steps.model_machine import RefundsModel
from refund_pipeline_tests.steps.model_world import new_ledger

EXAMPLES = 600
STEPS = 50


def interleavings(random_seed: int, place: Path) -> Row:
    """Let the model live through many lives; the first that breaks the promise ends it."""
    return interleavings_of(EXAMPLES, random_seed, place)


def interleavings_of(examples: int, random_seed: int, place: Path) -> Row:
    """Run so many examples.

    Raises:
        CampaignFailed: one broke an invariant; the shortest such sequence is in the message.
    """
    started = time.monotonic()
    tally: Counter[str] = Counter()
    ledger = new_ledger(place)

    @seed(random_seed)
    class _Seeded(RefundsModel):
        def __init__(self) -> None:
            super().__init__(ledger, tally)

    try:
        run_state_machine_as_test(
            _Seeded,
            settings=settings(
                max_examples=examples,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
    except AssertionError as broken:
        sequence = "\n".join([str(broken), *getattr(broken, "__notes__", ())])
        raise CampaignFailed(f"the model's promise is broken:\n{sequence}") from broken
    finally:
        ledger.close()
    unclear = sum(tally[answer] for answer in ANSWERS)
    return Row(
        campaign="model",
        seed=random_seed,
        cases=tally["cases"],
        refunds=tally["refunds"],
        faults=f"{tally['runs']:,} runs that stood still {tally['pauses']:,} times, "
        f"{tally['runs over another']:,} begun meanwhile, {tally['killed']:,} killed; "
        f"{unclear:,} writes gone wrong; {tally['decisions']:,} decisions",
        lost=0,
        twice=0,
        outcome="every invariant held after every step",
        seconds=time.monotonic() - started,
    )
