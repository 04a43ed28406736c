"""Reads a REST payment account (contract newstore 4.1) as payment transactions of the domain.

Unknown fields are ignored and nulls tolerated, but an amount that counts must be exact.
Transaction and instrument ids and metadata can hold card numbers: they are dropped here, and
problems name paths, never values.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from pydantic import Field, ValidationError

from refund_pipeline.domain.payments import (
    ISSUE_KINDS,
    REFUND_KINDS,
    PaymentAccount,
    PaymentTransaction,
)
from refund_pipeline.gateways.newstore_answers import (
    Name,
    Text,
    Tolerant,
    Unreadable,
    first_filled,
    magnitude,
    moment,
    where_unreadable,
)

_GIFT_CARD = "gift_card"
_GIFT_CARD_NUMBERS = ("number", "gift_card_number")
_LAST = 4
_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ISSUED_INSTRUMENT = re.compile(f"({_UUID})-{_UUID}")


@dataclass(frozen=True, slots=True)
class AccountFailed:
    """This payment account alone could not be read; `detail` holds statuses and paths."""

    detail: str


class _Transaction(Tolerant):
    reason: Name = None
    capture_amount: object = None
    refund_amount: object = None
    currency: Name = None
    correlation_id: Name = None
    payment_method: Name = None
    payment_provider: Name = None
    created_at: Text = None
    metadata: object = Field(default=None, repr=False)


class _Instrument(Tolerant):
    id: Text = Field(default=None, repr=False)
    payment_method: Name = None
    payment_provider: Name = None
    currency: Name = None
    metadata: object = Field(default=None, repr=False)
    original_transactions: list[_Transaction] | None = None


class _Account(Tolerant):
    instruments: list[_Instrument] | None = None


def read_account(document: object, *, account_id: str) -> PaymentAccount | AccountFailed:
    """Read the body of a payment account: all transactions of all instruments, in its order."""
    try:
        account = _Account.model_validate(document)
        return PaymentAccount(
            transactions=tuple(_transactions(account)),
            issued_on=_issued_on(account, account_id=account_id),
        )
    except (ValidationError, Unreadable) as error:
        return AccountFailed(f"the payment account cannot be read at {where_unreadable(error)}")


def _transactions(account: _Account) -> Iterator[PaymentTransaction]:
    for i, instrument in enumerate(account.instruments or ()):
        for j, transaction in enumerate(instrument.original_transactions or ()):
            path = f"$.instruments[{i}].original_transactions[{j}]"
            yield _transaction(transaction, instrument, path=path)


def _transaction(
    transaction: _Transaction, instrument: _Instrument, *, path: str
) -> PaymentTransaction:
    kind = first_filled(transaction.reason).lower()
    currency = first_filled(transaction.currency, instrument.currency).upper()
    method = first_filled(transaction.payment_method, instrument.payment_method)
    amount = Decimal(0)
    if kind in REFUND_KINDS:
        amount = magnitude(transaction.refund_amount, currency, path=f"{path}.refund_amount")
    elif kind in ISSUE_KINDS:
        amount = magnitude(transaction.capture_amount, currency, path=f"{path}.capture_amount")
    return PaymentTransaction(
        kind=kind or "(none)",
        amount=amount,
        currency=currency,
        correlation_id=transaction.correlation_id,
        method=method,
        provider=first_filled(transaction.payment_provider, instrument.payment_provider),
        gift_card_last4=(
            _last4(transaction.metadata) or _last4(instrument.metadata)
            if method.lower() == _GIFT_CARD
            else None
        ),
        created_at=moment(transaction.created_at),
    )


def _issued_on(account: _Account, *, account_id: str) -> tuple[str, ...]:
    """Return the other orders whose issued value is an instrument of this account.

    Value is issued as an instrument named `{order uuid}-{uuid}` (contract newstore 4.2). Where that
    order is another one, it is taken for the order an exchange came from, since the exchange was
    paid with what was issued on it (4.5). That is an inference: no field says so.
    """
    issuers = (
        _ISSUED_INSTRUMENT.fullmatch((one.id or "").lower()) for one in account.instruments or ()
    )
    found = dict.fromkeys(issuer[1] for issuer in issuers if issuer is not None)
    return tuple(order_id for order_id in found if order_id != account_id.lower())


def _last4(metadata: object) -> str | None:
    """Return the last four of a gift card's number; anything longer never leaves this function."""
    if not isinstance(metadata, dict):
        return None
    for name in _GIFT_CARD_NUMBERS:
        number = metadata.get(name)
        if isinstance(number, (str, int)) and not isinstance(number, bool):
            characters = "".join(c for c in str(number) if c.isascii() and c.isalnum())
            if len(characters) > _LAST:
                return characters[-_LAST:]
    return None
