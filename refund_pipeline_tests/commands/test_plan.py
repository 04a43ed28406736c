"""`refund-pipeline plan`: what would be posted now, without asking anybody for anything."""

import json

import pytest

from refund_pipeline.gateways.mapping_file import load_mapping
from refund_pipeline.gateways.netsuite_records import body
from refund_pipeline_tests.fakes import DAY, EXAMPLE_MAPPING, refund_id, transaction
from refund_pipeline_tests.steps.lived_in import BEGUN, MADE_UNKNOWN, NOT_MADE, READY, TO_RETRY
from refund_pipeline_tests.steps.lived_in import UNMAPPED as HELD

WRITTEN = [refund_id(TO_RETRY), refund_id(READY)]
LOOKED_UP = [refund_id(MADE_UNKNOWN), refund_id(NOT_MADE), refund_id(BEGUN)]


def document(shell, *arguments: str):
    return json.loads(shell("plan", "--json", *arguments).stdout)


def test_what_is_ready_would_be_written_and_what_was_begun_looked_up_first(shell) -> None:
    found = document(shell)
    planned = {one["refund_id"]: one["looked_up_first"] for one in found["refunds"]}
    assert planned == {**dict.fromkeys(LOOKED_UP, True), **dict.fromkeys(WRITTEN, False)}
    assert (found["would_write"], found["would_look_up_first"]) == (2, 3)


def test_the_body_is_exactly_what_a_run_would_send(shell) -> None:
    (found,) = document(shell, "--refund", refund_id(READY))["refunds"]
    sent = json.loads(found["bodies"][0], parse_float=str)
    assert sent["externalId"] == transaction(READY).external_id
    assert [line["amount"] for line in sent["item"]["items"]] == ["12.50", "-12.50"]
    assert set(sent) == set(body(transaction(READY)))


def test_the_table_balances(shell) -> None:
    said = shell("plan").stdout
    (summed,) = [line.split() for line in said.splitlines() if line.startswith(" sum")]
    assert summed == ["sum", "2", "refund(s)", "USD", "25.00", "25.00"]
    assert "2 refund(s) would be written now, 3 more looked up first." in said


def test_the_first_bodies_are_shown_and_how_to_see_all(shell) -> None:
    said = shell("plan", "--bodies", "1").stdout
    assert said.count('"externalId"') == 1
    assert "and 4 more: --bodies 5 shows all" in said
    assert "looked up first, written only if surely not there" in said
    assert shell("plan", "--bodies", "5").stdout.count('"externalId"') == 5


def test_the_plan_says_how_fresh_it_is(shell, monkeypatch) -> None:
    said = shell("plan").stdout
    assert "Built 2026-11-20 12:00 UTC, the oldest 30 min ago, with mapping v1." in said
    assert "The mapping has changed" not in said
    assert document(shell)["fresh"]["is_current"] is None
    monkeypatch.setenv("REFUNDS_MAPPING", str(EXAMPLE_MAPPING))
    assert "The mapping has changed since" in shell("plan").stdout
    fresh = document(shell)["fresh"]
    version = load_mapping(str(EXAMPLE_MAPPING)).version
    assert (fresh["is_current"], fresh["mapping_version_now"]) == (False, version)


def test_places_are_named_as_the_mapping_names_them(shell, monkeypatch) -> None:
    monkeypatch.setenv("REFUNDS_MAPPING", str(EXAMPLE_MAPPING))
    assert "11 (NYC01)" in shell("plan").stdout
    assert document(shell)["accounts"][0]["places"] == ["NYC01"]


def test_a_refund_that_is_not_to_be_posted_is_told_with_where_it_stands(shell) -> None:
    result = shell("plan", "--refund", refund_id(HELD).upper(), "--refund", refund_id(READY))
    assert result.exit_code == 1
    assert f"{refund_id(HELD)} is held (unmapped_tender), landing day {DAY}" in result.stderr
    assert "1 refund(s) would be written now" in result.stdout
    assert "nobody has not landed" in shell("plan", "--refund", "nobody").stderr


@pytest.mark.parametrize("words", [(), ("--day", "2026-11-21")])
def test_nothing_to_post_is_no_error(empty_shell, words: tuple[str, ...]) -> None:
    result = empty_shell("plan", *words)
    assert (result.exit_code, result.stdout) == (0, "nothing is ready to be posted\n")


def test_a_mapping_that_cannot_be_used_is_exit_code_3(shell, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("REFUNDS_MAPPING", str(tmp_path / "none.yaml"))
    assert shell("plan").exit_code == 3


def test_the_keys_of_the_json_are_those_documented(shell) -> None:
    found = document(shell)
    assert set(found) == {
        *("at", "would_write", "would_look_up_first", "fresh", "accounts", "sums", "refunds"),
    }
    assert set(found["refunds"][0]) == {
        *("refund_id", "external_id", "order_number", "business_date", "amount", "currency"),
        *("looked_up_first", "bodies"),
    }
    assert found["sums"] == [{"currency": "USD", "refunds": 2, "debit": "25.00", "credit": "25.00"}]
    assert set(found["accounts"][0]) == {
        *("booked_to", "what", "subsidiary", "location", "places", "currency", "lines"),
        *("debit", "credit"),
    }
