"""`refund-pipeline resolve` and `retry`: a person decides about refunds that are not posted.

How the plan is shown and asked about is `decisions.py`.
"""

from collections.abc import Callable, Collection
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from refund_pipeline.commands import decisions
from refund_pipeline.commands.decisions import Manner, Who, decide
from refund_pipeline.domain.actions import Action

if TYPE_CHECKING:
    from refund_pipeline.gateways.ledger.ledger import Ledger
    from refund_pipeline.steps.replay import Time

_Command = TypeVar("_Command", bound=Callable[..., Any])
_ids = click.argument("refund_ids", nargs=-1, metavar="[REFUND]...")
_reason = click.option("--reason", help="Every refund not posted for this reason.")
_since = click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    help="With --reason: landed on this day or later.",
)


def _which(command: _Command) -> _Command:
    return _ids(_reason(_since(command)))


@click.command()
@_which
@click.option(
    "--action",
    type=click.Choice([one.value for one in Action]),
    required=True,
    help="What is decided.",
)
@click.option(
    "--tender",
    "tenders",
    multiple=True,
    metavar="[PAID=]TENDER",
    help="With --action tender: the tender of the mapping to book as, like credit_card/adyen.",
)
@decisions.actor
@click.option("--note", required=True, help="Why, for those who ask later.")
@decisions.yes
@decisions.as_json
@click.pass_obj
def resolve(
    clock: "Time | None",
    *,
    refund_ids: tuple[str, ...],
    reason: str | None,
    since: datetime | None,
    action: str,
    tenders: tuple[str, ...],
    actor: str,
    note: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Decide about refunds that are held or wait: shows what would happen, and asks.

    \b
    retry       the next run looks at it anew, in NewStore and in the ERP
    standalone  posts it without the sale it refunds
    tender      books it by the mapping row of another tender (--tender)
    skip        never posts it: a person has booked or settled it
    release     lets it through the gates of the mapping
    reopen      takes back what was decided, a skip too

    What fits a refund depends on its reason (docs/operations.md); a posted one cannot be touched.
    Repeating a decision does nothing. Exit code 0 if all that was named is decided, 1 if some was
    left as it is, 2 for wrong usage, 3 if ledger, mapping or ERP cannot be used.
    """  # noqa: D301  (click wants the character, not its name)
    decide(
        clock,
        _chosen(refund_ids, reason, since),
        Action(action),
        Who(actor, note),
        Manner(yes=yes, as_json=as_json),
        tenders=tenders,
    )


@click.command()
@_which
@decisions.actor
@click.option("--note", default="another look", show_default=True, help="Why.")
@decisions.yes
@decisions.as_json
@click.pass_obj
def retry(
    clock: "Time | None",
    *,
    refund_ids: tuple[str, ...],
    reason: str | None,
    since: datetime | None,
    actor: str,
    note: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Have refunds looked at anew by the next run: `resolve --action retry`.

    NewStore and the ERP are read again. Exit codes as those of resolve.
    """
    decide(
        clock,
        _chosen(refund_ids, reason, since),
        Action.RETRY,
        Who(actor, note),
        Manner(yes=yes, as_json=as_json),
    )


def _chosen(
    refund_ids: tuple[str, ...], reason: str | None, since: datetime | None
) -> "Callable[[Ledger], Collection[str]]":
    if bool(refund_ids) == bool(reason):
        raise click.UsageError("name either refunds by their ids or a --reason")
    if since is not None and reason is None:
        raise click.UsageError("--since narrows --reason; it goes with nothing else")
    if reason is None:
        return lambda _: refund_ids
    name, day = reason, date(since.year, since.month, since.day) if since else None

    def with_reason(ledger: "Ledger") -> Collection[str]:
        from refund_pipeline.steps.resolution import refunds_with

        return refunds_with(ledger, reason=name, since=day)

    return with_reason
