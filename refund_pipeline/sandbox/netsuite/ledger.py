"""The transactions of the account: numbered, unique by external id over all types, in order.

No rule about what a transaction may hold (`refund_rules.py`), no rendering (`rendering.py`).
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum


class TransactionType(Enum):
    """A transaction type by its path name."""

    CASH_REFUND = "cashRefund"
    CASH_SALE = "cashSale"
    SALES_ORDER = "salesOrder"

    @property
    def code(self) -> str:
        """The code SuiteQL and `type.id` show."""
        return {"cashRefund": "CashRfnd", "cashSale": "CashSale", "salesOrder": "SalesOrd"}[
            self.value
        ]

    @property
    def title(self) -> str:
        """The name a person reads."""
        return {"cashRefund": "Cash Refund", "cashSale": "Cash Sale", "salesOrder": "Sales Order"}[
            self.value
        ]

    @property
    def posting(self) -> bool:
        """Whether the type writes to the general ledger."""
        return self is not TransactionType.SALES_ORDER

    @property
    def line_sign(self) -> int:
        """The factor from a line's amount as sent to SuiteQL's `foreignamount` (section 2)."""
        return 1 if self is TransactionType.CASH_REFUND else -1


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


@dataclass(frozen=True, slots=True)
class Draft:
    """A transaction that passed every rule and has no number yet; references are internal ids."""

    type: TransactionType
    external_id: str | None
    entity: str
    subsidiary: str
    location: str
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

    @property
    def total(self) -> Decimal:
        """The sum of the lines as sent."""
        return sum((line.amount for line in self.lines), Decimal(0))


@dataclass(frozen=True, slots=True)
class Transaction:
    """A stored transaction."""

    id: str
    tran_id: str
    created: datetime
    draft: Draft


@dataclass(frozen=True, slots=True)
class GeneralLedgerLine:
    """A posting: debits positive. `line` is 0 for the transaction's own account."""

    transaction: str
    line: int
    account: str
    amount: Decimal


class DuplicateExternalIdError(Exception):
    """Another transaction, of whatever type, bears this external id."""


class Ledger:
    """Every transaction of one account; safe to use from any thread."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._in_order: list[Transaction] = []
        self._by_id: dict[str, Transaction] = {}
        self._by_external_id: dict[str, Transaction] = {}
        self._numbers: Counter[TransactionType] = Counter()

    def add(self, draft: Draft) -> Transaction:
        """Store a transaction, all or nothing.

        Raises:
            DuplicateExternalIdError: its external id is taken; letter case makes no difference.
        """
        with self._lock:
            key = draft.external_id.lower() if draft.external_id is not None else None
            if key is not None and key in self._by_external_id:
                raise DuplicateExternalIdError(draft.external_id)
            self._numbers[draft.type] += 1
            prefix = draft.type.code[:1] + draft.type.code[4:5].upper()
            stored = Transaction(
                id=str(90001 + len(self._in_order)),
                tran_id=draft.tran_id or f"{prefix}{1000 + self._numbers[draft.type]}",
                created=self._clock(),
                draft=draft,
            )
            self._in_order.append(stored)
            self._by_id[stored.id] = stored
            if key is not None:
                self._by_external_id[key] = stored
            return stored

    def get(self, internal_id: str) -> Transaction | None:
        """Return a transaction of any type by internal id."""
        with self._lock:
            return self._by_id.get(internal_id)

    def by_external_id(self, external_id: str) -> Transaction | None:
        """Return a transaction of any type by external id, letter case aside."""
        with self._lock:
            return self._by_external_id.get(external_id.lower())

    def of_type(self, kind: TransactionType) -> list[Transaction]:
        """Return the transactions of one type, oldest first."""
        with self._lock:
            return [stored for stored in self._in_order if stored.draft.type is kind]

    def since(self, position: int) -> list[Transaction]:
        """Return what was stored after the first `position` transactions, oldest first."""
        with self._lock:
            return self._in_order[position:]
