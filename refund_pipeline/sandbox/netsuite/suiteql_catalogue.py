"""What one query may see, by the role and the switches, and how the rest is refused.

The texts are those of the SuiteQL contract 5.1, the switches those of 9.8.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from refund_pipeline.sandbox.netsuite.preferences import Preferences
from refund_pipeline.sandbox.netsuite.role import Role
from refund_pipeline.sandbox.netsuite.suiteql_schema import (
    HIDDEN_COLUMNS,
    ONE_WORLD_TABLES,
    PER_TYPE_TABLES,
    Columns,
    Tables,
)
from refund_pipeline.sandbox.netsuite.suiteql_switches import HiddenColumn, SearchSwitches
from refund_pipeline.sandbox.netsuite.suiteql_text import (
    SuiteQlFailedError,
    SuiteQlRefusedError,
)

_TRANSACTION_OF = {
    "transaction": "id",
    "transactionline": "transaction",
    "transactionaccountingline": "transaction",
}


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The tables of one query. `restricted` maps a table to the SQL of the rows that are left."""

    tables: Tables
    hidden_tables: frozenset[str]
    hidden_columns: Mapping[str, frozenset[str]]
    how: HiddenColumn
    restricted: Mapping[str, str]

    def columns(self, table: str) -> Columns:
        """Return a table's columns.

        Raises:
            SuiteQlRefusedError: there is no such table, or the role does not see it.
        """
        name = table.lower()
        if name in self.hidden_tables:
            raise SuiteQlRefusedError(f"Search error occurred: Record '{name}' was not found.")
        if name not in self.tables:
            raise SuiteQlRefusedError(f"Invalid search type: {table}.")
        return self.tables[name]

    def rows(self, table: str) -> str:
        """Return the SQL to select a table's rows from."""
        return self.restricted.get(table, f'"{table}"')

    def refuse_hidden(self, table: str, column: str) -> None:
        """Refuse a column that is known and not queryable, in the way that is switched on.

        Raises:
            SuiteQlRefusedError: most ways.
            SuiteQlFailedError: a 500 that names no column.
        """
        if column not in self.hidden_columns.get(table, ()):
            return
        reasons = {
            HiddenColumn.REMOVED: "REMOVED - Field is removed",
            HiddenColumn.NOT_EXPOSED: "NOT_EXPOSED - Not available for channel SEARCH",
        }
        how = self.how
        if how is HiddenColumn.ANY:
            how = random.choice([*reasons, HiddenColumn.SERVER_ERROR])
        if how not in reasons:
            raise SuiteQlFailedError
        raise SuiteQlRefusedError(
            f"Search error occurred: Field '{column}' for record '{table}' was not found. "
            f"Reason: {reasons[how]}"
        )


def catalogue(
    tables: Tables, *, role: Role, preferences: Preferences, switches: SearchSwitches
) -> Catalogue:
    """Return what a query may see now."""
    gone = set() if switches.per_type_tables else set(PER_TYPE_TABLES)
    if not preferences.one_world:
        gone |= ONE_WORLD_TABLES
    hidden = {
        "transaction": HIDDEN_COLUMNS["transaction"] | frozenset(switches.hidden_fields),
        "transactionline": HIDDEN_COLUMNS["transactionline"] | frozenset(switches.hidden_fields),
    }
    if switches.header_location:
        hidden["transaction"] -= {"location"}
    seen = {
        table: {
            name: kind
            for name, kind in columns.items()
            if name not in hidden.get(table, ()) and (preferences.one_world or name != "subsidiary")
        }
        for table, columns in tables.items()
        if table not in gone
    }
    unseen = role.hidden_tables if role.suite_analytics else seen
    return Catalogue(
        tables=seen,
        hidden_tables=frozenset(unseen),
        hidden_columns=hidden,
        how=switches.hidden_columns,
        restricted=_restricted(role),
    )


def _restricted(role: Role) -> Mapping[str, str]:
    if role.subsidiaries is None:
        return {}
    allowed = ", ".join(str(int(one)) for one in role.subsidiaries)
    visible = (
        'SELECT "transaction" FROM transactionline '  # noqa: S608 - numbers only
        f"WHERE mainline = 'T' AND subsidiary IN ({allowed})"
    )
    return {
        **{
            table: f'(SELECT * FROM "{table}" WHERE "{column}" IN ({visible}))'  # noqa: S608
            for table, column in _TRANSACTION_OF.items()
        },
        "customer": f'(SELECT * FROM "customer" WHERE subsidiary IN ({allowed}))',  # noqa: S608
    }
