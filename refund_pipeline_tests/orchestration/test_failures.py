"""How runs fail: permanently, or so that Dagster's run retries try them again."""

import dagster as dg
import pytest

from refund_pipeline.domain.errors import InvalidMapping, Misconfigured, Unavailable
from refund_pipeline.orchestration.failures import (
    PermanentFailure,
    stop_run_retries,
    systemic_failures,
    will_be_retried,
)

RETRY_TAG = "dagster/retry_on_asset_or_op_failure"


def run_that_raises(error: Exception, instance: dg.DagsterInstance) -> dg.DagsterRun:
    @dg.op
    def fails() -> None:
        with systemic_failures():
            raise error

    @dg.job(hooks={stop_run_retries})
    def job() -> None:
        fails()

    result = job.execute_in_process(instance=instance, raise_on_error=False)
    assert not result.success
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    return run


@pytest.mark.parametrize("error", [Misconfigured("no key"), InvalidMapping("mapping", ["bad"])])
def test_a_permanent_failure_keeps_dagster_from_retrying_the_run(error: Exception) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert run_that_raises(error, instance).tags[RETRY_TAG] == "false"


def test_an_outage_leaves_the_run_to_dagsters_retries() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert RETRY_TAG not in run_that_raises(Unavailable("down"), instance).tags


def test_a_permanent_failure_says_what_was_wrong() -> None:
    with pytest.raises(PermanentFailure, match="no key"), systemic_failures():
        raise Misconfigured("no key")


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"dagster/max_retries": "3"}, True),
        ({"dagster/max_retries": "3", "dagster/retry_number": "2"}, True),
        ({"dagster/max_retries": "3", "dagster/retry_number": "3"}, False),
        ({"dagster/max_retries": "0"}, False),
        ({}, False),
        ({"dagster/max_retries": "3", "dagster/backfill": "x"}, False),
        ({"dagster/max_retries": "3", RETRY_TAG: "false"}, False),
        ({"dagster/max_retries": "many"}, False),
    ],
)
def test_a_run_is_retried_while_retries_are_left_and_never_in_a_backfill(tags, expected) -> None:
    assert will_be_retried(tags) is expected
