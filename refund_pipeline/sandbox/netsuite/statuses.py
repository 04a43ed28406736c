"""The status letters of transactions (SuiteQL contract, 4); over REST they come bare.

A cash refund has none unless it is voided. No letter means the same for two types.
"""

from refund_pipeline.sandbox.netsuite.books import Books
from refund_pipeline.sandbox.netsuite.ledger import Transaction, TransactionType

VOIDED = "V"
NAMES = {
    TransactionType.SALES_ORDER: {
        "A": "Pending Approval",
        "B": "Pending Fulfillment",
        "C": "Cancelled",
        "D": "Partially Fulfilled",
        "E": "Pending Billing/Partially Fulfilled",
        "F": "Pending Billing",
        "G": "Billed",
        "H": "Closed",
    },
    TransactionType.CASH_SALE: {
        "A": "Unapproved Payment",
        "B": "Not Deposited",
        "C": "Deposited",
    },
    TransactionType.INVOICE: {"A": "Open", "B": "Paid In Full"},
    TransactionType.CREDIT_MEMO: {"B": "Fully Applied", "V": "Voided"},
}


def status_of(stored: Transaction, books: Books) -> str | None:
    """Return the letter of a transaction."""
    if stored.voided:
        return VOIDED
    match stored.draft.type:
        case TransactionType.CASH_SALE:
            return "C" if stored.deposited else "B"
        case TransactionType.SALES_ORDER:
            billed = any(
                one.draft.type is TransactionType.CASH_SALE for one in books.made_from(stored.id)
            )
            return "G" if billed else "F"
        case TransactionType.INVOICE:
            return "A"
        case _:
            return None
