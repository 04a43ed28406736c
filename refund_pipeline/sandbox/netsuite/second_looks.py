"""What NetSuite takes and a careful client would not send, noted for the audit (points 29, 32)."""

from collections.abc import Iterator
from decimal import Decimal

from refund_pipeline.sandbox.netsuite.books import Books
from refund_pipeline.sandbox.netsuite.ledger import Draft, Transaction
from refund_pipeline.sandbox.netsuite.master_data import MasterData


def pays_out(draft: Draft, master: MasterData) -> bool:
    """Say whether NetSuite would move money itself for this refund.

    It does for a check it is asked to write, whatever the handling mode.
    """
    if draft.refund_check:
        return True
    if draft.handling_mode is not None:
        return draft.handling_mode == "PROCESS"
    method = master.payment_methods.get(draft.payment_option or "")
    return method is not None and not method.offline


def dubious(stored: Transaction, master: MasterData, books: Books) -> Iterator[str]:
    """Describe what is wrong with a refund that passed every rule."""
    draft = stored.draft
    for line in draft.lines:
        item = master.items[line.item]
        if item.item_type == "Payment" and line.amount > 0:
            yield f"payment item {item.id} with a positive amount"
        if item.item_type == "Payment" and item.taxable:
            yield f"payment item {item.id} is taxable"
        if item.stocked:
            yield f"stocked item {item.id} goes back on stock"
    if draft.created_from is not None:
        origin = books.get(draft.created_from)
        if origin is not None and _refunded(origin.id, books) > origin.draft.total:
            yield f"the refunds of {origin.id} are more than its total"


def _refunded(origin: str, books: Books) -> Decimal:
    """Return what was given back on a sale: no rule of NetSuite limits it (contract 9, 18)."""
    lines = [line for stored in books.made_from(origin) for line in stored.draft.lines]
    return sum((line.amount for line in lines if line.amount > 0), Decimal(0))
