"""What the commands by which a person decides share: the plan is shown, they are asked, it is done.

What a decision does is `steps/resolution.py`.
"""

import getpass
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING

import click

from refund_pipeline.commands import environment
from refund_pipeline.commands.endings import NotAsItShouldBe, sentences
from refund_pipeline.commands.wording import amount_json, amount_text, plain
from refund_pipeline.domain.actions import Action

if TYPE_CHECKING:
    from refund_pipeline.domain.mapping import Mapping
    from refund_pipeline.gateways.ledger.ledger import Ledger
    from refund_pipeline.gateways.netsuite import NetSuite
    from refund_pipeline.steps.replay import Time
    from refund_pipeline.steps.resolution import Places, Plan, Planned, Resolved

actor = click.option("--actor", default=getpass.getuser, show_default="you", help="Who decides.")
yes = click.option("--yes", is_flag=True, help="Do not ask.")
as_json = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="JSON instead of a table. Nothing is asked: without --yes it is the plan, and no more.",
)


@dataclass(frozen=True, slots=True)
class Who:
    """Who decides, and why."""

    actor: str
    note: str


@dataclass(frozen=True, slots=True)
class Manner:
    """How a command asks and answers."""

    yes: bool
    as_json: bool = False


def decide(
    clock: "Time | None",
    chosen: "Callable[[Ledger], Collection[str]]",
    action: Action,
    who: Who,
    manner: Manner,
    *,
    tenders: Sequence[str] = (),
) -> None:
    """Show what `action` would do to the refunds `chosen` from the ledger, ask, and do it.

    Raises:
        NotAsItShouldBe: something of what was named could not be decided.
        click.UsageError: what was typed is no decision.
        NothingKnown: ledger, mapping or ERP cannot be used.
    """
    with _places(clock) as places, typed():
        from refund_pipeline.domain.resolutions import Decision
        from refund_pipeline.steps.resolution import Verdict, carry_out, plan_resolution

        made = Decision(action, who.actor, who.note)
        plan = plan_resolution(chosen(places.ledger), made, places=places, tenders=tenders)
        doable = plan.having(Verdict.DO)
        if not manner.as_json:
            _print(plan)
        if not doable or (manner.as_json and not manner.yes):
            resolved = None
        else:
            if not manner.yes:
                question = f"{action.value}: {len(doable)} refund(s), by {made.actor}?"
                click.confirm(question, abort=True)
            resolved = carry_out(plan, places.ledger)
    if manner.as_json:
        click.echo(json.dumps(_document(plan, resolved), indent=2))
    elif resolved is not None:
        _tell(resolved, action)
    _end(plan, resolved)


def _end(plan: "Plan", resolved: "Resolved | None") -> None:
    from refund_pipeline.steps.resolution import Verdict

    left = len(plan.having(Verdict.IMPOSSIBLE)) + (len(resolved.overtaken) if resolved else 0)
    if not plan.items:
        raise NotAsItShouldBe("no refund is as you say; nothing was done")
    if left:
        raise NotAsItShouldBe(f"{left} of {len(plan.items)} refund(s) were left as they are")


@contextmanager
def typed() -> Iterator[None]:
    """End with a sentence: of an expected error, or of what was typed and is no decision.

    Raises:
        NothingKnown, click.UsageError: such an error came.
    """
    from refund_pipeline.domain.resolutions import InvalidDecision

    with sentences():
        try:
            yield
        except InvalidDecision as problem:
            raise click.UsageError(str(problem)) from None


@contextmanager
def _places(clock: "Time | None") -> "Iterator[Places]":
    """Open the ledger; mapping and NetSuite only when they are asked for."""
    with sentences():
        from refund_pipeline.steps.resolution import Places

        time = environment.clock(clock)
        with environment.ledger(time) as ledger, ExitStack() as opened:

            @cache
            def mapping() -> "Mapping":
                return environment.mapping().mapping

            @cache
            def erp() -> "NetSuite":
                fields = mapping().custom_body_fields
                return opened.enter_context(environment.netsuite(fields))

            yield Places(ledger, mapping, erp, time.now)


def _print(plan: "Plan") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD)
    for name in ("refund", "day", "amount"):
        table.add_column(name, no_wrap=True)
    for name in ("stands", "what happens"):
        table.add_column(name, overflow="fold")
    styles = {"do": "", "nothing to do": "dim", "impossible": "yellow"}
    for item in plan.items:
        row = item.standing
        table.add_row(
            Text(item.refund_id),
            Text(str(row.landing_day) if row else ""),
            Text(amount_text(row.amount, row.currency) if row else ""),
            Text(f"{row.status}{f' ({row.reason})' if row.reason else ''}" if row else ""),
            Text(plain(item.what), style=styles[item.verdict.value]),
        )
    Console().print(table)


def _tell(resolved: "Resolved", action: Action) -> None:
    click.echo(f"{len(resolved.done)} refund(s) decided")
    if action is not Action.SKIP and resolved.days:
        click.echo(f"{days(resolved.days)} carries on by itself within a minute, or run it now:")
        for day in resolved.days:
            click.echo(
                "  dagster job execute -m refund_pipeline.definitions -j sync_refunds"
                f' --tags \'{{"dagster/partition": "{day}"}}\''
            )


def days(found: Sequence[date]) -> str:
    """Name the days whose run carries on."""
    return f"the run of {', '.join(map(str, found))}"


def _document(plan: "Plan", resolved: "Resolved | None") -> dict[str, object]:
    done = {item.refund_id for item in resolved.done} if resolved else set()
    return {
        "action": plan.decision.action.value,
        "actor": plan.decision.actor,
        "note": plan.decision.note,
        "decided": resolved is not None,
        "run_next": [str(day) for day in resolved.days] if resolved else [],
        "refunds": [_row(item, done) for item in plan.items],
    }


def _row(item: "Planned", done: Collection[str]) -> dict[str, object]:
    row = item.standing
    return {
        "refund_id": item.refund_id,
        "landing_day": str(row.landing_day) if row else None,
        **(amount_json(row.amount, row.currency) if row else {"amount": None, "currency": None}),
        "status": row.status if row else None,
        "reason": row.reason if row else None,
        "verdict": item.verdict.value,
        "what": item.what,
        "done": item.refund_id in done,
    }
