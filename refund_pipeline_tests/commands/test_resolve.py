"""`refund-pipeline resolve` and `retry`: a plan, a question, a decision; exit codes and JSON."""

import json
import random
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from refund_pipeline.cli import main
from refund_pipeline.domain.actions import Action
from refund_pipeline.domain.transactions import Held
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import TransactionRow
from refund_pipeline.steps.transactions import build_transactions
from refund_pipeline_tests.fakes import (
    DAY,
    EXAMPLE_MAPPING,
    FakeClock,
    FakeErpWithSales,
    event,
    example_mapping,
    opened_ledger,
    proven_ledger,
    refund_id,
    sales_of,
)

ONE, TWO, OTHER = (refund_id(number) for number in (1, 2, 3))
WHY = ["--actor", "anna", "--note", "settled with the store"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a ledger with two refunds held for a closed period and one that is ready."""
    folder = tmp_path_factory.mktemp("written")
    book = proven_ledger(folder, [event(number) for number in (1, 2, 3)], FakeClock())
    held = Held("closed_period", "closed")
    book.save_transactions(
        [TransactionRow(name, held, 1, None) for name in (ONE, TWO)], mapping_version="v"
    )
    build_transactions(
        DAY,
        ledger=book,
        erp=FakeErpWithSales(sales_of(event(3))),
        mapping=example_mapping(),
        mapping_version="v",
        clock=FakeClock().now,
        random_source=random.Random(1),
        refund_ids=[OTHER],
    )
    book.close()
    return folder / "ledger.db"


@pytest.fixture
def ledger(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    shutil.copy(written, tmp_path / "ledger.db")
    monkeypatch.setenv("REFUNDS_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    monkeypatch.setenv("REFUNDS_MAPPING", str(EXAMPLE_MAPPING))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("NETSUITE_ACCOUNT", raising=False)
    return opened_ledger(tmp_path, FakeClock())


def run(*arguments: str, command: str = "resolve", says: str | None = None) -> Result:
    return CliRunner().invoke(main, [command, *arguments], input=says)


def decisions(ledger: Ledger) -> dict[str, list[Action]]:
    made = ledger.resolutions([ONE, TWO, OTHER])
    return {name: [one.action for one in found] for name, found in made.items()}


def test_many_are_shown_first_and_done_after_a_yes(ledger: Ledger) -> None:
    result = run("--reason", "closed_period", "--action", "skip", *WHY, says="y\n")
    assert result.exit_code == 0, result.output
    shown, _, told = result.output.partition("[y/N]")
    assert ONE in shown
    assert TWO in shown
    assert "held (closed_period)" in shown
    assert "never posted" in shown
    assert "skip: 2 refund(s), by anna?" in shown
    assert "2 refund(s) decided" in told
    assert decisions(ledger) == {ONE: [Action.SKIP], TWO: [Action.SKIP]}


def test_a_no_decides_nothing(ledger: Ledger) -> None:
    assert run(ONE, "--action", "skip", *WHY, says="n\n").exit_code == 1
    assert decisions(ledger) == {}


def test_the_decision_keeps_actor_and_note(ledger: Ledger) -> None:
    assert run(ONE, "--action", "skip", "--yes", *WHY).exit_code == 0
    (made,) = ledger.resolutions([ONE])[ONE]
    assert (made.actor, made.note) == ("anna", "settled with the store")


def test_a_retry_says_which_run_carries_on(ledger: Ledger) -> None:
    result = run(ONE, "--yes", command="retry")
    assert result.exit_code == 0, result.output
    assert f'"dagster/partition": "{DAY}"' in result.output
    assert decisions(ledger) == {ONE: [Action.RETRY]}
    row = ledger.refund(ONE)
    assert row is not None
    assert row.status == "landed"


def test_a_skip_needs_no_run(ledger: Ledger) -> None:
    assert "dagster" not in run(ONE, "--action", "skip", "--yes", *WHY).output


def test_the_same_command_twice_is_harmless(ledger: Ledger) -> None:
    for _ in range(2):
        result = run(ONE, TWO, "--action", "skip", "--yes", *WHY)
        assert result.exit_code == 0, result.output
    assert "was handled by hand before" in result.output
    assert decisions(ledger) == {ONE: [Action.SKIP], TWO: [Action.SKIP]}


def test_what_cannot_be_decided_is_named_and_the_rest_is_done(ledger: Ledger) -> None:
    result = run(ONE, OTHER, "--action", "standalone", "--yes", *WHY)
    assert result.exit_code == 1
    assert "what fits: reopen, retry, skip" in result.output
    assert "2 of 2 refund(s) were left as they are" in result.output
    result = run(ONE, "no-such-refund", "--action", "skip", "--yes", *WHY)
    assert result.exit_code == 1
    assert "1 of 2 refund(s) were left as they are" in result.output
    assert decisions(ledger) == {ONE: [Action.SKIP]}


def test_no_refund_of_that_reason_is_told(ledger: Ledger) -> None:
    result = run("--reason", "closed_period", "--since", "2027-01-01", "--action", "skip", *WHY)
    assert (result.exit_code, decisions(ledger)) == (1, {})
    assert "nothing was done" in result.output


def test_json_without_a_yes_is_the_plan_and_no_more(ledger: Ledger) -> None:
    result = run(ONE, "--action", "skip", "--json", *WHY)
    told = json.loads(result.output)
    assert (result.exit_code, told["decided"], decisions(ledger)) == (0, False, {})
    assert told["refunds"] == [
        {
            "refund_id": ONE,
            "landing_day": str(DAY),
            "amount": "12.50",
            "currency": "USD",
            "status": "held",
            "reason": "closed_period",
            "verdict": "do",
            "what": "never posted: a person has handled it",
            "done": False,
        }
    ]


def test_lines_for_log_shippers_go_to_standard_error(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFUNDS_LOG_FORMAT", "json")
    result = run(ONE, "--action", "skip", "--json", "--yes", *WHY)
    assert json.loads(result.stdout)["decided"] is True
    (line,) = (json.loads(line) for line in result.stderr.splitlines())
    assert (line["refund_id"], line["to"], line["run_id"]) == (ONE, "skipped", None)
    ledger.close()


def test_json_with_a_yes_says_what_was_done(ledger: Ledger) -> None:
    result = CliRunner().invoke(main, ["retry", ONE, "gone", "--json", "--yes"])
    told = json.loads(result.stdout)
    assert (result.exit_code, told["decided"], told["run_next"]) == (1, True, [str(DAY)])
    assert [(row["refund_id"], row["done"]) for row in told["refunds"]] == [
        (ONE, True),
        ("gone", False),
    ]


def test_a_tender_is_checked_against_the_mapping(ledger: Ledger) -> None:
    ledger.save_transactions(
        [TransactionRow(ONE, Held("unmapped_tender", "x"), 1, None)], mapping_version="v"
    )
    result = run(ONE, "--action", "tender", "--tender", "bitcoin", "--yes", *WHY)
    assert result.exit_code == 1
    assert "no row of tenders for bitcoin" in result.output
    result = run(ONE, "--action", "tender", "--tender", "cash", "--yes", *WHY)
    assert result.exit_code == 0, result.output
    assert "cash instead of credit_card/adyen" in " ".join(result.output.split())


@pytest.mark.parametrize(
    "arguments",
    [
        [ONE, *WHY],
        [ONE, "--action", "skip", "--actor", "anna"],
        [ONE, "--action", "explode", *WHY],
        ["--action", "skip", *WHY],
        [ONE, "--reason", "closed_period", "--action", "skip", *WHY],
        [ONE, "--since", "2026-11-20", "--action", "skip", *WHY],
        ["--reason", "no_such_reason", "--action", "skip", *WHY],
        [ONE, "--action", "skip", "--actor", "anna", "--note", " "],
        [ONE, "--action", "skip", "--actor", " ", "--note", "x"],
        [ONE, "--action", "tender", *WHY],
        [ONE, "--action", "skip", "--tender", "cash", *WHY],
    ],
)
def test_wrong_usage_is_told(ledger: Ledger, arguments: list[str]) -> None:
    result = run(*arguments, "--yes")
    assert (result.exit_code, decisions(ledger)) == (2, {}), result.output


def test_a_ledger_that_cannot_be_used_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFUNDS_LEDGER_URL", "mysql://nowhere/ledger")
    result = run(ONE, "--yes", command="retry")
    assert result.exit_code == 3
    assert "must begin with sqlite:/// or postgresql://" in result.output


def test_where_the_erp_must_be_asked_and_cannot_nothing_is_decided(ledger: Ledger) -> None:
    (work,) = ledger.refunds_to_post(DAY)
    assert ledger.begin_posting(work.transaction)
    ledger.finish_posting(OTHER, state="held", reason="refused_by_erp", detail="x")
    result = run(OTHER, "--action", "skip", "--yes", *WHY)
    assert (result.exit_code, decisions(ledger)) == (3, {})
    assert "NETSUITE_ACCOUNT is not set" in result.output
