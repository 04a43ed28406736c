"""What a write to the ERP can come to, and what a look-up can find."""

import re
from collections.abc import Iterator, Mapping, Sequence
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
PAYMENT_OPTION = "paymentoption"
"""The name under which a record's payment option is among its custom values, where it was read."""


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
    is_ours = record.external_id.lower() == transaction.external_id
    if is_ours and record.tran_date not in {None, transaction.business_date}:
        found.append(f"dated {record.tran_date} instead of {transaction.business_date}")
    options = [value for name, value in record.custom if name == PAYMENT_OPTION]
    if transaction.payment_option and any(v != transaction.payment_option for v in options):
        found.append(f"payment option {options[0]} instead of {transaction.payment_option}")
    if not _refers_to_order(transaction, record):
        found.append(f"no reference to order {transaction.order_number}")
    return tuple(found)


def found_records(
    transaction: RefundTransaction, existing: Mapping[str, ErpRecord]
) -> Iterator[tuple[ErpRecord, RefundTransaction | tuple[str, ...]]]:
    """Yield what the ERP has of `transaction`: each record, and which of ours it equals.

    Or how it differs: a record under an id that none of ours has, such as one of another posting
    model, is a difference as well. `existing` is by external id.
    """
    records = {one.external_id: one for one in transaction.records}
    for key in transaction.possible_ids:
        there = existing.get(key)
        if there is None:
            continue
        ours = records.get(key)
        if ours is None and key == transaction.refund_id and len(records) == 1:
            ours = next(iter(records.values()))  # an earlier integration's record of this refund
        if ours is None:
            yield there, ("it is none of the records this refund is posted as",)
            continue
        found = differences(ours, there)
        yield there, found or ours


def paired(
    transactions: Sequence[RefundTransaction], found: Sequence[ErpRecord]
) -> dict[str, ErpRecord]:
    """Return which of `transactions` is which record, by external id, told by their content alone.

    One record is one transaction: of two equal ones, a single record proves the first only.
    """
    left = list(found)
    pairs: dict[str, ErpRecord] = {}
    for ours in transactions:
        equal = next((record for record in left if not differences(ours, record)), None)
        if equal is not None:
            left.remove(equal)
            pairs[ours.external_id] = equal
    return pairs


def _lines(lines: list[tuple[str, Decimal]]) -> str:
    return "[" + ", ".join(f"{item}: {amount}" for item, amount in lines) + "]"


def _refers_to_order(transaction: RefundTransaction, record: ErpRecord) -> bool:
    """Look for the order number in our custom field, and as a whole word or words in the memo."""
    number = transaction.order_number
    ours = {name for name, value in transaction.custom_fields if value == number}
    if any(name in ours and value == number for name, value in record.custom):
        return True
    return re.search(rf"(?<!\S){re.escape(number)}(?!\S)", record.memo or "") is not None
