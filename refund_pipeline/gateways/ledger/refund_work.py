"""The day's work: refunds whose payments, transaction or posting is still to be done.

Only reads. All lists are in landing order: by file name, which begins with its time, then by line.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from refund_pipeline.domain.events import RefundEvent
from refund_pipeline.gateways.ledger.database import fetch
from refund_pipeline.gateways.ledger.rows import (
    AmountToBuild,
    Intent,
    PaymentWork,
    PostingWork,
    TransactionWork,
)
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
    refund_transaction,
)

# Nothing of ours can be in the ERP: never tried, or known not to be there.
_NOT_IN_ERP = erp_posting.c.state.is_(None) | erp_posting.c.state.in_(("retry", "held"))
_POSTING_STATE = sa.func.coalesce(erp_posting.c.state, "new")


def ids_to_pay(
    connection: Connection, day: date, *, refund_ids: Collection[str] | None, refresh: bool
) -> list[str]:
    """Return the ids of what `to_pay` returns."""
    statement = _refunds(day, refund_event.c.refund_id).where(*_unpaid(refresh=refresh))
    return [row.refund_id for row in _rows(connection, statement, refund_ids)]


def to_pay(
    connection: Connection, day: date, *, refund_ids: Collection[str] | None, refresh: bool
) -> list[PaymentWork]:
    """Return the refunds of `day` whose payments are not proven; the caller leaves out skipped."""
    statement = _refunds(
        day,
        *EVENT_COLUMNS,
        sa.func.coalesce(order_payment.c.attempts, 0).label("made"),
        order_payment.c.refund_record,
    ).where(*_unpaid(refresh=refresh))
    return [
        PaymentWork(event_of(row), row.made, read_facts(row.refund_record))
        for row in _rows(connection, statement, refund_ids)
    ]


def _unpaid(*, refresh: bool) -> list[sa.ColumnElement[bool]]:
    proven = order_payment.c.state.is_distinct_from("available")
    return [_NOT_IN_ERP] if refresh else [_NOT_IN_ERP, proven]


def refunds_of_orders(
    connection: Connection, order_ids: Collection[str]
) -> Mapping[str, Sequence[RefundEvent]]:
    """Return every known refund of these orders, whatever its landing day and status."""
    statement = sa.select(*EVENT_COLUMNS)
    found: dict[str, list[RefundEvent]] = {}
    for row in fetch(connection, statement, refund_event.c.order_id, order_ids):
        event = event_of(row)
        found.setdefault(event.order_id, []).append(event)
    return found


def committed_amounts(
    connection: Connection, order_ids: Collection[str], *, leaving_out: Collection[str]
) -> Mapping[str, Decimal]:
    """Return by order id what its refunds take from the sale.

    Those that are or may be in the ERP, are ready, or were handled by hand.
    """
    event = refund_event.c
    source = refund_event.outerjoin(
        refund_transaction, refund_transaction.c.refund_id == event.refund_id
    ).outerjoin(erp_posting, erp_posting.c.refund_id == event.refund_id)
    statement = (
        sa.select(event.order_id, event.refund_id, event.amount)
        .select_from(source)
        .where(
            erp_posting.c.state.in_(("posted", "intended", "uncertain"))
            | (refund_transaction.c.state == "ready")
            | event.by_hand_at.is_not(None)
        )
    )
    sums: dict[str, Decimal] = {}
    for row in fetch(connection, statement, event.order_id, order_ids):
        if row.refund_id not in leaving_out:
            sums[row.order_id] = sums.get(row.order_id, Decimal(0)) + row.amount
    return sums


def amounts_to_build(
    connection: Connection, day: date, *, refund_ids: Collection[str] | None
) -> list[AmountToBuild]:
    """Return what `to_build` returns, without all that building needs."""
    event = refund_event.c
    statement = _refunds(day, event.refund_id, event.order_id, event.currency, event.amount).where(
        *_unbuilt()
    )
    return [AmountToBuild(*row[:4]) for row in _rows(connection, statement, refund_ids)]


def to_build(
    connection: Connection, day: date, *, refund_ids: Collection[str] | None
) -> list[TransactionWork]:
    """Return the refunds of `day` whose transaction is to be built, or decided not to be."""
    statement = _refunds(
        day,
        *EVENT_COLUMNS,
        order_payment.c.order_record,
        order_payment.c.payment_lines,
        order_payment.c.refund_record,
        sa.func.coalesce(refund_transaction.c.attempts, 0).label("made"),
    ).where(*_unbuilt())
    return [
        TransactionWork(
            event_of(row),
            read_order(row.order_record),
            read_payment_lines(row.payment_lines),
            row.made,
            read_facts(row.refund_record),
        )
        for row in _rows(connection, statement, refund_ids)
    ]


def _unbuilt() -> list[sa.ColumnElement[bool]]:
    decided = (
        (order_payment.c.state == "available")
        | order_payment.c.not_ours.is_(sa.true())
        | refund_event.c.return_id.is_not(None)
        | refund_event.c.is_historical.is_(sa.true())
    )
    return [_NOT_IN_ERP, decided]


def ids_to_post(
    connection: Connection, day: date, *, refund_ids: Collection[str] | None
) -> list[str]:
    """Return the ids of what `to_post` returns."""
    statement = _refunds(day, refund_event.c.refund_id).where(*_unposted())
    return [row.refund_id for row in _rows(connection, statement, refund_ids)]


def to_post(
    connection: Connection, day: date, *, refund_ids: Collection[str] | None
) -> list[PostingWork]:
    """Return the refunds of `day` to write to the ERP, or to settle after an unclear write.

    What a person has tried again although a record of it is there is settled first as well: the
    ERP's index may not show that record yet.
    """
    tried_again = (erp_posting.c.state == "retry") & erp_posting.c.erp_id.is_not(None)
    state = sa.case((tried_again, "uncertain"), else_=_POSTING_STATE).label("posting_state")
    statement = _refunds(
        day,
        refund_transaction.c.record,
        state,
        sa.func.coalesce(erp_posting.c.attempts, 0).label("made"),
        erp_posting.c.intended_at,
    ).where(*_unposted())
    return [
        PostingWork(
            read_transaction(row.record), row.posting_state, Intent(row.made, row.intended_at)
        )
        for row in _rows(connection, statement, refund_ids)
    ]


def _unposted() -> list[sa.ColumnElement[bool]]:
    unfinished = _POSTING_STATE.in_(("new", "retry", "intended", "uncertain"))
    return [refund_transaction.c.state == "ready", unfinished]


def built_with(
    connection: Connection, refund_ids: Collection[str]
) -> dict[str, tuple[datetime, str]]:
    """Return when these refunds' transactions were built, and with which version of the mapping."""
    built = refund_transaction.c
    statement = sa.select(built.refund_id, built.built_at, built.mapping_version)
    return {
        row[0]: (row[1], row[2])
        for row in fetch(connection, statement, built.refund_id, refund_ids)
    }


def _refunds(day: date, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """Select from the day's refunds that are not posted nor in conflict, with all that is known."""
    joined = refund_event
    source: sa.FromClause = joined
    for table in (order_payment, refund_transaction, erp_posting):
        source = source.outerjoin(table, table.c.refund_id == joined.c.refund_id)
    return (
        sa.select(*columns, joined.c.source_key, joined.c.source_line)
        .select_from(source)
        .where(joined.c.landing_day == day, ~joined.c.is_posted, joined.c.conflict.is_(None))
    )


def _rows(
    connection: Connection, statement: sa.Select[Any], refund_ids: Collection[str] | None
) -> Sequence[sa.Row[Any]]:
    rows = fetch(connection, statement, refund_event.c.refund_id, refund_ids)
    # Sorted here, not in SQL: the same order on both databases whatever their collation, and across
    # batches.
    return sorted(rows, key=lambda row: (row.source_key, row.source_line))
