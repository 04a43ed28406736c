"""The searchable copy of the account: SQLite tables, behind the ledger by the index lag.

Signs follow the SuiteQL contract, section 2. Queries are compiled in `suiteql_compiler.py`.
"""

import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from refund_pipeline.sandbox.netsuite.general_ledger import postings
from refund_pipeline.sandbox.netsuite.ledger import Ledger, Transaction, TransactionLine
from refund_pipeline.sandbox.netsuite.master_data import BANK_ACCOUNT, MasterData
from refund_pipeline.sandbox.netsuite.suiteql_functions import SqlValue, decimal_text, register
from refund_pipeline.sandbox.netsuite.suiteql_schema import Tables, Type
from refund_pipeline.sandbox.netsuite.suiteql_tables import master_rows

_SQLITE_TYPES = {
    Type.INTEGER: "INTEGER",
    Type.DECIMAL: "TEXT COLLATE DECIMALS",
    Type.TEXT: "TEXT",
    Type.DATE: "TEXT",
    Type.DATETIME: "TEXT",
}
_INDEXES = (
    ("transaction", "id"),
    ("transaction", "externalid"),
    ("transactionline", "transaction"),
    ("transactionaccountingline", "transaction"),
)
Row = Mapping[str, SqlValue]


class SearchIndex:
    """Runs compiled SQL. Safe to use from any thread."""

    def __init__(
        self,
        *,
        tables: Tables,
        master: MasterData,
        ledger: Ledger,
        clock: Callable[[], datetime],
        lag: float,
    ) -> None:
        self._tables = tables
        self._master = master
        self._ledger = ledger
        self._clock = clock
        self._lag = timedelta(seconds=lag)
        self._lock = threading.Lock()
        self._indexed = 0
        self._master_version = -1
        self._connection = sqlite3.connect(":memory:", check_same_thread=False)
        register(self._connection)
        for table, columns in tables.items():
            body = ", ".join(f'"{name}" {_SQLITE_TYPES[kind]}' for name, kind in columns.items())
            self._connection.execute(f'CREATE TABLE "{table}" ({body})')
        for table, column in _INDEXES:
            name = f"{table}_{column}"
            self._connection.execute(f'CREATE INDEX "{name}" ON "{table}" ("{column}")')

    def close(self) -> None:
        """Free the copy."""
        with self._lock:
            self._connection.close()

    def run(self, sql: str, parameters: Mapping[str, SqlValue]) -> list[tuple[SqlValue, ...]]:
        """Bring the copy up to date and return every row of a query.

        Raises:
            sqlite3.Error: a value did not fit, e.g. a date that is none.
        """
        with self._lock:
            self._refresh()
            return self._connection.execute(sql, parameters).fetchall()

    def _refresh(self) -> None:
        if self._master_version != self._master.version:
            self._master_version = self._master.version
            for table, rows in master_rows(self._master).items():
                self._connection.execute(f'DELETE FROM "{table}"')  # noqa: S608 - our own names
                self._insert(table, rows)
        visible = self._clock() - self._lag
        fresh = self._ledger.since(self._indexed)
        for stored in fresh:
            if stored.created > visible:
                break
            self._insert("transaction", [self._header(stored)])
            self._insert("transactionline", self._lines(stored))
            self._insert("transactionaccountingline", self._postings(stored))
            self._indexed += 1

    def _insert(self, table: str, rows: Sequence[Row]) -> None:
        if rows:
            names = list(self._tables[table])
            marks = ", ".join("?" * len(names))
            statement = f'INSERT INTO "{table}" VALUES ({marks})'  # noqa: S608 - our own names
            values = [[_null_if_empty(row.get(name)) for name in names] for row in rows]
            self._connection.executemany(statement, values)

    def _header(self, stored: Transaction) -> Row:
        draft = stored.draft
        total = -draft.type.line_sign * draft.total
        created = stored.created.strftime("%Y-%m-%d %H:%M:%S")
        return {
            "id": int(stored.id),
            "type": draft.type.code,
            "recordtype": draft.type.value.lower(),
            "externalid": draft.external_id,
            "tranid": stored.tran_id,
            "transactionnumber": stored.tran_id,
            "typebaseddocumentnumber": stored.tran_id,
            "trandisplayname": f"{draft.type.title} #{stored.tran_id}",
            "trandate": draft.tran_date.isoformat(),
            "createddate": created,
            "lastmodifieddate": created,
            "posting": "T" if draft.type.posting else "F",
            "postingperiod": int(draft.period),
            "void": "F",
            "voided": "F",
            "entity": int(draft.entity),
            "currency": int(draft.currency),
            "exchangerate": "1",
            "foreigntotal": decimal_text(total),
            "memo": draft.memo,
            "otherrefnum": draft.other_ref_num,
            "customform": int(draft.custom_form),
            "paymentoption": int(draft.payment_option) if draft.payment_option else None,
            "source": "restWebServices",
            **draft.custom,
        }

    def _lines(self, stored: Transaction) -> list[Row]:
        draft = stored.draft
        main: Row = {
            **self._line_basis(stored, 0),
            "mainline": "T",
            "expenseaccount": int(BANK_ACCOUNT),
            "location": int(draft.location),
            **_amounts(-draft.type.line_sign * draft.total),
        }
        return [
            main,
            *(
                self._item_line(stored, line, number)
                for number, line in enumerate(draft.lines, start=1)
            ),
        ]

    def _item_line(self, stored: Transaction, line: TransactionLine, number: int) -> Row:
        sign = stored.draft.type.line_sign
        item = self._master.items[line.item]
        return {
            **self._line_basis(stored, number),
            "mainline": "F",
            "item": int(item.id),
            "itemtype": item.item_type,
            "accountinglinetype": "PAYMENT" if item.item_type == "Payment" else "INCOME",
            "expenseaccount": int(item.account),
            "location": int(line.location) if line.location is not None else None,
            "quantity": decimal_text(sign * line.quantity) if line.quantity is not None else None,
            "rate": decimal_text(line.rate) if line.rate is not None else None,
            "price": int(line.price) if line.price is not None else None,
            "memo": line.description,
            **_amounts(sign * line.amount),
            **line.custom,
        }

    @staticmethod
    def _line_basis(stored: Transaction, number: int) -> Row:
        draft = stored.draft
        created = stored.created.strftime("%Y-%m-%d %H:%M:%S")
        return {
            "id": number,
            "transaction": int(stored.id),
            "linesequencenumber": number,
            "uniquekey": int(stored.id) * 1000 + number,
            "entity": int(draft.entity),
            "subsidiary": int(draft.subsidiary),
            "createdfrom": int(draft.created_from) if draft.created_from is not None else None,
            "taxline": "F",
            # `iscogs` stays null, which a bare iscogs = 'F' does not match (contract, section 3)
            "donotdisplayline": "F",
            "linecreateddate": created,
            "linelastmodifieddate": created,
        }

    def _postings(self, stored: Transaction) -> list[Row]:
        return [
            {
                "transaction": int(line.transaction),
                "transactionline": line.line,
                "accountingbook": 1,
                "account": int(line.account),
                "accounttype": self._master.accounts[line.account].account_type,
                "posting": "T",
                "amount": decimal_text(line.amount),
                "netamount": decimal_text(line.amount),
                "debit": decimal_text(line.amount) if line.amount > 0 else None,
                "credit": decimal_text(-line.amount) if line.amount < 0 else None,
                "exchangerate": "1",
            }
            for line in postings(stored, self._master.items)
        ]


def _amounts(amount: Decimal) -> Row:
    return {
        "foreignamount": decimal_text(amount),
        "netamount": decimal_text(amount),
        "debitforeignamount": decimal_text(amount) if amount > 0 else None,
        "creditforeignamount": decimal_text(-amount) if amount < 0 else None,
    }


def _null_if_empty(value: SqlValue) -> SqlValue:
    return None if value == "" else value
