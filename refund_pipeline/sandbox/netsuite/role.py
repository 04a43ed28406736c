"""What the integration's role may do (contract 1.5 and section 8, point 6), as switches.

Whether it may log in at all is `logins.py`.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import IntEnum

from refund_pipeline.sandbox.netsuite.exchange import Refusal, refuse
from refund_pipeline.sandbox.netsuite.ledger import Transaction, TransactionType


class Level(IntEnum):
    """A permission level of NetSuite, each with everything below it."""

    NONE = 0
    VIEW = 1
    CREATE = 2
    EDIT = 3
    FULL = 4


_NEEDED = {"GET": Level.EDIT, "POST": Level.CREATE, "PATCH": Level.EDIT, "DELETE": Level.FULL}
"""REST opens a record in edit mode even for GET."""


def _full_access() -> dict[TransactionType, Level]:
    return dict.fromkeys(TransactionType, Level.FULL)


@dataclass(slots=True)
class Role:
    """Switches of one role; it may do everything a refund client needs until one is turned.

    `subsidiaries` restricts the role to some of them; rows of others are hidden without a word.
    """

    rest_web_services: bool = True
    suite_analytics: bool = True
    administrator: bool = False
    customers: Level = Level.FULL
    records: dict[TransactionType, Level] = field(default_factory=_full_access)
    hidden_tables: Collection[str] = frozenset()
    subsidiaries: Collection[str] | None = None

    def require_rest(self) -> None:
        """Refuse every record and query when the permission "REST Web Services" is missing."""
        if not self.rest_web_services:
            raise forbidden("REST Web Services")

    def require_record(self, kind: TransactionType, method: str) -> None:
        """Refuse a method the role's level for this record type does not cover."""
        needed = max(_NEEDED[one] for one in (("POST", "PATCH") if method == "PUT" else (method,)))
        if self.records[kind] < needed:
            raise forbidden(kind.title)

    def sees(self, stored: Transaction) -> bool:
        """Say whether the role is allowed the transaction's subsidiary."""
        return self.may_use(stored.draft.subsidiary)

    def may_use(self, subsidiary: str) -> bool:
        """Say whether the role is allowed this subsidiary."""
        return self.subsidiaries is None or subsidiary in self.subsidiaries


def forbidden(permission: str) -> Refusal:
    """Return the 403; NetSuite's own body is not known (contract 9, question 16)."""
    return refuse(
        403,
        "INSUFFICIENT_PERMISSION",
        f"Permission Violation: You need the '{permission}' permission to access this page.",
    )
