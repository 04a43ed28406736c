"""How a run fails: for good, or so that Dagster's run retries try it again (design, section 7).

`Failure(allow_retries=False)` stops op retries only, so a hook also tells the run-retry daemon to
leave the run alone (design, decision 9).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dagster as dg

from refund_pipeline.domain.errors import InvalidMapping, Misconfigured, Unavailable

MAX_RETRIES_TAG = "dagster/max_retries"
RETRY_NUMBER_TAG = "dagster/retry_number"
RETRY_STRATEGY_TAG = "dagster/retry_strategy"
RETRY_ON_STEP_FAILURE_TAG = "dagster/retry_on_asset_or_op_failure"
BACKFILL_TAG = "dagster/backfill"


class PermanentFailure(dg.Failure):
    """A failure that trying again cannot mend."""

    def __init__(
        self, description: str, metadata: Mapping[str, dg.MetadataValue] | None = None
    ) -> None:
        super().__init__(description=description, metadata=metadata, allow_retries=False)


@dg.failure_hook(name="stop_run_retries")
def stop_run_retries(context: dg.HookContext) -> None:
    """Keep Dagster from retrying a run that failed permanently."""
    if isinstance(context.op_exception, PermanentFailure):
        context.instance.add_run_tags(context.run_id, {RETRY_ON_STEP_FAILURE_TAG: "false"})


@contextmanager
def systemic_failures() -> Iterator[None]:
    """Turn the exceptions that stop a batch into Dagster failures: retryable, or permanent.

    Raises:
        PermanentFailure: a person must act first.
        dg.Failure: the other side is down; the run is worth retrying.
    """
    try:
        yield
    except (Misconfigured, InvalidMapping) as error:
        raise PermanentFailure(str(error)) from error
    except Unavailable as error:
        raise dg.Failure(description=str(error)) from error


def will_be_retried(tags: Mapping[str, str]) -> bool:
    """Whether Dagster retries a run with these tags; never in a backfill."""
    if BACKFILL_TAG in tags or tags.get(RETRY_ON_STEP_FAILURE_TAG) == "false":
        return False
    try:
        allowed = int(tags.get(MAX_RETRIES_TAG, "0"))
        made = int(tags.get(RETRY_NUMBER_TAG, "0"))
    except ValueError:
        return False
    return made < allowed
