"""The recovery procedures of docs/operations.md, command by command, under a real daemon."""

import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from refund_pipeline_tests.chaos.deployment import (
    BACK_UP,
    COMPARE,
    LOSE_STORAGE,
    LOST_LEDGER,
    POST_THE_REST,
    PUT_BACK,
    Deployment,
    days_before,
)
from refund_pipeline_tests.chaos.rows import CampaignFailed, Row

PER_DAY = 5
_STOPPED = ("held", "posting_stopped")


def recovery(seed: int, place: Path) -> Row:
    """Lose the ledger, put a backup back, lose Dagster's storage; follow the page each time."""
    started = time.monotonic()
    days = days_before(5)
    with Deployment(place, seed, days[0].date()) as deployed:
        for at in days:
            deployed.land(PER_DAY, at=at)
        deployed.start_dagster()
        deployed.wait("all posted", lambda: deployed.all_posted)
        took = [_lose_the_ledger(deployed, days), _put_a_backup_back(deployed, days)]
        took.append(_lose_dagsters_storage(deployed, days))
        lost, twice = deployed.verdict()
        refunds = len(deployed.refunds)
    return Row(
        campaign="recovery",
        seed=seed,
        cases=len(took),
        refunds=refunds,
        faults="ledger deleted; ledger put back from a backup; Dagster's storage deleted; each "
        "recovered by the commands of docs/operations.md",
        lost=lost,
        twice=twice,
        outcome="no new record for what was posted; recovered after "
        + ", ".join(f"{seconds:.0f} s" for seconds in took),
        seconds=time.monotonic() - started,
    )


def _lose_the_ledger(deployed: Deployment, days: list[datetime]) -> float:
    before, started = deployed.records(), time.monotonic()
    first, last = days[0].date(), days[-1].date()
    deployed.stop_posting(on=True)
    for file in deployed.home.glob("refund_ledger.db*"):
        file.unlink()
    unposted = deployed.land(PER_DAY, at=days[2] + timedelta(hours=1))
    said = [deployed.must(line) for line in LOST_LEDGER]
    if "landed_history_sensor [RUNNING]" not in said[-1]:
        raise CampaignFailed(f"deleting its cursor stopped the sensor: {said[-1][-500:]}")
    standing = {("posted", None): len(before), _STOPPED: len(unposted)}
    deployed.wait("what is there found", lambda: deployed.standings() == standing)
    if deployed.records() != before:
        raise CampaignFailed("a record was made although the kill switch was on")
    deployed.must(COMPARE, first=first, last=last)
    deployed.stop_posting(on=False)
    deployed.must(POST_THE_REST, first=first, last=last)
    deployed.wait("all posted", lambda: deployed.all_posted)
    _assert_kept(deployed, before)
    return time.monotonic() - started


def _put_a_backup_back(deployed: Deployment, days: list[datetime]) -> float:
    deployed.must(BACK_UP)
    deployed.land(PER_DAY, at=datetime.now(timezone.utc) - timedelta(seconds=1))
    deployed.land(PER_DAY, at=days[-1] + timedelta(hours=1))
    deployed.must(POST_THE_REST, first=days[-1].date(), last=days[-1].date())
    deployed.wait("all posted", lambda: deployed.all_posted)
    before, started = deployed.records(), time.monotonic()
    deployed.stop_dagster()
    for line in PUT_BACK:
        deployed.must(line)
    deployed.start_dagster()
    for line in LOST_LEDGER[:2]:
        deployed.must(line)
    deployed.wait("all posted", lambda: deployed.all_posted)
    _assert_kept(deployed, before)
    return time.monotonic() - started


def _lose_dagsters_storage(deployed: Deployment, days: list[datetime]) -> float:
    before, started = deployed.records(), time.monotonic()
    deployed.stop_dagster()
    deployed.must(LOSE_STORAGE)
    deployed.land(1, at=days[1] + timedelta(hours=2))
    deployed.start_dagster()
    deployed.land(1, at=datetime.now(timezone.utc) - timedelta(seconds=1))
    deployed.wait("all posted", lambda: deployed.all_posted)
    _assert_kept(deployed, before)
    asked = {run.tags.get("dagster/partition") for run in deployed.runs()} - {None}
    today = datetime.now(timezone.utc).date()
    expected = {days[1].date().isoformat(), today.isoformat()}
    if not asked <= expected:
        raise CampaignFailed(f"days were run again that had been read: {sorted(map(str, asked))}")
    return time.monotonic() - started


def _assert_kept(deployed: Deployment, before: dict[str, list[str]]) -> None:
    now = deployed.records()
    changed = [refund for refund, ids in before.items() if now.get(refund) != ids]
    if changed:
        raise CampaignFailed(f"records were made anew: {changed[:5]}")
