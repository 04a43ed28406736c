"""Make the documentation's screenshots: `python -m refund_pipeline_tests.system.screenshots`.

Needs Debian's chromium; takes some minutes and writes docs/images/.
"""

import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, ViewportSize

from refund_pipeline_tests.system.chromium import chromium, window
from refund_pipeline_tests.system.office import Office, open_office

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
_SETTLING_MS = 2_500
_PATIENCE = 240.0
_USUAL = ViewportSize(width=1500, height=1100)
_WIDE = ViewportSize(width=1900, height=1100)
_DECISION = """\
ops:
  decide:
    config:
      action: skip
      actor: Jo of finance
      note: paid in shells, booked by hand
      refund_ids:
        - {refund_id}
"""


def _wait_until_all_days_are_worked_on(office: Office) -> None:
    expected = sum(len(day.refunds) for day in office.days.values())
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        counts = {"posted": 0, "held": 0}
        for item in office.ledger.status_totals():
            counts[item.status] = counts.get(item.status, 0) + item.count
        if counts["posted"] + counts["held"] == expected:
            return
        time.sleep(1)
    raise TimeoutError("the refunds of the screenshots were not worked on in time")


def _take(page: Page, name: str) -> None:
    page.wait_for_timeout(_SETTLING_MS)
    page.screenshot(path=IMAGES / f"{name}.png")


def main() -> None:
    """Open each page, wait for what it is about, and take its picture."""
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        open_office(Path(home)) as office,
        chromium() as browser,
    ):
        _wait_until_all_days_are_worked_on(office)
        page = window(browser, office.dagster.url).new_page()
        day = office.days["with a tender to map"].day

        page.set_viewport_size(_WIDE)
        page.goto(f"/assets/refund_reconciliation?view=partitions&partition={day}")
        page.get_by_text(f"Landing day {day}").wait_for()
        _take(page, "landing-day")
        page.set_viewport_size(_USUAL)

        page.goto("/assets/refund_reconciliation?view=checks&checkDetail=nothing_held")
        page.get_by_text("Does any refund need a person?").first.wait_for()
        page.get_by_role("tab", name="Partitions").last.click()
        page.get_by_placeholder("Filter by partition").fill(str(day)[:7])
        page.get_by_text(str(day)).first.click()
        page.get_by_text("wait for a person").first.wait_for()
        _take(page, "check-by-day")

        page.goto("/locations/refund_pipeline/jobs/make_report/playground")
        page.get_by_role("button", name="Launch Run").click()
        page.get_by_text("RUN_SUCCESS").wait_for()
        page.goto("/assets/refund_report")
        charts = page.get_by_role("row").filter(has_text="charts")
        charts.get_by_text("[Show Markdown]").click()
        page.get_by_role("img", name="Refunds per landing day").wait_for()
        _take(page, "refund-report")

        (refund,) = office.days["to decide about"].refunds
        page.goto("/locations/refund_pipeline/jobs/resolve_refund/playground")
        page.get_by_role("button", name="Launch Run").wait_for()
        page.locator(".CodeMirror").first.click()
        page.keyboard.press("Control+A")
        page.keyboard.insert_text(_DECISION.format(refund_id=refund.refund_id))
        page.get_by_text("No errors").wait_for()
        _take(page, "resolve-refund")


if __name__ == "__main__":
    main()
