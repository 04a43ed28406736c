"""How the subscription commands talk: the table of integrations, JSON, the result of a replay.

Names and addresses come from NewStore: they are shown without control characters, and webhooks by
their host only.
"""

import json
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from refund_pipeline.gateways.newstore_integrations import (
    Integration,
    S3Target,
    Target,
    WebhookTarget,
    rfc3339,
)
from refund_pipeline.gateways.newstore_subscriptions import MOST_INTEGRATIONS
from refund_pipeline.steps.replay import Ending, Replayed
from refund_pipeline.steps.replay_count import ReplayCount

_LONGEST = 200
_ENDINGS: dict[Ending, str] = {
    "finished": "the replay has ended: its integration stopped by itself",
    "timed_out": "the replay was given up: its integration did not stop in time, so more may be"
    " missing; repeat it with a shorter window or a higher --wait",
    "removed_by_others": "the replay's integration was removed by somebody else, so more may be"
    " missing; repeat it",
}


class ConsoleTeller:
    """Tells a person at the terminal how a replay goes; `status` is the line that changes."""

    def __init__(self, console: Console, status: Status) -> None:
        self._console = console
        self._status = status

    def say(self, sentence: str) -> None:
        """Print a sentence."""
        self._console.print(Text(_plain(sentence)), soft_wrap=True)

    def waiting(self, sentence: str) -> None:
        """Show what is being waited for."""
        self._status.update(Text(_plain(sentence)))


def integrations_json(integrations: Sequence[Integration], ours: str | None) -> str:
    """Write all integrations as JSON, without secrets."""
    rows = [
        {
            "id": _plain(each.integration_id),
            "is_ours": each.integration_id == ours,
            "type": _plain(each.integration_type or "") or None,
            "transport": _transport(each.target),
            "target": None if each.target is None else _plain(each.target.shown),
            "status": _plain(each.status),
            "event_filter": [_plain(name) for name in each.event_filter],
            "entity_filter": [_plain(name) for name in each.entity_filter],
            "starts_at": None if each.starts_at is None else rfc3339(each.starts_at),
            "ends_at": None if each.ends_at is None else rfc3339(each.ends_at),
        }
        for each in integrations
    ]
    document = {"ours": ours, "most_integrations": MOST_INTEGRATIONS, "integrations": rows}
    return json.dumps(document, indent=2)


def print_integrations(
    console: Console, integrations: Sequence[Integration], ours: str | None
) -> None:
    """Print all integrations as a table, ours marked."""
    table = Table(
        title=f"{len(integrations)} of at most {MOST_INTEGRATIONS} event stream integrations",
        box=SIMPLE_HEAD,
    )
    for name in ("", "id", "type", "transport", "status", "filter", "window"):
        table.add_column(name, overflow="fold")
    for each in integrations:
        where = _transport(each.target) or "not shown"
        if each.target is not None:
            where = f"{where}\n{each.target.shown}"
        cells = (
            "ours" if each.integration_id == ours else "",
            each.integration_id,
            each.integration_type or "",
            where,
            each.status,
            "\n".join((*each.event_filter, *each.entity_filter)) or "all events",
            _window(each),
        )
        table.add_row(*(Text(_lines(cell)) for cell in cells))
    console.print(table)


def print_replay(console: Console, replayed: Replayed, count: ReplayCount) -> None:
    """Print what a replay brought, and what happens with it."""
    teller = ConsoleTeller(console, Status(""))
    teller.say(_ENDINGS[replayed.ending])
    teller.say(
        f"landed since it began: {count.files} files, {count.lines} lines: {count.known} refunds"
        f" known before, {len(count.new)} new, {count.later} asked for after the window,"
        f" {count.others} other events, {count.rejected} lines that are no event"
    )
    if count.missing:
        teller.say(
            f"{count.missing} refunds of the window that the ledger has did not come again: the"
            " replay broke off, for example because the receiver refused events; repeat it"
        )
    for key in count.unread:
        teller.say(f"not read to its end, so more may be new: {key}")
    if count.new:
        teller.say("new, so they had not arrived before:")
        for refund_id in count.new:
            teller.say(f"  {refund_id}")
    elif replayed.ending == "finished" and not (count.unread or count.missing):
        teller.say("nothing is new: everything of the window had arrived before")
    days = ", ".join(day.isoformat() for day in count.days)
    teller.say(
        "this command posts nothing: the landing bucket sensor has the files read as usual"
        + (f", on the day they landed: {days}" if days else "")
    )


def _transport(target: Target | None) -> str | None:
    match target:
        case WebhookTarget():
            return "webhook"
        case S3Target():
            return "s3"
        case None:
            return None


def _window(integration: Integration) -> str:
    ends = (("from", integration.starts_at), ("to", integration.ends_at))
    return "\n".join(f"{name} {moment:%Y-%m-%d %H:%M:%SZ}" for name, moment in ends if moment)


def _plain(text: str) -> str:
    shown = "".join(character if character.isprintable() else "?" for character in text)
    return shown if len(shown) <= _LONGEST else shown[:_LONGEST] + "..."


def _lines(text: str) -> str:
    return "\n".join(_plain(line) for line in text.split("\n"))
