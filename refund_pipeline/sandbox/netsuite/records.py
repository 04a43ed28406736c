"""What a test sees of the posted refunds: plain records, detached from the books.

The books' own records are in `ledger.py`.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from refund_pipeline.sandbox.netsuite.ledger import Transaction
from refund_pipeline.sandbox.netsuite.master_data import MasterData


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
    location: str | None
    currency: str
    tran_date: date
    memo: str | None
    created_from: str | None
    total: Decimal
    lines: tuple[StoredLine, ...]
    custom: dict[str, str]
    account: str | None = None
    class_id: str | None = None
    tax_total: Decimal = Decimal(0)
    voided: bool = False


def view(stored: Transaction, master: MasterData) -> StoredCashRefund:
    """Return a stored cash refund as a test sees it."""
    draft = stored.draft
    return StoredCashRefund(
        id=stored.id,
        external_id=draft.external_id,
        entity=draft.entity,
        subsidiary=draft.subsidiary,
        location=draft.location,
        currency=master.currencies[draft.currency].symbol,
        tran_date=draft.tran_date,
        memo=draft.memo,
        created_from=draft.created_from,
        total=draft.total,
        lines=tuple(StoredLine(one.item, one.amount, dict(one.custom)) for one in draft.lines),
        custom=dict(draft.custom),
        account=draft.account,
        class_id=draft.class_id,
        tax_total=draft.tax_total,
        voided=stored.voided,
    )
