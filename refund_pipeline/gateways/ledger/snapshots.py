"""Domain records as JSON text and back, exactly: amounts travel as strings, never as floats."""

from functools import cache
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter

from refund_pipeline.domain.events import RefundEvent
from refund_pipeline.domain.orders import Order
from refund_pipeline.domain.payments import PaymentLine, RefundFacts
from refund_pipeline.domain.resolutions import TenderChoice
from refund_pipeline.domain.transactions import RefundTransaction
from refund_pipeline.gateways.ledger.tables import refund_event

EVENT_COLUMNS = tuple(refund_event.c[name] for name in RefundEvent.__slots__)
"""The columns that make a `RefundEvent`, in its fields' order; select them first."""


def event_of(row: sa.Row[Any]) -> RefundEvent:
    """Read the event from a row that begins with `EVENT_COLUMNS`."""
    return RefundEvent(*row[: len(EVENT_COLUMNS)])


@cache
def _orders() -> TypeAdapter[Order]:
    return TypeAdapter(Order)


@cache
def _payment_lines() -> TypeAdapter[tuple[PaymentLine, ...]]:
    return TypeAdapter(tuple[PaymentLine, ...])


@cache
def _facts() -> TypeAdapter[RefundFacts]:
    return TypeAdapter(RefundFacts)


@cache
def _tenders() -> TypeAdapter[tuple[TenderChoice, ...]]:
    return TypeAdapter(tuple[TenderChoice, ...])


@cache
def _transactions() -> TypeAdapter[RefundTransaction]:
    return TypeAdapter(RefundTransaction)


def write_order(order: Order | None) -> str | None:
    """Write an order as JSON."""
    return None if order is None else _orders().dump_json(order).decode()


def read_order(text: str | None) -> Order | None:
    """Read an order back."""
    return None if text is None else _orders().validate_json(text)


def write_payment_lines(lines: tuple[PaymentLine, ...]) -> str:
    """Write payment lines as JSON."""
    return _payment_lines().dump_json(lines).decode()


def read_payment_lines(text: str | None) -> tuple[PaymentLine, ...]:
    """Read payment lines back."""
    return () if text is None else _payment_lines().validate_json(text)


def write_facts(facts: RefundFacts | None) -> str | None:
    """Write what NewStore said of the refund itself as JSON."""
    return None if facts is None else _facts().dump_json(facts).decode()


def read_facts(text: str | None) -> RefundFacts | None:
    """Read it back."""
    return None if text is None else _facts().validate_json(text)


def write_transaction(transaction: RefundTransaction) -> str:
    """Write a refund transaction as JSON."""
    return _transactions().dump_json(transaction).decode()


def read_transaction(text: str) -> RefundTransaction:
    """Read a refund transaction back."""
    return _transactions().validate_json(text)


def write_tenders(choices: tuple[TenderChoice, ...]) -> str | None:
    """Write what a person decided about tenders as JSON; None where there is nothing."""
    return _tenders().dump_json(choices).decode() if choices else None


def read_tenders(text: str | None) -> tuple[TenderChoice, ...]:
    """Read it back."""
    return () if text is None else _tenders().validate_json(text)
