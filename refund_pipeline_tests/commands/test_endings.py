"""An error is one sentence and a code to go by; a trace is for --debug; variables from a file."""

import os
from pathlib import Path
from unittest.mock import patch

import pytest
from click.testing import CliRunner

from refund_pipeline.cli import main
from refund_pipeline.domain.errors import Misconfigured

SECRET = "s3cret-value"


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `mapping check` meet what nobody foresaw."""

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError(SECRET)

    monkeypatch.setattr("refund_pipeline.gateways.mapping_file.load_mapping", fail)


def test_what_nobody_foresaw_is_a_sentence_with_its_place_and_nothing_of_its_content(
    broken: None,
) -> None:
    result = CliRunner().invoke(main, ["mapping", "check", "x"])
    assert result.exit_code == 4
    assert "ZeroDivisionError at mapping.py:" in result.output
    assert "--debug" in result.output
    assert "Traceback" not in result.output
    assert SECRET not in result.output


def test_debug_shows_the_trace(broken: None) -> None:
    result = CliRunner().invoke(main, ["--debug", "mapping", "check", "x"])
    assert isinstance(result.exception, ZeroDivisionError)


def test_an_expected_error_is_its_sentence_and_with_debug_its_trace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("REFUNDS_MAPPING", raising=False)
    result = CliRunner().invoke(main, ["mapping", "check"])
    assert (result.exit_code, result.output) == (3, "Error: REFUNDS_MAPPING is not set\n")
    result = CliRunner().invoke(main, ["--debug", "mapping", "check"])
    assert isinstance(result.exception, Misconfigured)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_told_how_to_complete(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert "_REFUND_PIPELINE_COMPLETE" in result.output
    assert "refund-pipeline" in result.output


def test_commands_are_completed() -> None:
    asked = {"COMP_WORDS": "refund-pipeline reso", "COMP_CWORD": "1"}
    result = CliRunner().invoke(
        main,
        [],
        env={**asked, "_REFUND_PIPELINE_COMPLETE": "bash_complete"},
        prog_name="refund-pipeline",
    )
    assert result.output.strip() == "plain,resolve"


@patch.dict(os.environ, REFUNDS_TENANT="ours")
def test_variables_come_from_a_file_unless_they_are_set(tmp_path: Path) -> None:
    os.environ.pop("REFUNDS_MAPPING", None)
    file = tmp_path / ".env"
    file.write_text("REFUNDS_MAPPING='no such.yaml'\nREFUNDS_TENANT=theirs\n")
    result = CliRunner().invoke(main, ["--env-file", str(file), "mapping", "check"])
    assert "no such.yaml has 1 problem(s)" in result.output
    assert os.environ["REFUNDS_TENANT"] == "ours"
    assert CliRunner().invoke(main, ["--env-file", "gone", "mapping", "check"]).exit_code == 2
