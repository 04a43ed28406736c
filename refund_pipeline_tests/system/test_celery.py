"""Runs on Celery's workers, for real: PostgreSQL, Redis, two workers, one of them killed."""

import contextlib
import os
import signal
import sys
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import redis
import yaml

from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.sandbox.sandbox import Sandbox
from refund_pipeline_tests.system.host import ROOT, Host, wait_until

pytestmark = pytest.mark.timeout(600)
PLACE = ROOT / "deploy" / "celery"
REDIS = os.environ.get("REFUNDS_TEST_REDIS_URL", "redis://127.0.0.1:6379")
CONCURRENCY = 3
DAYS, PER_DAY = 4, 25
LATENCY = 0.2


@pytest.fixture
def broker() -> str:
    """A Redis database of this test's own, empty."""
    url = f"{REDIS}/{9}"
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=3) as client:
            client.flushdb()
    except redis.ConnectionError:
        reason = "Redis cannot be reached; this test needs it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return url


def worker(host: Host, name: str) -> contextlib.AbstractContextManager:
    app = [sys.executable, "-m", "celery", "-A", "dagster_celery.app"]
    node = f"{name}@localhost"
    start = [*app, "worker", "--queues", "dagster", "--concurrency", "2", "-n", node]
    ping = [*app, "inspect", "ping", "-d", node]
    extra = {"PYTHONPATH": f"{PLACE}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    return host.process(name, start, check=ping, extra=extra)


def most_posts_at_once(sandbox: Sandbox) -> int:
    starts = [
        entry.started
        for entry in sandbox.netsuite.audit.requests
        if entry.method == "POST" and entry.path.endswith("/cashRefund") and entry.started
    ]
    window = timedelta(seconds=LATENCY)
    return max(sum(one - window < other <= one for other in starts) for one in starts)


def test_a_worker_killed_in_mid_run_costs_nothing_but_time(
    tmp_path: Path, databases: tuple[str, str], broker: str
) -> None:
    ledger_url, dagster_url = databases
    with Sandbox(state=tmp_path) as sandbox, contextlib.ExitStack() as stack:
        environment = {
            **sandbox.environment(),
            "NETSUITE_CONCURRENCY": str(CONCURRENCY),
            "REFUNDS_LEDGER_URL": ledger_url,
            "DAGSTER_POSTGRES_URL": dagster_url,
            "REFUNDS_CELERY_BROKER": broker,
            "REFUNDS_CELERY_BACKEND": broker,
        }
        host = Host(tmp_path, environment, dagster_yaml=PLACE / "dagster.yaml")
        now = datetime.now(timezone.utc)
        refunds = []
        for back in range(DAYS):
            at = now - timedelta(days=back)
            landed = [sandbox.retailer.any_refund(at) for _ in range(PER_DAY)]
            sandbox.retailer.land(*landed, at=at)
            refunds += landed
        sandbox.netsuite.latency.constant = LATENCY
        workers = {name: stack.enter_context(worker(host, name)) for name in ("one", "two")}
        for service in ("code-server", "daemon"):
            stack.enter_context(host.service(service))
        made = sandbox.netsuite.cash_refunds
        wait_until(lambda: len(made()) >= PER_DAY // 2)
        os.killpg(workers["one"].pid, signal.SIGKILL)
        wait_until(lambda: len(made()) >= len(refunds))

        ledger = Ledger(ledger_url, clock=lambda: datetime.now(timezone.utc))
        stack.callback(ledger.close)
        wait_until(
            lambda: {item.status for item in ledger.status_totals()} == {"posted"}, seconds=240
        )
        counts = Counter(record.custom["custbody_nst_refund_id"] for record in made())
        assert counts == {refund.refund_id: 1 for refund in refunds}
        assert most_posts_at_once(sandbox) <= CONCURRENCY, "the limit is the account's"


def test_the_settings_differ_from_the_projects_by_storage_and_launcher_only() -> None:
    own = yaml.safe_load((PLACE / "dagster.yaml").read_text(encoding="utf-8"))
    storage, launcher = own.pop("storage"), own.pop("run_launcher")
    assert own == yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    assert storage == {"postgres": {"postgres_url": {"env": "DAGSTER_POSTGRES_URL"}}}
    assert launcher["class"] == "WatchfulCeleryRunLauncher"
