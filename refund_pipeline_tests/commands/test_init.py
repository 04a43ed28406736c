"""`refund-pipeline init`: asks, proves, writes two files, and never overwrites unasked."""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest.mock import patch

import pytest
import yaml
from click.testing import CliRunner, Result
from dotenv import dotenv_values
from hypothesis import given, settings
from hypothesis import strategies as st

from refund_pipeline.cli import main
from refund_pipeline.commands import env_file
from refund_pipeline.domain.errors import InvalidMapping, Misconfigured
from refund_pipeline.gateways.mapping_file import load_mapping
from refund_pipeline.sandbox.sandbox import Sandbox
from refund_pipeline.steps.replay import Time
from refund_pipeline_tests.fakes import EXAMPLE_MAPPING, NOON

SECRET = "it's a \\ secret with 'quotes', $HOME and # signs"
ANSWERS = {
    "REFUNDS_TENANT": "acme",
    "REFUNDS_LANDING_URL": "s3://landing/events",
    "NEWSTORE_CLIENT_ID": "our-client",
    "NEWSTORE_CLIENT_SECRET": SECRET,
    "NETSUITE_ACCOUNT": "1234567_SB1",
    "NETSUITE_CLIENT_ID": "a-client",
    "NETSUITE_CERTIFICATE_ID": "a-certificate",
    "NETSUITE_PRIVATE_KEY_FILE": "/keys/netsuite.pem",
}
TYPED = [
    *("acme", "", ""),  # tenant, start, ledger
    *("s3://landing/events", "AKIA1", "aws-secret", "eu-central-1"),
    *("", "", "our-client", SECRET, "refund-pipeline"),
    "",  # mapping
    *("1234567_SB1", "tba", "key", "key-secret", "token", "token-secret"),
]


@pytest.fixture(autouse=True)
def no_settings() -> Iterator[None]:
    """Begin without our variables, leave none behind; a table is wide enough for any path."""
    ours = ("REFUNDS_", "NEWSTORE_", "NETSUITE_", "AWS_", "DAGSTER_HOME")
    kept = {name: one for name, one in os.environ.items() if not name.startswith(ours)}
    with patch.dict(os.environ, {**kept, "COLUMNS": "500"}, clear=True):
        yield


def init(folder: Path, *options: str, typed: list[str] | None = None) -> Result:
    now = Time(lambda: NOON, lambda _: None)
    said = "".join(f"{one}\n" for one in typed or [])
    arguments = ["init", "--directory", str(folder), "--no-check", *options]
    return CliRunner().invoke(main, arguments, obj=now, input=said)


def written(folder: Path) -> Mapping[str, str | None]:
    return dotenv_values(folder / ".env")


def test_what_was_typed_is_in_a_file_of_ones_own(tmp_path: Path) -> None:
    result = init(tmp_path, typed=TYPED)
    assert result.exit_code == 0, result.output
    found = written(tmp_path)
    assert found["REFUNDS_START_DATE"] == "2026-11-20"
    assert found["NEWSTORE_BASE_URL"] == "https://acme.p.newstore.net"
    assert found["NEWSTORE_CLIENT_SECRET"] == SECRET
    assert found["NETSUITE_AUTH"] == "tba"
    assert found["NETSUITE_TOKEN_SECRET"] == "token-secret"
    assert "NETSUITE_PRIVATE_KEY_FILE" not in found
    assert "REFUNDS_LEDGER_URL" not in found
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    for secret in (SECRET, "aws-secret", "token-secret"):
        assert secret not in result.output


def test_a_new_mapping_has_placeholders_and_is_not_valid(tmp_path: Path) -> None:
    result = init(tmp_path, typed=TYPED)
    file = tmp_path / "mapping.yaml"
    assert written(tmp_path)["REFUNDS_MAPPING"] == str(file)
    with pytest.raises(InvalidMapping) as invalid:
        load_mapping(str(file))
    assert f"{len(invalid.value.problems)} place(s) to fill in" in result.output
    assert "mapping suggest --bucket" in result.output
    assert len(invalid.value.problems) == 12


def test_the_new_mapping_lacks_nothing_but_its_ids(tmp_path: Path) -> None:
    init(tmp_path, typed=TYPED)
    text = (tmp_path / "mapping.yaml").read_text()
    filled = text.replace('"<Area/City>"', "Europe/Berlin")
    while "<" in (rows := filled.split("# Subsidiary")[0].split("version:")[1]):
        placeholder = rows[rows.index('"<') : rows.index('>"') + 2]
        filled = filled.replace(placeholder, '"1"')
    (tmp_path / "mapping.yaml").write_text(filled)
    assert load_mapping(str(tmp_path / "mapping.yaml")).mapping.custom_form == "1"


def test_nothing_is_asked_with_defaults_and_answers_come_from_the_environment(
    tmp_path: Path,
) -> None:
    os.environ.update(ANSWERS)
    os.environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9000"
    result = init(tmp_path, "--defaults", "--mapping-from", str(EXAMPLE_MAPPING))
    assert result.exit_code == 0, result.output
    found = written(tmp_path)
    assert ANSWERS.items() <= found.items()
    assert found["AWS_ENDPOINT_URL"] == "http://127.0.0.1:9000"
    assert load_mapping(str(tmp_path / "mapping.yaml")).mapping
    assert "fill in" not in result.output


def test_missing_answers_are_all_named_and_nothing_is_written(tmp_path: Path) -> None:
    os.environ["REFUNDS_TENANT"] = "acme"
    result = init(tmp_path, "--defaults")
    assert result.exit_code == 2
    for name in ("REFUNDS_LANDING_URL", "NEWSTORE_CLIENT_SECRET", "NETSUITE_PRIVATE_KEY_FILE"):
        assert name in result.output
    assert "NEWSTORE_BASE_URL" not in result.output
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_file_is_replaced_only_after_asking(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("REFUNDS_ALERTS=https://hooks.example\n")
    assert init(tmp_path, typed=["n"]).exit_code == 1
    os.environ.update(ANSWERS)
    refused = init(tmp_path, "--defaults")
    assert (refused.exit_code, "give --overwrite" in refused.output) == (1, True)
    assert written(tmp_path) == {"REFUNDS_ALERTS": "https://hooks.example"}
    assert init(tmp_path, "--defaults", "--overwrite").exit_code == 0
    assert written(tmp_path)["REFUNDS_ALERTS"] == "https://hooks.example", "what is beside stays"


def test_an_earlier_file_answers_where_nothing_is_typed(tmp_path: Path) -> None:
    init(tmp_path, typed=TYPED)
    before = written(tmp_path)
    again = init(tmp_path, typed=["y", *([""] * len(TYPED))])
    assert again.exit_code == 0, again.output
    assert written(tmp_path) == before
    assert SECRET not in again.output


def test_a_mapping_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "mapping.yaml"
    file.write_text(EXAMPLE_MAPPING.read_text())
    result = init(tmp_path, typed=TYPED)
    assert result.exit_code == 0
    assert file.read_text() == EXAMPLE_MAPPING.read_text()
    assert "mapping: 1 of 1 ok" in result.output


def test_an_unfinished_mapping_keeps_nothing_from_being_set_up(tmp_path: Path) -> None:
    (tmp_path / "mapping.yaml").write_text("version: 1")
    os.environ.update(ANSWERS)
    result = init(tmp_path, "--defaults")
    assert (result.exit_code, "place(s) to fill in" in result.output) == (0, True)
    assert written(tmp_path)["REFUNDS_TENANT"] == "acme"


def test_a_mapping_that_cannot_be_read_can_be_named_again(tmp_path: Path) -> None:
    before, after = TYPED[:12], TYPED[13:]
    result = init(tmp_path, typed=[*before, "s3://", "y", str(EXAMPLE_MAPPING), *after])
    assert result.exit_code == 0, result.output
    assert "Enter these again?" in result.output
    assert written(tmp_path)["REFUNDS_MAPPING"] == str(EXAMPLE_MAPPING)


def test_what_no_file_can_hold_is_said_so(tmp_path: Path) -> None:
    os.environ.update({**ANSWERS, "NEWSTORE_CLIENT_SECRET": "a${HOME}b"})
    result = init(tmp_path, "--defaults")
    assert (result.exit_code, "NEWSTORE_CLIENT_SECRET holds ${" in result.output) == (3, True)
    assert not (tmp_path / ".env").exists()


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40))
def test_any_value_is_read_back_as_it_was(value: str) -> None:
    from io import StringIO

    try:
        text = env_file.text_of({"NAME": value})
    except Misconfigured:
        assert "${" in value
        return
    assert dotenv_values(stream=StringIO(text)) == {"NAME": value}


def test_it_is_proven_against_real_systems_and_the_doctor_agrees(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    home = tmp_path / "home"
    with Sandbox(state=state) as sandbox:
        given_before = sandbox.environment()
        mapping = given_before.pop("REFUNDS_MAPPING")
        os.environ.update(given_before | {"DAGSTER_HOME": str(state)})
        arguments = ["--directory", str(home), "--defaults", "--mapping-from", mapping]
        result = CliRunner().invoke(main, ["init", *arguments])
        assert result.exit_code == 0, result.output
        shown = " ".join(result.output.split())
        for proven in ("ledger: 1 of 1 ok", "NewStore: 4 of 4 ok", "mapping: 1 of 1 ok"):
            assert proven in shown
        assert "NetSuite: 11 of 12 ok" in shown
        assert "landing bucket can be listed, but nothing of tenant demo landed" in shown
        for name in written(home):
            os.environ.pop(name, None)
        checked = CliRunner().invoke(main, ["--env-file", str(home / ".env"), "doctor"])
        assert checked.exit_code == 0, checked.output
        os.environ["NEWSTORE_CLIENT_SECRET"] = "wrong"
        worse = CliRunner().invoke(main, ["init", *arguments, "--overwrite"])
        assert worse.exit_code == 1
        assert "NEWSTORE_CLIENT_SECRET" in " ".join(worse.output.split())
    assert yaml.safe_load((home / "mapping.yaml").read_text())["version"] == 1
