"""Compile SuiteQL arithmetic and dates: a date moves by days, formats are known literals.

Everything else an expression may be is in `suiteql_expressions.py`.
"""

from collections.abc import Callable, Mapping

from sqlglot import exp

from refund_pipeline.sandbox.netsuite.suiteql_conditions import only
from refund_pipeline.sandbox.netsuite.suiteql_functions import DATE_FORMATS
from refund_pipeline.sandbox.netsuite.suiteql_terms import (
    Bindings,
    Kind,
    Term,
    as_date,
    as_number,
    as_text,
)
from refund_pipeline.sandbox.netsuite.suiteql_text import unsupported

_ARITHMETIC: Mapping[type[exp.Expression], str] = {
    exp.Add: "ns_add",
    exp.Sub: "ns_subtract",
    exp.Div: "ns_divide",
}


class Dates:
    """Compiles arithmetic and date functions; `term` compiles the expressions in them."""

    def __init__(self, term: Callable[[exp.Expression], Term], bindings: Bindings) -> None:
        self._term = term
        self._bindings = bindings
        self.terms: dict[type[exp.Expression], Callable[[exp.Expression], Term]] = {
            **dict.fromkeys(_ARITHMETIC, self._arithmetic),
            exp.StrToDate: self._to_date,
            exp.ToChar: self._to_char,
            exp.TimeToStr: self._to_char,
            exp.Anonymous: self._truncated_day,
            exp.DateTrunc: self._truncated_moment,
            exp.CurrentTimestamp: _now,
            exp.AddMonths: self._add_months,
        }

    def _arithmetic(self, node: exp.Expression) -> Term:
        """Compile a sum, difference or quotient; a date moves by days (section 5)."""
        only(node, "this expression typed safe")
        left, right = self._term(node.this), self._term(node.expression)
        if Kind.DATE not in {left.kind, right.kind}:
            pair = f"{as_number(left, self._bindings)}, {as_number(right, self._bindings)}"
            return Term(f"{_ARITHMETIC[type(node)]}({pair})", Kind.NUMBER)
        day = as_date(left, self._bindings)
        if right.kind is Kind.DATE and isinstance(node, exp.Sub):
            return Term(f"ns_days_between({day}, {right.sql})", Kind.NUMBER)
        if isinstance(node, exp.Div):
            raise unsupported("a quotient of dates")
        count = as_number(right, self._bindings)
        sign = "-1" if isinstance(node, exp.Sub) else "1"
        return Term(f"ns_add_days({day}, {count}, {sign})", Kind.DATE)

    def _to_date(self, node: exp.Expression) -> Term:
        only(node, "this format")
        mark = self._bindings.bind(_date_format(node))
        return Term(
            f"ns_to_date({as_text(self._term(node.this), self._bindings)}, {mark})", Kind.DATE
        )

    def _to_char(self, node: exp.Expression) -> Term:
        only(node, "this format")
        day = as_date(self._term(node.this), self._bindings)
        return Term(f"ns_to_char({day}, {self._bindings.bind(_date_format(node))})", Kind.TEXT)

    def _truncated_day(self, node: exp.Expression) -> Term:
        if str(node.this).upper() != "TRUNC" or len(node.expressions) != 1:
            raise unsupported(f"function {node.this}")
        day = as_date(self._term(node.expressions[0]), self._bindings)
        return Term(f"ns_day({day})", Kind.DATE)

    def _truncated_moment(self, node: exp.Expression) -> Term:
        only(node, "this unit")
        if str(node.args["unit"].this) != "DD":
            raise unsupported("TRUNC to something else than a day")
        return Term(f"ns_day({as_date(self._term(node.this), self._bindings)})", Kind.DATE)

    def _add_months(self, node: exp.Expression) -> Term:
        only(node, "this expression preserve_end_of_month")
        day = as_date(self._term(node.this), self._bindings)
        return Term(
            f"ns_add_months({day}, {as_number(self._term(node.expression), self._bindings)})",
            Kind.DATE,
        )


def _now(node: exp.Expression) -> Term:
    if not node.args.get("sysdate"):
        raise unsupported("a time other than SYSDATE")
    return Term("ns_now()", Kind.DATE)


def _date_format(node: exp.Expression) -> str:
    given = node.args.get("format")
    text = str(given.this) if isinstance(given, exp.Literal) else ""
    if text in DATE_FORMATS.values():  # the parser has translated those of TO_DATE already
        return text
    if text not in DATE_FORMATS:
        raise unsupported("a date function without a known literal format")
    return DATE_FORMATS[text]
