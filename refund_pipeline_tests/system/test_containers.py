"""The containers, as far as a machine without an engine can try them.

The Dockerfile is linted; every service's own command and health check of compose.yaml run here as
plain processes, with the containers' dagster.yaml and workspace.yaml, on PostgreSQL, and post a
refund.
"""

import contextlib
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import pytest
import yaml

from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.sandbox.sandbox import Sandbox
from refund_pipeline_tests.system.host import BIN, COMPOSE, ROOT, Host, wait_until

pytestmark = pytest.mark.timeout(600)
PLACES = ROOT / "deploy" / "containers"
OURS = ("code-server", "daemon", "webserver", "receiver")
KEY = "a-receiver-key-of-the-test"


def test_every_service_starts_answers_and_together_they_post_a_refund(
    tmp_path: Path, databases: tuple[str, str]
) -> None:
    ledger_url, dagster_url = databases
    with Sandbox(state=tmp_path) as sandbox, contextlib.ExitStack() as stack:
        environment = {
            **sandbox.environment(),
            "REFUNDS_LEDGER_URL": ledger_url,
            "DAGSTER_POSTGRES_URL": dagster_url,
            "REFUNDS_RECEIVER_KEY": KEY,
        }
        host = Host(tmp_path, environment, dagster_yaml=PLACES / "dagster.yaml")
        for service in OURS:
            stack.enter_context(host.service(service))
        now = datetime.now(timezone.utc)
        refund = sandbox.retailer.any_refund(now)
        sandbox.retailer.land(refund, at=now)
        ledger = Ledger(ledger_url, clock=lambda: datetime.now(timezone.utc))
        stack.callback(ledger.close)
        wait_until(lambda: (row := ledger.refund(refund.refund_id)) and row.status == "posted")
        assert len(sandbox.netsuite.cash_refunds()) == 1


def test_all_our_services_are_tried() -> None:
    own = {name for name, service in COMPOSE["services"].items() if "command" in service}
    assert own == set(OURS)


def test_the_dockerfile_passes_its_linter() -> None:
    done = subprocess.run(  # noqa: S603
        [BIN / "hadolint", "--failure-threshold", "style", ROOT / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_containers_dagster_yaml_differs_from_the_projects_by_its_storage_only() -> None:
    own = yaml.safe_load((PLACES / "dagster.yaml").read_text(encoding="utf-8"))
    storage = own.pop("storage")
    assert own == yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    assert storage == {"postgres": {"postgres_url": {"env": "DAGSTER_POSTGRES_URL"}}}


def test_the_image_installs_the_versions_that_are_tested() -> None:
    def pins(path: Path) -> set[str]:
        lines = path.read_text(encoding="utf-8").splitlines()
        return {line.rstrip(" \\") for line in lines if line and not line.startswith((" ", "#"))}

    image, tested = pins(ROOT / "deploy" / "requirements.lock"), pins(ROOT / "requirements.lock")
    assert {pin.split(" ;")[0] for pin in image} <= {pin.split(" ;")[0] for pin in tested}
    assert not any(pin.startswith(("pytest==", "moto==")) for pin in image)
