"""`refund-pipeline rejected list | show | release`: what is shown, asked and done."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from refund_pipeline.cli import main
from refund_pipeline.gateways.landing_bucket import LandingBucket
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.sandbox.landing import LandingSandbox
from refund_pipeline.steps.landing import read_landing_day
from refund_pipeline_tests.fakes import (
    DAY,
    NOON,
    FakeClock,
    event_line,
    opened_ledger,
    refund_id,
)

WHY = ["--actor", "anna", "--note", "a test event"]
STEERING = 'not json \x1b[2J "jane@example.com"'


@pytest.fixture(scope="module")
def server() -> Iterator[LandingSandbox]:
    with LandingSandbox() as running:
        yield running


@pytest.fixture
def key(server: LandingSandbox, monkeypatch: pytest.MonkeyPatch) -> str:
    """Land a line of another tenant and a bad one, as the only file."""
    for name, value in {
        **server.env(),
        "REFUNDS_LANDING_URL": server.url,
        "REFUNDS_TENANT": "demo",
        "COLUMNS": "200",
    }.items():
        monkeypatch.setenv(name, value)
    found = server.client.list_objects_v2(Bucket=server.bucket)
    for item in found.get("Contents", []):
        server.client.delete_object(Bucket=server.bucket, Key=item["Key"])
    landed: str = server.land([event_line(1, tenant="other"), STEERING], at=NOON)
    return landed


@pytest.fixture
def ledger(
    server: LandingSandbox, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Ledger:
    book = opened_ledger(tmp_path, FakeClock())
    bucket = LandingBucket(server.url, tenant="demo", clock=FakeClock().now)
    read_landing_day(DAY, bucket=bucket, ledger=book, tenant="demo")
    monkeypatch.setenv("REFUNDS_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    return book


def run(*arguments: str, says: str | None = None) -> Result:
    return CliRunner().invoke(main, ["rejected", *arguments], input=says)


def test_lines_are_listed_with_their_problems_and_not_their_text(ledger: Ledger, key: str) -> None:
    result = run("list", "--day", str(DAY))
    assert result.exit_code == 0, result.output
    assert f"{DAY}  {key}  line 2\n" in result.output
    assert "is not the tenant of this deployment" in result.output
    assert "2 line(s)" in result.output
    assert "jane" not in result.output
    rows = json.loads(run("list", "--file", key, "--line", "2", "--json").output)
    assert [(row["line"], row["landing_day"], row["released_by"]) for row in rows] == [
        (2, str(DAY), None)
    ]


def test_a_line_is_shown_with_its_text_on_request_only(ledger: Ledger, key: str) -> None:
    shown = run("show", "--file", key, "--line", "2").output
    assert "is not JSON" in shown
    assert "jane" not in shown
    with_text = run("show", "--file", key, "--line", "2", "--text").output
    assert "jane@example.com" in with_text
    assert "\\x1b[2J" in with_text
    assert "\x1b" not in with_text, "it cannot steer the terminal"


def test_lines_are_released_after_showing_what_happens_and_asking(
    ledger: Ledger, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFUNDS_TENANT", "other")
    result = run("release", "--day", str(DAY), *WHY, says="y\n")
    assert result.exit_code == 0, result.output
    assert f"refund {refund_id(1)}" in " ".join(result.output.split())
    assert "1 are refunds now; 1 were let go as they are" in result.output
    row = ledger.refund(refund_id(1))
    assert row is not None
    assert row.status == "landed"
    shown = run("show", "--file", key, "--line", "2").output
    assert "by anna: a test event" in shown


def test_a_no_releases_nothing(ledger: Ledger) -> None:
    assert run("release", "--day", str(DAY), *WHY, says="n\n").exit_code == 1
    assert len(ledger.rejected_entries()) == 2


def test_json_without_a_yes_is_the_plan_and_no_more(ledger: Ledger, key: str) -> None:
    told = json.loads(run("release", "--file", key, "--line", "2", "--json", *WHY).output)
    assert (told["released"], len(told["lines"])) == (False, 1)
    assert len(ledger.rejected_entries()) == 2
    told = json.loads(run("release", "--file", key, "--line", "2", "--json", "--yes", *WHY).output)
    assert (told["released"], told["lines"][0]["became"]) == (True, "rejected")
    again = run("release", "--file", key, "--line", "2", "--yes", *WHY)
    assert (again.exit_code, "no such line waits" in again.output) == (1, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["release", *WHY],
        ["release", "--line", "2", "--day", "2026-11-20", *WHY],
        ["release", "--day", "2026-11-20"],
        ["release", "--day", "2026-11-20", "--actor", "anna", "--note", " "],
        ["list", "--line", "2"],
        ["list", "--day", "yesterday"],
        ["show", "--file", "x"],
    ],
)
def test_wrong_usage_is_told(ledger: Ledger, arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2
    assert len(ledger.rejected_entries()) == 2


def test_a_line_nobody_rejected_is_said_so(ledger: Ledger, key: str) -> None:
    result = run("show", "--file", key, "--line", "9")
    assert (result.exit_code, "no line 9" in result.output) == (1, True)


def test_a_bucket_that_cannot_be_used_releases_nothing(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFUNDS_LANDING_URL", "nowhere")
    assert run("release", "--day", str(DAY), "--yes", *WHY).exit_code == 3
    assert len(ledger.rejected_entries()) == 2
