"""A healthy set-up against the sandbox, to plant a mistake in: environment, mapping, systems."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from refund_pipeline.domain.outcomes import Posted
from refund_pipeline.gateways.netsuite import NetSuite
from refund_pipeline.orchestration.set_up import JobSetUp
from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline.sandbox.newstore import NewStoreSandbox
from refund_pipeline.sandbox.retail import CASH
from refund_pipeline.sandbox.sandbox import Sandbox
from refund_pipeline.steps.doctor import examine
from refund_pipeline.steps.doctor_findings import Finding, Verdict
from refund_pipeline_tests.fakes import EXAMPLE_MAPPING, transaction
from refund_pipeline_tests.gateways.netsuite_logins import login

_PREFIXES = ("REFUNDS_", "NEWSTORE_", "NETSUITE_", "AWS_", "DAGSTER_")


@dataclass(slots=True)
class Planted:
    """What a mistake can be planted in; `now` is what the doctor takes for the time."""

    environment: dict[str, str]
    mapping: dict[str, Any]
    netsuite: NetSuiteSandbox
    newstore: NewStoreSandbox
    directory: Path
    now: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    def set(self, **variables: str) -> None:
        self.environment.update(variables)

    def unset(self, *names: str) -> None:
        for name in names:
            self.environment.pop(name)

    def findings(self, monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
        """Return what the doctor finds in this set-up."""
        self.apply(monkeypatch)
        with JobSetUp() as set_up:
            return list(examine(set_up, now=lambda: self.now))

    def apply(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Write the mapping and make this the environment."""
        file = self.directory / "mapping.yaml"
        file.write_text(yaml.safe_dump(self.mapping))
        for name in os.environ:
            if name.startswith(_PREFIXES):
                monkeypatch.delenv(name)
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)


@contextmanager
def shared_sandbox() -> Iterator[Sandbox]:
    """Start all three systems with one refund landed; tests share them, but for NetSuite."""
    with Sandbox() as sandbox:
        now = datetime.now(timezone.utc)
        refund = sandbox.retailer.refund("store", "USD", CASH, at=now)
        sandbox.retailer.land(refund, at=now - timedelta(minutes=1))
        yield sandbox


@contextmanager
def account(*, has_refund: bool = True, **settings: Any) -> Iterator[NetSuiteSandbox]:
    """Start a NetSuite account; `settings` are its arguments.

    With `has_refund` a cash refund was made by the pinned form, so that the form is seen in use.
    """
    with NetSuiteSandbox(**settings) as netsuite:
        if has_refund:
            _post_one(netsuite)
        yield netsuite


@contextmanager
def healthy(sandbox: Sandbox, directory: Path, netsuite: NetSuiteSandbox) -> Iterator[Planted]:
    """Set everything up, with this NetSuite account."""
    sandbox.netsuite = netsuite
    home = directory / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("run_retries: { enabled: true }\n")
    environment = {
        **sandbox.environment(),
        "REFUNDS_MAPPING": str(directory / "mapping.yaml"),
        "REFUNDS_LEDGER_URL": f"sqlite:///{directory / 'ledger.db'}",
        "DAGSTER_HOME": str(home),
        "REFUNDS_ALERTS": "https://alerts.example/hook",
    }
    mapping = yaml.safe_load(EXAMPLE_MAPPING.read_text())
    yield Planted(environment, mapping, netsuite, sandbox.newstore, directory)
    sandbox.newstore.forbid()


def wrong(findings: list[Finding]) -> list[Finding]:
    """Return what must be mended."""
    return [one for one in findings if one.verdict is Verdict.ERROR]


def _post_one(netsuite: NetSuiteSandbox) -> None:
    refund = transaction(1)
    sale = netsuite.add_cash_sale(
        external_id=refund.order_number,
        entity=refund.entity,
        subsidiary=refund.subsidiary,
        location=refund.location,
        currency=refund.currency,
        total=Decimal(50),
        on=refund.business_date,
    )
    gateway = NetSuite(
        account=netsuite.account,
        base_url=netsuite.base_url,
        authenticator=login(netsuite, "oauth2"),
    )
    assert isinstance(gateway.post(replace(refund, created_from=sale)), Posted)
    gateway.close()
