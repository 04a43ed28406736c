"""Reads the payment account of an order as GraphQL shows it (contract newstore 3.2 and 4.2).

One page of instruments at a time, each with a page of its transactions. Kinds are told apart by
`transactionType`, magnitude is by kind and never by sign. Asking for further pages is
`newstore_order_pages.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from refund_pipeline.domain.payments import ISSUE_KINDS, REFUND_KINDS, PaymentTransaction
from refund_pipeline.gateways.newstore_answers import (
    Camel,
    Connection,
    Name,
    Text,
    first_filled,
    magnitude,
    moment,
)

_PATH = "$.paymentAccount.instruments"


class _Transaction(Camel):
    amount: object = None
    currency: Name = None
    transaction_type: Name = None
    correlation_id: Name = None
    created_at: Text = None


class _Instrument(Camel):
    payment_method: Name = None
    payment_provider: Name = None
    payment_account_transactions: Connection[_Transaction] | None = None


class GraphqlAccount(Camel):
    """The payment account inside an order's answer."""

    instruments: Connection[_Instrument] | None = None


@dataclass(frozen=True, slots=True)
class InstrumentsPage:
    """One page of instruments with one page of the transactions of each."""

    transactions: tuple[PaymentTransaction, ...]
    instruments: int
    next_instruments: str | None
    """The cursor after which the next instruments are; None: these are the last."""
    cut: int | None
    """The place of the first instrument that has more transactions; None: no such."""
    next_transactions: str | None
    """The cursor after which the further transactions of that instrument are."""


def read_instruments(account: GraphqlAccount) -> InstrumentsPage:
    """Read one page of an account.

    Raises:
        Unreadable: an amount that counts is not exact money, or a page cannot be followed.
    """
    connection = account.instruments or Connection[_Instrument]()
    found: list[PaymentTransaction] = []
    cut, next_transactions = None, None
    for place, instrument in connection.nodes():
        transactions = instrument.payment_account_transactions
        if transactions is None:
            continue
        path = f"{_PATH}.edges[{place}].node.paymentAccountTransactions"
        found.extend(_transactions(transactions, instrument, path=path))
        following = transactions.next_cursor(path)
        if following is not None and cut is None:
            cut, next_transactions = place, following
    return InstrumentsPage(
        transactions=tuple(found),
        instruments=len(connection.edges or ()),
        next_instruments=connection.next_cursor(_PATH),
        cut=cut,
        next_transactions=next_transactions,
    )


def _transactions(
    connection: Connection[_Transaction], instrument: _Instrument, *, path: str
) -> Iterator[PaymentTransaction]:
    for place, transaction in connection.nodes():
        kind = first_filled(transaction.transaction_type).lower()
        currency = first_filled(transaction.currency).upper()
        amount = Decimal(0)
        if kind in REFUND_KINDS | ISSUE_KINDS:
            amount = magnitude(
                transaction.amount, currency, path=f"{path}.edges[{place}].node.amount"
            )
        yield PaymentTransaction(
            kind=kind or "(none)",
            amount=amount,
            currency=currency,
            correlation_id=transaction.correlation_id,
            method=first_filled(instrument.payment_method),
            provider=first_filled(instrument.payment_provider),
            created_at=moment(transaction.created_at),
        )
