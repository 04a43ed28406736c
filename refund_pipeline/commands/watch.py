"""`refund-pipeline watch`: the same look as the schedule's, from outside of Dagster.

For cron on another machine, so that a dead daemon is noticed too. Dagster is asked only where
DAGSTER_HOME says which.
"""

import json
from datetime import datetime
from typing import TYPE_CHECKING

import click

from refund_pipeline.commands import environment
from refund_pipeline.commands.endings import NotAsItShouldBe, NothingKnown, sentences

if TYPE_CHECKING:
    from refund_pipeline.steps.replay import Time
    from refund_pipeline.steps.watching import Look


@click.command()
@click.option("--json", "as_json", is_flag=True, help="JSON instead of sentences.")
@click.option("--test", "is_test", is_flag=True, help="Only send a test message to every channel.")
@click.pass_obj
def watch(clock: "Time | None", *, as_json: bool, is_test: bool) -> None:
    """Look at everything people must know of, tell what is news, and send the heartbeat.

    Channels are in REFUNDS_ALERTS; what was told is in the ledger, so it does no harm to look as
    often as you like, also while Dagster's schedule looks. Exit code 0 if all is well, 1 if a
    person is needed or could not be told, 2 for wrong usage, 3 if nothing is known because the
    ledger or a setting cannot be used.
    """
    time = environment.clock(clock)
    with sentences():
        if is_test:
            _test(time.now())
            return
        from refund_pipeline.steps.watching import look

        with environment.watch(time) as opened:
            looked = look(opened)
    if as_json:
        click.echo(json.dumps(_document(looked), indent=2))
    else:
        _print(looked)
    _end(looked)


def _test(now: datetime) -> None:
    from refund_pipeline.gateways.alerts import channels
    from refund_pipeline.steps.telling import send
    from refund_pipeline.steps.watching import trial_message

    told = channels(environment.optional("REFUNDS_ALERTS"))
    if not told:
        raise NotAsItShouldBe("REFUNDS_ALERTS is not set: nobody is told anything")
    message = trial_message(environment.required("REFUNDS_TENANT"), now)
    problems = send(dict.fromkeys(told, message))
    for channel in told:
        click.echo(f"{channel.name}: {problems.get(channel.name, 'took the message')}")
        channel.close()
    if problems:
        raise NotAsItShouldBe(f"{len(problems)} of {len(told)} channels did not take the message")


def _document(looked: "Look") -> dict[str, object]:
    from refund_pipeline.gateways.alert_texts import alert_document, rfc3339

    return {
        "at": rfc3339(looked.at),
        "looked_at": sorted(looked.looked_at),
        "situations": [alert_document(one) for one in looked.situations],
        "told": [
            {"key": one.situation.key, "news": one.news, "channels": list(one.channels)}
            for one in looked.told.notices
        ],
        "undelivered": [
            {"channel": name, "problem": problem} for name, problem in looked.told.undelivered
        ],
        "heartbeat": looked.heartbeat,
    }


def _print(looked: "Look") -> None:
    for situation in looked.situations:
        click.echo(f"{situation.severity}: {situation.title}")
        click.echo(f"  {situation.text}")
        click.echo(f"  {situation.what_to_do} (docs/operations.md#{situation.runbook})")
    if not looked.situations:
        click.echo("all is well, as far as was looked: " + ", ".join(sorted(looked.looked_at)))
    for notice in looked.told.notices:
        click.echo(f"told as {notice.news}: {notice.situation.title}")
    for name, problem in looked.told.undelivered:
        click.echo(f"not told: {name}: {problem}", err=True)
    click.echo(f"heartbeat: {looked.heartbeat}")


def _end(looked: "Look") -> None:
    from refund_pipeline.domain.situations import LEDGER

    if any(situation.kind == LEDGER for situation in looked.situations):
        raise NothingKnown("the ledger cannot be used")
    problems = len(looked.situations)
    if problems:
        raise NotAsItShouldBe(f"{problems} situation(s) need a person")
    if looked.told.undelivered:
        raise NotAsItShouldBe("not everybody could be told")
    if looked.heartbeat not in {"sent", "not set"}:
        raise NotAsItShouldBe("the heartbeat was not sent")
