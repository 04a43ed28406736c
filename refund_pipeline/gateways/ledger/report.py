"""Refunds as the report needs them: who gave what back where, and where it stands.

How they are counted and shown is `steps/report.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from refund_pipeline.domain.orders import Order
from refund_pipeline.domain.payments import PaymentLine
from refund_pipeline.gateways.ledger.snapshots import read_order, read_payment_lines
from refund_pipeline.gateways.ledger.tables import order_payment, refund_event, refund_status

_ROWS_AT_A_TIME = 1_000
_PLAIN = (
    *(refund_event.c.refund_id, refund_event.c.order_id, refund_event.c.landing_day),
    *(refund_event.c.landed_at, refund_event.c.amount, refund_event.c.currency),
    *(
        refund_event.c.reason_code,
        refund_event.c.reason,
        refund_status.c.status,
        refund_status.c.reason.label("status_reason"),
    ),
)
"""The columns that fill a `ReportedRefund` by their names."""


@dataclass(frozen=True, slots=True)
class ReportedRefund:
    """One refund; without payment lines and order until NewStore has told them."""

    refund_id: str
    order_id: str
    landing_day: date
    landed_at: datetime
    amount: Decimal
    currency: str
    reason_code: str | None
    reason: str | None
    """Why the customer got money."""
    status: str
    status_reason: str | None
    """Why it is not posted."""
    order: Order | None
    payment_lines: tuple[PaymentLine, ...]


def reported_refunds(connection: Connection, first: date, last: date) -> Iterator[ReportedRefund]:
    """Yield the refunds of these landing days, oldest first, in memory that stays flat."""
    event, payment = refund_event.c, order_payment.c
    statement = (
        sa.select(*_PLAIN, payment.order_record, payment.payment_lines)
        .join(refund_status, refund_status.c.refund_id == event.refund_id)
        .outerjoin(order_payment, payment.refund_id == event.refund_id)
        .where(event.landing_day.between(first, last))
        .order_by(event.landing_day, event.source_key, event.source_line)
    )
    streamed = connection.execution_options(yield_per=_ROWS_AT_A_TIME)
    for row in streamed.execute(statement):
        yield ReportedRefund(
            **{column.name: row[place] for place, column in enumerate(_PLAIN)},
            order=read_order(row.order_record),
            payment_lines=read_payment_lines(row.payment_lines),
        )
