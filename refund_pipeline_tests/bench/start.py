"""From landed to posted, for one refund on an idle machine under a real daemon; each part named."""

import statistics
import time
from datetime import datetime, timezone
from itertools import pairwise

import dagster as dg

from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.local_dagster import LocalDagster
from refund_pipeline_tests.bench.results import Result, Settings
from refund_pipeline_tests.bench.steps import utc_now
from refund_pipeline_tests.bench.world import World, other_world

_PATIENCE = 300.0
_PARTS = {
    "until a sensor's tick has asked for the day": "`landing_bucket_sensor`, every 30 s",
    "until the queue lets the run begin": "Dagster's queue",
    "until the run's process has started and imported": "Dagster, and a little of ours",
    "until the refund is in NetSuite": "our steps, among Dagster's events",
}


def start(settings: Settings) -> Result:
    """Land one refund after another, at different moments of the sensor's interval."""
    rounds = settings.pick(full=7, quick=2, tiny=0)
    measured: list[list[float]] = [[0.0] * len(_PARTS)] if not rounds else []
    if rounds:
        with other_world(settings.seed, settings.place) as world:
            home = settings.place / "home"
            environment = {
                **world.environment(str(settings.place / "mapping.yaml")),
                "REFUNDS_LEDGER_URL": (ledger := f"sqlite:///{settings.place / 'ledger.db'}"),
            }
            with LocalDagster(home, environment) as dagster:
                dagster.wait_until_ready(timeout=_PATIENCE)
                with dg.DagsterInstance.from_config(str(home)) as instance:
                    one_refund(world, instance, ledger)  # the first one meets caches that are cold
                    for number in range(rounds):
                        time.sleep(7 * number % 30)
                        measured.append(one_refund(world, instance, ledger))
    rows: list[tuple[object, ...]] = []
    for number, (name, whose) in enumerate(_PARTS.items()):
        several = [one[number] for one in measured]
        rows.append((name, whose, *_spread(several)))
    rows.append(("from landed to posted", "", *_spread([sum(one) for one in measured])))
    return Result(("part", "whose", "median s", "least s", "most s"), tuple(rows))


def _spread(several: list[float]) -> tuple[str, str, str]:
    found = (statistics.median(several), min(several), max(several))
    return f"{found[0]:.1f}", f"{found[1]:.1f}", f"{found[2]:.1f}"


def one_refund(world: World, instance: dg.DagsterInstance, ledger_url: str) -> list[float]:
    """Let a refund land now; return the seconds of each part."""
    landed = utc_now()
    refund_id, _, _ = world.land_now()
    posted, run_id = _posting_of(ledger_url, refund_id)
    _wait_for_the_end(instance, run_id)
    record = instance.get_run_record_by_id(run_id)
    assert record is not None
    at = {
        one.dagster_event.event_type: datetime.fromtimestamp(one.timestamp, timezone.utc)
        for one in instance.all_logs(run_id)
        if one.dagster_event is not None
    }
    moments = [
        landed,
        record.create_timestamp.replace(tzinfo=timezone.utc),
        at[dg.DagsterEventType.PIPELINE_STARTING],
        at[dg.DagsterEventType.PIPELINE_START],
        posted,
    ]
    return [(after - before).total_seconds() for before, after in pairwise(moments)]


def _wait_for_the_end(instance: dg.DagsterInstance, run_id: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        run = instance.get_run_by_id(run_id)
        if run is not None and run.is_finished:
            return
        time.sleep(0.2)
    raise TimeoutError("the run does not end")


def _posting_of(ledger_url: str, refund_id: str) -> tuple[datetime, str]:
    """Return when a refund was posted, and by which run."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        ledger = Ledger(ledger_url, clock=utc_now)
        found = ledger.for_reading().stories_of(refund_id)
        history = ledger.history(refund_id)
        ledger.close()
        if found and found[0].posting and found[0].posting.posted_at:
            return found[0].posting.posted_at, history[-1].run_id
        time.sleep(0.2)
    raise TimeoutError("the refund is not posted")
