"""The model: whatever happens in whatever order, nothing is lost and nothing is twice."""

from collections.abc import Iterator

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline_tests.steps.model_machine import RefundsModel
from refund_pipeline_tests.steps.model_world import new_ledger


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    opened = new_ledger(tmp_path_factory.mktemp("model"))
    yield opened
    opened.close()


@pytest.mark.timeout(400)  # 12 s of one core; a machine that is busy takes its time
def test_whatever_happens_nothing_is_lost_or_twice_and_what_can_be_posted_is(
    ledger: Ledger,
) -> None:
    run_state_machine_as_test(
        lambda: RefundsModel(ledger),
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            phases=(Phase.explicit, Phase.generate, Phase.shrink),  # explaining takes long
        ),
    )
