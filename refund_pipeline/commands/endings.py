"""How a command ends: exit code 0, 1 with a sentence, or 3 when nothing is known; 2 is click's."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from refund_pipeline.domain.errors import PipelineError


class NotAsItShouldBe(click.ClickException):
    """The command did its work, and what it found or made is not as it should be."""

    exit_code = 1


class NothingKnown(click.ClickException):
    """Another system or a setting cannot be used, so nothing is known."""

    exit_code = 3


@contextmanager
def sentences() -> Iterator[None]:
    """End with the sentence of an expected error instead of a trace.

    Raises:
        NothingKnown: such an error came.
    """
    try:
        yield
    except PipelineError as error:
        raise NothingKnown(str(error)) from None
