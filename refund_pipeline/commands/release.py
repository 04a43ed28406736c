"""`refund-pipeline release`: a person lets refunds through the gates of the mapping.

The decision is recorded with its actor and note; the day's next run posts what was released.
"""

import getpass
from datetime import datetime
from typing import TYPE_CHECKING

import click

from refund_pipeline.commands import environment
from refund_pipeline.commands.endings import NotAsItShouldBe, sentences

if TYPE_CHECKING:
    from refund_pipeline.steps.replay import Time

_MOST = 100_000


@click.command()
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="Everything of this landing day.")
@click.option("--refund", "refund_ids", multiple=True, metavar="ID", help="Only these refunds.")
@click.option("--actor", default=getpass.getuser, show_default="you", help="Who decides.")
@click.option("--note", required=True, help="Why.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def release(
    clock: "Time | None",
    *,
    day: datetime | None,
    refund_ids: tuple[str, ...],
    actor: str,
    note: str,
    yes: bool,
) -> None:
    """Let refunds through that a gate of the mapping holds back.

    Shows what would be released, and asks. Exit code 1 if nothing of what was named is held by a
    gate, 3 if the ledger cannot be used.
    """
    if (day is None) == (not refund_ids):
        raise click.UsageError("name either a landing day with --day or refunds with --refund")
    if not actor.strip() or not note.strip():
        raise click.UsageError("--actor and --note cannot be empty")
    with sentences():
        from refund_pipeline.domain.gates import GATE_REASONS
        from refund_pipeline.steps.transactions import RELEASE

        wanted = {refund_id.strip().lower() for refund_id in refund_ids}
        with environment.ledger(environment.clock(clock)) as ledger:
            held = [
                row
                for row in ledger.refunds(
                    day=day.date() if day else None, statuses=("held",), limit=_MOST
                )
                if row.reason in GATE_REASONS and (not wanted or row.refund_id in wanted)
            ]
            if not held:
                raise NotAsItShouldBe("no gate holds back what was named; nothing was released")
            for row in held:
                click.echo(
                    f"{row.landing_day}  {row.refund_id}  {row.amount} {row.currency}  {row.reason}"
                )
            if not yes:
                click.confirm(f"Release {len(held)} refund(s)?", abort=True)
            names = [row.refund_id for row in held]
            released = ledger.resolve(names, action=RELEASE, actor=actor, note=note)
    days = ", ".join(sorted({str(row.landing_day) for row in held}))
    click.echo(f"{len(released)} refund(s) released; run sync_refunds for {days} to post them")
