"""A payment account as data: instruments, signs and ids by kind, and the REST body.

Contract sections 4.1 to 4.4. The GraphQL view reads `instruments_of` and `signed_amount` from
here. No HTTP.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal

from refund_pipeline.sandbox.exact_json import JsonValue
from refund_pipeline.sandbox.newstore_model import (
    LegKind,
    PaymentLeg,
    RefundRequest,
    SandboxOrder,
    issued_instrument_id,
)

_NAMESPACE = uuid.UUID("6f1a1f5e-6a0c-4b53-9d0e-2f4d6f3f9a11")
_ZERO = Decimal(0)

_DELTAS: dict[LegKind, tuple[int, int]] = {
    "authorize": (1, 0),
    "capture": (-1, 1),
    "refund": (0, -1),
    "issue": (1, 0),
    "void": (-1, 0),
    "revoke": (-1, 0),
}
"""Kind -> sign of `capture_amount` and of `refund_amount` (contract 4.2)."""

_GRAPHQL_SIGNS: dict[LegKind, int] = {
    kind: capture or refund for kind, (capture, refund) in _DELTAS.items()
}


@dataclass(frozen=True, slots=True)
class Instrument:
    """What money moved on, with its visible legs."""

    id: str
    method: str
    provider: str
    wallet: str
    origin: str | None
    currency: str
    legs: tuple[PaymentLeg, ...]


def instruments_of(order: SandboxOrder, now: datetime) -> list[Instrument]:
    """Group the visible legs of an order by instrument; the bare ones come after them."""
    grouped: dict[str, list[PaymentLeg]] = {}
    for leg in order.legs(now):
        grouped.setdefault(_instrument_id(order.id, leg), []).append(leg)
    return [
        Instrument(
            id=instrument_id,
            method=legs[0].method,
            provider=legs[0].provider,
            wallet=legs[0].wallet,
            origin=legs[0].origin,
            currency=legs[0].currency,
            legs=tuple(legs),
        )
        for instrument_id, legs in grouped.items()
    ] + [
        Instrument(
            id=str(uuid.uuid5(_NAMESPACE, f"{order.id}/bare/{number}")),
            method=bare.method,
            provider=bare.provider,
            wallet=bare.wallet,
            origin=bare.origin,
            currency=bare.currency,
            legs=(),
        )
        for number, bare in enumerate(order.bare_instruments)
    ]


def signed_amount(leg: PaymentLeg) -> Decimal:
    """Return a leg's amount as GraphQL shows it: with the sign it has in the REST account."""
    return leg.amount * _GRAPHQL_SIGNS[leg.kind]


def account_body(order: SandboxOrder, now: datetime) -> JsonValue:
    """Return the body of `GET /v0/c/payments/accounts/{id}`."""
    legs = order.legs(now)
    balance = _sum(leg.amount for leg in legs if leg.kind == "authorize") - _sum(
        leg.amount for leg in legs if leg.kind in {"capture", "revoke"}
    )
    return {
        "id": order.id,
        "order_id": order.id,
        "balance": balance,
        "currency": order.currency,
        "transactions": _account_transactions(order, legs),
        "instruments": [_instrument_body(order, one) for one in instruments_of(order, now)],
    }


def refund_body(order: SandboxOrder, refund: RefundRequest, now: datetime) -> dict[str, JsonValue]:
    """Return a refund request as `GET /v0/d/orders/{id}/refunds` shows it (contract 2.6)."""
    requested_at = utc_text(refund.requested_at)
    return {
        "id": refund.id,
        "order_id": order.id,
        "return_id": refund.return_id,
        "amount": refund.amount,
        "currency": refund.currency,
        "reason_code": refund.reason_code,
        "reason": refund.reason,
        "note": refund.note,
        "status": refund.status_at(now),
        "is_historical": refund.is_historical,
        "metadata": {"extended_attributes": []},
        "revision": 1,
        "requested_at": requested_at,
        "created_at": requested_at,
        "updated_at": requested_at,
    }


def utc_text(moment: datetime) -> str:
    """Write an aware time as RFC 3339 in UTC with milliseconds and `Z`."""
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds")[:-6] + "Z"


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, _ZERO)


def _instrument_id(order_id: str, leg: PaymentLeg) -> str:
    if leg.instrument_id is not None:
        return leg.instrument_id
    if leg.kind == "issue" or (leg.kind == "void" and leg.gift_card_number):
        return issued_instrument_id(order_id, leg.correlation_id)
    parts = (order_id, leg.method, leg.provider, leg.wallet, leg.instrument)
    return str(uuid.uuid5(_NAMESPACE, "/".join(parts)))


def _account_transactions(order: SandboxOrder, legs: Sequence[PaymentLeg]) -> JsonValue:
    opened: JsonValue = {
        "transaction_id": str(uuid.uuid5(_NAMESPACE, f"{order.id}/create")),
        "correlation_id": f"{order.id}-create",
        "debit": order.total,
        "credit": _ZERO,
        "currency": order.currency,
        "inserted_at": utc_text(order.placed_at),
        "processed_at": utc_text(order.placed_at),
        "metadata": None,
    }
    captured: list[JsonValue] = [
        {
            "transaction_id": _transaction_id(order.id, leg),
            "correlation_id": leg.correlation_id,
            "debit": _ZERO,
            "credit": leg.amount,
            "currency": leg.currency,
            "inserted_at": utc_text(leg.available_at),
            "processed_at": utc_text(leg.available_at),
            "metadata": {"reason": "capture"},
        }
        for leg in legs
        if leg.kind == "capture"
    ]
    return [opened, *captured]


def _instrument_body(order: SandboxOrder, instrument: Instrument) -> JsonValue:
    def still(position: int) -> Decimal:
        return _sum(leg.amount * _DELTAS[leg.kind][position] for leg in instrument.legs)

    return {
        "id": instrument.id,
        "payment_method": instrument.method,
        "payment_provider": instrument.provider,
        "payment_wallet": instrument.wallet,
        "currency": instrument.currency,
        "authorize_amount": _sum(leg.amount for leg in instrument.legs if leg.kind == "authorize"),
        "capture_amount": still(0),
        "refund_amount": still(1),
        "metadata": _metadata(instrument.legs[0]) if instrument.legs else None,
        "original_transactions": [
            _transaction_body(order.id, instrument.id, leg) for leg in instrument.legs
        ],
    }


def _transaction_body(order_id: str, instrument_id: str, leg: PaymentLeg) -> JsonValue:
    to_capture, to_refund = _DELTAS[leg.kind]
    return {
        "transaction_id": _transaction_id(order_id, leg),
        "instrument_id": instrument_id,
        "payment_method": leg.method,
        "payment_provider": leg.provider,
        "payment_wallet": leg.wallet,
        "reason": "authorization" if leg.kind == "authorize" else leg.kind,
        "capture_amount": leg.amount * to_capture,
        "refund_amount": leg.amount * to_refund,
        "currency": leg.currency,
        "correlation_id": leg.correlation_id,
        "created_at": None if leg.created_at is None else utc_text(leg.created_at),
        "metadata": _metadata(leg),
    }


def _transaction_id(order_id: str, leg: PaymentLeg) -> str:
    """Return an id as payment providers shape it: no uuid, and a card number may be inside."""
    if leg.transaction_id is not None:
        return leg.transaction_id
    if leg.kind == "issue":
        return f"issued:{leg.correlation_id}-{leg.gift_card_number or leg.method}"
    if leg.kind == "void":
        return f"void:{_instrument_id(order_id, leg)}-{leg.correlation_id}"
    reference = uuid.uuid5(_NAMESPACE, f"{_instrument_id(order_id, leg)}/{leg.correlation_id}")
    return f"{leg.kind}-{reference.hex[:16].upper()}-{leg.correlation_id}"


def _metadata(leg: PaymentLeg) -> JsonValue:
    """Return metadata as seen: a card number as text or as a number, or null (contract 4.3)."""
    if not leg.has_metadata:
        return None
    if leg.gift_card_number is not None:
        if int(leg.gift_card_number[-1]) % 2:
            return {"gift_card_number": int(leg.gift_card_number)}
        return {"number": leg.gift_card_number}
    if leg.method == "credit_card" and leg.kind != "refund":
        return {"brand": "visa", "last_4": "1111", "instrument_details": {}}
    return None
