"""The command line, `refund-pipeline`; a command imports what it needs when it runs."""

import sys
from pathlib import Path

import click

from refund_pipeline.commands.doctor import doctor
from refund_pipeline.commands.newstore import newstore
from refund_pipeline.commands.receiver import receiver
from refund_pipeline.commands.reconcile import reconcile
from refund_pipeline.commands.release import release


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """NewStore appeasement refunds into NetSuite, exactly once."""


main.add_command(doctor)
main.add_command(newstore)
main.add_command(receiver)
main.add_command(reconcile)
main.add_command(release)


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
