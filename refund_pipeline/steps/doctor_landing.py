"""Can the landing bucket be listed and read? Nothing is written to it, and nothing needs to be."""

from collections.abc import Callable
from datetime import datetime, timedelta

from refund_pipeline.domain.events import Rejected, parse_line
from refund_pipeline.gateways.landed_lines import LandedLine
from refund_pipeline.gateways.landing_bucket import LandedObject, LandingBucket, OversizedLine
from refund_pipeline.steps.doctor_findings import Finding, Findings, warning

AREA = "landing bucket"
_LOOKED_BACK = (timedelta(days=1), timedelta(days=7), timedelta(days=35))
"""How far to look for the newest file: a busy tenant's month is many pages, its day a few."""


def check_landing(
    open_bucket: Callable[[str], LandingBucket], *, tenant: str, now: datetime
) -> Findings:
    """List the bucket and read the beginning of its newest file.

    `open_bucket` opens it for a tenant's folder; the empty name is all of them.

    Raises:
        Unavailable, Misconfigured: the bucket cannot be listed or read.
    """
    bucket = open_bucket(tenant)
    newest = _newest(bucket, now)
    if newest is None:
        yield _nothing_landed(open_bucket(""), tenant)
        return
    _, line = next(bucket.lines(newest), (0, None))
    landed = f"{newest.landed_at:%Y-%m-%d %H:%M}"
    yield Finding(AREA, f"can be listed and read; the newest file landed at {landed} UTC")
    problem = _problem(line, tenant)
    if problem is not None:
        yield warning(
            AREA,
            f"the first line of {newest.key} is no event of the tenant: {problem}",
            "check that REFUNDS_LANDING_URL and REFUNDS_TENANT lead to NewStore's export",
        )


def _problem(line: LandedLine | None, tenant: str) -> str | None:
    if line is None:
        return "the file is empty"
    if isinstance(line, OversizedLine):
        return f"it has {line.size} bytes"
    event = parse_line(line, tenant=tenant)
    return "; ".join(event.problems) if isinstance(event, Rejected) else None


def _newest(bucket: LandingBucket, now: datetime) -> LandedObject | None:
    for back in _LOOKED_BACK:
        newest = None
        for page in bucket.since(now - back):
            newest = next((one for one in reversed(page) if one.landed_at), newest)
        if newest is not None:
            return newest
    return None


def _nothing_landed(whole: LandingBucket, tenant: str) -> Finding:
    """Say that nothing is there, and whether something is beside."""
    stray = next(whole.strays(), None)
    what = f"can be listed, but nothing of tenant {tenant} landed in the last 35 days"
    if stray is not None and f"/{tenant}/" not in f"/{stray.key}":
        what += f"; {stray.key.rpartition('/')[0]}/ holds files"
    return warning(
        AREA,
        what,
        "check REFUNDS_LANDING_URL (bucket and prefix), REFUNDS_TENANT, and that NewStore's export"
        " runs: refund-pipeline newstore subscription status",
    )
