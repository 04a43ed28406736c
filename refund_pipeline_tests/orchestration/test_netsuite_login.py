"""Runs that log in to NetSuite by either way, and runs whose credentials are refused."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest

from refund_pipeline.definitions import build_definitions
from refund_pipeline.orchestration.resources import default_resources
from refund_pipeline.sandbox.retail import CASH
from refund_pipeline.sandbox.sandbox import Sandbox

RETRY_TAG = "dagster/retry_on_asset_or_op_failure"


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    state = tmp_path / "sandbox"
    state.mkdir()
    with Sandbox(state=state) as running:
        yield running


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def tba(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment of token-based authentication; of OAuth 2.0 nothing is set."""
    for name in sandbox.environment():
        monkeypatch.delenv(name, raising=False)
    for name, value in sandbox.environment(auth="tba").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("REFUNDS_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    return monkeypatch


def run(instance: dg.DagsterInstance, at: datetime) -> dg.ExecuteInProcessResult:
    job = build_definitions().resolve_job_def("sync_refunds")
    return job.execute_in_process(
        instance=instance,
        partition_key=at.date().isoformat(),
        tags={"dagster/max_retries": "3"},
        raise_on_error=False,
    )


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    (failure,) = (event for event in result.all_events if event.is_step_failure)
    data = failure.step_failure_data
    assert data.user_failure_data is not None
    return str(data.user_failure_data.description)


def test_a_run_posts_by_token_based_authentication(sandbox, instance, tba) -> None:
    now = datetime.now(timezone.utc)
    refund = sandbox.retailer.refund("store", "USD", CASH, at=now)
    sandbox.retailer.land(refund, at=now)

    assert run(instance, now).success
    assert len(sandbox.netsuite.cash_refunds()) == 1
    assert sandbox.netsuite.logins.failures == []
    assert "POST token" not in sandbox.netsuite.audit.counts


def test_runs_whose_credentials_are_refused_stop_before_the_user_is_locked(
    sandbox, instance, tba, tmp_path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    tba.setenv("DAGSTER_HOME", str(home))
    tba.setenv("NETSUITE_TOKEN_SECRET", "0" * 64)
    now = datetime.now(timezone.utc)
    days = [now - timedelta(days=days) for days in range(4)]
    for day in days:
        sandbox.retailer.land(sandbox.retailer.refund("store", "USD", CASH, at=day), at=day)
    results = [run(instance, day) for day in days]

    assert [result.success for result in results] == [False] * 4
    for result in results:
        failed = instance.get_run_by_id(result.run_id)
        assert failed is not None
        assert failed.tags[RETRY_TAG] == "false"
    assert "NetSuite refuses a fresh signature" in failure_of(results[0])
    assert "3 times in a row" in failure_of(results[3])
    assert len(sandbox.netsuite.logins.failures) == 3
    assert not sandbox.netsuite.logins.locked

    (counted,) = home.glob("netsuite_refusals_*.log")
    assert str(counted) in failure_of(results[3])
    tba.setenv("NETSUITE_TOKEN_SECRET", sandbox.netsuite.token_secret)
    counted.unlink()
    assert run(instance, days[0]).success


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["NETSUITE_TOKEN_ID", "NETSUITE_TOKEN_SECRET"], "set NETSUITE_TOKEN_ID, NETSUITE_TOKEN_S"),
        (
            ["NETSUITE_AUTH"],
            "NETSUITE_AUTH is oauth2: set NETSUITE_CLIENT_ID, NETSUITE_CERTIFICATE",
        ),
    ],
)
def test_what_is_missing_is_named_and_the_run_is_not_retried(
    sandbox, instance, tba, names, says
) -> None:
    for name in names:
        tba.delenv(name)
    now = datetime.now(timezone.utc)
    sandbox.retailer.land(sandbox.retailer.refund("store", "USD", CASH, at=now), at=now)
    result = run(instance, now)

    assert says in failure_of(result)
    failed = instance.get_run_by_id(result.run_id)
    assert failed is not None
    assert failed.tags[RETRY_TAG] == "false"


def test_secrets_stay_variables_until_a_run_asks(sandbox, tba) -> None:
    erp = repr(default_resources()["erp"])

    assert "NETSUITE_TOKEN_SECRET" in erp
    assert sandbox.netsuite.token_secret not in erp
    assert sandbox.netsuite.consumer_secret not in erp
