"""What the model is about: refunds, the lines that tell of them, their payments, and mappings."""

import json
from collections.abc import Mapping
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import yaml

from refund_pipeline.domain.mapping import Mapping as RefundMapping
from refund_pipeline.domain.payments import PaymentTransaction
from refund_pipeline_tests.fakes import EXAMPLE_MAPPING, event, event_line, refund_id

DAYS = (date(2026, 11, 19), date(2026, 11, 20), date(2026, 11, 21))
MORNING = datetime(2026, 11, 21, 1, 0, tzinfo=timezone.utc)
"""When the model begins: the last of its days is today, so that each day's files can be late."""
SPLIT, OF_A_RETURN, UNMAPPED = 2, 3, 4
NUMBERS = range(100)
SOME, FRESH = NUMBERS[:8], NUMBERS[8:]
"""Those that all kinds of things happen to, and those that land complete (`land_complete`)."""
LINES: Mapping[str, str] = {
    **{f"refund {number}": event_line(number) for number in NUMBERS if number != OF_A_RETURN},
    "refund of a return": event_line(OF_A_RETURN, return_id="r-1"),
    "refund 0 told otherwise": event_line(0, reason_code="7"),
    "event of another kind": json.dumps(
        {
            "tenant": "demo",
            "name": "order.opened",
            "published_at": MORNING.isoformat(),
            "payload": {},
        }
    ),
    "bad": "{",
}
ORDINARY = tuple(f"refund {number}" for number in (0, 1, SPLIT, 5))
"""Lines of refunds that nothing speaks against."""
TOLD_OF: Mapping[str, str] = {
    name: refund_id(number)
    for name, text in LINES.items()
    for number in NUMBERS
    if refund_id(number) in text
}
"""The refund each line tells of."""


def _mappings() -> dict[str, RefundMapping]:
    def _edited(**changes: object) -> RefundMapping:
        return RefundMapping.model_validate({**text, **changes})

    text: dict[str, Any] = yaml.safe_load(EXAMPLE_MAPPING.read_text())
    in_headers = [
        {"method": "cash", "payment_option": "1"},
        {"method": "credit_card", "provider": "adyen", "payment_option": "5"},
    ]
    waits_no_longer = {"action": "standalone", "after_days": 0}
    return {
        "usual": _edited(),
        "no cards": _edited(tenders=[row for row in text["tenders"] if row["method"] == "cash"]),
        "no stores": _edited(stores={}),
        "headers": _edited(posting_model="header", tenders=in_headers),
        "stopped": _edited(gates={"stop_posting": True}),
        "one a day": _edited(gates={"daily_count": 1}),
        "sales not awaited": _edited(
            policies={**text["policies"], "origin_missing": waits_no_longer}
        ),
    }


MAPPINGS: Mapping[str, RefundMapping] = _mappings()
USUAL = "usual"


def payments_of(number: int) -> tuple[PaymentTransaction, ...]:
    """Return what went back to the customer, tender by tender."""
    of = event(number)
    tenders = [("credit_card", "unknown" if number == UNMAPPED else "adyen")]
    if number == SPLIT:
        tenders.append(("cash", "cash"))
    share = of.amount / Decimal(len(tenders))
    return tuple(
        PaymentTransaction("refund", share, of.currency, of.refund_id, method, provider)
        for method, provider in tenders
    )
