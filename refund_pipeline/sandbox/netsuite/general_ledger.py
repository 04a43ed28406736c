"""What a transaction writes to the general ledger, for trial balances in tests (contract 6.2).

One layout of rows serves the ledger and the search: debit minus credit, which every sign follows
(SuiteQL contract, 2). The transaction's own account takes what is left, so the sum is zero.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from refund_pipeline.sandbox.netsuite.ledger import (
    GeneralLedgerLine,
    Transaction,
    TransactionLine,
    TransactionType,
)
from refund_pipeline.sandbox.netsuite.master_data import MasterData
from refund_pipeline.sandbox.netsuite.master_defaults import (
    BANK_ACCOUNT,
    COST_ACCOUNT,
    RECEIVABLES_ACCOUNT,
    STOCK_ACCOUNT,
    TAX_ACCOUNT,
    TAX_ITEM,
)
from refund_pipeline.sandbox.netsuite.pricing import unit_of

_RECEIVABLES = {TransactionType.INVOICE, TransactionType.CREDIT_MEMO}
_MOVES_GOODS = {TransactionType.CASH_SALE, TransactionType.CASH_REFUND}


class RowKind(Enum):
    """What a row of a transaction is."""

    MAIN = "main"
    ITEM = "item"
    TAX = "tax"
    COST = "cost"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a transaction; `amount` is debit minus credit in transaction currency."""

    number: int
    kind: RowKind
    account: str
    amount: Decimal
    item: str | None = None
    line: TransactionLine | None = None


def rows(stored: Transaction, master: MasterData) -> list[Row]:
    """Return the rows of a transaction: its own, its lines, the tax, the cost of goods.

    A tax row is there even at zero.
    """
    draft = stored.draft
    sign = draft.type.line_sign
    found = [
        Row(
            number,
            RowKind.ITEM,
            master.items[line.item].account,
            sign * line.amount,
            item=line.item,
            line=line,
        )
        for number, line in enumerate(draft.lines, start=1)
    ]
    found.append(
        Row(len(found) + 1, RowKind.TAX, TAX_ACCOUNT, sign * draft.tax_total, item=TAX_ITEM)
    )
    own = -sum((row.amount for row in found), Decimal(0))
    account = draft.account or BANK_ACCOUNT
    if draft.type in _RECEIVABLES:
        account = RECEIVABLES_ACCOUNT
    found.insert(0, Row(0, RowKind.MAIN, account, own))
    for line in draft.lines if draft.type in _MOVES_GOODS else ():
        item = master.items[line.item]
        if item.stocked:
            cost = pieces(stored, line) * item.cost
            for account, amount in ((STOCK_ACCOUNT, cost), (COST_ACCOUNT, -cost)):
                found.append(Row(len(found), RowKind.COST, account, amount, item=item.id))
    return found


def pieces(stored: Transaction, line: TransactionLine) -> Decimal:
    """Return how many pieces a line puts on stock; a sale takes them out."""
    if stored.voided or stored.draft.type not in _MOVES_GOODS:
        return Decimal(0)
    return stored.draft.type.line_sign * (line.quantity or Decimal(0))


def postings(stored: Transaction, master: MasterData) -> list[GeneralLedgerLine]:
    """Return the postings of a transaction, in the subsidiary's currency; their sum is zero."""
    draft = stored.draft
    if not draft.type.posting:
        return []
    base = master.currencies[master.subsidiaries[draft.subsidiary].currency]
    unit = unit_of(base)
    own, *others = [
        row for row in rows(stored, master) if row.kind is not RowKind.TAX or row.amount
    ]
    booked = [
        GeneralLedgerLine(
            stored.id,
            row.number,
            row.account,
            (row.amount * draft.exchange_rate).quantize(unit),
            row.amount,
        )
        for row in others
    ]
    # what rounding each line leaves over goes to the transaction's own account
    rest = -sum((line.amount for line in booked), Decimal(0))
    return [GeneralLedgerLine(stored.id, own.number, own.account, rest, own.amount), *booked]
