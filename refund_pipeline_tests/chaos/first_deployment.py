"""The first deployment on a bucket with a year of history, under a real daemon."""

import statistics
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from refund_pipeline_tests.chaos.deployment import ONE_DAY, Deployment, days_before
from refund_pipeline_tests.chaos.rows import CampaignFailed, Row

OURS = 10
PER_DAY = 4
_LIVE_EVERY = 20.0


def first_deployment(seed: int, place: Path) -> Row:
    """Start on 365 days of files of which ten are ours, while refunds go on landing."""
    started = time.monotonic()
    year = days_before(365)
    with Deployment(place, seed, year[-OURS].date()) as deployed:
        for at in year[:-OURS]:
            deployed.land(1, at=at)
        others = {one.refund_id for one in deployed.refunds}
        deployed.refunds.clear()
        for at in year[-OURS:]:
            deployed.land(PER_DAY, at=at)
        requests = deployed.sandbox.landing.requests
        deployed.start_dagster()
        waits = _live_on(deployed)
        requests = deployed.sandbox.landing.requests - requests
        _assert_untouched(deployed, others, year[0])
        lost, twice = deployed.verdict()
        runs, refunds = deployed.runs(), len(deployed.refunds)
    return Row(
        campaign="first-deployment",
        seed=seed,
        cases=len(runs),
        refunds=refunds,
        faults=f"{365 - OURS} days of files before REFUNDS_START_DATE, {OURS} after it unread, "
        f"{len(waits)} files landing meanwhile; a run before the start asked for by hand",
        lost=lost,
        twice=twice,
        outcome=f"nothing before the start touched; what landed meanwhile was posted after "
        f"{statistics.median(waits):.0f} s (median; longest {max(waits):.0f} s); "
        f"{requests} requests to S3",
        seconds=time.monotonic() - started,
    )


def _live_on(deployed: Deployment) -> list[float]:
    """Land a refund every so often until history is posted; return how long each took."""
    landed: dict[str, float] = {}
    waits: dict[str, float] = {}
    next_at, deadline = 0.0, time.monotonic() + 1500
    while len(waits) < len(landed) or not landed or not deployed.all_posted:
        now = time.monotonic()
        if now > deadline:
            raise CampaignFailed(f"not everything is posted: {deployed.standings()}")
        history_is_open = len(deployed.records()) - len(waits) < OURS * PER_DAY
        if now > next_at and history_is_open:
            (one,) = deployed.land(1, at=datetime.now(timezone.utc) - timedelta(seconds=1))
            landed[one.refund_id], next_at = now, now + _LIVE_EVERY
        there = deployed.records()
        for refund_id, since in landed.items():
            if refund_id in there and refund_id not in waits:
                waits[refund_id] = time.monotonic() - since
        time.sleep(0.5)
    return list(waits.values())


def _assert_untouched(deployed: Deployment, others: set[str], oldest: datetime) -> None:
    """Nothing before the start was read, asked for, run or posted, nor is it by hand."""
    code, said = deployed.command(ONE_DAY, day=oldest.date())
    if code == 0 or "before REFUNDS_START_DATE" not in said:
        raise CampaignFailed("a run before the start was not refused")
    with deployed.ledger() as ledger:
        known = ledger.known_refunds(others)
    if known or others & set(deployed.records()):
        raise CampaignFailed("refunds before the start were touched")
    days = {run.tags.get("dagster/partition") for run in deployed.runs()}
    early = [day for day in days if day and day < deployed.start.isoformat()]
    if set(early) - {oldest.date().isoformat()}:
        raise CampaignFailed(f"runs before the start: {early}")
