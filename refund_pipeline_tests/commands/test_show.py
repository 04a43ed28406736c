"""`refund-pipeline show`: a refund's whole story, found by any id a person may have."""

import json

import pytest

from refund_pipeline_tests.fakes import DAY, event, order, refund_id, transaction
from refund_pipeline_tests.steps.lived_in import (
    AWAITING_PAYMENT,
    CONFLICTING_EVENT,
    LANDED,
    POSTED,
    READY,
    STANDINGS,
    TO_RETRY,
    UNMAPPED,
)


def shown(shell, which: str):
    """Return the one refund that `which` finds, as JSON."""
    (found,) = json.loads(shell("show", which, "--json").stdout)["refunds"]
    return found


@pytest.mark.parametrize(
    "which",
    [
        refund_id(POSTED),
        refund_id(POSTED).upper(),
        refund_id(POSTED).replace("-", ""),
        event(POSTED).order_id,
        order(event(POSTED)).order_number,
        transaction(POSTED).external_id,
        "90001",
        " 90001 ",
    ],
)
def test_a_refund_is_found_by_any_id_a_person_may_have(shell, which: str) -> None:
    assert shown(shell, which)["refund_id"] == refund_id(POSTED)


def test_what_nothing_fits_is_exit_code_1(shell) -> None:
    result = shell("show", "SO-1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "has its event landed?" in result.stderr
    result = shell("show", "SO-1", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (1, {"asked": "SO-1", "refunds": []})


@pytest.mark.parametrize("which", ["%", "_", "9000_", "", "9000", '"'])
def test_a_part_of_an_id_or_a_wildcard_finds_nothing(shell, which: str) -> None:
    assert json.loads(shell("show", which, "--json").stdout)["refunds"] == []


def test_a_posted_refund_shows_tender_lines_that_balance_record_and_comparison(shell) -> None:
    said = shell("show", refund_id(POSTED)).stdout
    assert f"Refund {refund_id(POSTED)}  12.50 USD  posted" in said
    assert "credit_card/adyen 12.50 USD" in said
    (summed,) = [line.split() for line in said.splitlines() if "sum, USD" in line]
    assert summed == ["sum,", "USD", "12.50", "12.50"]
    assert "posted at 2026-11-20 12:00:00 UTC, record 90001 of the ERP, 12.50 USD" in said
    assert "read back from the ERP at 2026-11-20 12:00:00 UTC, and equal" in said


def test_the_history_has_every_step_with_its_time_and_run(shell) -> None:
    found = shown(shell, refund_id(POSTED))
    assert [entry["to"] for entry in found["history"]] == [
        *("landed", "ready", "uncertain", "posted"),
    ]
    assert {entry["run_id"] for entry in found["history"]} == {"run-1"}
    said = shell("show", refund_id(POSTED)).stdout
    assert "    2026-11-20 12:00:00 UTC  uncertain (erp_uncertain)  run run-1  a write was" in said


def test_a_held_refund_says_why_what_to_do_with_its_id_and_how_to_see_that_it_worked(shell) -> None:
    said = shell("show", refund_id(UNMAPPED)).stdout
    assert "held (unmapped_tender)" in said
    assert "add to the mapping, under tenders: - { method: credit_card, provider: unknown" in said
    assert f"refund-pipeline resolve {refund_id(UNMAPPED)} --action tender" in said
    assert "it worked when  It becomes `posted`." in said
    assert "comes next" not in said


def test_an_outstanding_refund_says_when_it_is_tried_again(shell) -> None:
    said = shell("show", refund_id(AWAITING_PAYMENT), minutes=0.5).stdout
    assert "comes next      next attempt at 12:0" in said
    assert "(after 1 attempt(s))" in said
    assert "it worked when" not in said
    assert "NewStore was not asked yet" in shell("show", refund_id(LANDED)).stdout


@pytest.mark.parametrize("number", STANDINGS)
def test_every_status_and_reason_can_be_shown(shell, number: int) -> None:
    result = shell("show", refund_id(number))
    status, reason = STANDINGS[number]
    assert result.exit_code == 0, result.output
    assert f"12.50 USD  {status} ({reason})" if reason else status in result.stdout
    found = shown(shell, refund_id(number))
    assert (found["status"], found["reason"]) == (status, reason)


def test_the_event_says_which_line_of_which_file_brought_it(shell) -> None:
    found = shown(shell, refund_id(CONFLICTING_EVENT))["event"]
    assert found["line"] == CONFLICTING_EVENT + 1
    assert found["file"].endswith("-data-x.export")
    said = shell("show", refund_id(CONFLICTING_EVENT)).stdout
    assert f"line {CONFLICTING_EVENT + 1} of {found['file']}" in said


def test_the_page_in_netsuite_is_linked_where_the_account_is_known(shell, monkeypatch) -> None:
    assert "https://" not in shell("show", refund_id(POSTED)).stdout
    monkeypatch.setenv("NETSUITE_ACCOUNT", "1234567_SB1")
    page = "https://1234567-sb1.app.netsuite.com/app/accounting/transactions/transaction.nl?id="
    assert f"{page}90001\n" in shell("show", refund_id(POSTED)).stdout
    assert shown(shell, refund_id(POSTED))["erp_pages"] == [f"{page}90001"]
    monkeypatch.setenv("NETSUITE_BASE_URL", "http://127.0.0.1:1")
    assert shown(shell, refund_id(POSTED))["erp_pages"] == []


def test_the_keys_of_the_json_are_those_documented(shell) -> None:
    found = shown(shell, refund_id(READY))
    assert set(found) == {
        *("refund_id", "order_id", "order_number", "landing_day", "amount", "currency", "status"),
        *("reason", "detail", "what_it_means", "what_to_do", "happens_by_itself"),
        *("next_attempt_at", "attempts", "external_id", "erp_id", "erp_pages", "updated_at"),
        *("event", "payments", "transaction", "posting", "history", "decisions"),
    }
    assert (found["amount"], found["landing_day"]) == ("12.50", str(DAY))
    assert [line["amount"] for line in found["transaction"]["lines"]] == ["12.50", "-12.50"]
    assert found["payments"]["lines"] == [
        {"method": "credit_card", "provider": "adyen", "amount": "12.50", "currency": "USD"}
    ]
    assert shown(shell, refund_id(POSTED))["posting"] == {
        "state": "posted",
        "external_id": transaction(POSTED).external_id,
        "erp_id": "90001",
        "posted": {"amount": "12.50", "currency": "USD"},
        "attempts": 1,
        "begun_at": "2026-11-20T12:00:00Z",
        "posted_at": "2026-11-20T12:00:00Z",
        "compared_at": "2026-11-20T12:00:00Z",
        "difference": None,
    }


def test_a_write_to_be_repeated_shows_what_was_begun(shell) -> None:
    assert shown(shell, refund_id(TO_RETRY))["posting"]["state"] == "retry"
    assert "1 write(s) begun" in shell("show", refund_id(TO_RETRY)).stdout
