"""Messages about situations, for the tests of channels."""

from datetime import datetime, timedelta, timezone
from typing import Any

from refund_pipeline.domain.alerts import News, Notice, Situation
from refund_pipeline.gateways.alert_texts import Message

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)


def make_situation(**changes: Any) -> Situation:
    values: dict[str, Any] = {
        "key": "held:overpaid",
        "title": "3 refunds held: overpaid",
        "text": "3 refunds (37.50 USD) wait for a person: <they> & overpaid.",
        "severity": "error",
        "since": NOW - timedelta(hours=2),
        "what_to_do": "See the cure.",
        "runbook": "held-refunds",
        "numbers": {"refunds": 3, "amount": "37.50 USD"},
    }
    return Situation(**{**values, **changes})


def make_notice(news: News = "new", **changes: Any) -> Notice:
    return Notice(news, make_situation(**changes), ())


def make_message(*notices: Notice) -> Message:
    return Message("acme", NOW, notices or (make_notice(),))
