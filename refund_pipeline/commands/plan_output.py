"""How a plan of postings is shown: the balance of accounts, the bodies, and how fresh it is."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from refund_pipeline.commands.wording import amount_json, moment_json, number_text, plain
from refund_pipeline.domain.alerts import length, moment
from refund_pipeline.domain.transactions import RefundTransaction
from refund_pipeline.gateways.mapping_file import LoadedMapping
from refund_pipeline.steps.plan import Account, Freshness, PlannedPosting, PostingPlan

_VERSION = 8


@dataclass(frozen=True, slots=True)
class Shown:
    """A plan and what it takes to show it; without a mapping nobody knows if that has changed."""

    plan: PostingPlan
    render: Callable[[RefundTransaction], str]
    now: datetime
    mapping: LoadedMapping | None

    @property
    def is_current(self) -> bool | None:
        """Whether all was built with the mapping as it is now; None where that is not known."""
        if self.mapping is None or self.plan.fresh is None:
            return None
        return self.plan.fresh.mapping_versions == (self.mapping.version,)

    def places(self, account: Account) -> list[str]:
        """Return what the mapping calls the account's place: its stores, or `web`."""
        if self.mapping is None:
            return []
        here = (account.subsidiary, account.location)
        rows = [*self.mapping.mapping.stores.items()]
        rows += [("web", place) for place in self.mapping.mapping.web.values()]
        names = (name for name, row in rows if (row.subsidiary, row.location) == here)
        return sorted(set(names))


def as_json(shown: Shown) -> str:
    """Write the whole plan as JSON."""
    document = {
        "at": moment_json(shown.now),
        "would_write": shown.plan.written,
        "would_look_up_first": shown.plan.looked_up_first,
        "fresh": _fresh_json(shown),
        "accounts": [_account_json(one, shown) for one in shown.plan.accounts],
        "sums": [
            {
                "currency": one.currency,
                "refunds": one.refunds,
                "debit": f"{one.debit:f}",
                "credit": f"{one.credit:f}",
            }
            for one in shown.plan.sums
        ],
        "refunds": [_posting_json(one, shown) for one in shown.plan.postings],
    }
    return json.dumps(document, indent=2)


def _fresh_json(shown: Shown) -> dict[str, Any] | None:
    fresh = shown.plan.fresh
    if fresh is None:
        return None
    return {
        "first_built_at": moment_json(fresh.first_built_at),
        "last_built_at": moment_json(fresh.last_built_at),
        "mapping_versions": list(fresh.mapping_versions),
        "mapping_version_now": shown.mapping.version if shown.mapping else None,
        "is_current": shown.is_current,
    }


def _account_json(account: Account, shown: Shown) -> dict[str, Any]:
    return {
        "booked_to": account.booked_to,
        "what": account.what,
        "subsidiary": account.subsidiary,
        "location": account.location,
        "places": shown.places(account),
        "currency": account.currency,
        "lines": account.lines,
        "debit": f"{account.debit:f}",
        "credit": f"{account.credit:f}",
    }


def _posting_json(posting: PlannedPosting, shown: Shown) -> dict[str, Any]:
    built = posting.transaction
    return {
        "refund_id": built.refund_id,
        "external_id": built.external_id,
        "order_number": built.order_number,
        "business_date": built.business_date.isoformat(),
        **amount_json(built.amount, built.currency),
        "looked_up_first": posting.looked_up_first,
        "bodies": posting.bodies(shown.render),
    }


def print_plan(shown: Shown, *, bodies: int) -> None:
    """Print the balance, the first bodies, and how fresh it is."""
    console, plan = Console(), shown.plan
    if not plan.postings:
        _say(console, "nothing is ready to be posted")
        return
    if plan.accounts:
        _print_accounts(console, shown)
    for posting in plan.postings[:bodies]:
        built = posting.transaction
        _say(console, f"refund {built.refund_id}, order {plain(built.order_number)}", style="bold")
        if posting.looked_up_first:
            _say(console, "  a write was begun: looked up first, written only if surely not there")
        for body in posting.bodies(shown.render):
            _say(console, "\n".join(plain(line) for line in body.split("\n")))
    hidden = len(plan.postings) - min(bodies, len(plan.postings))
    if hidden:
        _say(console, f"and {hidden} more: --bodies {len(plan.postings)} shows all", style="dim")
    looked_up = f", {plan.looked_up_first} more looked up first" if plan.looked_up_first else ""
    _say(console, f"{plan.written} refund(s) would be written now{looked_up}.", style="bold")
    if plan.fresh is not None:
        _print_freshness(console, shown, plan.fresh)


def _print_accounts(console: Console, shown: Shown) -> None:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("booked to", "what", "place"):
        table.add_column(name, overflow="fold")
    table.add_column("", no_wrap=True)
    for name in ("lines", "debit", "credit"):
        table.add_column(name, justify="right", no_wrap=True)
    for account in shown.plan.accounts:
        places = ", ".join(shown.places(account))
        table.add_row(
            Text(account.booked_to),
            Text(plain(account.what)),
            Text(f"{account.location}{f' ({plain(places)})' if places else ''}"),
            account.currency,
            str(account.lines),
            number_text(account.debit, account.currency) if account.debit else "",
            number_text(account.credit, account.currency) if account.credit else "",
        )
    table.add_section()
    for one in shown.plan.sums:
        table.add_row(
            *("sum", f"{one.refunds} refund(s)", "", one.currency, ""),
            number_text(one.debit, one.currency),
            number_text(one.credit, one.currency),
            style="bold",
        )
    console.print(table)


def _print_freshness(console: Console, shown: Shown, fresh: Freshness) -> None:
    age = length(shown.now - fresh.first_built_at)
    versions = ", ".join(version[:_VERSION] for version in fresh.mapping_versions)
    _say(
        console,
        f"Built {moment(fresh.last_built_at)}, the oldest {age} ago, with mapping {versions}. A run"
        " reads and builds all of it again before it posts.",
    )
    if shown.is_current is False and shown.mapping is not None:
        _say(
            console,
            f"The mapping has changed since (now {shown.mapping.version[:_VERSION]}): the next run"
            " may post otherwise.",
            style="bold yellow",
        )


def _say(console: Console, sentence: str, *, style: str = "") -> None:
    console.print(Text(sentence, style=style), soft_wrap=True)
