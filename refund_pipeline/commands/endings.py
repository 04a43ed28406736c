"""How a command ends: with what it has to say, or with one sentence, and a code to go by.

0 it is as it should be; 1 it is not, and a sentence says what; 2 wrong usage, which is click's;
3 nothing is known, because another system or a setting cannot be used; 4 a defect of ours. A trace
is for `--debug`.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from refund_pipeline.domain.errors import PipelineError

_PACKAGE = Path(__file__).parents[1]


class NotAsItShouldBe(click.ClickException):
    """The command did its work, and what it found or made is not as it should be."""

    exit_code = 1


class NothingKnown(click.ClickException):
    """Another system or a setting cannot be used, so nothing is known."""

    exit_code = 3


class Defect(click.ClickException):
    """Nobody foresaw this; a person who knows the code must look."""

    exit_code = 4


@contextmanager
def sentences() -> Iterator[None]:
    """End with the sentence of an expected error instead of a trace.

    Raises:
        NothingKnown: such an error came.
    """
    try:
        yield
    except PipelineError as error:
        if _debugging():
            raise
        raise NothingKnown(str(error)) from None


class Commands(click.Group):
    """Commands that never end with a trace, unless `--debug` asks for it."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            with sentences():
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:  # whoever read the output has enough; click ends quietly
            raise
        except Exception as error:
            if _debugging():
                raise
            # Only kind and place: a message can hold whatever was being worked on.
            raise Defect(
                f"{type(error).__name__} at {_place(error)}, which nobody foresaw. Run it again as"
                " `refund-pipeline --debug ...` and report what it prints"
            ) from None


def _debugging() -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.find_root().params.get("debug"))


def _place(error: BaseException) -> str:
    """Return the last place of ours on the way to the error."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    last = (ours or frames)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"
