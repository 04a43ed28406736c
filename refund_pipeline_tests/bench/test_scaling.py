"""The model of docs/scaling.md: its formula and its simulation agree, and the page shows them."""

import math
import random
import statistics

import pytest

from refund_pipeline_tests.bench.scaling import PAGE, what_a_day_takes
from refund_pipeline_tests.bench.scaling_model import (
    DAY,
    Deployment,
    dollars_a_month,
    peak_per_hour,
    requests,
    simulate,
    slots_needed,
)
from refund_pipeline_tests.marked_page import marked


def test_the_latency_has_the_median_the_p99_and_the_mean_it_says() -> None:
    deployment, chance = Deployment(1), random.Random(1)
    drawn = sorted(
        chance.lognormvariate(math.log(deployment.median), deployment.spread) for _ in range(50_000)
    )
    assert drawn[25_000] == pytest.approx(1.5, rel=0.03)
    assert drawn[49_500] == pytest.approx(8.0, rel=0.05)
    assert statistics.fmean(drawn) == pytest.approx(deployment.mean, rel=0.02)


def test_a_quiet_day_waits_for_files_and_ticks_alone() -> None:
    deployment = Deployment(14)
    played = simulate(1_000, deployment, seed=1)
    half_a_file = deployment.file_every / 2
    assert played.median == pytest.approx(half_a_file + deployment.run_start, rel=0.1)
    assert played.p99 < deployment.file_every + deployment.tick + deployment.run_start + 3 * 8


def test_an_account_below_the_busiest_hour_falls_behind_and_one_above_does_not() -> None:
    """The formula's slots are where the simulation turns."""
    volume = 60_000
    needed = slots_needed(volume, Deployment(1))
    behind = simulate(volume, Deployment(needed - 1), seed=1)
    keeps_up = simulate(volume, Deployment(needed + 1), seed=1)
    assert keeps_up.p99 < 15 * 60 < behind.p99


def test_beyond_what_an_account_takes_in_a_day_the_rest_waits_at_midnight() -> None:
    deployment = Deployment(1)
    most = deployment.per_hour * DAY / 3600
    played = simulate(int(2 * most), deployment, seed=1)
    assert played.waiting_at_midnight > most / 2
    assert played.busy > 0.85, "but for the small hours before the first batch"


def test_requests_grow_with_refunds_and_not_with_ticks() -> None:
    deployment = Deployment(14)
    small, large = requests(1_000, deployment), requests(1_000_000, deployment)
    assert large.erp / 1_000_000 < 1.04 < small.erp / 1_000
    assert large.s3 < 2 * small.s3
    assert large.newstore_per_second == pytest.approx(peak_per_hour(2_020_000) / 3600)
    assert dollars_a_month(1_000, deployment) < dollars_a_month(1_000_000, deployment)


def test_the_page_shows_what_the_formula_says() -> None:
    assert marked(PAGE, "a day") == what_a_day_takes()
