"""The map of everything: assets, checks, jobs, sensors, schedules and resources of one tenant.

`build_definitions` makes fresh definitions; tests and other deployments replace resources by name
instead of patching.
"""

from datetime import date

import dagster as dg

from refund_pipeline.orchestration.assets import build_assets
from refund_pipeline.orchestration.jobs import sync_refunds_job
from refund_pipeline.orchestration.partitions import landing_days
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
        assets=assets,
        jobs=[job, watch_subscription],
        sensors=[landing_bucket_sensor, outstanding_refunds_sensor],
        schedules=[close_landing_day, watch_subscription_hourly],
        resources={**resources, **overrides},
        executor=dg.in_process_executor,
    )


defs = build_definitions()
