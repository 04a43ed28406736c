"""The map of everything: assets, checks, jobs, sensors, schedules and resources of one tenant.

`build_definitions` makes fresh definitions; tests and other deployments replace resources by name
instead of patching.
"""

import gc
from datetime import date

import dagster as dg

from refund_pipeline.orchestration.assets import build_assets
from refund_pipeline.orchestration.backfills import backfill_report_sensor
from refund_pipeline.orchestration.decisions import release_rejected_lines, resolve_refund
from refund_pipeline.orchestration.history import landed_history_sensor
from refund_pipeline.orchestration.jobs import sync_refunds_job
from refund_pipeline.orchestration.lost_runs import lost_runs_sensor
from refund_pipeline.orchestration.partitions import landing_days
from refund_pipeline.orchestration.report import (
    make_report_job,
    morning_report,
    refund_report,
)
from refund_pipeline.orchestration.resources import default_resources, start_date
from refund_pipeline.orchestration.schedules import close_landing_day
from refund_pipeline.orchestration.sensors import (
    landing_bucket_sensor,
    outstanding_refunds_sensor,
)
from refund_pipeline.orchestration.subscription import (
    watch_subscription,
    watch_subscription_hourly,
)
from refund_pipeline.orchestration.upkeep import prune, reconcile_job
from refund_pipeline.orchestration.watching import watch_refunds, watch_refunds_schedule

_LAUNCH_OPTIONS = "options"
EARLIEST_DAY = date(2025, 1, 1)
"""Where partitions begin while REFUNDS_START_DATE is not set; nothing runs by itself then."""


def build_definitions(**overrides: object) -> dg.Definitions:
    """Return the definitions, with resources replaced by name: `build_definitions(erp=...)`.

    Raises:
        Misconfigured: REFUNDS_START_DATE is not a date.
    """
    resources = default_resources()
    unknown = sorted(set(overrides) - set(resources))
    if unknown:
        raise TypeError(f"no such resource: {', '.join(unknown)}")
    assets = build_assets(landing_days(start_date() or EARLIEST_DAY))
    job = sync_refunds_job(assets)
    return dg.Definitions(
        assets=[*assets, refund_report],
        jobs=[
            job,
            make_report_job,
            resolve_refund,
            release_rejected_lines,
            reconcile_job,
            prune,
            watch_subscription,
            watch_refunds,
        ],
        sensors=[
            landing_bucket_sensor,
            landed_history_sensor,
            outstanding_refunds_sensor,
            backfill_report_sensor,
            lost_runs_sensor,
        ],
        schedules=[
            close_landing_day,
            morning_report,
            watch_subscription_hourly,
            watch_refunds_schedule,
        ],
        resources={name: _fixed(name, one) for name, one in {**resources, **overrides}.items()},
        executor=dg.in_process_executor,
    )


def _fixed(name: str, resource: object) -> object:
    """Take away what a run's configuration could change of a resource, but the launch options.

    Else whoever may launch a run could send our credentials to a host of theirs, and read every
    environment variable through an error message.
    """
    if name == _LAUNCH_OPTIONS or not isinstance(resource, dg.ConfigurableResource):
        return resource
    values = {field: getattr(resource, field) for field in type(resource).model_fields}
    return resource.get_resource_definition().configured(
        {field: _setting(value) for field, value in values.items()}
    )


def _setting(value: object) -> object:
    """Write a field as Dagster's configuration does: a variable stays one until a run asks."""
    variable = getattr(value, "env_var_name", None)  # of EnvVar, and of what EnvVar.int returns
    return value if variable is None else {"env": variable}


defs = build_definitions()
# What is imported by now stays. Without this, every full collection of a run looks through all of
# Dagster again, 0.1 s each time.
gc.freeze()
