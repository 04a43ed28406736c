"""What a search of this account shows or hides (SuiteQL contract 9.8), as switches.

Tables and columns are `suiteql_schema.py`; what the role hides is `role.py`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum


class HiddenColumn(Enum):
    """How a column that is known and yet not queryable is refused (SuiteQL contract 5.1)."""

    REMOVED = "removed"
    NOT_EXPOSED = "not_exposed"
    SERVER_ERROR = "server_error"
    ANY = "any"


class DateFormat(Enum):
    """How the account writes dates, which raw date columns are shown in."""

    MONTH_FIRST = "M/D/YYYY"
    DAY_FIRST = "DD/MM/YYYY"


@dataclass(slots=True)
class SearchSwitches:
    """Switches of the search of one account.

    `refund_sign` -1 turns the signs of cash refund lines round, which the contract only infers.
    `hidden_fields` are custom fields that records have and SuiteQL refuses.
    """

    hidden_columns: HiddenColumn = HiddenColumn.REMOVED
    header_location: bool = False
    per_type_tables: bool = False
    refund_sign: int = 1
    hidden_fields: Collection[str] = frozenset()
    date_format: DateFormat = DateFormat.MONTH_FIRST
