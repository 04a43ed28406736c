"""Requests side by side, so many at a time at most."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Argument = TypeVar("Argument")
Result = TypeVar("Result")


def side_by_side(
    call: Callable[[Argument], Result], arguments: Sequence[Argument], *, at_most: int
) -> list[Result]:
    """Return what `call` makes of each argument, in their order.

    The first failure is raised, and stops what has not started.
    """
    workers = min(at_most, len(arguments))
    if workers <= 1:
        return [call(argument) for argument in arguments]
    pool = ThreadPoolExecutor(workers)
    try:
        return list(pool.map(call, arguments))
    finally:
        pool.shutdown(cancel_futures=True)
