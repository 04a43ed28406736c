"""What of Oracle's dialect works over REST, and where it surprises (SuiteQL contract, 5)."""

from datetime import date
from decimal import Decimal

import pytest

from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline_tests.sandbox.netsuite_raw_client import MovableClock, RawClient, sell


@pytest.fixture(scope="module")
def client():
    """A client of an account with five cash sales, the later the smaller."""
    with NetSuiteSandbox(clock=MovableClock()) as sandbox, RawClient(sandbox) as client:
        for number in range(1, 6):
            sell(
                sandbox,
                external_id=f"O-{number}",
                total=Decimal(60 - 10 * number),
                on=date(2026, 1, 31 - number),
            )
        yield client


# point 18
@pytest.mark.parametrize(("limit", "rows"), [("<= 2", 2), ("< 2", 1), ("<= 99", 5), ("<= 0", 0)])
def test_rownum_limits_the_rows(client, limit, rows):
    sql = f"SELECT id FROM transaction WHERE ROWNUM {limit}"  # noqa: S608 - of the list above
    assert len(client.rows(sql)) == rows


# point 18
def test_a_client_that_wants_the_smallest_by_rownum_gets_the_first_instead(client):
    sql = "SELECT t.foreigntotal AS f FROM transaction t WHERE {} ORDER BY t.foreigntotal"
    by_rownum = client.rows(sql.format("ROWNUM <= 2"))
    smallest = client.rows(sql.format("t.id > 0") + " FETCH FIRST 2 ROWS ONLY")
    assert [row["f"] for row in by_rownum] == ["40", "50"]
    assert [row["f"] for row in smallest] == ["10", "20"]


# point 18
def test_rownum_goes_with_other_conditions_parameters_and_joins(client):
    rows = client.rows(
        "SELECT t.externalid AS e FROM transaction t JOIN transactionline l "
        "ON l.transaction = t.id WHERE l.mainline = ? AND ROWNUM <= ? AND t.foreigntotal < ? "
        "ORDER BY t.id DESC",
        "T",
        2,
        45,
    )
    assert [row["e"] for row in rows] == ["O-3", "O-2"]


# point 18
def test_decode_takes_null_for_equal_to_null(client):
    rows = client.rows(
        "SELECT DECODE(externalid, 'O-1', 'first', 'O-2', 'second', 'other') AS d, "
        "DECODE(memo, NULL, 'none', 'some') AS m, DECODE(type, 'x', 'y') AS n "
        "FROM transaction ORDER BY id"
    )
    assert [row["d"] for row in rows] == ["first", "second", "other", "other", "other"]
    assert {row["m"] for row in rows} == {"none"}
    assert not any("n" in row for row in rows)


# point 18
def test_a_date_moves_by_days_and_by_months(client):
    [row] = client.rows(
        "SELECT TO_CHAR(trandate + 2, 'YYYY-MM-DD') AS later, "
        "TO_CHAR(trandate - 30, 'YYYY-MM-DD') AS earlier, "
        "TO_CHAR(ADD_MONTHS(trandate, 1), 'YYYY-MM-DD') AS month, "
        "TO_CHAR(ADD_MONTHS(trandate, -11), 'YYYY-MM-DD') AS back, "
        "trandate - TO_DATE('2026-01-01', 'YYYY-MM-DD') AS days "
        "FROM transaction WHERE externalid = 'O-1'"
    )
    assert row == {
        "later": "2026-02-01",
        "earlier": "2025-12-31",
        "month": "2026-02-28",
        "back": "2025-02-28",
        "days": "29",
    }


# point 18
def test_the_last_day_of_a_month_stays_the_last_day(client):
    [row] = client.rows(
        "SELECT TO_CHAR(ADD_MONTHS(TO_DATE('2026-02-28', 'YYYY-MM-DD'), 1), 'YYYY-MM-DD') AS m "
        "FROM currency WHERE id = 1"
    )
    assert row == {"m": "2026-03-31"}


# point 18
def test_sysdate_is_now_and_can_be_cut_to_the_day(client):
    now = client.sandbox.logins._clock()
    sql = "SELECT TO_CHAR({}, 'YYYY-MM-DD HH24:MI:SS') AS n FROM currency WHERE id = 1"
    assert client.rows(sql.format("SYSDATE")) == [{"n": now.strftime("%Y-%m-%d %H:%M:%S")}]
    assert client.rows(sql.format("TRUNC(SYSDATE)")) == [{"n": now.strftime("%Y-%m-%d 00:00:00")}]
    assert client.rows("SELECT id FROM transaction WHERE createddate <= SYSDATE")


# point 18
def test_a_date_equals_the_midnight_it_begins_with(client):
    sql = "SELECT externalid FROM transaction WHERE trandate {} TO_DATE(?, 'YYYY-MM-DD HH24:MI:SS')"
    assert client.rows(sql.format("="), "2026-01-30 00:00:00") == [{"externalid": "O-1"}]
    assert len(client.rows(sql.format(">="), "2026-01-30 00:00:00")) == 1
    assert client.rows(sql.format("="), "2026-01-30 00:00:01") == []
