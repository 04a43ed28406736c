"""A large landing day in parts, so that a run's memory does not grow with the day.

Measured: a refund takes about 15 KB while its transaction is built or written.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from refund_pipeline.gateways.ledger.rows import AmountToBuild

AT_ONCE = 5_000
"""Refunds a step holds in memory at most; a day with no more of them is one part."""

Item = TypeVar("Item")


def parts(items: Sequence[Item], size: int = AT_ONCE) -> Iterator[Sequence[Item]]:
    """Cut `items` into parts, in order."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def parts_by_order(refunds: Sequence[AmountToBuild], size: int = AT_ONCE) -> Iterator[list[str]]:
    """Cut refunds into parts of ids, all refunds of an order in one; the last one is larger then.

    Orders come by their first refund, refunds of an order in the order they have.
    """
    by_order: dict[str, list[str]] = {}
    for one in refunds:
        by_order.setdefault(one.order_id, []).append(one.refund_id)
    part: list[str] = []
    for ids in by_order.values():
        part += ids
        if len(part) >= size:
            yield part
            part = []
    if part:
        yield part
