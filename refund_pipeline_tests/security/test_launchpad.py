"""Whoever may launch a run in Dagster's UI cannot have our secrets sent or shown to them."""

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import stamina

from refund_pipeline.definitions import build_definitions
from refund_pipeline.sandbox.retail import CASH
from refund_pipeline.sandbox.sandbox import Sandbox
from refund_pipeline_tests.security.hostile_answers import document
from refund_pipeline_tests.security.hostile_server import hostile_server
from refund_pipeline_tests.security.written_files import contents


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(state=tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    for name, value in running.environment().items():
        monkeypatch.setenv(name, value)
    stamina.set_testing(True)
    yield running
    stamina.set_testing(False)


def launch(home: Path, monkeypatch: pytest.MonkeyPatch, resources: dict[str, Any]) -> Any:
    monkeypatch.setenv("REFUNDS_LEDGER_URL", f"sqlite:///{home / 'ledger.db'}")
    day = datetime.now(timezone.utc).date().isoformat()
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        return (
            build_definitions()
            .resolve_job_def("sync_refunds")
            .execute_in_process(
                instance=instance,
                partition_key=day,
                raise_on_error=False,
                run_config={"resources": resources},
            )
        )


def variable(name: str) -> dict[str, str]:
    return {"env": name}


def test_a_run_s_configuration_leads_no_credentials_elsewhere(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(timezone.utc)
    sandbox.retailer.land(sandbox.retailer.refund("store", "USD", CASH, at=now), at=now)
    with hostile_server() as elsewhere:
        elsewhere.answer = document({})
        newstore = {
            "token_url": f"{elsewhere.url}/token",
            "base_url": elsewhere.url,
            "client_id": variable("NEWSTORE_CLIENT_ID"),
            "client_secret": variable("NEWSTORE_CLIENT_SECRET"),
            "tenant": variable("REFUNDS_TENANT"),
        }
        launch(tmp_path, monkeypatch, {"newstore": {"config": newstore}})
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    "resources",
    [
        {"mapping": {"config": {"location": variable("NEWSTORE_CLIENT_SECRET")}}},
        {"ledger": {"config": {"url": variable("NEWSTORE_CLIENT_SECRET")}}},
        {
            "landing_bucket": {
                "config": {"url": variable("NEWSTORE_CLIENT_SECRET"), "tenant": "demo"}
            }
        },
        {"options": {"config": {"refund_ids": [variable("NEWSTORE_CLIENT_SECRET")]}}},
    ],
    ids=lambda resources: next(iter(resources)),
)
def test_a_run_s_configuration_shows_no_variable(
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    resources: dict[str, Any],
) -> None:
    now = datetime.now(timezone.utc)
    sandbox.retailer.land(sandbox.retailer.refund("store", "USD", CASH, at=now), at=now)
    launch(tmp_path, monkeypatch, resources)
    written = [*contents(tmp_path)]
    assert len(written) > 20
    secret = sandbox.newstore.client_secret.encode()
    assert {name for name, content in written if secret in content} == set()
