"""`refund-pipeline status`: days that tie, what waits, what to do; exit codes and JSON."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

from refund_pipeline.domain.advice import REASON_ADVICE
from refund_pipeline_tests.fakes import DAY, refund_id
from refund_pipeline_tests.steps.lived_in import MADE_UNKNOWN

NAMES = ("landed", "posted", "outstanding", "held", "skipped")


def document(shell, *arguments: str, **more):
    return json.loads(shell("status", "--json", *arguments, **more).stdout)


def test_a_day_shows_count_and_amount_of_what_landed_and_where_it_stands(shell) -> None:
    (line,) = [one for one in shell("status").stdout.splitlines() if f" {DAY} " in one[:12]]
    assert line.split() == [
        *(str(DAY), "USD"),
        *("16", "200.00", "2", "25.00", "8", "100.00", "4", "50.00", "2", "25.00", "2"),
    ]


def test_landed_is_the_sum_of_where_it_stands(shell) -> None:
    (day,) = document(shell)["days"]
    (usd,) = day["sums"]
    assert day["ties"] is True
    assert usd["landed"]["count"] == sum(usd[name]["count"] for name in NAMES[1:])
    assert {usd[name]["amount"] for name in ("landed", "held")} == {"200.00", "50.00"}


def test_what_is_held_is_told_with_reason_and_what_to_do(shell) -> None:
    said = shell("status").stdout
    assert "A person decides: 4 refunds, 50.00 USD" in said
    for reason in ("unmapped_tender", "refused_by_erp", "conflicting_event"):
        assert f"  {reason}: 1 refund, 12.50 USD." in said
        assert REASON_ADVICE[reason].to_do in said
    assert "2 landed line(s) could not be read" in said


def test_what_is_on_its_way_is_told_by_what_it_waits_for(shell) -> None:
    said = shell("status").stdout
    assert "On its way, tried again by itself: 8 refunds, 100.00 USD" in said
    assert "  awaiting_payment (payments_incomplete): 1 refund, 12.50 USD" in said
    assert "  uncertain (erp_uncertain): 3 refunds, 37.50 USD" in said


def test_the_oldest_outstanding_refund_has_its_age_and_next_attempt(shell) -> None:
    said = shell("status", minutes=0.2).stdout
    assert f"The oldest: refund {refund_id(MADE_UNKNOWN)}" in said
    assert "landed 0 min ago; next attempt at 12:0" in said
    assert "landed 30 min ago; due now" in shell("status").stdout


def test_somebody_is_needed_is_exit_code_1(shell) -> None:
    result = shell("status")
    assert result.exit_code == 1
    assert "a person is needed: 4 held refund(s), 2 rejected line(s)" in result.stderr


def test_nothing_to_do_is_exit_code_0(empty_shell) -> None:
    result = empty_shell("status")
    assert (result.exit_code, result.stdout) == (0, "nothing has landed in these days\n")


def test_outstanding_for_a_day_needs_a_person(shell) -> None:
    result = shell("status", minutes=60 * 24 + 1)
    assert "outstanding for over a day" in result.stderr
    assert "landed 1 d 0 h ago" in result.stdout
    assert "outstanding" not in shell("status", minutes=60 * 23).stderr


def test_a_ledger_that_cannot_be_used_is_exit_code_3(shell, monkeypatch) -> None:
    monkeypatch.setenv("REFUNDS_LEDGER_URL", "sqlite:////nowhere/ledger.db")
    result = shell("status")
    assert result.exit_code == 3
    assert "the ledger (sqlite, /nowhere/ledger.db) cannot be used" in result.stderr


def test_an_earlier_day_is_shown_while_something_of_it_waits(shell) -> None:
    month_later = {"minutes": 60 * 24 * 30}
    assert [day["landing_day"] for day in document(shell, **month_later)["days"]] == [str(DAY)]
    assert document(shell, "--day", "2026-11-21", **month_later)["days"] == []


def test_since_and_day_exclude_each_other(shell) -> None:
    assert shell("status", "--day", str(DAY), "--since", str(DAY)).exit_code == 2


def test_sums_that_do_not_tie_are_an_alarm(shell, lived_in, tmp_path, monkeypatch) -> None:
    damaged = tmp_path / "damaged.db"
    with sqlite3.connect(lived_in.removeprefix("sqlite:///")) as whole:
        with sqlite3.connect(damaged) as copy:
            whole.backup(copy)
            copy.execute("UPDATE landed_file SET new = new + 1 WHERE new > 0")
        copy.close()
    whole.close()
    monkeypatch.setenv("REFUNDS_LEDGER_URL", f"sqlite:///{damaged}")
    result = shell("status")
    assert result.exit_code == 1
    assert f"the sums of {DAY} do not tie" in result.stderr


def test_the_keys_of_the_json_are_those_documented(shell) -> None:
    found = document(shell)
    assert set(found) == {
        *("at", "days", "totals", "waiting"),
        *("oldest_outstanding", "oldest_held", "rejected_lines"),
    }
    assert set(found["days"][0]) == {"landing_day", "files", "rejected_lines", "ties", "sums"}
    assert set(found["totals"][0]) == {"currency", *NAMES}
    assert found["waiting"][0] == {
        "status": "held",
        "reason": "conflicting_erp_record",
        "count": 1,
        "amounts": [{"amount": "12.50", "currency": "USD"}],
        "what_it_means": REASON_ADVICE["conflicting_erp_record"].means,
        "what_to_do": REASON_ADVICE["conflicting_erp_record"].to_do,
    }
    oldest = found["oldest_held"]
    assert oldest["reason"] in {group["reason"] for group in found["waiting"]}
    assert found["at"] == "2026-11-20T12:30:00Z"
    assert (oldest["amount"], oldest["currency"], oldest["age_seconds"]) == ("12.50", "USD", 1800)
    assert found["rejected_lines"] == 2


def test_a_narrow_terminal_puts_counts_below_the_amounts(shell, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = shell("status").stdout.splitlines()
    (number,) = [place for place, line in enumerate(lines) if f" {DAY} " in line[:12]]
    assert lines[number].split()[:3] == [str(DAY), "USD", "200.00"]
    assert lines[number + 1].split() == ["16", "2", "8", "4", "2"]
    assert max(map(len, lines[: number + 2])) <= 80


def test_a_terminal_that_is_too_narrow_loses_nothing(shell, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    (line,) = [one for one in shell("status").stdout.splitlines() if f" {DAY} " in one[:12]]
    assert line.split()[1:] == ["USD", "200.00", "25.00", "100.00", "50.00", "25.00", "2"]


def test_the_reading_commands_start_without_dagster_and_pandas(lived_in: str) -> None:
    code = (
        "import sys; from refund_pipeline.cli import main\n"
        "for words in (['status'], ['show', 'x'], ['list'], ['plan']):\n"
        "    try: main(words)\n"
        "    except SystemExit: pass\n"
        "print(sorted({'dagster', 'pandas', 'boto3', 'alembic'} & set(sys.modules)))"
    )
    found = subprocess.run(  # noqa: S603  (our own code)
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"REFUNDS_LEDGER_URL": lived_in, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert found.stdout.splitlines()[-1] == "[]"


def test_one_day_has_no_line_of_sums_below(shell) -> None:
    assert "all " not in shell("status", "--day", str(DAY)).stdout
