"""What a transaction writes to the general ledger, for trial balances in tests (contract 6.2).

Amounts are in transaction currency; the sandbox sells only in a subsidiary's own, at rate 1.
"""

from collections.abc import Mapping
from decimal import Decimal

from refund_pipeline.sandbox.netsuite.ledger import GeneralLedgerLine, Transaction
from refund_pipeline.sandbox.netsuite.master_data import BANK_ACCOUNT, Item


def postings(stored: Transaction, items: Mapping[str, Item]) -> list[GeneralLedgerLine]:
    """Return the postings of a transaction, debits positive: item accounts against the bank."""
    draft = stored.draft
    if not draft.type.posting:
        return []
    lines = [
        GeneralLedgerLine(
            stored.id, number, items[line.item].account, draft.type.line_sign * line.amount
        )
        for number, line in enumerate(draft.lines, start=1)
    ]
    header = -sum((line.amount for line in lines), Decimal(0))
    return [GeneralLedgerLine(stored.id, 0, BANK_ACCOUNT, header), *lines]
