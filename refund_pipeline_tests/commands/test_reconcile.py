"""`refund-pipeline reconcile` against the sandbox: agreement, differences, exit codes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from refund_pipeline.cli import main
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.netsuite import NetSuite
from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline.steps.replay import Time
from refund_pipeline_tests.fakes import (
    DAY,
    EXAMPLE_MAPPING,
    FakeClock,
    ready_ledger,
    transaction,
)
from refund_pipeline_tests.gateways.netsuite_logins import login


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NetSuiteSandbox]:
    with NetSuiteSandbox() as running:
        key = tmp_path / "key.pem"
        key.write_text(running.private_key_pem)
        for name, value in {
            "REFUNDS_LEDGER_URL": f"sqlite:///{tmp_path / 'ledger.db'}",
            "REFUNDS_MAPPING": str(EXAMPLE_MAPPING),
            "NETSUITE_ACCOUNT": running.account,
            "NETSUITE_BASE_URL": running.base_url,
            "NETSUITE_CLIENT_ID": running.client_id,
            "NETSUITE_CERTIFICATE_ID": running.certificate_id,
            "NETSUITE_PRIVATE_KEY_FILE": str(key),
        }.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def posted(sandbox: NetSuiteSandbox, tmp_path: Path) -> Ledger:
    """Return a ledger with one refund of DAY that is in the sandbox."""
    ledger = ready_ledger(tmp_path, 1, FakeClock())
    refund = transaction(0)
    sale = sandbox.add_cash_sale(
        external_id=refund.order_number,
        entity="601",
        subsidiary="1",
        location="11",
        currency="USD",
        total=Decimal(50),
        on=DAY,
    )
    netsuite = NetSuite(
        account=sandbox.account,
        base_url=sandbox.base_url,
        authenticator=login(sandbox, "oauth2"),
    )
    outcome = netsuite.post(replace(refund, created_from=sale))
    netsuite.close()
    ledger.finish_posting(
        refund.refund_id, state="posted", erp_id=outcome.erp_id, amount=refund.amount
    )
    return ledger


def run(*arguments: str) -> Result:
    clock = FakeClock()
    clock.sleep(3600)
    time = Time(clock.now, clock.sleep)
    return CliRunner().invoke(main, ["reconcile", *arguments], obj=time)


def test_equal_sides_are_exit_code_0_and_a_table(posted: Ledger) -> None:
    result = run("--from", str(DAY))
    assert result.exit_code == 0, result.output
    assert "12.50 USD" in result.output


def test_a_record_the_ledger_does_not_know_is_exit_code_1_and_named(
    posted: Ledger, sandbox: NetSuiteSandbox
) -> None:
    stranger = replace(transaction(7), created_from=None, external_id="apz-stranger")
    netsuite = NetSuite(
        account=sandbox.account,
        base_url=sandbox.base_url,
        authenticator=login(sandbox, "oauth2"),
    )
    outcome = netsuite.post(stranger)
    netsuite.close()
    result = run("--from", str(DAY), "--json")
    assert result.exit_code == 1
    (day,) = json.loads(result.output[: result.output.rindex("]") + 1])
    assert day["unknown_to_the_ledger"] == [
        {"external_id": "apz-stranger", "erp_id": outcome.erp_id}
    ]
    assert f"disagree on {DAY}" in result.output


def test_a_range_has_a_row_per_day(posted: Ledger) -> None:
    result = run("--from", str(DAY - timedelta(days=1)), "--to", str(DAY), "--json")
    assert [day["landing_day"] for day in json.loads(result.output)] == ["2026-11-19", "2026-11-20"]


def test_wrong_usage_and_settings_that_are_missing(
    sandbox: NetSuiteSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("--from", "2026-11-20", "--to", "2026-11-19").exit_code == 2
    monkeypatch.delenv("NETSUITE_CERTIFICATE_ID")
    result = run("--from", "2026-11-20")
    assert result.exit_code == 3
    assert "NETSUITE_CERTIFICATE_ID" in result.output
