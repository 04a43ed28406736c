"""`refund-pipeline newstore subscription ...`: our event stream integration (contract newstore 1).

What is done is `steps/subscription.py`, how it is shown `subscription_output.py`. The replay has a
module of its own.
"""

from datetime import datetime
from typing import TYPE_CHECKING

import click

from refund_pipeline.commands import environment
from refund_pipeline.commands.endings import NotAsItShouldBe, sentences
from refund_pipeline.commands.moments import first_moment
from refund_pipeline.commands.subscription_replay import replay, transport

if TYPE_CHECKING:
    from refund_pipeline.steps.replay import Time


@click.group()
def newstore() -> None:
    """NewStore's side of the pipeline."""


@newstore.group()
def subscription() -> None:
    """Look after our event stream integration, NEWSTORE_INTEGRATION_ID.

    Exit codes: 0 it is as it should be, 1 it is not, 2 wrong usage, 3 nothing is known because
    NewStore, the bucket, the ledger or a setting cannot be used.
    """


subscription.add_command(replay)


@subscription.command()
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
def status(*, as_json: bool) -> None:
    """Show every integration of the tenant, and mark ours.

    Exit code 0 if ours is running, 1 if it is not or does not exist, 3 if that is not known.
    """
    with sentences():
        from rich.console import Console

        from refund_pipeline.commands import subscription_output

        ours = environment.integration_id()
        with environment.subscriptions() as subscriptions:
            found = subscriptions.all()
    if as_json:
        click.echo(subscription_output.integrations_json(found, ours))
    else:
        subscription_output.print_integrations(Console(), found, ours)
    mine = next((each for each in found if each.integration_id == ours), None)
    if ours is None:
        raise NotAsItShouldBe("NEWSTORE_INTEGRATION_ID is not set, so none is known to be ours")
    if mine is None:
        raise NotAsItShouldBe(f"{ours} does not exist; make it with the command create")
    if not mine.is_running:
        raise NotAsItShouldBe(f"{ours} is not running; start it with the command start")


@subscription.command()
@transport
@click.option(
    "--since",
    metavar="TIME",
    callback=first_moment,
    help="Deliver events from this time on, instead of from now on.",
)
@click.pass_obj
def create(clock: "Time | None", *, webhook: str | None, s3: bool, since: datetime | None) -> None:
    """Register our permanent integration, for issued refunds only.

    Does nothing if it exists and is equal, and refuses if it exists and is not.
    """
    if since is not None and since > environment.clock(clock).now():
        raise click.UsageError("--since lies in the future")
    with sentences():
        from refund_pipeline.gateways.newstore_integrations import NewIntegration
        from refund_pipeline.steps import subscription as steps

        ours = environment.required_integration_id()
        delivery = environment.asked_for(webhook, s3=s3)
        if delivery is None:
            raise click.UsageError("say where to deliver: --webhook URL or --s3")
        with environment.subscriptions() as subscriptions:
            outcome = steps.register(subscriptions, NewIntegration(ours, delivery, starts_at=since))
    match outcome:
        case steps.Registered(integration):
            click.echo(f"{ours} was created and is {integration.status}")
        case steps.AlreadyRegistered(integration):
            hint = "; --since counts at creation only: use replay" if since else ""
            click.echo(f"{ours} exists already and is {integration.status}; nothing done{hint}")
        case steps.RegisteredOtherwise(fields, is_new=True):
            raise NotAsItShouldBe(
                f"{ours} was created, but NewStore shows another {', '.join(fields)}"
            )
        case steps.RegisteredOtherwise(fields):
            raise NotAsItShouldBe(
                f"{ours} exists already with another {', '.join(fields)}; nothing was done: choose"
                " another NEWSTORE_INTEGRATION_ID, or have the old one removed"
            )
        case refused:
            raise NotAsItShouldBe(f"{ours} was not created: {refused.detail}")


_other = click.option(
    "--integration", metavar="ID", help="This integration instead of NEWSTORE_INTEGRATION_ID."
)


@subscription.command()
@_other
@click.pass_obj
def start(clock: "Time | None", *, integration: str | None) -> None:
    """Start our integration if it is stopped."""
    with sentences():
        from refund_pipeline.steps import subscription as steps

        chosen = environment.chosen_integration_id(integration)
        with environment.subscriptions() as subscriptions:
            outcome = steps.ensure_running(
                subscriptions, chosen, sleep=environment.clock(clock).sleep
            )
    match outcome:
        case steps.Runs():
            click.echo(f"{chosen} is running already; nothing done")
        case steps.StartedAgain():
            click.echo(f"{chosen} was started and is running; replay what was missed meanwhile")
        case steps.StaysStopped(state, detail):
            raise NotAsItShouldBe(f"{chosen} is {state} and was not started: {detail}")
        case steps.Missing():
            raise NotAsItShouldBe(f"{chosen} does not exist")


@subscription.command()
@_other
@click.option("--yes", is_flag=True, help="Do not ask.")
def stop(*, integration: str | None, yes: bool) -> None:
    """Stop our integration; no refund arrives until it is started again."""
    with sentences():
        from refund_pipeline.gateways.newstore_subscriptions import Refused
        from refund_pipeline.steps import subscription as steps

        chosen = environment.chosen_integration_id(integration)
        if not yes:
            click.confirm(f"Stop {chosen}? Nothing is delivered until it is started", abort=True)
        with environment.subscriptions() as subscriptions:
            outcome = steps.stop(subscriptions, chosen)
    match outcome:
        case steps.Missing():
            raise NotAsItShouldBe(f"{chosen} does not exist")
        case Refused(detail):
            raise NotAsItShouldBe(f"{chosen} was not stopped: {detail}")
        case found if found.is_running:
            raise NotAsItShouldBe(f"{chosen} still runs, although NewStore accepted the stop")
        case _:
            click.echo(f"{chosen} is stopped; the hourly watch starts it again if it is ours")


@subscription.command(name="rotate-keys")
def rotate_keys() -> None:
    """Give NewStore the keys of the environment, for the target it has already.

    The receiver's key for a webhook, the export's AWS keys for S3.
    """
    with sentences():
        ours = environment.required_integration_id()
        with environment.subscriptions() as subscriptions:
            found = subscriptions.find(ours)
            if found is None or found.target is None:
                missing = "does not exist" if found is None else "has no target NewStore shows"
                raise NotAsItShouldBe(f"{ours} {missing}")
            refusal = subscriptions.change_delivery(ours, environment.same_delivery(found.target))
    if refusal is not None:
        raise NotAsItShouldBe(f"the keys of {ours} were not changed: {refusal.detail}")
    click.echo(f"NewStore has the new keys of {ours}")
