"""Calls a function in a new process, and says how much memory that took at most."""

import sys
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from refund_pipeline_tests.bench.machine import peak_mb


def measured(
    function: Callable[..., Any], *arguments: object, here: bool = False
) -> tuple[Any, float, float]:
    """Return what `function` returns, and the memory before and at most, in megabytes.

    Before is what the process had once the function's module and what it imports were there.
    `here` calls it in this process, for the smoke test.

    Raises:
        RuntimeError: the process ended without an answer; it has said why.
    """
    if here:
        before = peak_mb()
        return function(*arguments), before, peak_mb()
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_answer, args=(theirs, function, arguments))
    process.start()
    theirs.close()
    try:
        answer: tuple[Any, float, float] = ours.recv()
    except EOFError:
        raise RuntimeError(f"{function.__name__} failed in its process") from None
    finally:
        process.join()
    return answer


def _answer(back: Connection, function: Callable[..., Any], arguments: tuple[object, ...]) -> None:
    before = peak_mb()
    result = function(*arguments)
    back.send((result, before, peak_mb()))
    sys.stdout.flush()
