"""The command line, `refund-pipeline`; a command imports what it needs when it runs."""

import sys
from pathlib import Path

import click

from refund_pipeline.commands import environment
from refund_pipeline.commands.completion import completion
from refund_pipeline.commands.doctor import doctor
from refund_pipeline.commands.endings import Commands
from refund_pipeline.commands.init import init
from refund_pipeline.commands.listing import list_refunds
from refund_pipeline.commands.mapping import mapping
from refund_pipeline.commands.metrics import metrics
from refund_pipeline.commands.newstore import newstore
from refund_pipeline.commands.plan import plan
from refund_pipeline.commands.receiver import receiver
from refund_pipeline.commands.reconcile import reconcile
from refund_pipeline.commands.rejected import rejected
from refund_pipeline.commands.release import release
from refund_pipeline.commands.report import report
from refund_pipeline.commands.resolve import resolve, retry
from refund_pipeline.commands.show import show
from refund_pipeline.commands.status import status
from refund_pipeline.commands.watch import watch


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the trace of an error, not only its sentence.")
@click.option(
    "--env-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read variables from this file, like the .env of init; what is set already stays.",
)
def main(*, debug: bool, env_file: Path | None) -> None:
    """NewStore appeasement refunds into NetSuite, exactly once.

    Exit codes: 0 it is as it should be, 1 it is not, 2 wrong usage, 3 nothing is known because
    another system or a setting cannot be used, 4 a defect. With --json the answer is JSON.
    """
    del debug  # `endings.py` asks the context
    if env_file is not None:
        environment.read_file(env_file)


main.add_command(completion)
main.add_command(doctor)
main.add_command(list_refunds)
main.add_command(init)
main.add_command(mapping)
main.add_command(metrics)
main.add_command(newstore)
main.add_command(plan)
main.add_command(receiver)
main.add_command(reconcile)
main.add_command(rejected)
main.add_command(release)
main.add_command(report)
main.add_command(resolve)
main.add_command(retry)
main.add_command(show)
main.add_command(status)
main.add_command(watch)


@main.command()
@click.option("--seed", default=7, show_default=True, help="The same seed makes the same data.")
def demo(seed: int) -> None:
    """Run the main job end to end against the sandbox, and prove the result.

    Exit code 0 if every refund is in the sandbox's ERP exactly once or held with a reason, else 1.
    """
    from refund_pipeline.demo import run_demo

    sys.exit(run_demo(seed=seed))


@main.command()
@click.option("--seed", default=7, show_default=True, help="The same seed makes the same data.")
@click.option("--port", default=3000, show_default=True, help="The UI's port; 0 takes a free one.")
def dev(seed: int, port: int) -> None:
    """Start the sandbox and Dagster's UI, until stopped with Ctrl-C."""
    from refund_pipeline.demo import run_dev

    sys.exit(run_dev(seed=seed, port=port))


@main.command()
@click.option("--seed", default=7, show_default=True, help="The same seed makes the same data.")
@click.option(
    "--env-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the environment as NAME=value lines once everything answers.",
)
@click.option(
    "--scenario",
    "scenarios",
    metavar="NAME",
    multiple=True,
    help="Land this scenario, and nothing but the scenarios named; may be given several times.",
)
@click.option("--list-scenarios", is_flag=True, help="Show the scenarios there are, and end.")
def sandbox(
    seed: int, env_file: Path | None, scenarios: tuple[str, ...], *, list_scenarios: bool
) -> None:
    """Start NewStore, NetSuite and S3 on loopback, and print the environment to export."""
    from refund_pipeline.sandbox.sandbox import run_until_stopped
    from refund_pipeline.sandbox.scenarios.library import (
        UnknownScenario,
        all_scenarios,
        scenarios_named,
    )
    from refund_pipeline.sandbox.scenarios.listing import names

    if list_scenarios:
        for line in names(all_scenarios()):
            click.echo(line)
        return
    try:
        scenarios_named(scenarios)
    except UnknownScenario as error:
        raise click.BadParameter(str(error), param_hint="--scenario") from None
    run_until_stopped(env_file=env_file, seed=seed, scenarios=scenarios)
