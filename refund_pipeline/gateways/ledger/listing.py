"""Pages of refunds, filtered; each page begins where the one before ended.

Only reads. Order and place are those of landing (day, file, line), for which there is an index, so
that a page costs the same wherever it is.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from refund_pipeline.domain.events import canonical_id
from refund_pipeline.domain.orders import Order
from refund_pipeline.domain.payments import PaymentLine
from refund_pipeline.domain.statuses import SETTLED
from refund_pipeline.gateways.ledger.rows import RefundStatus
from refund_pipeline.gateways.ledger.snapshots import read_order, read_payment_lines
from refund_pipeline.gateways.ledger.tables import order_payment, refund_event, refund_status

_EVENT, _VIEW, _ORDER = refund_event.c, refund_status.c, order_payment.c
_PLACE = (_EVENT.landing_day, _EVENT.source_key, _EVENT.source_line)
_COLUMNS = tuple(_VIEW[name] for name in RefundStatus.__slots__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which refunds; what is empty or None does not narrow."""

    statuses: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    since: date | None = None
    """Landing day, included."""
    until: date | None = None
    """Landing day, included."""
    order: str | None = None
    """Its id or its number."""
    store: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """One refund of a page; order and lines are empty until NewStore has told them."""

    standing: RefundStatus
    landed_at: datetime
    reason_code: str | None
    order: Order | None
    payment_lines: tuple[PaymentLine, ...]

    @property
    def store(self) -> str | None:
        """The order's store, or the channel of an order of none; None while it is not known."""
        return None if self.order is None else self.order.store_id or self.order.channel

    @property
    def tenders(self) -> tuple[str, ...]:
        """How the money went back, like `credit_card/adyen`; none while it is not proven."""
        return tuple(dict.fromkeys(f"{line.method}/{line.provider}" for line in self.payment_lines))


def page(
    connection: Connection,
    wanted: Wanted,
    *,
    after: str | None,
    limit: int,
    newest_first: bool,
) -> list[Listed] | None:
    """Return up to `limit` refunds in landing order, or against it, from behind refund `after` on.

    Returns:
        None if there is no refund `after`.
    """
    statement = sa.select(*_COLUMNS, _EVENT.landed_at, _EVENT.reason_code)
    statement = statement.add_columns(_ORDER.order_record, _ORDER.payment_lines).select_from(
        refund_event.join(refund_status, _VIEW.refund_id == _EVENT.refund_id).outerjoin(
            order_payment, _ORDER.refund_id == _EVENT.refund_id
        )
    )
    statement = statement.where(*_conditions(connection, wanted))
    if after is not None:
        named = sa.select(*_PLACE).where(_EVENT.refund_id == canonical_id(after.strip()))
        place = connection.execute(named).one_or_none()
        if place is None:
            return None
        here = sa.tuple_(*_PLACE)
        there = sa.tuple_(*place, types=[column.type for column in _PLACE])
        statement = statement.where(here < there if newest_first else here > there)
    ordered = [column.desc() if newest_first else column for column in _PLACE]
    rows = connection.execute(statement.order_by(*ordered).limit(limit))
    return [_listed(row) for row in rows]


def _conditions(connection: Connection, wanted: Wanted) -> Iterator[sa.ColumnElement[bool]]:
    if wanted.statuses:
        yield _VIEW.status.in_(sorted(wanted.statuses))
        if SETTLED.isdisjoint(wanted.statuses):
            yield _EVENT.unsettled  # by the index of the few that are open
    if wanted.reasons:
        yield _VIEW.reason.in_(sorted(wanted.reasons))
    if wanted.since is not None:
        yield _EVENT.landing_day >= wanted.since
    if wanted.until is not None:
        yield _EVENT.landing_day <= wanted.until
    if wanted.order is not None:
        yield _of_order(connection, wanted.order.strip())
    if wanted.store is not None:
        by_channel = _says("channel", wanted.store)
        nowhere = _says("store_id", None) | _says("store_id", "")
        yield _says("store_id", wanted.store) | (nowhere & by_channel)


def _of_order(connection: Connection, text: str) -> sa.ColumnElement[bool]:
    """Narrow to an order by its id, for which there is an index; else by its number."""
    by_id = _EVENT.order_id.in_(sorted({text, canonical_id(text)}))
    is_id = connection.scalar(sa.select(sa.literal(1)).where(by_id).limit(1))
    return by_id if is_id else _says("order_number", text)


def _says(name: str, value: str | None) -> sa.ColumnElement[bool]:
    """Say that the order's record, which is JSON of ours, has this value."""
    written = f"{json.dumps(name)}:{json.dumps(value, ensure_ascii=False)}"
    return _ORDER.order_record.contains(written, autoescape=True)


def _listed(row: sa.Row[Any]) -> Listed:
    return Listed(
        RefundStatus(*row[: len(_COLUMNS)]),
        row.landed_at,
        row.reason_code,
        read_order(row.order_record),
        read_payment_lines(row.payment_lines),
    )
