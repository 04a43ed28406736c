"""The lines a refund's event lands as: its own spelling, again, and told otherwise."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from refund_pipeline.sandbox.event_lines import refund_event, republished
from refund_pipeline.sandbox.exact_json import json_text
from refund_pipeline.sandbox.newstore_model import RefundRequest
from refund_pipeline.sandbox.scenarios.model import Event

_PUBLISHED_AFTER = timedelta(milliseconds=528)
_ASSOCIATE = 7
_MANDATORY = frozenset({"id", "order_id", "payment_account_id", "amount", "currency"})
_OPTIONAL = (
    *("requested_at", "reason_code", "return_reason", "note", "return_id", "is_historical"),
    *("associate_id", "associate_email"),
)


def event_lines(
    event: Event, request: RefundRequest, *, order_id: str, tenant: str, zero: datetime
) -> Iterator[tuple[datetime, str]]:
    """Yield when each line of a refund's event lands, counted from `zero`, and the line."""
    told = replace(
        request,
        return_id=request.id if event.of_return else None,
        is_historical=event.historical,
    )
    line = _respelled(
        event,
        refund_event(
            told,
            order_id=order_id,
            tenant=tenant,
            published_at=request.requested_at + _PUBLISHED_AFTER,
            associate=_ASSOCIATE,
        ),
    )
    yield zero + timedelta(seconds=event.lands_after), line
    for seconds in event.again_after:
        at = zero + timedelta(seconds=seconds)
        yield at, republished(line, at=at)
    if event.otherwise_after is not None:
        at = zero + timedelta(seconds=event.otherwise_after)
        yield at, _with_another_amount(line)


def _respelled(event: Event, line: str) -> str:
    envelope = json.loads(line, parse_float=Decimal)
    payload: dict[str, Any] = envelope["payload"]
    if event.optional_fields != "filled":
        payload = {name: payload[name] for name in payload if name in _MANDATORY}
    if event.optional_fields == "null":
        payload |= dict.fromkeys(_OPTIONAL)
    if event.amount_as == "text":
        payload["amount"] = str(payload["amount"])
    if event.id_as == "upper_case":
        payload["id"] = payload["id"].upper()
    elif event.id_as == "without_hyphens":
        payload["id"] = payload["id"].replace("-", "")
    return json_text({**envelope, "payload": payload})


def _with_another_amount(line: str) -> str:
    envelope = json.loads(line, parse_float=Decimal)
    envelope["payload"]["amount"] += 1
    return json_text(envelope)
