"""What a transaction of the account is: its type, its lines, and what happened to it since.

The store with numbers and external ids is `books.py`; rules are in `refund_rules.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum


@dataclass(frozen=True, slots=True)
class _Facts:
    code: str
    title: str
    prefix: str
    posting: bool
    line_sign: int


class TransactionType(Enum):
    """A transaction type by its path name. They share one name space of external ids."""

    CASH_REFUND = "cashRefund"
    CASH_SALE = "cashSale"
    SALES_ORDER = "salesOrder"
    RETURN_AUTHORIZATION = "returnAuthorization"
    INVOICE = "invoice"
    CREDIT_MEMO = "creditMemo"
    CUSTOMER_REFUND = "customerRefund"
    CUSTOMER_DEPOSIT = "customerDeposit"

    @property
    def code(self) -> str:
        """The code SuiteQL and `type.id` show."""
        return _FACTS[self].code

    @property
    def title(self) -> str:
        """The name a person reads."""
        return _FACTS[self].title

    @property
    def prefix(self) -> str:
        """What its document numbers begin with."""
        return _FACTS[self].prefix

    @property
    def posting(self) -> bool:
        """Whether the type writes to the general ledger."""
        return _FACTS[self].posting

    @property
    def line_sign(self) -> int:
        """The factor from a line's amount as sent to debit minus credit (SuiteQL contract, 2)."""
        return _FACTS[self].line_sign


_FACTS = {
    TransactionType.CASH_REFUND: _Facts("CashRfnd", "Cash Refund", "CR", True, 1),
    TransactionType.CASH_SALE: _Facts("CashSale", "Cash Sale", "CS", True, -1),
    TransactionType.SALES_ORDER: _Facts("SalesOrd", "Sales Order", "SO", False, -1),
    TransactionType.RETURN_AUTHORIZATION: _Facts("RtnAuth", "Return Authorization", "RA", False, 1),
    TransactionType.INVOICE: _Facts("CustInvc", "Invoice", "INV", True, -1),
    TransactionType.CREDIT_MEMO: _Facts("CustCred", "Credit Memo", "CM", True, 1),
    TransactionType.CUSTOMER_REFUND: _Facts("CustRfnd", "Customer Refund", "REF", True, 1),
    TransactionType.CUSTOMER_DEPOSIT: _Facts("CustDep", "Customer Deposit", "CD", True, -1),
}


@dataclass(frozen=True, slots=True)
class TransactionLine:
    """One line, as NetSuite keeps it: priced, in transaction currency."""

    item: str
    amount: Decimal
    quantity: Decimal | None
    rate: Decimal | None
    price: str | None
    description: str | None
    location: str | None
    custom: Mapping[str, str]
    class_id: str | None = None
    department: str | None = None
    tax_reference: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A transaction that passed every rule and has no number yet; references are internal ids.

    `custom` holds texts: a number as decimal text, a date as ISO, a flag as T or F, a choice's id.
    """

    type: TransactionType
    external_id: str | None
    entity: str
    subsidiary: str
    location: str | None
    currency: str
    tran_date: date
    period: str
    tran_id: str | None
    memo: str | None
    other_ref_num: str | None
    custom_form: str
    created_from: str | None
    handling_mode: str | None
    payment_option: str | None
    lines: tuple[TransactionLine, ...]
    custom: Mapping[str, str]
    account: str | None = None
    class_id: str | None = None
    department: str | None = None
    exchange_rate: Decimal = Decimal(1)
    tax_total: Decimal = Decimal(0)
    refund_check: bool = False

    @property
    def subtotal(self) -> Decimal:
        """The sum of the lines as sent."""
        return sum((line.amount for line in self.lines), Decimal(0))

    @property
    def total(self) -> Decimal:
        """The sum of the lines and the tax on them."""
        return self.subtotal + self.tax_total


@dataclass(frozen=True, slots=True)
class Transaction:
    """A stored transaction. `locked` says why nobody may change it."""

    id: str
    tran_id: str
    created: datetime
    modified: datetime
    draft: Draft
    locked: str | None = None
    deposited: bool = False
    voided: bool = False


@dataclass(frozen=True, slots=True)
class GeneralLedgerLine:
    """A posting in the subsidiary's currency, debits positive.

    `line` is 0 for the transaction's own account; `foreign_amount` is in transaction currency.
    """

    transaction: str
    line: int
    account: str
    amount: Decimal
    foreign_amount: Decimal
