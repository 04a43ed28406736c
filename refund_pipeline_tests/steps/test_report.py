"""The report for finance: what is counted where, that it ties, and its files and charts."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from openpyxl import load_workbook

from refund_pipeline.domain.payments import PaymentLine, PaymentsAvailable
from refund_pipeline.domain.transactions import Held, Skipped
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import PaymentRow
from refund_pipeline.steps.report import NOT_KNOWN_YET, WEB, Report, age_of, make_report, totals
from refund_pipeline.steps.report_charts import report_charts
from refund_pipeline.steps.report_files import report_files
from refund_pipeline_tests.gateways.ledger_makers import (
    DAY,
    NOON,
    ORDER,
    SetClock,
    build,
    file_named,
    land,
    make_event,
    make_ready,
    pay,
    proven,
)

YEN = {"currency": "JPY", "amount": Decimal(300)}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    book = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock=SetClock())
    yield book
    book.close()


def post(ledger: Ledger, number: int) -> None:
    transaction = make_ready(ledger, make_event(number), landed=True)
    assert ledger.begin_posting(transaction)
    ledger.finish_posting(
        transaction.refund_id, state="posted", erp_id="77", amount=transaction.amount
    )


def fill(ledger: Ledger) -> None:
    """One refund of each standing in dollars, and one in yen that nothing is known of."""
    events = [make_event(number) for number in range(1, 5)]
    land(ledger, *events, make_event(5, **YEN))
    post(ledger, 1)
    pay(ledger, events[1])
    build(ledger, events[1], Held("unmapped_tender", "add a row"))
    pay(ledger, events[2])
    build(ledger, events[2], Skipped("historical", "before our time"))


def report_of(ledger: Ledger, **changes: object) -> Report:
    return make_report(
        ledger, **{"first": DAY, "last": DAY, "now": NOON + timedelta(hours=30), **changes}
    )


def rows(table) -> list[dict]:
    return table.to_dict(orient="records")


def test_each_landing_day_and_currency_ties_to_the_last_minor_unit(ledger) -> None:
    fill(ledger)
    dollars, yen = sorted(rows(report_of(ledger).by_day), key=lambda row: row["currency"] == "JPY")
    assert dollars == {
        "landing_day": DAY,
        "currency": "USD",
        "landed_count": 4,
        "landed_amount": Decimal("49.20"),
        **{
            f"{name}_{what}": value
            for name in ("posted", "outstanding", "held", "skipped")
            for what, value in (("count", 1), ("amount", Decimal("12.30")))
        },
    }
    assert (yen["landed_amount"], yen["outstanding_amount"]) == (Decimal(300), Decimal(300))


def test_a_refund_on_two_tenders_counts_once_per_day_and_its_amount_is_split(ledger) -> None:
    event = make_event(1)
    land(ledger, event)
    card = replace(proven(event).lines[0], amount=Decimal("10.05"))
    gift = PaymentLine("gift_card", "newstore", Decimal("2.25"), "USD", None)
    pay(ledger, event, PaymentsAvailable((card, gift)))
    report = report_of(ledger)
    assert [row["landed_count"] for row in rows(report.by_day)] == [1]
    split = {row["tender"]: row["landed_amount"] for row in rows(report.by_tender)}
    assert split == {"credit_card/adyen": Decimal("10.05"), "gift_card/newstore": Decimal("2.25")}


def test_what_newstore_has_not_told_is_said_to_be_unknown(ledger) -> None:
    land(ledger, make_event(1))
    (row,) = rows(report_of(ledger).by_tender)
    assert (row["tender"], row["store"], row["reason"]) == (NOT_KNOWN_YET, NOT_KNOWN_YET, "7")


def test_web_orders_and_stores_are_told_apart(ledger) -> None:
    shop, web = make_event(1), make_event(2)
    land(ledger, shop, web)
    pay(ledger, shop)
    order = replace(ORDER, channel_type="web", store_id=None)
    ledger.save_payments([PaymentRow(web.refund_id, order, proven(web), 1, None)])
    assert {row["store"] for row in rows(report_of(ledger).by_tender)} == {"store-1", WEB}


def test_only_what_is_not_posted_ages_and_is_named(ledger) -> None:
    fill(ledger)
    report = report_of(ledger)
    assert [tuple(row.values()) for row in rows(report.ageing)] == [
        ("JPY", "outstanding", "1 to 3 days", 1, Decimal(300)),
        ("USD", "held", "1 to 3 days", 1, Decimal("12.30")),
        ("USD", "outstanding", "1 to 3 days", 1, Decimal("12.30")),
    ]
    named = {row["refund"]: (row["status"], row["reason"]) for row in rows(report.open_refunds)}
    assert named[make_event(2).refund_id] == ("held", "unmapped_tender")
    assert named.keys() == {make_event(number).refund_id for number in (2, 4, 5)}


@pytest.mark.parametrize(
    ("days", "age"),
    [(0.99, "under 1 day"), (1, "1 to 3 days"), (7, "7 to 30 days"), (400, "over 30 days")],
)
def test_ages_are_named(days: float, age: str) -> None:
    assert age_of(timedelta(days=days)) == age


def test_totals_sum_the_days_per_currency(ledger) -> None:
    for number in (1, 2):
        day = DAY + timedelta(days=number)
        land(ledger, make_event(number), file=file_named(str(number), day=day))
    (row,) = rows(totals(report_of(ledger, last=DAY + timedelta(days=9))))
    assert (row["landed_count"], row["landed_amount"]) == (2, Decimal("24.60"))


def test_a_csv_holds_the_exact_amounts(ledger) -> None:
    fill(ledger)
    text = report_files(report_of(ledger))["by_day.csv"].decode()
    amounts = {row["currency"]: row["landed_amount"] for row in csv.DictReader(io.StringIO(text))}
    assert amounts == {"USD": "49.20", "JPY": "300"}


def test_the_workbook_has_a_sheet_per_table_and_numbers_a_spreadsheet_can_add(ledger) -> None:
    fill(ledger)
    book = load_workbook(io.BytesIO(report_files(report_of(ledger))["refunds.xlsx"]))
    assert book.sheetnames == ["totals", "by_day", "by_tender", "ageing", "open_refunds"]
    cell = next(cell for row in book["by_day"] for cell in row if cell.value == 49.2)
    assert (cell.data_type, cell.number_format) == ("n", "#,##0.00")


def test_text_of_other_systems_never_becomes_a_formula(ledger) -> None:
    land(ledger, make_event(1, reason_code="=HYPERLINK(1)"))
    files = report_files(report_of(ledger))
    assert b",'=HYPERLINK(1)," in files["by_tender.csv"]
    sheet = load_workbook(io.BytesIO(files["refunds.xlsx"]))["by_tender"]
    cells = [cell for row in sheet for cell in row if cell.value == "=HYPERLINK(1)"]
    assert [cell.data_type for cell in cells] == ["s"]


def test_charts_are_drawn_for_every_currency_and_for_what_waits(ledger) -> None:
    fill(ledger)
    charts = report_charts(report_of(ledger))
    assert list(charts) == [
        "Refunds per landing day",
        "Amounts per landing day, JPY",
        "Amounts per landing day, USD",
        "Not posted yet, by time since landing",
    ]
    assert all(image.startswith(b"\x89PNG") for image in charts.values())


def test_a_report_without_refunds_has_empty_tables_and_no_charts(ledger) -> None:
    report = report_of(ledger)
    assert report_charts(report) == {}
    assert report_files(report)["open_refunds.csv"].startswith(b"refund,order,landing_day")
