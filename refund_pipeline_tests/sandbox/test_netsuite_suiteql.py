from datetime import date
from decimal import Decimal

import pytest
import yaml

from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline_tests.sandbox.netsuite_raw_client import (
    ORDER,
    MovableClock,
    RawClient,
    error,
    refund,
    refund_of,
    sell,
)


@pytest.fixture(scope="module")
def client():
    with NetSuiteSandbox() as sandbox:
        client = RawClient(sandbox)
        sale = sell(sandbox)
        client.post_refund(refund(createdFrom={"id": sale}))
        client.post_refund(
            refund_of({"item": {"id": "9002"}, "amount": 100}, externalId="apz-0002", memo=None)
        )
        yield client


def detail(answer):
    assert answer.status_code == 400, answer.text
    found = error(answer)
    assert found["o:errorCode"] == "INVALID_PARAMETER"
    assert found["o:errorQueryParam"] == "q"
    opening = "Invalid search query. Detailed unprocessed description follows. "
    assert found["detail"].startswith(opening)
    return found["detail"].removeprefix(opening)


# point 18
def test_a_transaction_is_found_by_external_id_with_text_values_and_without_nulls(client):
    [row] = client.rows(
        "SELECT t.id, t.ExternalId, t.type, t.entity, t.currency, t.foreigntotal, t.otherrefnum, "
        "t.voided, TO_CHAR(t.trandate, 'YYYY-MM-DD') AS TranDate FROM transaction t "
        "WHERE t.externalid IN (?, ?) ORDER BY t.id",
        ORDER,
        "apz-none",
    )
    assert row.pop("id").isdigit()
    assert row == {
        "externalid": ORDER,
        "type": "CashSale",
        "entity": "601",
        "currency": "1",
        "foreigntotal": "99.9",
        "voided": "F",
        "trandate": "2026-03-01",
    }


def test_the_answer_is_a_collection_and_every_row_has_links(client):
    answer = client.query("SELECT id FROM currency ORDER BY id")
    body = answer.json()
    assert answer.headers["Content-Type"].endswith("type=collection")
    assert body["items"][0] == {"links": [], "id": "1"}
    assert [body["count"], body["offset"], body["totalResults"]] == [3, 0, 3]
    assert body["hasMore"] is False


LINES = (
    "SELECT tl.id AS lineid, tl.mainline, tl.item, tl.itemtype, tl.accountinglinetype, "
    "tl.quantity, tl.rate, tl.foreignamount, tl.subsidiary, tl.location, tl.createdfrom "
    "FROM transaction t JOIN transactionline tl ON tl.transaction = t.id "
    "WHERE t.externalid = ? ORDER BY tl.id"
)


def test_the_lines_of_a_refund_have_the_sign_they_were_sent_with(client):
    main, goodwill, card, _ = client.rows(LINES, "apz-0001")
    assert (main["lineid"], main["mainline"], main["foreignamount"]) == ("0", "T", "0")
    assert "itemtype" not in main
    assert (goodwill["item"], goodwill["foreignamount"], goodwill["quantity"]) == (
        "9001",
        "12.5",
        "1",
    )
    assert (card["itemtype"], card["accountinglinetype"]) == ("Payment", "PAYMENT")
    assert card["foreignamount"] == "-12.5"
    assert {line["createdfrom"] for line in (main, goodwill)} == {main["createdfrom"]}


def test_a_refund_with_a_total_is_negative_on_header_and_main_line(client):
    assert client.rows(LINES, "apz-0002")[0]["foreignamount"] == "-100"
    [header] = client.rows("SELECT foreigntotal FROM transaction WHERE externalid = 'apz-0002'")
    assert header == {"foreigntotal": "-100"}


def test_the_lines_of_a_sale_are_negative_and_its_main_line_positive(client):
    main, goods, _ = client.rows(LINES, ORDER)
    assert (main["foreignamount"], goods["foreignamount"], goods["quantity"]) == (
        "99.9",
        "-99.9",
        "-1",
    )


def test_iscogs_is_null_so_that_a_bare_comparison_loses_rows(client):
    assert client.rows("SELECT id FROM transactionline WHERE iscogs = 'F'") == []
    assert client.rows("SELECT id FROM transactionline WHERE NVL(iscogs, 'F') = 'F'")


def test_custom_fields_are_columns_of_header_and_line(client):
    [row] = client.rows(
        "SELECT t.custbody_nst_order_number AS o, tl.custcol_nst_gift_card_last4 AS c "
        "FROM transaction t JOIN transactionline tl ON tl.transaction = t.id "
        "WHERE tl.custcol_nst_gift_card_last4 IS NOT NULL"
    )
    assert row == {"o": ORDER, "c": "4242"}


def test_raw_dates_come_in_the_account_format_and_lose_their_time(client):
    [row] = client.rows("SELECT trandate, createddate FROM transaction WHERE type = 'CashSale'")
    assert row["trandate"] == "3/1/2026"
    assert ":" not in row["createddate"]


def test_text_is_compared_and_matched_with_its_letter_case(client):
    assert client.rows("SELECT id FROM transaction WHERE externalid = 'APZ-0001'") == []
    assert client.rows("SELECT id FROM transaction WHERE externalid LIKE 'APZ%'") == []
    assert client.rows("SELECT id FROM transaction WHERE UPPER(externalid) = 'APZ-0001'")
    assert len(client.rows("SELECT id FROM transaction WHERE externalid LIKE ?", "apz-%")) == 2


def test_empty_text_is_null(client):
    assert client.rows("SELECT id FROM transaction WHERE externalid = ''") == []
    assert client.rows("SELECT id FROM transaction WHERE externalid = ?", "") == []
    rows = client.rows("SELECT NVL(memo, '') AS m FROM transaction WHERE memo IS NULL")
    assert rows
    assert not any(rows)


def test_nulls_sort_last_ascending_and_first_descending(client):
    rising = client.rows("SELECT memo FROM transaction ORDER BY memo, id")
    falling = client.rows("SELECT memo FROM transaction ORDER BY memo DESC, id")
    assert (rising[-1], falling[0]) == ({}, {})


def test_money_is_exact_and_compared_as_numbers(client):
    assert client.rows("SELECT id FROM transaction WHERE foreigntotal = 99.90")
    assert len(client.rows("SELECT id FROM transaction WHERE foreigntotal < ?", "100")) == 3
    assert client.rows("SELECT MAX(foreigntotal) AS m FROM transaction") == [{"m": "99.9"}]
    assert client.rows("SELECT MAX(ABS(foreigntotal)) AS m FROM transaction") == [{"m": "100"}]
    assert client.rows("SELECT id FROM transaction WHERE ABS(foreigntotal) = ?", 100)
    rows = client.rows("SELECT foreigntotal FROM transaction ORDER BY foreigntotal")
    assert [row["foreigntotal"] for row in rows] == ["-100", "0", "99.9"]


def test_sums_of_money_do_not_become_floats():
    with NetSuiteSandbox() as sandbox:
        for number in range(3):
            sell(sandbox, external_id=f"O-{number}", total=Decimal("0.1"))
        rows = RawClient(sandbox).rows(
            "SELECT type, SUM(foreigntotal) AS s, COUNT(id) AS n FROM transaction GROUP BY type"
        )
    assert rows == [{"type": "CashSale", "s": "0.3", "n": "3"}]


def test_ids_match_as_text_and_as_number(client):
    for value in ("9001", 9001):
        assert client.rows("SELECT itemid FROM item WHERE id = ?", value)


def test_pages_are_cut_by_url_parameters(client):
    sql = "SELECT id FROM customer ORDER BY id"
    first = client.query(sql, limit=20, offset=0).json()
    last = client.query(sql, limit=20, offset=40).json()
    assert (first["count"], first["hasMore"], first["totalResults"]) == (20, True, 43)
    assert (last["count"], last["hasMore"], last["offset"]) == (3, False, 40)
    assert client.query(sql, limit=20, offset=60).json()["items"] == []


def test_fetch_first_limits_the_rows(client):
    assert len(client.rows("SELECT id FROM customer ORDER BY id FETCH FIRST 2 ROWS ONLY")) == 2


@pytest.mark.parametrize(
    "url", [{"limit": 1001}, {"limit": 0}, {"limit": 10, "offset": 5}, {"page": 1}, {"limit": -1}]
)
def test_a_wrong_page_is_refused(client, url):
    answer = client.query("SELECT id FROM customer", **url)
    assert (answer.status_code, error(answer)["o:errorCode"]) == (400, "INVALID_PARAMETER")


# point 18
@pytest.mark.parametrize("prefer", [None, "respond-async", "return=minimal"])
def test_the_header_prefer_transient_is_demanded(client, prefer):
    headers = {"Prefer": prefer} if prefer else {}
    body = {"q": "SELECT id FROM item"}
    answer = client.request("POST", "query/v1/suiteql", json=body, headers=headers)
    assert (answer.status_code, error(answer)["o:errorHeader"]) == (400, "Prefer")


def test_a_query_is_posted(client):
    assert client.get("query/v1/suiteql").status_code == 405


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"q": ""},
        {"q": 1},
        {"query": "SELECT id FROM item"},
        {"q": "SELECT id FROM item", "params": "9001"},
        {"q": "SELECT id FROM item WHERE id = ?", "params": [None]},
        {"q": "SELECT id FROM item WHERE isinactive = ?", "params": [True]},
        [],
    ],
    ids=str,
)
def test_a_wrong_query_body_is_invalid_content(client, body):
    headers = {"Prefer": "transient"}
    answer = client.request("POST", "query/v1/suiteql", json=body, headers=headers)
    assert (answer.status_code, error(answer)["o:errorCode"]) == (400, "INVALID_CONTENT")


# point 18
@pytest.mark.parametrize("params", [[], ["a"], ["a", "b", "c"]])
def test_the_number_of_parameters_must_match(client, params):
    assert detail(client.query("SELECT id FROM item WHERE itemid IN (?, ?)", *params))


def test_a_question_mark_in_a_text_is_no_parameter(client):
    assert client.rows("SELECT id FROM item WHERE itemid = 'why?'") == []


def test_an_unknown_column_is_named(client):
    assert detail(client.query("SELECT t.nosuch FROM transaction t")) == (
        "Search error occurred: Unknown identifier 'nosuch'. "
        "Available identifiers are: {t=transaction}."
    )


@pytest.mark.parametrize(
    "column", ["subsidiary", "location", "createdfrom", "class", "department", "account", "total"]
)
def test_what_only_lines_have_is_not_on_the_header(client, column):
    sql = f"SELECT t.{column} FROM transaction t"  # noqa: S608 - a column of the list above
    text = detail(client.query(sql))
    assert f"Field '{column}' for record 'transaction' was not found" in text


def test_an_unknown_table_is_named(client):
    assert detail(client.query("SELECT id FROM foo")) == "Invalid search type: foo."


# point 18
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM transaction LIMIT 5",
        "SELECT id FROM transaction OFFSET 5 ROWS",
        "SELECT id FROM transaction;",
        "SELECT id FROM transaction -- all",
        "SELECT id /* all */ FROM transaction",
        "SELECT * FROM transaction",
        "SELECT t.* FROM transaction t",
        "SELECT COUNT(*) FROM transaction",
        "WITH x AS (SELECT id FROM item) SELECT id FROM x",
        'SELECT "id" FROM transaction',
        'SELECT id FROM transaction WHERE type = "CashRfnd"',
        "SELECT [id] FROM transaction",
        "SELECT `id` FROM transaction",
        "SELECT id FROM transaction UNION SELECT id FROM item",
        "SELECT id FROM transaction WHERE id IN (SELECT transaction FROM transactionline)",
        "SELECT x.id FROM (SELECT id FROM item) x",
        "SELECT id AS i FROM transaction WHERE i = 1",
        "SELECT id FROM transaction WHERE trandate = '2026-03-01'",
        "SELECT id FROM transaction WHERE trandate = DATE '2026-03-01'",
        "SELECT id FROM transaction WHERE trandate > TO_DATE('03/01/26', 'MM/DD/YYYY')",
        "SELECT id FROM transaction WHERE trandate = TO_DATE('2026-02-30', 'YYYY-MM-DD')",
        "SELECT id FROM transaction WHERE externalid = :x",
        "SELECT id FROM transaction WHERE externalid = 1001",
        "SELECT id FROM transaction WHERE id = 'abc'",
        "SELECT id FROM transaction WHERE ROWNUM > 5",
        "SELECT id FROM transaction WHERE ROWNUM = 5",
        "SELECT id FROM transaction WHERE ROWNUM <= 5 OR id = 1",
        "SELECT id FROM transaction WHERE ROWNUM <= 5 AND ROWNUM < 3",
        "SELECT id FROM transaction WHERE ROWNUM <= id",
        "SELECT DISTINCT type FROM transaction WHERE ROWNUM <= 5",
        "SELECT COUNT(id) AS n FROM transaction WHERE ROWNUM <= 5",
        "SELECT ROWNUM FROM transaction",
        "SELECT id FROM transaction ORDER BY id FETCH NEXT 5 ROWS ONLY",
        "SELECT id FROM transaction ORDER BY id FETCH FIRST 5 PERCENT ROWS ONLY",
        "SELECT id FROM transaction ORDER BY id FETCH FIRST 5 ROWS WITH TIES",
        "SELECT ROW_NUMBER() OVER (ORDER BY id) AS n FROM transaction",
        "SELECT id FROM transaction WHERE trandate > CURRENT_DATE",
        "SELECT TRUNC(trandate, 'MM') AS m FROM transaction",
        "SELECT DECODE(type) AS d FROM transaction",
        "SELECT trandate / 2 AS d FROM transaction",
        "SELECT trandate + trandate AS d FROM transaction",
        "SELECT ISNULL(memo, 'x') FROM transaction",
        "SELECT IFNULL(memo, 'x') FROM transaction",
        "SELECT SUBSTRING(memo, 1, 2) FROM transaction",
        "SELECT NOW() FROM transaction",
        "SELECT sqlite_version() FROM transaction",
        "SELECT BUILTIN.DF(status) FROM transaction",
        "SELECT memo + 'x' AS m FROM transaction",
        "SELECT id, memo FROM transaction GROUP BY id",
        "SELECT type, COUNT(id) AS n FROM transaction GROUP BY type ORDER BY n",
        "SELECT t.id FROM transaction t JOIN transactionline l ON l.transaction = t.id OR 1 = 1",
        "SELECT t.id FROM transaction t RIGHT JOIN transactionline l ON l.transaction = t.id",
        "SELECT t.id FROM transaction t JOIN transactionline l USING (id)",
        "SELECT id FROM transaction t, transactionline l WHERE l.transaction = t.id",
        "SELECT t.id, l.id FROM transaction t, transactionline l",
        "SELECT DISTINCT type FROM transaction ORDER BY id",
        "SELECT name FROM sqlite_master",
        "SELECT id",
        "SELECT 1 FROM",
        "SELEC id FROM item",
        "DELETE FROM transaction",
        "UPDATE transaction SET memo = 'x'",
        "SELECT id FROM transaction WHERE memo = 'unclosed",
        "SELECT id FROM transaction FOR UPDATE",
        "SELECT id FROM main.transaction",
        "SELECT amount FROM transactionline",
    ],
)
def test_what_is_outside_the_dialect_is_refused(client, sql):
    assert detail(client.query(sql))


def test_at_most_a_thousand_values_may_stand_in_a_list(client):
    def sql(count):
        marks = ", ".join("?" * count)
        return f"SELECT id FROM item WHERE id IN ({marks})"  # noqa: S608 - question marks

    values = [str(number) for number in range(1001)]
    assert client.rows(sql(1000), *values[:1000]) == []
    assert detail(client.query(sql(1001), *values))


# point 18
def test_a_new_record_appears_after_the_index_lag():
    clock = MovableClock()
    with NetSuiteSandbox(clock=clock, index_lag=30) as sandbox:
        client = RawClient(sandbox)
        client.post_refund(refund())
        sql = "SELECT id FROM transaction WHERE externalid = 'apz-0001'"
        assert client.get("record/v1/cashRefund/eid:apz-0001").status_code == 200
        assert client.rows(sql) == []
        clock.move(30)
        assert len(client.rows(sql)) == 1


def test_a_closed_period_shows_in_the_next_query():
    with NetSuiteSandbox() as sandbox:
        client = RawClient(sandbox)
        sql = (
            "SELECT p.closed, p.arlocked, p.alllocked FROM accountingperiod p "
            "WHERE p.isyear = 'F' AND p.isquarter = 'F' AND p.isadjust = 'F' "
            "AND p.startdate <= TO_DATE(?, 'YYYY-MM-DD') AND p.enddate >= TO_DATE(?, 'YYYY-MM-DD')"
        )
        assert client.rows(sql, "2026-02-28", "2026-02-28")[0]["closed"] == "F"
        sandbox.close_period("2026-02")
        assert set(client.rows(sql, "2026-02-28", "2026-02-28")[0].values()) == {"T"}


def test_the_general_ledger_can_be_queried_and_balances(client):
    rows = client.rows(
        "SELECT g.transaction, SUM(g.amount) AS s FROM transactionaccountingline g "
        "WHERE g.posting = 'T' GROUP BY g.transaction ORDER BY g.transaction"
    )
    assert [row["s"] for row in rows] == ["0", "0", "0"]


def test_orders_do_not_post():
    with NetSuiteSandbox() as sandbox:
        sandbox.add_sales_order(
            external_id="O-2",
            entity="601",
            subsidiary="1",
            location="11",
            currency="USD",
            total=Decimal(50),
            on=date(2026, 3, 1),
        )
        client = RawClient(sandbox)
        [row] = client.rows("SELECT type, posting FROM transaction")
        assert row == {"type": "SalesOrd", "posting": "F"}
        assert client.rows("SELECT account FROM transactionaccountingline") == []


def test_every_id_of_the_example_mapping_exists_and_fits(client, request):
    text = (request.config.rootpath / "mappings" / "example.yaml").read_text()
    mapping = yaml.safe_load(text)
    places = [*mapping["stores"].values(), *mapping["web"].values()]
    for place in places:
        assert client.rows(
            "SELECT location FROM locationsubsidiarymap WHERE location = ? AND subsidiary = ?",
            place["location"],
            place["subsidiary"],
        )
    for symbol, number in mapping["currencies"].items():
        assert client.rows("SELECT id FROM currency WHERE symbol = ? AND id = ?", symbol, number)
    for tender in mapping["tenders"]:
        assert client.rows("SELECT id FROM paymentitem WHERE id = ?", tender["item"])
    items = mapping["appeasement_items"]
    for item in (items["default"], *items["by_reason_code"].values()):
        assert client.rows(
            "SELECT id FROM item WHERE id = ? AND itemtype = 'OthCharge' AND istaxable = 'F'", item
        )
    for subsidiary, customer in mapping["default_customers"].items():
        assert client.rows(
            "SELECT id FROM customersubsidiaryrelationship WHERE entity = ? AND subsidiary = ?",
            customer,
            subsidiary,
        )
