"""Build the refund transaction from event, order, payments, origin and mapping.

What does not fit is held with the mapping row to add; nothing is guessed. What a refund transaction
is, and its balance, is `transactions.py`.
"""

from collections.abc import Sequence
from datetime import date, datetime

from refund_pipeline.domain.events import RefundEvent
from refund_pipeline.domain.mapping import Mapping, Place, TenderRow, missing_row
from refund_pipeline.domain.orders import Order
from refund_pipeline.domain.origins import Circumstances, origin_of
from refund_pipeline.domain.outcomes import ErpRecord
from refund_pipeline.domain.payments import PaymentLine, RefundFacts
from refund_pipeline.domain.resolutions import Decided, Tender
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
    """Build the refund transaction of `event`; `origins` are the ERP's sales of its order.

    Where the ERP has a record of it, what speaks against posting no longer counts.
    """
    there = circumstances.there
    objection = _objection(event, order, payments, mapping, circumstances)
    if objection is not None:
        return objection
    place = _place(event, order, mapping)
    assert place is not None  # noqa: S101  (the objection would name it)
    origin = origin_of(event, order, origins, mapping, place, circumstances)
    if isinstance(origin, (AwaitingOrigin, Held)):
        return origin
    booked_on: date | Held = (
        _booked_on(event, place, mapping, circumstances)
        if there is None
        else _booked_there(event, order, place, there)
    )
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
        lines=_lines(event, payments, mapping, circumstances.decided),
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
    event: RefundEvent,
    order: Order,
    payments: Sequence[PaymentLine],
    mapping: Mapping,
    circumstances: Circumstances,
) -> Held | None:
    """Say what speaks against posting, before the ERP's sales are looked at.

    Where the ERP has a record of it, only what cannot be built.
    """
    is_there = circumstances.there is not None
    if order.currency and order.currency != event.currency:
        return Held(
            "currency_mismatch",
            f"the refund is in {event.currency}, its order in {order.currency}",
        )
    if order.is_exchange and mapping.policies.exchange == "hold" and not is_there:
        return Held("exchange_refund", f"order {order.order_number} is an exchange")
    gaps = _mapping_gaps(event, order, payments, mapping, circumstances.decided)
    if gaps:
        return Held(gaps[0].reason, "; ".join(gap.detail for gap in gaps))
    place = _place(event, order, mapping)
    forbidden = place is not None and place.fiscal and order.has_in_store_part
    if forbidden and mapping.policies.fiscal_in_store == "hold" and not is_there:
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
    event: RefundEvent,
    order: Order,
    payments: Sequence[PaymentLine],
    mapping: Mapping,
    decided: Decided,
) -> list[Held]:
    gaps = []
    for line in payments:
        if decided.tender_row(line, mapping) is None:
            chosen = decided.choice(line)
            named = chosen.booked_as if chosen else Tender(line.method, line.provider)
            provider = "" if named.provider is None else f", provider: {named.provider}"
            row = f"- {{ method: {named.method}{provider}, {mapping.what_a_tender_needs} }}"
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


def _booked_there(event: RefundEvent, order: Order, place: Place, there: ErpRecord) -> date:
    """Return the date of a record in the ERP that we moved out of a closed period, else its own."""
    moved_to = there.tran_date
    if moved_to is not None and there.memo == _memo(event, order, place, moved_to):
        return moved_to
    return business_date(event.requested_at, place.zone)


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
    event: RefundEvent, payments: Sequence[PaymentLine], mapping: Mapping, decided: Decided
) -> tuple[TransactionLine, ...]:
    lines = [
        TransactionLine(mapping.appeasement_item(event.reason_code), event.amount, "appeasement")
    ]
    for payment in payments:
        row = decided.tender_row(payment, mapping)
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
