"""ROWNUM, Oracle's row limit in a WHERE: it counts rows *before* they are ordered (section 5).

Only `ROWNUM <= n` and `ROWNUM < n`, joined to the rest by AND, are known to work.
"""

from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from refund_pipeline.sandbox.netsuite.suiteql_text import unsupported

_PSEUDO_COLUMN = "ROWNUM"


@dataclass(frozen=True, slots=True)
class Split:
    """The conditions of a WHERE without ROWNUM, and the most rows it lets through."""

    conditions: tuple[exp.Expression, ...]
    most: exp.Expression | None
    inclusive: bool = True


def split(where: exp.Where | None) -> Split:
    """Take ROWNUM out of a WHERE.

    Raises:
        SuiteQlRefusedError: it stands where it is not known to work.
    """
    if where is None:
        return Split((), None)
    top = where.this
    parts: list[Any] = list(top.flatten()) if isinstance(top, exp.And) else [top]
    limits = [part for part in parts if _is_limit(part)]
    others = tuple(part for part in parts if part not in limits)
    if len(limits) > 1 or any(mentions(part) for part in others):
        raise unsupported("ROWNUM other than ROWNUM <= n")
    if not limits:
        return Split(others, None)
    return Split(others, limits[0].expression, inclusive=isinstance(limits[0], exp.LTE))


def mentions(node: exp.Expression) -> bool:
    """Say whether ROWNUM stands somewhere in an expression."""
    return any(_is_rownum(column) for column in node.find_all(exp.Column))


def _is_limit(node: exp.Expression) -> bool:
    return isinstance(node, (exp.LTE, exp.LT)) and _is_rownum(node.this)


def _is_rownum(node: exp.Expression) -> bool:
    return isinstance(node, exp.Column) and not node.table and node.name.upper() == _PSEUDO_COLUMN
