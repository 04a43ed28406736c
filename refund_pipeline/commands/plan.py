"""`refund-pipeline plan`: what would be posted now, with the exact bodies; nothing is written."""

from datetime import datetime
from typing import TYPE_CHECKING

import click

from refund_pipeline.commands import environment
from refund_pipeline.commands.endings import NotAsItShouldBe, sentences

if TYPE_CHECKING:
    from collections.abc import Collection

    from refund_pipeline.gateways.ledger.ledger import Ledger
    from refund_pipeline.steps.plan import PostingPlan
    from refund_pipeline.steps.replay import Time

_BODIES = 3


@click.command()
@click.option(
    "--day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Of this landing day; of every day where something is ready by default.",
)
@click.option("--refund", "refund_ids", multiple=True, metavar="ID", help="Only these refunds.")
@click.option(
    "--bodies",
    type=click.IntRange(min=0),
    default=_BODIES,
    show_default=True,
    help="Show the bodies of so many refunds; JSON has all.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON instead of tables.")
@click.pass_obj
def plan(
    clock: "Time | None",
    *,
    day: datetime | None,
    refund_ids: tuple[str, ...],
    bodies: int,
    as_json: bool,
) -> None:
    """Show what would be posted now: a balance of accounts, and the exact bodies for the ERP.

    It is read from the ledger: the ERP is asked nothing and gets nothing, and no credentials are
    needed. A run reads and builds everything again before it posts, so the plan says how fresh it
    is; for a fresh one launch the job with dry_run. Exit code 0, also if there is nothing to post,
    1 if a refund that was named is not to be posted, 2 for wrong usage, 3 if the ledger or the
    mapping cannot be used.
    """
    time = environment.clock(clock)
    with sentences():
        from refund_pipeline.commands import plan_output
        from refund_pipeline.domain.events import canonical_id
        from refund_pipeline.gateways.netsuite_records import rendered
        from refund_pipeline.steps.plan import plan_postings

        wanted = [canonical_id(name.strip()) for name in refund_ids]
        mapping = environment.mapping() if environment.optional("REFUNDS_MAPPING") else None
        with environment.ledger(time) as ledger:
            made = plan_postings(ledger, day=day.date() if day else None, refund_ids=wanted or None)
            left = _left_out(ledger, wanted, made)
    shown = plan_output.Shown(made, rendered, time.now(), mapping)
    if as_json:
        click.echo(plan_output.as_json(shown))
    else:
        plan_output.print_plan(shown, bodies=bodies)
    if left:
        raise NotAsItShouldBe("not to be posted now: " + "; ".join(left))


def _left_out(ledger: "Ledger", wanted: "Collection[str]", made: "PostingPlan") -> list[str]:
    planned = {one.transaction.refund_id for one in made.postings}
    left = []
    for name in wanted:
        if name in planned:
            continue
        row = ledger.refund(name)
        if row is None:
            left.append(f"refund {name} has not landed")
        else:
            stands = f"{row.status} ({row.reason})" if row.reason else row.status
            left.append(f"{name} is {stands}, landing day {row.landing_day}")
    return left
