"""Reads a REST payment account (contract newstore 4.1) as payment transactions of the domain.

Unknown fields are ignored and nulls tolerated, but an amount that counts must be exact.
Transaction and instrument ids and metadata can hold card numbers: they are dropped here, and
problems name paths, never values.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from refund_pipeline.domain.errors import InvalidAmount
from refund_pipeline.domain.money import exact_amount
from refund_pipeline.domain.payments import ISSUE_KINDS, REFUND_KINDS, PaymentTransaction

_GIFT_CARD = "gift_card"
_GIFT_CARD_NUMBERS = ("number", "gift_card_number")
_LAST = 4
_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class AccountFailed:
    """This payment account alone could not be read; `detail` holds statuses and paths."""

    detail: str


class _Tolerant(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class _Transaction(_Tolerant):
    reason: str | None = None
    capture_amount: object = None
    refund_amount: object = None
    currency: str | None = None
    correlation_id: str | None = None
    payment_method: str | None = None
    payment_provider: str | None = None
    metadata: object = Field(default=None, repr=False)


class _Instrument(_Tolerant):
    payment_method: str | None = None
    payment_provider: str | None = None
    currency: str | None = None
    metadata: object = Field(default=None, repr=False)
    original_transactions: list[_Transaction] | None = None


class _Account(_Tolerant):
    instruments: list[_Instrument] | None = None


class _UnusableAmountError(Exception):
    """An amount that counts is not exact money; holds its path."""


def read_account(document: object) -> tuple[PaymentTransaction, ...] | AccountFailed:
    """Read the body of a payment account: all transactions of all instruments, in its order."""
    try:
        account = _Account.model_validate(document)
        return tuple(_transactions(account))
    except ValidationError as error:
        paths = sorted({_path(detail["loc"]) for detail in error.errors(include_input=False)})
        return AccountFailed(f"the payment account cannot be read at {', '.join(paths[:5])}")
    except _UnusableAmountError as error:
        return AccountFailed(f"the payment account cannot be read at {error}")


def _transactions(account: _Account) -> Iterator[PaymentTransaction]:
    for i, instrument in enumerate(account.instruments or ()):
        for j, transaction in enumerate(instrument.original_transactions or ()):
            path = f"$.instruments[{i}].original_transactions[{j}]"
            yield _transaction(transaction, instrument, path=path)


def _transaction(
    transaction: _Transaction, instrument: _Instrument, *, path: str
) -> PaymentTransaction:
    kind = (transaction.reason or "").strip().lower()
    currency = _first(transaction.currency, instrument.currency).upper()
    method = _first(transaction.payment_method, instrument.payment_method)
    amount = Decimal(0)
    if kind in REFUND_KINDS:
        amount = _magnitude(transaction.refund_amount, currency, path=f"{path}.refund_amount")
    elif kind in ISSUE_KINDS:
        amount = _magnitude(transaction.capture_amount, currency, path=f"{path}.capture_amount")
    return PaymentTransaction(
        kind=kind or "(none)",
        amount=amount,
        currency=currency,
        correlation_id=transaction.correlation_id,
        method=method,
        provider=_first(transaction.payment_provider, instrument.payment_provider),
        gift_card_last4=(
            _last4(transaction.metadata) or _last4(instrument.metadata)
            if method.lower() == _GIFT_CARD
            else None
        ),
    )


def _magnitude(value: object, currency: str, *, path: str) -> Decimal:
    """Return the magnitude; the sign is the kind's business (contract newstore 4.2)."""
    if not currency:
        raise _UnusableAmountError(f"{path.rpartition('.')[0]}.currency: is missing")
    try:
        return abs(exact_amount(value, currency))
    except InvalidAmount as error:
        raise _UnusableAmountError(f"{path}: {error}") from None


def _first(*candidates: str | None) -> str:
    filled = (text.strip() for text in candidates if text is not None)
    return next((text[:_LONGEST_NAME] for text in filled if text), "")


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


def _path(location: tuple[int | str, ...]) -> str:
    return "$" + "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in location)
