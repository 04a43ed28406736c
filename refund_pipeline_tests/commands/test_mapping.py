"""`refund-pipeline mapping check | suggest`: what is printed, and the exit codes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from refund_pipeline.cli import main
from refund_pipeline.domain.payments import PaymentsAvailable
from refund_pipeline.gateways.ledger.rows import PaymentRow
from refund_pipeline.steps.replay import Time
from refund_pipeline_tests.fakes import (
    EXAMPLE_MAPPING,
    NOON,
    FakeClock,
    event,
    landed_ledger,
    order,
    payment_lines,
)


def run(*arguments: str) -> Result:
    now = Time(lambda: NOON, lambda _: None)
    return CliRunner().invoke(main, ["mapping", *arguments], obj=now)


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Land a refund that went back by PayPal."""
    book = landed_ledger(tmp_path, [event(1)], FakeClock())
    (line,) = payment_lines(event(1))
    paid = PaymentsAvailable((replace(line, method="paypal", provider="paypal"),))
    book.save_payments([PaymentRow(event(1).refund_id, order(event(1)), paid, 1, None)])
    monkeypatch.setenv("REFUNDS_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    monkeypatch.setenv("REFUNDS_MAPPING", str(EXAMPLE_MAPPING))


def test_a_valid_mapping_is_said_to_be_valid() -> None:
    result = run("check", str(EXAMPLE_MAPPING))
    assert result.exit_code == 0, result.output
    assert "is valid (version" in result.output
    told = json.loads(run("check", str(EXAMPLE_MAPPING), "--json").output)
    assert (told["valid"], told["problems"], told["warnings"]) == (True, [], [])


def test_every_problem_is_listed_at_once(tmp_path: Path) -> None:
    document = yaml.safe_load(EXAMPLE_MAPPING.read_text())
    document["currencies"]["USD"] = "<currency id>"
    document["tenders"][0]["item"] = 8001
    file = tmp_path / "mapping.yaml"
    file.write_text(yaml.safe_dump(document))
    result = run("check", str(file))
    assert result.exit_code == 1
    assert "currencies.USD: is not an internal id" in result.output
    assert "tenders[0].item: is a number or date to YAML" in result.output
    assert "has 2 problem(s)" in result.output
    told = json.loads(CliRunner().invoke(main, ["mapping", "check", str(file), "--json"]).stdout)
    assert (told["valid"], len(told["problems"])) == (False, 2)


def test_what_holds_refunds_back_is_a_warning(tmp_path: Path) -> None:
    document = yaml.safe_load(EXAMPLE_MAPPING.read_text())
    document["gates"]["stop_posting"] = True
    file = tmp_path / "mapping.yaml"
    file.write_text(yaml.safe_dump(document))
    result = run("check", str(file))
    assert (result.exit_code, "stop_posting is on" in result.output) == (0, True)
    assert len(json.loads(run("check", str(file), "--json").output)["warnings"]) == 1


def test_a_file_that_is_not_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("check", "no-such.yaml")
    assert (result.exit_code, "there is no such file" in result.output) == (1, True)
    monkeypatch.delenv("REFUNDS_MAPPING", raising=False)
    result = run("check")
    assert (result.exit_code, "REFUNDS_MAPPING is not set" in result.output) == (3, True)


def test_rows_are_suggested_ready_to_paste(ledger: None) -> None:
    result = run("suggest")
    assert result.exit_code == 0, result.output
    assert yaml.safe_load(result.stdout) == {
        "tenders": [{"method": "paypal", "provider": "paypal", "item": "<payment item id>"}]
    }
    (row,) = json.loads(run("suggest", "--json").output)
    assert (row["section"], row["method"], row["amounts"]) == (
        "tenders",
        "paypal",
        {"USD": "12.50"},
    )


def test_nothing_to_suggest_is_said_so(ledger: None) -> None:
    result = run("suggest", "--since", "2026-11-21")
    assert (result.exit_code, "has a row for everything" in result.output) == (0, True)


def test_without_a_mapping_everything_is_suggested(
    ledger: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REFUNDS_MAPPING")
    written = yaml.safe_load(run("suggest").stdout)
    assert set(written) == {"currencies", "tenders", "stores"}


def test_an_invalid_mapping_is_mended_first(
    ledger: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mapping.yaml"
    file.write_text("version: 1")
    monkeypatch.setenv("REFUNDS_MAPPING", str(file))
    result = run("suggest")
    assert (result.exit_code, "mend them first" in result.output) == (1, True)
