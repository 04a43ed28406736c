"""`refund-pipeline show`: the whole story of a refund, and what comes next."""

from typing import TYPE_CHECKING

import click

from refund_pipeline.commands import environment
from refund_pipeline.commands.endings import NotAsItShouldBe, sentences

if TYPE_CHECKING:
    from refund_pipeline.steps.replay import Time


@click.command()
@click.argument("which")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of tables and sentences.")
@click.pass_obj
def show(clock: "Time | None", *, which: str, as_json: bool) -> None:
    """Show a refund's event, payments, transaction, posting and history, and what comes next.

    WHICH is the id of a refund or an order, an order number, an external id or the id of a record
    in the ERP. Every refund it fits is shown. Exit code 0 if there is one, 1 if there is none, 2
    for wrong usage, 3 if the ledger cannot be used.
    """
    time = environment.clock(clock)
    with sentences():
        with environment.ledger(time) as ledger:
            found = ledger.for_reading().stories_of(which)
        from refund_pipeline.commands import show_output

        if as_json:
            click.echo(show_output.as_json(which, found, time.now(), environment.record_pages))
        else:
            show_output.print_stories(found, time.now(), environment.record_pages)
    if not found:
        raise NotAsItShouldBe(
            "the ledger has no refund, order, order number, external id or ERP record of this name;"
            " has its event landed? refund-pipeline status shows what has"
        )
