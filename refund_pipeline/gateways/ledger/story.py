"""A refund's whole story in one record, and which refunds a person may mean by an id they have.

Only reads. By refund id, order id and external id an index answers; an ERP id or an order number is
looked for in all postings and orders, which takes seconds among millions.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from refund_pipeline.domain.events import RefundEvent, canonical_id
from refund_pipeline.domain.orders import Order
from refund_pipeline.domain.payments import PaymentLine, RefundFacts
from refund_pipeline.domain.resolutions import Resolution
from refund_pipeline.domain.transactions import RefundTransaction
from refund_pipeline.gateways.ledger import history, resolutions
from refund_pipeline.gateways.ledger.database import fetch
from refund_pipeline.gateways.ledger.rows import HistoryEntry, RefundStatus
from refund_pipeline.gateways.ledger.snapshots import (
    EVENT_COLUMNS,
    event_of,
    read_facts,
    read_order,
    read_payment_lines,
    read_transaction,
)
from refund_pipeline.gateways.ledger.tables import (
    erp_posting,
    order_payment,
    refund_event,
    refund_status,
    refund_transaction,
)

_EVENT, _ORDER, _BUILT, _POSTING = (
    table.c for table in (refund_event, order_payment, refund_transaction, erp_posting)
)
_PART = re.compile(r"-\d{1,2}$", re.ASCII)
"""What the external ids of a refund of several records end with."""


@dataclass(frozen=True, slots=True)
class ReadPayments:
    """What NewStore said when it was last asked."""

    state: str
    order: Order | None
    lines: tuple[PaymentLine, ...]
    facts: RefundFacts | None
    attempts: int
    checked_at: datetime


@dataclass(frozen=True, slots=True)
class BuiltTransaction:
    """What building came to; `transaction` is None unless it is ready."""

    state: str
    transaction: RefundTransaction | None
    mapping_version: str
    built_at: datetime


@dataclass(frozen=True, slots=True)
class Posting:
    """The refund's writes to the ERP, and what the ERP showed since."""

    state: str
    external_id: str | None
    erp_id: str | None
    amount: Decimal | None
    attempts: int
    intended_at: datetime | None
    posted_at: datetime | None
    verified_at: datetime | None
    difference: str | None


@dataclass(frozen=True, slots=True)
class Story:
    """One refund from its event to its posting, with what people decided about it."""

    standing: RefundStatus
    event: RefundEvent
    source_key: str
    source_line: int
    landed_at: datetime
    payments: ReadPayments | None
    built: BuiltTransaction | None
    posting: Posting | None
    history: Sequence[HistoryEntry]
    resolutions: Sequence[Resolution]

    @property
    def order_number(self) -> str | None:
        """The order's number, as finance and the ERP know it, once NewStore has told it."""
        order = self.payments.order if self.payments else None
        return order.order_number if order else None


def find(connection: Connection, term: str) -> list[str]:
    """Return the ids of the refunds with this id, order, order number, external id or ERP id.

    All rows are looked through only for what no index shows: one of several ERP ids, the number of
    an order that an older version of this program has read, what does not exist.
    """
    text = term.strip()
    if not text:
        return []
    return sorted(set(_by_index(connection, text)) or set(_by_looking_through(connection, text)))


def stories(connection: Connection, refund_ids: Sequence[str]) -> list[Story]:
    """Return the stories of these refunds in landing order; unknown ones are absent."""
    rows = fetch(connection, _selected(), _EVENT.refund_id, refund_ids)
    made = resolutions.of(connection, refund_ids)
    ordered = sorted(rows, key=lambda row: (row.landing_day, row.source_key, row.source_line))
    return [
        _story(row, history.entries(connection, row.refund_id), made.get(row.refund_id, ()))
        for row in ordered
    ]


def _by_index(connection: Connection, text: str) -> Iterator[str]:
    ids = {text, text.lower(), canonical_id(text), _PART.sub("", text.lower())}
    for column, found in (
        (_EVENT.refund_id, _EVENT.refund_id),
        (_EVENT.order_id, _EVENT.refund_id),
        (_BUILT.external_id, _BUILT.refund_id),
        (_POSTING.external_id, _POSTING.refund_id),
    ):
        yield from connection.scalars(sa.select(found).where(column.in_(sorted(ids))))
    for column, found in (
        (_ORDER.order_number, _ORDER.refund_id),
        (_POSTING.erp_id, _POSTING.refund_id),
    ):
        yield from connection.scalars(sa.select(found).where(column == text))


def _by_looking_through(connection: Connection, text: str) -> Iterator[str]:
    """Look through postings and orders; an ERP id is one of several where the records are."""
    several = _POSTING.erp_id.contains(text, autoescape=True)
    for row in connection.execute(sa.select(_POSTING.refund_id, _POSTING.erp_id).where(several)):
        if text in row.erp_id.split(", "):
            yield row.refund_id
    written = f'"order_number":{json.dumps(text, ensure_ascii=False)}'
    of_order = _ORDER.order_record.contains(written, autoescape=True)
    statement = sa.select(_ORDER.refund_id, _ORDER.order_record).where(of_order)
    for row in connection.execute(statement):
        order = read_order(row.order_record)
        if order is not None and order.order_number == text:
            yield row.refund_id


def _selected() -> sa.Select[Any]:
    source: sa.FromClause = refund_event.join(
        refund_status, refund_status.c.refund_id == _EVENT.refund_id
    )
    for table in (order_payment, refund_transaction, erp_posting):
        source = source.outerjoin(table, table.c.refund_id == _EVENT.refund_id)
    return sa.select(
        *EVENT_COLUMNS,
        *(_EVENT[name] for name in ("landing_day", "source_key", "source_line", "landed_at")),
        *_labelled("view", refund_status.c, RefundStatus.__slots__),
        *_labelled(
            "order", _ORDER, ("state", "order_record", "payment_lines", "refund_record", "attempts")
        ),
        *_labelled("order", _ORDER, ("checked_at",)),
        *_labelled("built", _BUILT, ("state", "record", "mapping_version", "built_at")),
        *_labelled("posting", _POSTING, Posting.__slots__),
    ).select_from(source)


def _labelled(prefix: str, columns: Any, names: Sequence[str]) -> Iterator[sa.Label[Any]]:
    return (columns[name].label(f"{prefix}_{name}") for name in names)


def _story(row: sa.Row[Any], past: Sequence[HistoryEntry], decided: Sequence[Resolution]) -> Story:
    values = row._mapping  # noqa: SLF001  (SQLAlchemy's public name for it)
    return Story(
        standing=RefundStatus(*(values[f"view_{name}"] for name in RefundStatus.__slots__)),
        event=event_of(row),
        source_key=row.source_key,
        source_line=row.source_line,
        landed_at=row.landed_at,
        payments=None
        if row.order_state is None
        else ReadPayments(
            row.order_state,
            read_order(row.order_order_record),
            read_payment_lines(row.order_payment_lines),
            read_facts(row.order_refund_record),
            row.order_attempts,
            row.order_checked_at,
        ),
        built=None
        if row.built_state is None
        else BuiltTransaction(
            row.built_state,
            None if row.built_record is None else read_transaction(row.built_record),
            row.built_mapping_version,
            row.built_built_at,
        ),
        posting=None
        if row.posting_state is None
        else Posting(*(values[f"posting_{name}"] for name in Posting.__slots__)),
        history=past,
        resolutions=decided,
    )
