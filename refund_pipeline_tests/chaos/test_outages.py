"""Short outages of the campaigns: noticed by few requests, nothing lost, and posted by itself."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from refund_pipeline_tests.chaos.enduring import HOUR, Endured, World, endure, world
from refund_pipeline_tests.chaos.outages import (
    daemon_stopped,
    erp_loses_answers,
    names_unknown,
    resolver_of,
)

SIZE = 10
TICK = timedelta(minutes=4)
ATTEMPTS = 5
"""Of a read, within its run."""


def kept(here: World, endured: Endured) -> bool:
    row = here.row("short", 7, 0.0, cases=1, faults="", outcome=str(endured))
    assert endured.recovered_in < timedelta(minutes=70), "the longest pause, and what is around it"
    return row.holds


def test_an_hour_without_netsuite_costs_few_requests_and_no_refund(tmp_path: Path) -> None:
    with world(7, tmp_path, size=SIZE, tick=TICK) as here:
        outage = replace(erp_loses_answers(here), stops_landing=True)
        endured = endure(here, outage, hours=1)
        assert kept(here, endured)
    retries, pauses = 3, 6
    # Where every refund was begun already, a run looks them up, and probes whether that is refused.
    asked = 2 * ATTEMPTS
    assert endured.at_once <= 12 + asked, "lost and unclear answers, and who was under way"
    assert endured.per_hour[0] <= (retries + pauses) * asked


def test_what_landed_while_the_daemon_was_stopped_is_posted_once_it_is_back(tmp_path: Path) -> None:
    with world(7, tmp_path, size=SIZE, tick=TICK) as here:
        waiting, recovered = daemon_stopped(here, hours=3)
        assert waiting == 24
        assert recovered < 10, "two landing days, a run each"
        assert here.row("short", 7, 0.0, cases=1, faults="", outcome="").holds


def test_an_hour_without_names_costs_few_requests_and_no_refund(tmp_path: Path) -> None:
    with world(7, tmp_path, size=SIZE, tick=TICK) as here, resolver_of(here.sandbox) as resolver:
        outage = replace(names_unknown(here, resolver), stops_landing=True)
        endured = endure(here, outage, hours=1)
        assert kept(here, endured)
    retries, ticks, pauses = 3, HOUR // TICK + 1, 6
    assert endured.at_once <= 8 * ATTEMPTS
    assert endured.per_hour[0] <= 2 * ticks + (retries + pauses) * ATTEMPTS
