"""`refund-pipeline status`: where the refunds stand, by landing day, and what is to be done."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from refund_pipeline.commands import environment
from refund_pipeline.commands.endings import NotAsItShouldBe, sentences

if TYPE_CHECKING:
    from refund_pipeline.steps.replay import Time
    from refund_pipeline.steps.status import Status

_DAY = click.DateTime(["%Y-%m-%d"])
_DAYS = 14


@click.command()
@click.option("--day", type=_DAY, help="Only this landing day.")
@click.option("--since", type=_DAY, help=f"From this landing day on; {_DAYS} days by default.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of tables.")
@click.pass_obj
def status(
    clock: "Time | None", *, day: datetime | None, since: datetime | None, as_json: bool
) -> None:
    """Show where the refunds stand, by landing day and currency, and what is to be done.

    In every row landed = posted + outstanding + held + skipped, to the last minor unit. Days before
    the first one are shown as well while something of them waits. Exit code 0 if nobody has to do
    anything, 1 if something is held, rejected or outstanding for more than a day, or if the sums do
    not tie, 2 for wrong usage, 3 if the ledger cannot be used.
    """
    if day is not None and since is not None:
        raise click.UsageError("--day and --since exclude each other")
    time = environment.clock(clock)
    begin = day or since
    first = begin.date() if begin else time.now().date() - timedelta(days=_DAYS - 1)
    with sentences():
        from refund_pipeline.steps.status import status_of

        with environment.ledger(time) as ledger:
            found = status_of(
                ledger.for_reading(),
                first,
                None if day is None else first,
                clock=time.now,
                older=day is None,
            )
    from refund_pipeline.commands import status_output

    if as_json:
        click.echo(status_output.as_json(found))
    else:
        status_output.print_status(found)
    _end(found)


def _end(found: "Status") -> None:
    if found.untied:
        raise NotAsItShouldBe(
            f"the sums of {', '.join(map(str, found.untied))} do not tie: compare the days with the"
            " ERP (refund-pipeline reconcile), and report it, since this should not happen"
        )
    needs = [
        (found.held, "held refund(s)"),
        (found.rejected, "rejected line(s)"),
        (int(found.overdue is not None), "refund(s) or more outstanding for over a day"),
    ]
    told = [f"{count} {what}" for count, what in needs if count]
    if told:
        raise NotAsItShouldBe(f"a person is needed: {', '.join(told)}")
