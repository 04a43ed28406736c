"""Build the refund transaction from event, order, payments, origin and mapping.

What does not fit is held with the mapping row to add; nothing is guessed. What a refund transaction
is, and its balance, is `transactions.py`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from refund_pipeline.domain.events import RefundEvent
from refund_pipeline.domain.mapping import Mapping, Place, TenderRow, missing_row
from refund_pipeline.domain.orders import Order
from refund_pipeline.domain.payments import PaymentLine, RefundFacts
from refund_pipeline.domain.transactions import (
    CASH_SALE,
    AwaitingOrigin,
    Built,
    Held,
    Origin,
    Ready,
    RefundTransaction,
    Skipped,
    TransactionLine,
    business_date,
    check_balance,
    external_id,
)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What else building depends on."""

    now: datetime
    committed: Decimal = Decimal(0)
    """What other refunds of the order take from its sale: posted, being posted or ready."""
    closed_dates: Collection[date] = ()
    """Dates on which the ERP's books take no postings."""


def skip_reason(
    event: RefundEvent, mapping: Mapping, facts: RefundFacts | None = None
) -> Skipped | None:
    """Say why `event` is not ours to post; `facts` are None while NewStore was not asked."""
    if event.return_id is not None or (facts is not None and facts.return_id is not None):
        return Skipped("belongs_to_return", "the refund belongs to a return and is booked with it")
    is_historical = event.is_historical or (facts is not None and facts.is_historical)
    if is_historical and mapping.policies.historical == "skip":
        return Skipped("historical", "the refund was imported from another system")
    return None


def build_transaction(
    event: RefundEvent,
    order: Order,
    payments: Sequence[PaymentLine],
    origins: Sequence[Origin],
    mapping: Mapping,
    circumstances: Circumstances,
) -> Built:
    """Build the refund transaction of `event`; `origins` are the ERP's sales of its order."""
    objection = _objection(event, order, payments, mapping)
    if objection is not None:
        return objection
    place = _place(event, order, mapping)
    assert place is not None  # noqa: S101  (the objection would name it)
    origin = _choose_origin(event, order, origins, mapping, now=circumstances.now)
    if isinstance(origin, (AwaitingOrigin, Held)):
        return origin
    if origin is not None:
        contradiction = _contradiction(event, origin, place, mapping, circumstances)
        if contradiction is not None:
            return contradiction
    booked_on = _booked_on(event, place, mapping, circumstances)
    if isinstance(booked_on, Held):
        return booked_on
    entity = origin.entity if origin else mapping.default_customers.get(place.subsidiary)
    if entity is None:
        return AwaitingOrigin(
            f"order {order.order_number} is not in the ERP; to post without it, "
            + missing_row("default_customers", f'"{place.subsidiary}": "<customer id>"')
        )
    created_from = (
        origin.erp_id
        if origin is not None
        and order.is_cash_and_carry
        and origin.kind == CASH_SALE
        and mapping.policies.created_from == "link"
        else None
    )
    transaction = RefundTransaction(
        refund_id=event.refund_id,
        external_id=external_id(event.refund_id, mapping.external_id_prefix),
        business_date=booked_on,
        amount=event.amount,
        currency=event.currency,
        currency_id=mapping.currencies[event.currency],
        order_number=order.order_number,
        memo=_memo(event, order, place, booked_on),
        entity=entity,
        subsidiary=place.subsidiary,
        location=_location(origin, place),
        created_from=created_from,
        custom_form=mapping.custom_form,
        custom_fields=_custom_fields(event, order, mapping),
        gift_card_field=mapping.custom_fields.gift_card_last4,
        lines=_lines(event, payments, mapping),
        class_id=origin.class_id if origin else None,
        in_header=mapping.posting_model == "header",
    )
    check_balance(transaction)
    return Ready(transaction)


def booking_dates(
    event: RefundEvent, order: Order, mapping: Mapping, *, now: datetime
) -> tuple[date, ...]:
    """Return the dates `event` may be booked on: its own and today's; none if it has no place."""
    place = _place(event, order, mapping)
    if place is None:
        return ()
    return business_date(event.requested_at, place.zone), business_date(now, place.zone)


def _objection(
    event: RefundEvent, order: Order, payments: Sequence[PaymentLine], mapping: Mapping
) -> Held | None:
    """Say what speaks against posting, before the ERP's sales are looked at."""
    if order.currency and order.currency != event.currency:
        return Held(
            "currency_mismatch",
            f"the refund is in {event.currency}, its order in {order.currency}",
        )
    if order.is_exchange and mapping.policies.exchange == "hold":
        return Held("exchange_refund", f"order {order.order_number} is an exchange")
    gaps = _mapping_gaps(event, order, payments, mapping)
    if gaps:
        return Held(gaps[0].reason, "; ".join(gap.detail for gap in gaps))
    place = _place(event, order, mapping)
    forbidden = place is not None and place.fiscal and order.has_in_store_part
    if forbidden and mapping.policies.fiscal_in_store == "hold":
        return Held(
            "fiscal_in_store",
            f"store {order.store_id} may not give appeasements for what it handed over",
        )
    return None


def _place(event: RefundEvent, order: Order, mapping: Mapping) -> Place | None:
    if order.is_store_order:
        return mapping.stores.get(order.store_id or order.channel or "")
    return mapping.web.get(event.currency)


def _mapping_gaps(
    event: RefundEvent, order: Order, payments: Sequence[PaymentLine], mapping: Mapping
) -> list[Held]:
    gaps = []
    for line in payments:
        if mapping.tender(line.method, line.provider, line.currency) is None:
            tender = f"method: {line.method}, provider: {line.provider}"
            row = f"- {{ {tender}, {mapping.what_a_tender_needs} }}"
            gaps.append(Held("unmapped_tender", missing_row("tenders", row)))
    if event.currency not in mapping.currencies:
        row = f'{event.currency}: "<currency id>"'
        gaps.append(Held("unmapped_currency", missing_row("currencies", row)))
    if _place(event, order, mapping) is None:
        room = '{ location: "<id>", subsidiary: "<id>", zone: <Area/City> }'
        if order.is_store_order:
            store = order.store_id or order.channel or "<store id>"
            gaps.append(Held("unmapped_store", missing_row("stores", f"{store}: {room}")))
        else:
            gaps.append(Held("unmapped_store", missing_row("web", f"{event.currency}: {room}")))
    return gaps


def _choose_origin(
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
    committed = circumstances.committed
    if origin.total is not None and committed + event.amount > origin.total:
        return Held(
            "exceeds_sale",
            f"with {committed} {event.currency} of other refunds it is more than sale "
            f"{origin.erp_id} of {origin.total}",
        )
    return None


def _location(origin: Origin | None, place: Place) -> str:
    """Return the cash sale's own location; a sales order's may be the warehouse that ships it."""
    from_sale = origin is not None and origin.kind == CASH_SALE and origin.location
    return from_sale or place.location


def _booked_on(
    event: RefundEvent, place: Place, mapping: Mapping, circumstances: Circumstances
) -> date | Held:
    wanted = business_date(event.requested_at, place.zone)
    today = business_date(circumstances.now, place.zone)
    if wanted not in circumstances.closed_dates:
        return wanted
    if mapping.policies.closed_period == "current_date" and (
        today not in circumstances.closed_dates
    ):
        return today
    return Held(
        "closed_period",
        f"the ERP's period of {wanted} is closed; open it, or book such refunds on the current "
        "date by the mapping's policies.closed_period",
    )


def _memo(event: RefundEvent, order: Order, place: Place, booked_on: date) -> str:
    memo = f"Appeasement refund {event.refund_id} for order {order.order_number}"
    wanted = business_date(event.requested_at, place.zone)
    return memo if booked_on == wanted else f"{memo} of {wanted}"


def _custom_fields(
    event: RefundEvent, order: Order, mapping: Mapping
) -> tuple[tuple[str, str], ...]:
    names = mapping.custom_fields
    pairs = ((names.order_number, order.order_number), (names.refund_id, event.refund_id))
    return tuple((name, value) for name, value in pairs if name is not None)


def _lines(
    event: RefundEvent, payments: Sequence[PaymentLine], mapping: Mapping
) -> tuple[TransactionLine, ...]:
    lines = [
        TransactionLine(mapping.appeasement_item(event.reason_code), event.amount, "appeasement")
    ]
    for payment in payments:
        row = mapping.tender(payment.method, payment.provider, payment.currency)
        assert row is not None  # noqa: S101  (gaps would name it)
        lines.append(_tender_line(payment, row))
    return tuple(lines)


def _tender_line(payment: PaymentLine, row: TenderRow) -> TransactionLine:
    return TransactionLine(
        item=row.item or "",
        amount=-payment.amount,
        label=f"{payment.method}/{payment.provider}",
        gift_card_last4=payment.gift_card_last4,
        payment_option=row.payment_option,
        account=row.account,
    )
