"""`refund-pipeline list`: what fits, page by page, as a table, JSON and CSV."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from refund_pipeline.commands.listing_output import COLUMNS
from refund_pipeline_tests.fakes import DAY, event, order, refund_id
from refund_pipeline_tests.steps.lived_in import (
    AWAITING_PAYMENT,
    LANDED,
    NUMBERS,
    POSTED,
    STANDINGS,
    UNMAPPED,
    UNVERIFIED,
)


def document(shell, *arguments: str):
    return json.loads(shell("list", "--json", *arguments).stdout)


def listed(shell, *arguments: str) -> list[str]:
    return [row["refund_id"] for row in document(shell, *arguments)["refunds"]]


def with_status(*statuses: str) -> list[str]:
    return [refund_id(one) for one in reversed(NUMBERS) if STANDINGS[one][0] in statuses]


def test_everything_is_listed_newest_first_or_oldest_first(shell) -> None:
    assert listed(shell) == [refund_id(number) for number in reversed(NUMBERS)]
    assert listed(shell, "--oldest") == [refund_id(number) for number in NUMBERS]


@pytest.mark.parametrize(
    ("words", "statuses"),
    [
        (("--status", "posted"), ("posted",)),
        (("--status", "held", "--status", "skipped"), ("held", "skipped")),
        (
            ("--status", "outstanding"),
            ("landed", "awaiting_payment", "awaiting_origin", "ready", "uncertain"),
        ),
    ],
)
def test_a_status_narrows(shell, words: tuple[str, ...], statuses: tuple[str, ...]) -> None:
    assert listed(shell, *words) == with_status(*statuses)


def test_a_reason_narrows(shell) -> None:
    assert listed(shell, "--reason", "unmapped_tender") == [refund_id(UNMAPPED)]
    assert listed(shell, "--status", "posted", "--reason", "unmapped_tender") == []


def test_landing_days_narrow_both_included(shell) -> None:
    assert len(listed(shell, "--since", str(DAY), "--until", str(DAY))) == len(NUMBERS)
    assert listed(shell, "--since", "2026-11-21") == []
    assert listed(shell, "--until", "2026-11-19") == []


def test_an_order_narrows_by_id_and_by_number(shell) -> None:
    for name in (event(POSTED).order_id, order(event(POSTED)).order_number):
        assert listed(shell, "--order", name) == [refund_id(POSTED)]
    assert listed(shell, "--order", "SO") == []


def test_a_store_narrows(shell) -> None:
    known = [row["refund_id"] for row in document(shell)["refunds"] if row["store"] == "NYC01"]
    assert listed(shell, "--store", "NYC01") == known
    assert refund_id(POSTED) in known
    assert refund_id(LANDED) not in known
    assert listed(shell, "--store", "NYC0") == []


def test_pages_follow_each_other_without_a_gap(shell) -> None:
    found: list[str] = []
    after: tuple[str, ...] = ()
    for _ in range(4):
        page = document(shell, "--limit", "5", *after)
        found += [row["refund_id"] for row in page["refunds"]]
        if page["next"] is None:
            break
        after = ("--after", page["next"])
    assert found == [refund_id(number) for number in reversed(NUMBERS)]


def test_a_full_last_page_says_that_there_is_no_more(shell) -> None:
    assert document(shell, "--limit", str(len(NUMBERS)))["next"] is None
    assert "16 shown\n" in shell("list", "--limit", "16").stdout
    said = shell("list", "--limit", "15").stdout
    assert f"15 shown; there are more: add --after {refund_id(1)}" in said


def test_a_page_behind_an_unknown_refund_is_wrong_usage(shell) -> None:
    result = shell("list", "--after", "nobody")
    assert (result.exit_code, "there is no such refund" in result.stderr) == (2, True)


def test_the_table_has_amount_status_reason_and_what_comes_next(shell, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    lines = shell("list", minutes=0.5).stdout.splitlines()
    (posted,) = [line.split() for line in lines if refund_id(POSTED) in line]
    assert posted == [
        *(str(DAY), refund_id(POSTED), order(event(POSTED)).order_number),
        *("12.50", "USD", "posted", "90001"),
    ]
    (waiting,) = [line for line in lines if refund_id(AWAITING_PAYMENT) in line]
    assert "awaiting_payment (payments_incomplete)" in waiting
    assert "11-20 12:0" in waiting


@pytest.mark.parametrize("columns", ["80", "40"])
def test_a_narrow_terminal_loses_nothing(shell, monkeypatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    said = shell("list", minutes=0.5).stdout
    lines = [line.split() for line in said.splitlines()]
    at = lines.index([str(DAY), refund_id(POSTED), "12.50", "USD", "posted"])
    assert lines[at + 1] == [order(event(POSTED)).order_number, "90001"]
    at = lines.index([str(DAY), refund_id(UNMAPPED), "12.50", "USD", "held"])
    assert lines[at + 2] == ["unmapped_tender"]
    assert max(map(len, said.splitlines())) <= 80


def test_nothing_that_fits_is_no_error(empty_shell) -> None:
    result = empty_shell("list")
    assert (result.exit_code, result.stdout) == (0, "no refund is as you say\n")
    assert empty_shell("list", "--csv").stdout == ",".join(COLUMNS) + "\n"


def test_the_csv_has_every_refund_with_the_keys_of_the_json(shell) -> None:
    rows = list(csv.DictReader(io.StringIO(shell("list", "--csv").stdout)))
    assert [row["refund_id"] for row in rows] == listed(shell)
    assert tuple(rows[0]) == COLUMNS == tuple(document(shell)["refunds"][0])
    by_id = {row["refund_id"]: row for row in rows}
    posted, unverified = by_id[refund_id(POSTED)], by_id[refund_id(UNVERIFIED)]
    assert (posted["amount"], posted["currency"], posted["reason"]) == ("12.50", "USD", "")
    assert (posted["store"], posted["tenders"]) == ("NYC01", "credit_card/adyen")
    assert unverified["status"] == "posted"


def test_json_and_csv_exclude_each_other(shell) -> None:
    assert shell("list", "--json", "--csv").exit_code == 2


def test_a_reader_that_has_enough_is_no_error(lived_in: str) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as broken:
        ended = subprocess.run(
            [sys.executable, "-c", "from refund_pipeline.cli import main; main(['list', '--csv'])"],
            stdout=broken,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
            env={"REFUNDS_LEDGER_URL": lived_in, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
    assert (ended.stderr, ended.returncode) == ("", 1)
