"""`refund-pipeline doctor`: a table or JSON, exit codes for deploy scripts."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from refund_pipeline.cli import main
from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline.sandbox.sandbox import Sandbox
from refund_pipeline_tests.planted import Planted, account, healthy, shared_sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with shared_sandbox() as running:
        yield running


@pytest.fixture(scope="module")
def netsuite() -> Iterator[NetSuiteSandbox]:
    """Start an account that no test here changes."""
    with account() as running:
        yield running


@pytest.fixture
def planted(sandbox: Sandbox, netsuite: NetSuiteSandbox, tmp_path: Path) -> Iterator[Planted]:
    with healthy(sandbox, tmp_path, netsuite) as ready:
        yield ready


def run(planted: Planted, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    planted.apply(monkeypatch)
    monkeypatch.setenv("COLUMNS", "400")
    return CliRunner().invoke(main, ["doctor", *arguments])


def test_a_healthy_set_up_is_exit_code_0_and_a_table(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(planted, monkeypatch)
    assert result.exit_code == 0, result.output
    assert "the 9 items exist" in result.stdout
    assert "0 warnings, 0 errors" in result.stdout
    assert (planted.directory / "ledger.db").exists(), "its schema was brought up to date"


def test_warnings_alone_are_exit_code_0(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    planted.mapping["gates"]["stop_posting"] = True
    result = run(planted, monkeypatch)
    assert result.exit_code == 0, result.output
    assert "1 warnings, 0 errors" in result.stdout


def test_an_error_is_exit_code_1_and_the_last_row_with_its_cure(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted.mapping["tenders"][0]["item"] = "8404"
    result = run(planted, monkeypatch)
    assert result.exit_code == 1
    *_, last = (line for line in result.stdout.splitlines() if "tenders[0].item" in line)
    assert last.split()[0] == "error"
    assert "put the internal id of a Payment item there" in last
    assert "must be mended" in result.stderr


def test_json_holds_every_finding_and_nothing_else_is_on_standard_output(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted.unset("NEWSTORE_CLIENT_SECRET")
    result = run(planted, monkeypatch, "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["errors"] == 1
    rows = document["findings"]
    assert document["ok"] + document["warnings"] + document["errors"] == len(rows)
    (wrong,) = (row for row in rows if row["verdict"] == "error")
    assert wrong == {
        "area": "settings",
        "verdict": "error",
        "what": "NEWSTORE_CLIENT_SECRET is not set",
        "fix": "set NEWSTORE_CLIENT_SECRET; README.md lists the variables",
    }
    assert {row["fix"] for row in rows if row["verdict"] == "ok"} == {None}


def test_wrong_usage_is_exit_code_2() -> None:
    assert CliRunner().invoke(main, ["doctor", "--fix"]).exit_code == 2


def test_an_empty_environment_is_a_list_of_what_to_set(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted.environment.clear()
    planted.set(REFUNDS_LEDGER_URL=f"sqlite:///{planted.directory / 'ledger.db'}")
    result = run(planted, monkeypatch, "--json")
    assert result.exit_code == 1
    rows = json.loads(result.stdout)["findings"]
    errors = [row["what"] for row in rows if row["verdict"] == "error"]
    assert {"REFUNDS_TENANT is not set", "NETSUITE_ACCOUNT is not set"} <= set(errors)
    assert all("is not set" in what for what in errors)
