"""A run killed with SIGKILL while it posts: running the day again ends in the same ERP state."""

import os
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest

from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.sandbox.sandbox import Sandbox

REFUNDS = 12


def start_run(day, environment, home: Path) -> subprocess.Popen:
    tags = f'{{"dagster/partition": "{day.isoformat()}"}}'
    command = [sys.executable, "-m", "dagster", "job", "execute"]
    command += ["-m", "refund_pipeline.definitions", "-j", "sync_refunds", "--tags", tags]
    return subprocess.Popen(  # noqa: S603  (our own command line)
        command,
        cwd=home,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def wait_for_posts(sandbox: Sandbox, count: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 90
    while sandbox.netsuite.audit.posts < count:
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture
def sandbox(tmp_path: Path):
    with Sandbox(state=tmp_path) as running:
        yield running


def test_a_run_killed_while_it_posts_leaves_nothing_lost_and_nothing_twice(
    sandbox, tmp_path
) -> None:
    now = datetime.now(timezone.utc)
    refunds = [sandbox.retailer.any_refund(now) for _ in range(REFUNDS)]
    sandbox.retailer.land(*refunds, at=now)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    environment = {**sandbox.environment(), "REFUNDS_LEDGER_URL": url}
    for posts in (1, 6):
        process = start_run(now.date(), environment, tmp_path)
        wait_for_posts(sandbox, posts, process)
        process.kill()
        process.wait()
    assert start_run(now.date(), environment, tmp_path).wait(timeout=90) == 0
    records = [
        record.custom["custbody_nst_refund_id"] for record in sandbox.netsuite.cash_refunds()
    ]
    assert sorted(records) == sorted(refund.refund_id for refund in refunds)
    ledger = Ledger(url, clock=lambda: datetime.now(timezone.utc))
    assert {row.status for row in ledger.refunds()} == {"posted"}
    ledger.close()
