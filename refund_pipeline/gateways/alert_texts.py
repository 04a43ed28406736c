"""A message about situations, in the forms channels take: JSON, Slack's text, subject and mail.

One message per channel and look, however many situations there are: a backfill that fails must not
flood anybody. The JSON form is documented in docs/operations.md, "Alerts".
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from refund_pipeline.domain.alerts import News, Notice, Situation, moment

FORMAT = 1
_WORDS: dict[News, str] = {"new": "New", "repeated": "Still so", "over": "Over"}
_COUNTED: dict[News, str] = {"new": "new", "repeated": "still so", "over": "over"}
_MOST_IN_A_CHAT = 15
_MOST_IN_A_MAIL = 200
_LONGEST_SUBJECT = 150


@dataclass(frozen=True, slots=True)
class Message:
    """What one channel is told at once; `notices` is never empty."""

    tenant: str
    sent_at: datetime
    notices: tuple[Notice, ...]


def subject(message: Message) -> str:
    """Return one line that says it all, or how much there is."""
    if len(message.notices) == 1:
        (notice,) = message.notices
        what = f"{_WORDS[notice.news]}: {notice.situation.title}"
    else:
        counts = Counter(notice.news for notice in message.notices)
        what = ", ".join(f"{counts[news]} {_COUNTED[news]}" for news in _COUNTED if counts[news])
    return _line(f"[refunds {message.tenant}] {what}")[:_LONGEST_SUBJECT]


def mail_text(message: Message) -> str:
    """Return the whole message as plain text."""
    return "\n".join(_paragraphs(message.notices, most=_MOST_IN_A_MAIL))


def slack_document(message: Message) -> bytes:
    """Return the message as Slack and those like it take it."""
    lines = [subject(message), "", *_paragraphs(message.notices, most=_MOST_IN_A_CHAT)]
    text = "\n".join(lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return json.dumps({"text": text}).encode()


def json_document(message: Message) -> bytes:
    """Return the message as JSON; `id` is the same whenever this very message is sent again."""
    document = {
        "format": FORMAT,
        "source": "refund-pipeline",
        "tenant": message.tenant,
        "sent_at": rfc3339(message.sent_at),
        "summary": subject(message),
        "alerts": [
            {"news": notice.news, **alert_document(notice.situation)} for notice in message.notices
        ],
    }
    identity = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:32]
    return json.dumps({"id": identity, **document}).encode()


def alert_document(situation: Situation) -> dict[str, object]:
    """Return a situation as JSON has it."""
    return {
        "key": situation.key,
        "severity": situation.severity,
        "title": situation.title,
        "text": situation.text,
        "since": rfc3339(situation.since),
        "what_to_do": situation.what_to_do,
        "runbook": f"docs/operations.md#{situation.runbook}",
        "numbers": dict(situation.numbers),
    }


def _paragraphs(notices: Sequence[Notice], *, most: int) -> Iterator[str]:
    for notice in notices[:most]:
        situation = notice.situation
        yield f"{_WORDS[notice.news].upper()} ({situation.severity}): {_line(situation.title)}"
        yield f"  {_line(situation.text)}"
        if notice.news != "over":
            yield f"  What to do: {_line(situation.what_to_do)}"
            yield (
                f"  Since {moment(situation.since)}; see docs/operations.md#{situation.runbook},"
                f" key {situation.key}"
            )
        yield ""
    if len(notices) > most:
        yield f"… and {len(notices) - most} more: refund-pipeline watch shows all."


def _line(text: str) -> str:
    """Return text on one line: a header ends at the first line break."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def rfc3339(at: datetime) -> str:
    """Write a moment for machines."""
    return at.astimezone(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
