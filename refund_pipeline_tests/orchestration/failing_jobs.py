"""A code location whose jobs fail as they are told to, by a file that lists what to do next."""

import os
from pathlib import Path

import dagster as dg

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.orchestration.failures import stop_run_retries, systemic_failures

PLAN = "TEST_FAILING_JOBS_PLAN"


@dg.op
def does_as_told() -> None:
    """Do what the first line of the file says, and take it away."""
    plan = Path(os.environ[PLAN])
    first, *rest = plan.read_text().split()
    plan.write_text("\n".join(rest))
    with systemic_failures():
        if first == "outage":
            raise Unavailable("NetSuite answered 503; a later run tries again")
        if first == "refusal":
            raise Misconfigured("NetSuite refuses the credentials")
        if first == "defect":
            raise KeyError("s3cret")


@dg.job(
    name="sync_refunds",
    hooks={stop_run_retries},
    executor_def=dg.in_process_executor,
    tags={"dagster/max_retries": "2", "dagster/retry_strategy": "ALL_STEPS"},
)
def sync_refunds() -> None:
    does_as_told()


@dg.job(name="watch_subscription", tags={"dagster/max_retries": "0"})
def watch_subscription() -> None:
    does_as_told()


@dg.job(name="somebody_elses")
def somebody_elses() -> None:
    does_as_told()


@dg.job(name="__ASSET_JOB")
def asset_job() -> None:
    does_as_told()


JOBS = {job.name: job for job in (sync_refunds, watch_subscription, somebody_elses, asset_job)}
defs = dg.Definitions(
    jobs=[sync_refunds, watch_subscription, somebody_elses], executor=dg.in_process_executor
)
