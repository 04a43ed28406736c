"""The ERP-neutral refund transaction: balanced, and what becomes of a refund instead of one.

Two posting models (contract netsuite 6.2). `payment_lines`: one record, + appeasement item, - one
payment item per payment line, total 0. `header`: one record per tender, the tender in its header.
How a refund transaction is built is `building.py`.
"""

import hashlib
import json
import re
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import TypeAlias
from zoneinfo import ZoneInfo

from refund_pipeline.domain.errors import InvalidTransaction
from refund_pipeline.domain.money import total

CASH_SALE = "cash_sale"
SALES_ORDER = "sales_order"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
"""Only these lose nothing with their hyphens."""
_LONGEST_EXTERNAL_ID = 40  # contract netsuite section 9, question 11


@dataclass(frozen=True, slots=True)
class Origin:
    """The sale being refunded as the ERP knows it; ids are the ERP's internal ids."""

    kind: str
    erp_id: str
    entity: str
    subsidiary: str | None
    currency: str
    """The ERP's currency id."""
    location: str | None = None
    class_id: str | None = None
    total: Decimal | None = None
    """What the customer paid, in the sale's currency; None where the ERP does not say."""


@dataclass(frozen=True, slots=True)
class TransactionLine:
    """One line; `amount` is signed: the appeasement positive, every tender negative."""

    item: str
    """The ERP's item; empty for a tender that the record's header names."""
    amount: Decimal
    label: str
    gift_card_last4: str | None = None
    payment_option: str | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class RefundTransaction:
    """One balanced refund transaction; ids are the ERP's internal ids."""

    refund_id: str
    external_id: str
    business_date: date
    amount: Decimal
    currency: str
    currency_id: str
    order_number: str
    memo: str
    entity: str
    subsidiary: str
    location: str
    created_from: str | None
    """The cash sale this refund is made from; None for one that stands alone."""
    custom_form: str
    custom_fields: tuple[tuple[str, str], ...]
    gift_card_field: str | None
    lines: tuple[TransactionLine, ...]
    class_id: str | None = None
    payment_option: str | None = None
    account: str | None = None
    in_header: bool = False
    """Posting model `header`: each tender is a record of its own, named in the record's header."""

    @property
    def records(self) -> tuple["RefundTransaction", ...]:
        """The ERP records that make up this refund; each has an external id of its own."""
        if not self.in_header:
            return (self,)
        appeasement, *tenders = self.lines
        amounts: dict[tuple[str | None, str | None], Decimal] = {}
        for line in tenders:
            key = (line.payment_option, line.account)
            amounts[key] = amounts.get(key, Decimal(0)) - line.amount
        return tuple(
            replace(
                self,
                external_id=self.external_id if len(amounts) == 1 else f"{self.external_id}-{n}",
                amount=amount,
                payment_option=payment_option,
                account=account,
                lines=(replace(appeasement, amount=amount),),
            )
            for n, ((payment_option, account), amount) in enumerate(amounts.items(), 1)
        )

    @property
    def refund_id_field(self) -> str | None:
        """The custom field that holds the refund id; None where the mapping has none."""
        return next((name for name, value in self.custom_fields if value == self.refund_id), None)

    @property
    def possible_ids(self) -> tuple[str, ...]:
        """Every external id this refund may have in the ERP, whatever posting model wrote it.

        The bare refund id is among them: an earlier integration may have used it.
        """
        ids = (one.external_id for one in self.records)
        return tuple(dict.fromkeys((*ids, *ids_of_refund(self.refund_id, self.external_id))))

    @property
    def fingerprint(self) -> str:
        """Equal for transactions that would be written alike."""
        parts = [repr(getattr(self, name)) for name in self.__slots__]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Ready:
    """To be posted."""

    transaction: RefundTransaction


@dataclass(frozen=True, slots=True)
class AwaitingOrigin:
    """The sale is not in the ERP yet."""

    detail: str


@dataclass(frozen=True, slots=True)
class Held:
    """A person decides."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """Not ours to post."""

    reason: str
    detail: str


Built: TypeAlias = Ready | AwaitingOrigin | Held | Skipped


def external_id(refund_id: str, prefix: str) -> str:
    """Return the ERP's external id of a refund: pure, lower case, at most 40 characters."""
    candidate = prefix + refund_id.replace("-", "").lower()
    if _UUID.fullmatch(refund_id.lower()) and len(candidate) <= _LONGEST_EXTERNAL_ID:
        return candidate
    return prefix + hashlib.sha256(refund_id.encode()).hexdigest()[:32]


def ids_of_refund(refund_id: str, own_id: str) -> tuple[str, ...]:
    """Return the external ids of which one is in the ERP if any record of the refund is."""
    return own_id, f"{own_id}-1", refund_id


def business_date(moment: datetime, zone: str) -> date:
    """Return the date the store's books show for an aware `moment`."""
    return moment.astimezone(ZoneInfo(zone)).date()


def check_balance(transaction: RefundTransaction) -> None:
    """Refuse a transaction whose lines do not sum to zero, or do not refund its amount.

    Raises:
        InvalidTransaction: it would be unbalanced in the ERP.
    """
    appeasement, *tenders = transaction.lines
    balanced = total(line.amount for line in transaction.lines) == 0
    if (
        not balanced
        or appeasement.amount != transaction.amount
        or not tenders
        or any(line.amount >= 0 for line in tenders)
    ):
        raise InvalidTransaction(
            f"refund {transaction.refund_id}: its lines do not balance; this is a defect, report it"
        )
