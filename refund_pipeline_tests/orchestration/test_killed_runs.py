"""Runs killed with SIGKILL while they post, and two at once: real processes, one ERP record each.

`make chaos` does both at length, under a real daemon (`chaos/kills.py`, `chaos/overlaps.py`).
"""

import subprocess
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest

from refund_pipeline.sandbox.retailer import SandboxRefund
from refund_pipeline.sandbox.sandbox import Sandbox
from refund_pipeline_tests.chaos.run_processes import start_run

REFUNDS = 12
Starter = Callable[[], "subprocess.Popen[bytes]"]


def wait_for_posts(sandbox: Sandbox, count: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 90
    while sandbox.netsuite.audit.posts < count:
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture
def sandbox(tmp_path: Path):
    with Sandbox(state=tmp_path) as running:
        yield running


@pytest.fixture
def refunds(sandbox: Sandbox) -> list[SandboxRefund]:
    now = datetime.now(timezone.utc)
    landed = [sandbox.retailer.any_refund(now) for _ in range(REFUNDS)]
    sandbox.retailer.land(*landed, at=now)
    return landed


@pytest.fixture
def start(sandbox: Sandbox, refunds: list[SandboxRefund], tmp_path: Path) -> Starter:
    """Starts a run of the day the refunds landed on."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    environment = {**sandbox.environment(), "REFUNDS_LEDGER_URL": url}
    day = refunds[0].requested_at.date()
    return lambda: start_run(day, environment, tmp_path)


def posted(sandbox: Sandbox) -> list[str]:
    records = sandbox.netsuite.cash_refunds()
    return sorted(record.custom["custbody_nst_refund_id"] for record in records)


def expected(refunds: list[SandboxRefund]) -> list[str]:
    return sorted(refund.refund_id for refund in refunds)


def test_a_run_killed_while_it_posts_leaves_nothing_lost_and_nothing_twice(
    sandbox, refunds, start
) -> None:
    for posts in (1, 6):
        process = start()
        wait_for_posts(sandbox, posts, process)
        process.kill()
        process.wait()
    assert start().wait(timeout=90) == 0
    assert posted(sandbox) == expected(refunds)


def test_two_runs_of_one_day_at_once_leave_nothing_lost_and_nothing_twice(
    sandbox, refunds, start
) -> None:
    sandbox.netsuite.latency.constant = 0.1
    sandbox.netsuite.faults.lose_answers(1)
    together = [start(), start()]
    assert [process.wait(timeout=90) for process in together] == [0, 0]
    assert posted(sandbox) == expected(refunds)
