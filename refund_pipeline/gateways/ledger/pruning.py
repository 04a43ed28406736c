"""What of the ledger can go: the lines of orders whose refunds were posted long ago.

Nothing that proves something: the refund's place, its payments, the transaction, the posting and
the history stay.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from refund_pipeline.gateways.ledger.snapshots import read_order, write_order
from refund_pipeline.gateways.ledger.tables import erp_posting, order_payment

_NO_LINES = '%"items":[]%'
AT_ONCE = 500
"""Orders per write, so that a run of the day waits for one only."""


def with_lines(connection: Connection, *, posted_before: datetime) -> int:
    """Count the orders that have lines to drop."""
    chosen = _chosen(sa.func.count(), posted_before=posted_before)
    return connection.scalar(chosen) or 0


def drop_lines(connection: Connection, *, posted_before: datetime) -> int:
    """Drop the lines of some of them; return of how many, 0 once there is none."""
    row = order_payment.c
    found: Sequence[sa.Row[Any]] = connection.execute(
        _chosen(row.refund_id, row.order_record, posted_before=posted_before).limit(AT_ONCE)
    ).all()
    for refund_id, text in found:
        order = read_order(text)
        assert order is not None  # noqa: S101  (its record is not NULL)
        connection.execute(
            sa.update(order_payment)
            .where(row.refund_id == refund_id)
            .values(order_record=write_order(replace(order, items=())))
        )
    return len(found)


def _chosen(*columns: sa.ColumnElement[Any], posted_before: datetime) -> sa.Select[Any]:
    """Select posted refunds that the ERP was found to have as they are, whose orders have lines."""
    posting, payment = erp_posting.c, order_payment.c
    return (
        sa.select(*columns)
        .select_from(order_payment.join(erp_posting, posting.refund_id == payment.refund_id))
        .where(
            posting.state == "posted",
            posting.posted_at < posted_before,
            posting.verified_at.is_not(None),
            posting.difference.is_(None),
            payment.order_record.is_not(None),
            payment.order_record.not_like(_NO_LINES),
        )
    )
