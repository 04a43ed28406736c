"""`refund-pipeline newstore subscription replay`: deliver a window of events again, and count."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import click

from refund_pipeline.commands import environment
from refund_pipeline.commands.endings import NotAsItShouldBe, sentences
from refund_pipeline.commands.moments import first_moment, last_moment

if TYPE_CHECKING:
    from rich.console import Console

    from refund_pipeline.gateways.newstore_integrations import Delivery
    from refund_pipeline.gateways.newstore_subscriptions import Subscriptions
    from refund_pipeline.steps.replay import Patience, Replayed, Time, Window
    from refund_pipeline.steps.replay_count import ReplayCount

Command = TypeVar("Command", bound=Callable[..., object])


def transport(command: Command) -> Command:
    """Add the options that say where NewStore delivers."""
    webhook = click.option(
        "--webhook",
        metavar="URL",
        help="The address of our receiver (https, or http on loopback); its key is taken from"
        " REFUNDS_RECEIVER_KEY.",
    )
    s3 = click.option(
        "--s3",
        is_flag=True,
        help="Files into REFUNDS_LANDING_URL, written with NEWSTORE_EXPORT_AWS_ACCESS_KEY_ID and"
        " NEWSTORE_EXPORT_AWS_SECRET_ACCESS_KEY.",
    )
    return webhook(s3(command))


@click.command()
@click.option(
    "--from",
    "begins",
    metavar="TIME",
    callback=first_moment,
    required=True,
    help="First time of the window.",
)
@click.option(
    "--to",
    "ends",
    metavar="TIME",
    callback=last_moment,
    help="Last time of the window, with a date the end of that day; default: now.",
)
@click.option(
    "--wait",
    "minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=120.0,
    show_default=True,
    help="Minutes until it is given up.",
)
@transport
@click.pass_obj
def replay(
    clock: "Time | None",
    *,
    begins: datetime,
    ends: datetime | None,
    minutes: float,
    webhook: str | None,
    s3: bool,
) -> None:
    """Have NewStore deliver the events of a window again, and say what was new.

    Times have a zone; a date is a day in UTC. Delivered like our permanent integration unless
    --webhook or --s3 says otherwise. The temporary integration is removed in any case. Exit code 0
    if all of the window was delivered again, whether or not something was new; else 1, or 3 if
    something cannot be used.
    """
    time = environment.clock(clock)
    now = time.now()
    ends = now if ends is None else min(ends, now)
    if begins >= ends:
        raise click.UsageError("--from must lie before --to, and in the past")
    with sentences():
        from rich.console import Console

        from refund_pipeline.commands.subscription_output import print_replay
        from refund_pipeline.steps.replay import Patience, Window

        asked = environment.asked_for(webhook, s3=s3)
        console = Console()
        patience = Patience(at_most=timedelta(minutes=minutes))
        replayed, count = _deliver_and_count(Window(begins, ends), asked, time, patience, console)
    print_replay(console, replayed, count)
    if replayed.left_behind or replayed.ending != "finished" or count.missing or count.unread:
        raise NotAsItShouldBe("the replay is not complete or not cleaned up, see above")


def _deliver_and_count(
    window: "Window",
    asked: "Delivery | None",
    time: "Time",
    patience: "Patience",
    console: "Console",
) -> "tuple[Replayed, ReplayCount]":
    from refund_pipeline.commands.subscription_output import ConsoleTeller
    from refund_pipeline.gateways.newstore_subscriptions import Refused
    from refund_pipeline.steps.replay import replay as deliver_again
    from refund_pipeline.steps.replay_count import count_replayed, keys_landed_since

    ours = environment.required_integration_id()
    bucket = environment.landing_bucket(time)
    began = time.now()
    with (
        environment.subscriptions() as subscriptions,
        environment.ledger(time) as ledger,
        console.status("asking NewStore") as line,
    ):
        ledger.known_refunds(())  # a ledger that cannot be opened is better known now
        before = keys_landed_since(bucket, began)
        replayed = deliver_again(
            subscriptions,
            window,
            permanent_id=ours,
            delivery=asked or _same_as(subscriptions, ours),
            time=time,
            patience=patience,
            teller=ConsoleTeller(console, line),
        )
        if isinstance(replayed, Refused):
            raise NotAsItShouldBe(f"NewStore did not take the replay: {replayed.detail}")
        line.update("reading what has landed")
        return replayed, count_replayed(
            bucket,
            ledger,
            tenant=environment.required("REFUNDS_TENANT"),
            began=began,
            before=before,
            window=window,
        )


def _same_as(subscriptions: "Subscriptions", ours: str) -> "Delivery":
    found = subscriptions.find(ours)
    if found is None:
        raise NotAsItShouldBe(f"{ours} does not exist: create it, or say --webhook URL or --s3")
    if found.target is None:
        raise NotAsItShouldBe(f"NewStore does not show the target of {ours}: say --webhook or --s3")
    return environment.same_delivery(found.target)
