"""`refund-pipeline doctor`: prove the set-up before the first posting."""

from typing import TYPE_CHECKING

import click

from refund_pipeline.commands import environment
from refund_pipeline.commands.endings import NotAsItShouldBe

if TYPE_CHECKING:
    from refund_pipeline.steps.replay import Time


@click.command()
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
@click.pass_obj
def doctor(clock: "Time | None", *, as_json: bool) -> None:
    """Check everything the job needs, and say how to mend what is wrong.

    Settings, mapping, ledger, landing bucket, NewStore and NetSuite: credentials, permissions, and
    every id of the mapping. Nothing is posted and nothing written but the ledger's schema, which is
    brought up to date; refused NetSuite credentials are sent once and counted in DAGSTER_HOME, as
    a run counts them. Exit code 0 if nothing is wrong (there may be warnings), 1 if something is,
    2 for wrong usage.
    """
    from rich.console import Console

    from refund_pipeline.commands import doctor_output
    from refund_pipeline.orchestration.set_up import JobSetUp
    from refund_pipeline.steps.doctor import examine

    now = environment.clock(clock).now
    console, progress = Console(), Console(stderr=True)
    with progress.status("examining the set-up"), JobSetUp() as set_up:
        findings = list(examine(set_up, now=now))
    if as_json:
        click.echo(doctor_output.as_json(findings))
    else:
        doctor_output.print_table(console, findings)
    errors = doctor_output.errors_in(findings)
    if errors:
        raise NotAsItShouldBe(f"{errors} of {len(findings)} findings must be mended")
