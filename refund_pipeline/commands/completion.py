"""`refund-pipeline completion`: what a shell needs to complete our commands; click writes it."""

import click
from click.shell_completion import get_completion_class

PROGRAM = "refund-pipeline"
_VARIABLE = "_REFUND_PIPELINE_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, *, shell: str) -> None:
    """Print the script that completes commands and options in a shell.

    bash: `eval "$(refund-pipeline completion bash)"` in ~/.bashrc. zsh: the same with zsh, in
    ~/.zshrc. fish: write it to ~/.config/fish/completions/refund-pipeline.fish.
    """
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101  (click has these three)
    click.echo(kind(context.find_root().command, {}, PROGRAM, _VARIABLE).source())
