"""Build the ERP-neutral refund transaction from event, order, payments, origin and mapping.

Model `payment_lines` (contract netsuite 6.2, model A): + appeasement item, - one payment item per
payment line, total 0. What does not fit is held with the mapping row to add; nothing is guessed.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TypeAlias
from zoneinfo import ZoneInfo

from refund_pipeline.domain.errors import InvalidTransaction
from refund_pipeline.domain.events import RefundEvent
from refund_pipeline.domain.mapping import Mapping, Place, missing_row
from refund_pipeline.domain.money import total
from refund_pipeline.domain.orders import Order
from refund_pipeline.domain.payments import PaymentLine, RefundFacts

CASH_SALE = "cash_sale"
SALES_ORDER = "sales_order"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
"""Only these lose nothing with their hyphens."""
_LONGEST_EXTERNAL_ID = 40  # contract netsuite section 9, question 11


@dataclass(frozen=True, slots=True)
class Origin:
    """The sale being refunded as the ERP knows it; ids are the ERP's internal ids."""

    kind: str
    erp_id: str
    entity: str
    subsidiary: str | None
    currency: str
    """The ERP's currency id."""


@dataclass(frozen=True, slots=True)
class TransactionLine:
    """One line; `amount` is signed: the appeasement positive, every tender negative."""

    item: str
    amount: Decimal
    label: str
    gift_card_last4: str | None = None


@dataclass(frozen=True, slots=True)
class RefundTransaction:
    """One balanced refund transaction; ids are the ERP's internal ids."""

    refund_id: str
    external_id: str
    business_date: date
    amount: Decimal
    currency: str
    currency_id: str
    order_number: str
    memo: str
    entity: str
    subsidiary: str
    location: str
    created_from: str | None
    """The cash sale this refund is made from; None for one that stands alone."""
    custom_form: str
    custom_fields: tuple[tuple[str, str], ...]
    gift_card_field: str | None
    lines: tuple[TransactionLine, ...]

    @property
    def fingerprint(self) -> str:
        """Equal for transactions that would be written alike."""
        parts = [repr(getattr(self, name)) for name in self.__slots__]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Ready:
    """To be posted."""

    transaction: RefundTransaction


@dataclass(frozen=True, slots=True)
class AwaitingOrigin:
    """The sale is not in the ERP yet."""

    detail: str


@dataclass(frozen=True, slots=True)
class Held:
    """A person decides."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """Not ours to post."""

    reason: str
    detail: str


Built: TypeAlias = Ready | AwaitingOrigin | Held | Skipped


def external_id(refund_id: str, prefix: str) -> str:
    """Return the ERP's external id of a refund: pure, lower case, at most 40 characters."""
    candidate = prefix + refund_id.replace("-", "").lower()
    if _UUID.fullmatch(refund_id.lower()) and len(candidate) <= _LONGEST_EXTERNAL_ID:
        return candidate
    return prefix + hashlib.sha256(refund_id.encode()).hexdigest()[:32]


def business_date(moment: datetime, zone: str) -> date:
    """Return the date the store's books show for an aware `moment`."""
    return moment.astimezone(ZoneInfo(zone)).date()


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
    *,
    now: datetime,
) -> Built:
    """Build the refund transaction of `event`; `origins` are the ERP's sales of its order."""
    objection = _objection(event, order, payments, mapping)
    if objection is not None:
        return objection
    place = _place(event, order, mapping)
    assert place is not None  # noqa: S101  (the objection would name it)
    origin = _choose_origin(event, order, origins, mapping, now=now)
    if isinstance(origin, (AwaitingOrigin, Held)):
        return origin
    if origin is not None:
        contradiction = _contradiction(event, origin, place, mapping)
        if contradiction is not None:
            return contradiction
    entity = origin.entity if origin else mapping.default_customers.get(place.subsidiary)
    if entity is None:
        return AwaitingOrigin(
            f"order {order.order_number} is not in the ERP; to post without it, "
            + missing_row("default_customers", f'"{place.subsidiary}": "<customer id>"')
        )
    created_from = (
        origin.erp_id
        if origin is not None and order.is_cash_and_carry and origin.kind == CASH_SALE
        else None
    )
    transaction = RefundTransaction(
        refund_id=event.refund_id,
        external_id=external_id(event.refund_id, mapping.external_id_prefix),
        business_date=business_date(event.requested_at, place.zone),
        amount=event.amount,
        currency=event.currency,
        currency_id=mapping.currencies[event.currency],
        order_number=order.order_number,
        memo=f"Appeasement refund {event.refund_id} for order {order.order_number}",
        entity=entity,
        subsidiary=place.subsidiary,
        location=place.location,
        created_from=created_from,
        custom_form=mapping.custom_form,
        custom_fields=_custom_fields(event, order, mapping),
        gift_card_field=mapping.custom_fields.gift_card_last4,
        lines=_lines(event, payments, mapping),
    )
    check_balance(transaction)
    return Ready(transaction)


def check_balance(transaction: RefundTransaction) -> None:
    """Refuse a transaction whose lines do not sum to zero, or do not refund its amount.

    Raises:
        InvalidTransaction: it would be unbalanced in the ERP.
    """
    appeasement, *tenders = transaction.lines
    balanced = total(line.amount for line in transaction.lines) == 0
    if (
        not balanced
        or appeasement.amount != transaction.amount
        or not tenders
        or any(line.amount >= 0 for line in tenders)
    ):
        raise InvalidTransaction(
            f"refund {transaction.refund_id}: its lines do not balance; this is a defect, report it"
        )


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
        if mapping.tender_item(line.method, line.provider, line.currency) is None:
            tender = f"method: {line.method}, provider: {line.provider}"
            row = f'- {{ {tender}, item: "<payment item id>" }}'
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
    event: RefundEvent, origin: Origin, place: Place, mapping: Mapping
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
    return None


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
        item = mapping.tender_item(payment.method, payment.provider, payment.currency)
        assert item is not None  # noqa: S101  (gaps would name it)
        label = f"{payment.method}/{payment.provider}"
        lines.append(TransactionLine(item, -payment.amount, label, payment.gift_card_last4))
    return tuple(lines)
