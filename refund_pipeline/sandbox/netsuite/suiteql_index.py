"""The searchable copy of the account: SQLite tables, behind the books by the index lag.

What the rows hold is `suiteql_transactions.py` and `suiteql_tables.py`; queries are compiled in
`suiteql_compiler.py`.
"""

import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from refund_pipeline.sandbox.netsuite.books import Books
from refund_pipeline.sandbox.netsuite.master_data import MasterData
from refund_pipeline.sandbox.netsuite.preferences import Preferences
from refund_pipeline.sandbox.netsuite.suiteql_functions import SqlValue, register
from refund_pipeline.sandbox.netsuite.suiteql_schema import VIEWS, Tables, Type
from refund_pipeline.sandbox.netsuite.suiteql_switches import DateFormat, SearchSwitches
from refund_pipeline.sandbox.netsuite.suiteql_tables import master_rows
from refund_pipeline.sandbox.netsuite.suiteql_transactions import Row, TransactionRows

_SQLITE_TYPES = {
    Type.INTEGER: "INTEGER",
    Type.DECIMAL: "TEXT COLLATE DECIMALS",
    Type.TEXT: "TEXT",
    Type.DATE: "TEXT",
    Type.DATETIME: "TEXT",
}
_KEYS = {
    "transaction": "id",
    "transactionline": "transaction",
    "transactionaccountingline": "transaction",
    "nexttransactionlinelink": "nextdoc",
    "paymentevent": "doc",
}
"""The tables of transactions, and the column that holds the transaction's id."""


class SearchIndex:
    """Runs compiled SQL. Safe to use from any thread."""

    def __init__(
        self,
        *,
        tables: Tables,
        master: MasterData,
        books: Books,
        preferences: Preferences,
        switches: SearchSwitches,
        clock: Callable[[], datetime],
        lag: float,
    ) -> None:
        self._tables = tables
        self._master = master
        self._books = books
        self._preferences = preferences
        self._switches = switches
        self._rows = TransactionRows(master, books, preferences, switches)
        self._clock = clock
        self._lag = timedelta(seconds=lag)
        self._lock = threading.Lock()
        self._indexed = 0
        self._master_version = -1
        self._shown_as: object = None
        self._connection = sqlite3.connect(":memory:", check_same_thread=False)
        register(
            self._connection,
            clock=clock,
            day_first=lambda: switches.date_format is DateFormat.DAY_FIRST,
        )
        self._create()

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

    def _create(self) -> None:
        for table, columns in self._tables.items():
            if table in VIEWS:
                continue
            body = ", ".join(f'"{name}" {_SQLITE_TYPES[kind]}' for name, kind in columns.items())
            self._connection.execute(f'CREATE TABLE "{table}" ({body})')
        for table, select in VIEWS.items():
            self._connection.execute(f'CREATE VIEW "{table}" AS {select}')
        for table, column in (*_KEYS.items(), ("transaction", "externalid")):
            name = f"{table}_{column}"
            self._connection.execute(f'CREATE INDEX "{name}" ON "{table}" ("{column}")')

    def _refresh(self) -> None:
        if self._master_version != self._master.version:
            self._master_version = self._master.version
            for table, rows in master_rows(self._master).items():
                self._connection.execute(f'DELETE FROM "{table}"')  # noqa: S608 - our own names
                self._insert(table, rows)
        shown_as = (self._switches.refund_sign, self._preferences.tax)
        if shown_as != self._shown_as:
            self._shown_as = shown_as
            self._indexed = 0
        visible = self._clock() - self._lag
        for change in self._books.changes_since(self._indexed):
            if change.at > visible:
                break
            for table, column in _KEYS.items():
                statement = f'DELETE FROM "{table}" WHERE "{column}" = ?'  # noqa: S608 - as above
                self._connection.execute(statement, (int(change.id),))
            if change.after is not None:
                for table, rows in self._rows.of(change.after).items():
                    self._insert(table, rows)
            self._indexed += 1

    def _insert(self, table: str, rows: Sequence[Row]) -> None:
        if rows:
            names = list(self._tables[table])
            marks = ", ".join("?" * len(names))
            statement = f'INSERT INTO "{table}" VALUES ({marks})'  # noqa: S608 - our own names
            values = [[_null_if_empty(row.get(name)) for name in names] for row in rows]
            self._connection.executemany(statement, values)


def _null_if_empty(value: SqlValue) -> SqlValue:
    return None if value == "" else value
