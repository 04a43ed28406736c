"""Lines as NewStore's S3 export writes them (contract 2.1, 2.2).

Refund events, events of other kinds, and lines that nobody can use. Where they land is not decided
here.
"""

import json
from datetime import datetime
from decimal import Decimal

from refund_pipeline.sandbox.exact_json import JsonValue, json_text
from refund_pipeline.sandbox.newstore_model import RefundRequest
from refund_pipeline.sandbox.newstore_payments import utc_text

REFUND_ISSUED = "refund_request.issued"


def envelope(name: str, payload: JsonValue, *, tenant: str, published_at: datetime) -> str:
    """Write one event as one line."""
    return json_text(
        {
            "tenant": tenant,
            "name": name,
            "published_at": utc_text(published_at),
            "payload": payload,
        }
    )


def refund_event(
    refund: RefundRequest,
    *,
    order_id: str,
    tenant: str,
    published_at: datetime,
    associate: int | None = None,
) -> str:
    """Write the event of a refund request; optional fields that are empty are left out."""
    payload: dict[str, JsonValue] = {
        "id": refund.id,
        "order_id": order_id,
        "payment_account_id": order_id,
        "amount": refund.amount,
        "currency": refund.currency,
        "requested_at": utc_text(refund.requested_at),
    }
    optional: dict[str, JsonValue] = {
        "reason_code": refund.reason_code,
        "return_reason": refund.reason,
        "note": refund.note,
        "return_id": refund.return_id,
        "is_historical": refund.is_historical or None,
    }
    payload.update({name: value for name, value in optional.items() if value is not None})
    if associate is not None:
        payload["associate_id"] = f"associate-{associate:03d}"
        payload["associate_email"] = f"testperson.{associate:03d}@example.invalid"
    return envelope(REFUND_ISSUED, payload, tenant=tenant, published_at=published_at)


def republished(line: str, *, at: datetime) -> str:
    """Write an event again as a replay delivers it: the same payload, published at another time."""
    event = json.loads(line, parse_float=Decimal)
    event["published_at"] = utc_text(at)
    return json_text(event)


def impossible(line: str) -> str:
    """Give an event an amount that no currency has."""
    event = json.loads(line, parse_float=Decimal)
    event["payload"]["amount"] = Decimal("12.34567")
    return json_text(event)
