"""What a test sees of the posted refunds: plain records, detached from the ledger.

The ledger's own records are in `ledger.py`.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class StoredLine:
    """A line of a posted cash refund."""

    item: str
    amount: Decimal
    custom: dict[str, str]


@dataclass(frozen=True, slots=True)
class StoredCashRefund:
    """A posted cash refund. References are internal ids, `currency` is the ISO code."""

    id: str
    external_id: str | None
    entity: str
    subsidiary: str
    location: str
    currency: str
    tran_date: date
    memo: str | None
    created_from: str | None
    total: Decimal
    lines: tuple[StoredLine, ...]
    custom: dict[str, str]
