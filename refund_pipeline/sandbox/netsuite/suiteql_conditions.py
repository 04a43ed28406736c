"""Compile SuiteQL conditions: Oracle-like comparisons, lists, LIKE, null tests, logic.

A condition class that has no entry here is refused. Expressions are in `suiteql_expressions.py`.
"""

from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp

from refund_pipeline.sandbox.netsuite.suiteql_terms import (
    Bindings,
    Term,
    aligned,
    as_text,
    of_any_kind,
)
from refund_pipeline.sandbox.netsuite.suiteql_text import unsupported

_MOST_IN_VALUES = 1000
_COMPARISONS: Mapping[type[exp.Expression], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}


def only(node: exp.Expression, names: str) -> None:
    """Refuse a node with more than these arguments, so that nothing is dropped in silence."""
    extra = {name for name, value in node.args.items() if value not in (None, False, [])}
    extra -= set(names.split())
    if extra:
        raise unsupported(f"{type(node).__name__} with {', '.join(sorted(extra))}")


class Conditions:
    """Compiles conditions; `term` compiles the expressions in them."""

    def __init__(self, term: Callable[[exp.Expression], Term], bindings: Bindings) -> None:
        self._term = term
        self._bindings = bindings
        self._conditions: dict[type[exp.Expression], Callable[[exp.Expression], str]] = {
            exp.And: self._logic("AND"),
            exp.Or: self._logic("OR"),
            exp.Not: lambda node: f"NOT ({self.condition(node.this)})",
            exp.Paren: lambda node: self.condition(node.this),
            exp.Is: self._null_test,
            exp.In: self._membership,
            exp.Like: self._like,
            exp.Escape: self._escape,
            exp.Between: self._between,
        }

    def condition(self, node: exp.Expression) -> str:
        """Return SQL for a condition."""
        operator = _COMPARISONS.get(type(node))
        if operator is not None:
            return self._comparison(node, operator)
        compile_node = self._conditions.get(type(node))
        if compile_node is None:
            raise unsupported(f"{type(node).__name__} as a condition")
        return compile_node(node)

    def _comparison(self, node: exp.Expression, operator: str) -> str:
        only(node, "this expression")
        left, right = self._aligned([node.this, node.expression])
        return f"{left} {operator} {right}"

    def _logic(self, word: str) -> Callable[[exp.Expression], str]:
        def compile_logic(node: exp.Expression) -> str:
            return f"({self.condition(node.this)}) {word} ({self.condition(node.expression)})"

        return compile_logic

    def _null_test(self, node: exp.Expression) -> str:
        if not isinstance(node.expression, exp.Null):
            raise unsupported("IS without NULL")
        return f"{of_any_kind(self._term(node.this), self._bindings)} IS NULL"

    def _escape(self, node: exp.Expression) -> str:
        if not isinstance(node.this, exp.Like):
            raise unsupported("ESCAPE without LIKE")
        return f"{self._like(node.this)} ESCAPE {self._text(node.expression)}"

    def _between(self, node: exp.Expression) -> str:
        only(node, "this low high")
        low = self._aligned([node.this, node.args["low"]])
        high = self._aligned([node.this, node.args["high"]])
        return f"({low[0]} >= {low[1]} AND {high[0]} <= {high[1]})"

    def _membership(self, node: exp.Expression) -> str:
        only(node, "this expressions")
        if len(node.expressions) > _MOST_IN_VALUES:
            raise unsupported("more than 1000 values in an IN list")
        left, *values = self._aligned([node.this, *node.expressions])
        return f"{left} IN ({', '.join(values)})"

    def _like(self, node: exp.Expression) -> str:
        only(node, "this expression")
        return f"{self._text(node.this)} LIKE {self._text(node.expression)}"

    def _aligned(self, nodes: Sequence[exp.Expression]) -> list[str]:
        return aligned([self._term(node) for node in nodes], self._bindings)

    def _text(self, node: exp.Expression) -> str:
        return as_text(self._term(node), self._bindings)
