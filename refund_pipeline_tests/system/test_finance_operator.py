"""A finance operator's morning in Dagster's UI."""

import re
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import yaml
from playwright.sync_api import Page, expect

from refund_pipeline_tests.system.chromium import PATIENCE_MS
from refund_pipeline_tests.system.office import Office

pytestmark = pytest.mark.timeout(600)
NEW_TENDER = {"method": "paypal", "provider": "paypal", "item": "8102"}
RUN = re.compile(r"^[0-9a-f]{8}$")


def wait_for(condition: Callable[[], object], *, patience: float = 1) -> None:
    deadline = time.monotonic() + patience * PATIENCE_MS / 1000
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.3)


def status(office: Office, refund: Any) -> str:
    row = office.ledger.refund(refund.refund_id)
    return row.status if row else "not landed"


def records_of(office: Office, refund: Any) -> list[Any]:
    records = office.sandbox.netsuite.cash_refunds()
    return [one for one in records if one.custom["custbody_nst_refund_id"] == refund.refund_id]


def open_day(page: Page, day: date) -> None:
    page.goto(f"/assets/refund_reconciliation?view=partitions&partition={day}")


def reports(office: Office) -> list[str]:
    answer = office.graphql(
        '{ runsOrError(filter: { pipelineName: "make_report", statuses: [SUCCESS] })'
        " { ... on Runs { results { runConfigYaml } } } }"
    )
    return [run["runConfigYaml"] for run in answer["runsOrError"]["results"]]


def test_a_held_refund_is_found_its_mapping_row_added_and_it_is_posted(
    office: Office, page: Page
) -> None:
    landed = office.days["with a tender to map"]
    day, (card, paypal) = landed.day, landed.refunds
    wait_for(lambda: status(office, paypal) == "held" and status(office, card) == "posted")
    open_day(page, day)
    expect(page.get_by_text(f"Landing day {day}")).to_be_visible()
    expect(page.get_by_text("1 refund(s) wait for a person")).to_be_visible()
    expect(page.get_by_text(paypal.refund_id).first).to_be_visible()
    expect(page.get_by_text("add to the mapping, under tenders").first).to_be_visible()

    document = yaml.safe_load(office.mapping.read_text())
    document["tenders"].append(NEW_TENDER)
    office.mapping.write_text(yaml.safe_dump(document))
    page.get_by_role("link", name=RUN).first.click()
    page.get_by_role("button", name="Re-execute all (*)").click()
    wait_for(lambda: status(office, paypal) == "posted")
    assert len(records_of(office, paypal)) == 1

    expect(page.get_by_text("Success", exact=True).first).to_be_visible()
    open_day(page, day)
    expect(page.get_by_text("Every refund is posted, or not ours to post.")).to_be_visible()


def test_a_check_says_in_a_sentence_why_it_is_red(office: Office, page: Page) -> None:
    landed = office.days["with a tender nobody knows"]
    (unmapped,) = landed.refunds
    wait_for(lambda: status(office, unmapped) == "held")
    page.goto("/assets/refund_reconciliation?view=checks&checkDetail=nothing_held")
    expect(page.get_by_text("Does any refund need a person?").first).to_be_visible()
    page.get_by_role("tab", name="Partitions").last.click()
    page.get_by_placeholder("Filter by partition").fill(str(landed.day))
    page.get_by_text(str(landed.day)).first.click()
    expect(page.get_by_text(re.compile("1 refund.s., .* wait for a person")).first).to_be_visible()


def test_a_week_is_backfilled_and_ends_with_one_report(office: Office, page: Page) -> None:
    landed = office.days["of a week to backfill"]
    first, last = landed.day - timedelta(days=6), landed.day
    wait_for(lambda: status(office, landed.refunds[0]) == "posted")
    page.goto("/locations/refund_pipeline/jobs/sync_refunds/partitions")
    page.get_by_role("button", name=re.compile("Materialize")).first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").first.fill(f"[{first}...{last}]")
    dialog.get_by_role("textbox").first.press("Enter")
    dialog.get_by_role("button", name="Launch backfill").click()
    wait_for(
        lambda: any(str(first) in one and str(last) in one for one in reports(office)), patience=3
    )
    assert len(records_of(office, landed.refunds[0])) == 1


def test_the_report_shows_sums_and_charts(office: Office, page: Page) -> None:
    refunds = office.days["without trouble"].refunds
    wait_for(lambda: {status(office, refund) for refund in refunds} == {"posted"})
    page.goto("/locations/refund_pipeline/jobs/make_report/playground")
    page.get_by_role("button", name="Launch Run").click()
    expect(page.get_by_text("RUN_SUCCESS")).to_be_visible()
    page.goto("/assets/refund_report")
    expect(page.get_by_text("landed amount").first).to_be_visible()
    row = page.get_by_role("row").filter(has_text="charts")
    row.get_by_text("[Show Markdown]").click()
    chart = page.get_by_role("img", name="Refunds per landing day")
    expect(chart).to_be_visible()
    assert chart.evaluate("image => image.naturalWidth") > 500


def test_a_refund_is_skipped_by_a_decision_with_a_name_and_a_note(
    office: Office, page: Page
) -> None:
    (refund,) = office.days["to decide about"].refunds
    wait_for(lambda: status(office, refund) == "held")
    page.goto("/locations/refund_pipeline/jobs/resolve_refund/playground")
    page.locator(".CodeMirror").first.click()
    page.keyboard.press("Control+A")
    decision = {
        "action": "skip",
        "actor": "Jo of finance",
        "note": "paid in goats, booked by hand",
        "refund_ids": [refund.refund_id],
    }
    page.keyboard.insert_text(
        yaml.safe_dump({"ops": {"decide": {"config": decision}}}, default_flow_style=True)
    )
    launch = page.get_by_role("button", name="Launch Run")
    expect(launch).to_be_enabled()
    launch.click()
    wait_for(lambda: status(office, refund) == "skipped")
    expect(page.get_by_text("RUN_SUCCESS")).to_be_visible()
    assert records_of(office, refund) == []
