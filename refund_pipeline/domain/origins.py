"""Which of the ERP's sales a refund is made from, and what about them speaks against the refund.

The rest of building a refund transaction is `building.py`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from refund_pipeline.domain.events import RefundEvent
from refund_pipeline.domain.mapping import Mapping, Place
from refund_pipeline.domain.orders import Order
from refund_pipeline.domain.outcomes import ErpRecord
from refund_pipeline.domain.resolutions import NOTHING_DECIDED, Decided
from refund_pipeline.domain.transactions import CASH_SALE, AwaitingOrigin, Held, Origin


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What else building depends on."""

    now: datetime
    committed: Decimal = Decimal(0)
    """What other refunds of the order take from its sale: posted, being posted or ready."""
    closed_dates: Collection[date] = ()
    """Dates on which the ERP's books take no postings."""
    there: ErpRecord | None = None
    """A record the ERP has of this refund: nothing is decided any more, only compared."""
    decided: Decided = NOTHING_DECIDED
    """What a person decided about the refund."""


def origin_of(
    event: RefundEvent,
    order: Order,
    origins: Sequence[Origin],
    mapping: Mapping,
    place: Place,
    circumstances: Circumstances,
) -> Origin | AwaitingOrigin | Held | None:
    """Return the sale `event` refunds, out of `origins`; None for a refund that stands alone."""
    is_there, standalone = circumstances.there is not None, circumstances.decided.standalone
    if standalone:  # it may not refund more than was paid all the same
        return None if is_there else _more_than_paid(event, origins, mapping, circumstances)
    origin = _choose(event, order, origins, mapping, now=circumstances.now)
    if is_there:
        return origin if isinstance(origin, Origin) else None
    if isinstance(origin, Origin):
        return _contradiction(event, origin, place, mapping, circumstances) or origin
    return origin


def _choose(
    event: RefundEvent, order: Order, origins: Sequence[Origin], mapping: Mapping, *, now: datetime
) -> Origin | AwaitingOrigin | Held | None:
    cash_sales = [origin for origin in origins if origin.kind == CASH_SALE]
    usable = cash_sales or ([] if order.is_cash_and_carry else list(origins))
    if len(usable) > 1:
        ids = ", ".join(origin.erp_id for origin in usable)
        return Held(
            "ambiguous_origin", f"order {order.order_number} has several sales in the ERP: {ids}"
        )
    if usable:
        return usable[0]
    if not order.is_cash_and_carry:
        return None
    policy = mapping.policies.origin_missing
    waited = (now - event.requested_at).days
    if policy.after_days is not None and waited >= policy.after_days:
        return None
    return AwaitingOrigin(f"the cash sale of order {order.order_number} is not in the ERP yet")


def _contradiction(
    event: RefundEvent,
    origin: Origin,
    place: Place,
    mapping: Mapping,
    circumstances: Circumstances,
) -> Held | None:
    if origin.currency != mapping.currencies[event.currency]:
        return Held(
            "currency_mismatch",
            f"the refund is in {event.currency}, its sale {origin.erp_id} is in another currency",
        )
    if origin.subsidiary is not None and origin.subsidiary != place.subsidiary:
        return Held(
            "subsidiary_mismatch",
            f"the mapping books to subsidiary {place.subsidiary}, sale {origin.erp_id} belongs to "
            f"subsidiary {origin.subsidiary}",
        )
    return _more_than_paid(event, [origin], mapping, circumstances)


def _more_than_paid(
    event: RefundEvent, origins: Sequence[Origin], mapping: Mapping, circumstances: Circumstances
) -> Held | None:
    """Hold a refund that is more than the largest of the sales it may belong to."""
    paid = [
        (origin.total, origin.erp_id)
        for origin in origins
        if origin.total is not None and origin.currency == mapping.currencies[event.currency]
    ]
    committed = circumstances.committed
    if not paid or committed + event.amount <= max(paid)[0]:
        return None
    total, erp_id = max(paid)
    return Held(
        "exceeds_sale",
        f"with {committed} {event.currency} of other refunds it is more than sale {erp_id} of "
        f"{total}",
    )
