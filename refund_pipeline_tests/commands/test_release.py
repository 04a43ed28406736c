"""`refund-pipeline release`: shows, asks, records who and why."""

import random
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from refund_pipeline.cli import main
from refund_pipeline.domain.actions import Action
from refund_pipeline.domain.mapping import Gates
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.steps.transactions import build_transactions
from refund_pipeline_tests.fakes import (
    DAY,
    FakeClock,
    FakeErpWithSales,
    event,
    example_mapping,
    proven_ledger,
    refund_id,
    sales_of,
)

REFUNDS = [event(number) for number in (1, 2)]
WHY = ["--actor", "finance", "--note", "checked with the store"]


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Return a ledger in which a gate holds both refunds of DAY."""
    clock = FakeClock()
    book = proven_ledger(tmp_path, REFUNDS, clock)
    build_transactions(
        DAY,
        ledger=book,
        erp=FakeErpWithSales(sales_of(*REFUNDS)),
        mapping=example_mapping().model_copy(update={"gates": Gates(daily_count=0)}),
        mapping_version="v",
        clock=clock.now,
        random_source=random.Random(1),
    )
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("REFUNDS_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    return book


def run(*arguments: str, says: str | None = None) -> Result:
    return CliRunner().invoke(main, ["release", *arguments], input=says)


def released(ledger: Ledger) -> set[str]:
    made = ledger.resolutions([one.refund_id for one in REFUNDS])
    assert all(one.action is Action.RELEASE for found in made.values() for one in found)
    return set(made)


def test_a_day_is_released_after_showing_it_and_asking(ledger: Ledger) -> None:
    result = run("--day", str(DAY), *WHY, says="y\n")
    assert result.exit_code == 0, result.output
    assert all(one.refund_id in result.output for one in REFUNDS)
    assert "12.50 USD" in result.output
    assert "daily_gate" in result.output
    assert f'"dagster/partition": "{DAY}"' in result.output
    assert released(ledger) == {one.refund_id for one in REFUNDS}


def test_a_person_who_says_no_releases_nothing(ledger: Ledger) -> None:
    assert run("--day", str(DAY), *WHY, says="n\n").exit_code == 1
    assert released(ledger) == set()


def test_single_refunds_are_released_by_their_ids(ledger: Ledger) -> None:
    result = run("--refund", refund_id(2).upper(), "--yes", *WHY)
    assert result.exit_code == 0, result.output
    assert released(ledger) == {refund_id(2)}


def test_what_no_gate_holds_is_not_released(ledger: Ledger) -> None:
    result = run("--refund", refund_id(77), "--yes", *WHY)
    assert (result.exit_code, released(ledger)) == (1, set())
    assert "1 of 1 refund(s) were left as they are" in result.output


def test_a_day_without_held_refunds_releases_nothing(ledger: Ledger) -> None:
    result = run("--day", "2026-11-21", "--yes", *WHY)
    assert (result.exit_code, released(ledger)) == (1, set())
    assert "nothing was done" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--day", "2026-11-20", "--refund", "x", "--note", "x"],
        ["--day", "2026-11-20"],
        ["--day", "20.11.2026", "--note", "x"],
        ["--day", "2026-11-20", "--note", " "],
    ],
)
def test_wrong_usage_is_told(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_a_ledger_that_cannot_be_used_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("REFUNDS_LEDGER_URL", "mysql://nowhere/ledger")
    result = run("--day", "2026-11-20", "--yes", *WHY)
    assert result.exit_code == 3
    assert "must begin with sqlite:/// or postgresql://" in result.output
