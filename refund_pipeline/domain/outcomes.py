"""What a write to the ERP can come to, and what a look-up can find."""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TypeAlias

from refund_pipeline.domain.transactions import RefundTransaction


@dataclass(frozen=True, slots=True)
class Posted:
    """The ERP made the record and said so."""

    erp_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The ERP said no. The record may exist all the same: look up before believing it.

    `detail` holds the ERP's codes and paths, never its free text.
    """

    detail: str


@dataclass(frozen=True, slots=True)
class Uncertain:
    """No clear answer: the record may or may not exist."""

    detail: str


@dataclass(frozen=True, slots=True)
class Busy:
    """The ERP took nothing in, because too many requests run at once; nothing was executed."""

    retry_after: float | None = None
    """Seconds the ERP asked for, if it did."""


PostOutcome: TypeAlias = Posted | Refused | Uncertain | Busy


@dataclass(frozen=True, slots=True)
class RecordLine:
    """One line of a record in the ERP; `amount` is signed as we send it."""

    item: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class ErpRecord:
    """A transaction found in the ERP under one of our external ids.

    `lines` are the lines with an item; a tax, shipping or other unexpected line is among them.
    """

    erp_id: str
    external_id: str
    kind: str
    currency_id: str
    memo: str | None
    voided: bool
    lines: tuple[RecordLine, ...]
    tran_date: date | None = None
    custom: tuple[tuple[str, str], ...] = ()


CASH_REFUND = "cash_refund"


def differences(transaction: RefundTransaction, record: ErpRecord) -> tuple[str, ...]:
    """Say how the ERP's record differs: kind, currency, amounts per item, order reference."""
    found: list[str] = []
    if record.kind != CASH_REFUND:
        found.append(f"it is a {record.kind}, not a cash refund")
    if record.voided:
        found.append("it is voided")
    if record.currency_id != transaction.currency_id:
        found.append(f"currency {record.currency_id} instead of {transaction.currency_id}")
    wanted = sorted((line.item, line.amount) for line in transaction.lines)
    actual = sorted((line.item, line.amount) for line in record.lines)
    if wanted != actual:
        found.append(f"lines {_lines(actual)} instead of {_lines(wanted)}")
    if not _refers_to_order(transaction, record):
        found.append(f"no reference to order {transaction.order_number}")
    return tuple(found)


def _lines(lines: list[tuple[str, Decimal]]) -> str:
    return "[" + ", ".join(f"{item}: {amount}" for item, amount in lines) + "]"


def _refers_to_order(transaction: RefundTransaction, record: ErpRecord) -> bool:
    """Look for the order number in our custom field, and as a whole word or words in the memo."""
    number = transaction.order_number
    ours = {name for name, value in transaction.custom_fields if value == number}
    if any(name in ours and value == number for name, value in record.custom):
        return True
    return re.search(rf"(?<!\S){re.escape(number)}(?!\S)", record.memo or "") is not None
