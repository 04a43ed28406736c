"""`refund-pipeline report`: files, sums, exit codes."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from refund_pipeline.cli import main
from refund_pipeline.steps.replay import Time
from refund_pipeline_tests.fakes import DAY, FakeClock, event, ready_ledger


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ready_ledger(tmp_path, 2, FakeClock())
    monkeypatch.setenv("REFUNDS_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    monkeypatch.setenv("REFUNDS_REPORTS", str(tmp_path / "reports"))
    clock = FakeClock()

    def invoke(*arguments: str) -> Result:
        time = Time(clock.now, clock.sleep)
        return CliRunner().invoke(main, ["report", *arguments], obj=time)

    return invoke


def test_the_files_are_written_where_the_environment_says(run, tmp_path: Path) -> None:
    result = run("--from", str(DAY), "--to", str(DAY))
    assert result.exit_code == 0, result.output
    place = tmp_path / "reports" / f"{DAY}--{DAY}"
    assert str(place) in result.output.replace("\n", "")
    assert (place / "refunds.xlsx").stat().st_size > 0
    assert "2  25.00" in result.output


def test_json_tells_amounts_as_text_with_their_scale(run) -> None:
    document = json.loads(run("--from", str(DAY), "--to", str(DAY), "--json").output)
    (sums,) = document["totals"]
    assert sums["landed_count"] == 2
    assert sums["landed_amount"] == str(2 * event(0).amount)


def test_the_wrong_way_round_is_an_error_of_use(run) -> None:
    result = run("--from", "2026-02-01", "--to", "2026-01-01")
    assert result.exit_code == 2
    assert "--to is before --from" in result.output
