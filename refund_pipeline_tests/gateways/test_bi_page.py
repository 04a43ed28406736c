"""docs/bi.md: its columns are the view's, and its queries answer on both databases."""

import re
import uuid
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.tables import erp_posting, refund_status
from refund_pipeline_tests.fakes import NOON, event, refund_id
from refund_pipeline_tests.gateways.conftest import run_statements
from refund_pipeline_tests.steps.lived_in import (
    AWAITING_ORIGIN,
    AWAITING_PAYMENT,
    BEGUN,
    LANDED,
    MADE_UNKNOWN,
    NOT_MADE,
    POSTED,
    READY,
    TO_RETRY,
    UNVERIFIED,
    live_the_day,
    surrounding,
)

PAGE = (Path(__file__).parents[2] / "docs" / "bi.md").read_text(encoding="utf-8")
DAY = "2026-11-20"
COLUMN = re.compile(r"^\| `(\w+)` \| ([a-z ]+) \| ([a-z]+) \| .+ \|$", re.MULTILINE)
NOT_POSTED = (LANDED, READY, AWAITING_PAYMENT, AWAITING_ORIGIN, MADE_UNKNOWN, NOT_MADE)
OUTSTANDING = (*NOT_POSTED, BEGUN, TO_RETRY)


def section(title: str) -> str:
    return PAGE.split(f"## {title}")[1].split("\n## ")[0]


def queries(dialect: str) -> dict[str, str]:
    """Return the page's queries for a database, by title."""
    other = {"sqlite": "-- PostgreSQL", "postgresql": "-- SQLite"}[dialect]
    found: dict[str, str] = {}
    for part in section("Queries").split("\n**")[1:]:
        (query,) = (
            sql for sql in re.findall(r"```sql\n(.+?)```", part, re.DOTALL) if other not in sql
        )
        found[part.split("**")[0]] = query
    return found


def told(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    """Run a query; dates and numbers as text and `Decimal` on both databases."""

    def plain(value: Any) -> Any:
        if isinstance(value, (int, float, Decimal)):
            return Decimal(str(value)).normalize()
        return str(value) if isinstance(value, (date, datetime)) else value

    return [tuple(map(plain, row)) for row in connection.exec_driver_sql(query.replace("%", "%%"))]


@pytest.fixture
def lived_in(ledger_url: str) -> Ledger:
    """The day of `lived_in.py`; one refund is on a gift card, another took nine hours."""
    around = surrounding()
    on_a_gift_card = event(UNVERIFIED).payment_account_id
    around.newstore.accounts[on_a_gift_card] = tuple(
        replace(one, method="gift_card", provider="newstore")
        for one in around.newstore.accounts[on_a_gift_card]
    )
    book = Ledger(ledger_url, clock=around.clock.now, run_id="run-1")
    live_the_day(book, around)
    with book._database.write() as connection:
        one = erp_posting.c.refund_id == refund_id(POSTED)
        connection.execute(
            sa.update(erp_posting).where(one).values(posted_at=NOON + timedelta(hours=9))
        )
    return book


def test_every_query_says_what_is_so(lived_in: Ledger) -> None:
    with lived_in._database.read() as connection:
        answers = {
            title.rstrip("."): told(connection, query)
            for title, query in queries(connection.dialect.name).items()
        }
    lived_in.close()
    per_day = answers.pop("Refunds per day and status")
    assert per_day == [
        (DAY, "USD", status, Decimal(count), Decimal("12.5") * count)
        for status, count in (
            *(("awaiting_origin", 1), ("awaiting_payment", 1), ("held", 4), ("landed", 1)),
            *(("posted", 2), ("ready", 2), ("skipped", 2), ("uncertain", 3)),
        )
    ]
    (gift_card,) = answers.pop("Gift card refunds of a week")
    assert gift_card[:2] == (refund_id(UNVERIFIED), DAY)
    oldest = answers.pop("The oldest outstanding refunds")
    assert [row[0] for row in oldest] == sorted(map(refund_id, OUTSTANDING))
    (stores,) = (answers.pop(title) for title in list(answers) if "per store" in title)
    assert stores == [("NYC01", "USD", "2026-11", 2, 25)]
    (times,) = (answers.pop(title) for title in list(answers) if title.startswith("Hours"))
    assert times == [(DAY, 2, Decimal("4.5"), 9)]
    assert [(row[0], row[2]) for row in answers.pop("Held refunds by reason")] == [
        (reason, 1)
        for reason in (
            *("conflicting_erp_record", "conflicting_event"),
            *("refused_by_erp", "unmapped_tender"),
        )
    ]
    assert not answers, "a query nobody checks"


def test_the_documented_columns_are_the_view_s(ledger: Ledger) -> None:
    documented = COLUMN.findall(section("Columns of `refund_status`"))
    assert [name for name, _, _ in documented] == list(refund_status.c.keys())
    with ledger._database.read() as connection:
        if connection.dialect.name == "postgresql":
            found = connection.exec_driver_sql(
                "SELECT column_name, data_type FROM information_schema.columns"
                " WHERE table_name = 'refund_status' ORDER BY ordinal_position"
            )
            assert [(name, there) for name, there, _ in documented] == [*map(tuple, found)]
        else:
            row = connection.exec_driver_sql("SELECT * FROM refund_status").keys()
            assert [name for name, _, _ in documented] == list(row)


def test_the_reading_role_answers_the_queries_and_writes_nothing(ledger: Ledger) -> None:
    with ledger._database.read() as connection:
        if connection.dialect.name != "postgresql":
            pytest.skip("roles are PostgreSQL's")
    role, url = f"reader_{uuid.uuid4().hex[:12]}", sa.make_url(ledger._database._url)
    (granting,) = re.findall(r"```sql\n(.+?)```", section("A role that only reads"), re.DOTALL)
    statements = granting.replace("refund_reader", role).strip().split(";")
    run_statements(url, *filter(str.strip, statements))
    try:
        with ledger._database.read() as connection:
            connection.exec_driver_sql(f"SET LOCAL ROLE {role}")
            for query in queries("postgresql").values():
                told(connection, query)
        for forbidden in (
            *("DELETE FROM erp_posting", "UPDATE refund_event SET amount = 1"),
            *("SELECT note FROM resolution", "SELECT detail FROM refund_history"),
        ):
            with ledger._database._open().connect() as connection:
                connection.exec_driver_sql(f"SET LOCAL ROLE {role}")
                with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
                    connection.exec_driver_sql(forbidden)
    finally:
        run_statements(url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")
