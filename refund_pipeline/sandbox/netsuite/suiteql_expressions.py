"""Compile SuiteQL expressions: known functions, checked columns, exact arithmetic.

An expression class that has no entry here is refused. Conditions are in `suiteql_conditions.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from sqlglot import exp

from refund_pipeline.sandbox.netsuite.suiteql_catalogue import Catalogue
from refund_pipeline.sandbox.netsuite.suiteql_conditions import Conditions, only
from refund_pipeline.sandbox.netsuite.suiteql_dates import Dates
from refund_pipeline.sandbox.netsuite.suiteql_schema import Type
from refund_pipeline.sandbox.netsuite.suiteql_terms import (
    Bindings,
    Kind,
    Term,
    aligned,
    as_date,
    as_number,
    as_text,
    common_kind,
    constant,
    of_any_kind,
)
from refund_pipeline.sandbox.netsuite.suiteql_text import SuiteQlRefusedError, unsupported

_KINDS = {
    Type.INTEGER: Kind.NUMBER,
    Type.DECIMAL: Kind.NUMBER,
    Type.TEXT: Kind.TEXT,
    Type.DATE: Kind.DATE,
    Type.DATETIME: Kind.DATE,
}


class Expressions:
    """Compiles expressions over the tables of one query; `sources` maps aliases to table names."""

    def __init__(
        self,
        sources: Mapping[str, str],
        catalogue: Catalogue,
        parameters: Sequence[str | Decimal],
        bindings: Bindings,
    ) -> None:
        self._sources = sources
        self._catalogue = catalogue
        self._parameters = parameters
        self._bindings = bindings
        self._terms: dict[type[exp.Expression], Callable[[exp.Expression], Term]] = {
            exp.Column: self._column,
            exp.Literal: _literal,
            exp.Null: lambda _: constant(None),
            exp.Placeholder: self._parameter,
            exp.Paren: lambda node: self.term(node.this),
            exp.Neg: self._negation,
            exp.DPipe: self._concatenation,
            exp.Coalesce: self._coalesce,
            exp.Nullif: self._nullif,
            exp.Case: self._case,
            exp.Upper: self._on_text("UPPER"),
            exp.Lower: self._on_text("LOWER"),
            exp.Length: self._length,
            exp.Substring: self._substring,
            exp.Abs: self._abs,
            exp.Round: self._round,
            exp.ToNumber: self._to_number,
            exp.DecodeCase: self._decode,
            exp.Count: self._count,
            exp.Sum: self._sum,
            exp.Min: self._extreme("MIN"),
            exp.Max: self._extreme("MAX"),
            **Dates(self.term, bindings).terms,
        }
        self.condition = Conditions(self.term, bindings).condition

    def term(self, node: exp.Expression) -> Term:
        """Return the term of an expression."""
        compile_node = self._terms.get(type(node))
        if compile_node is None:
            raise unsupported(type(node).__name__)
        return compile_node(node)

    def _text(self, node: exp.Expression) -> str:
        return as_text(self.term(node), self._bindings)

    def _number(self, node: exp.Expression) -> str:
        return as_number(self.term(node), self._bindings)

    def _column(self, node: exp.Expression) -> Term:
        only(node, "this table")
        assert isinstance(node, exp.Column)  # noqa: S101 - by the table above
        name, alias = node.name.lower(), node.table.lower()
        if alias and alias not in self._sources:
            raise self._unknown(node.table)
        candidates = [alias] if alias else list(self._sources)
        found = [one for one in candidates if name in self._catalogue.tables[self._sources[one]]]
        if len(found) > 1:
            raise unsupported(f"column {name} is ambiguous")
        if not found:
            for one in candidates:
                self._catalogue.refuse_hidden(self._sources[one], name)
            raise self._unknown(node.name)
        kind = self._catalogue.tables[self._sources[found[0]]][name]
        return Term(f'"{found[0]}"."{name}"', _KINDS[kind], integer=kind is Type.INTEGER)

    def _unknown(self, name: str) -> SuiteQlRefusedError:
        known = ", ".join(f"{alias}={table}" for alias, table in self._sources.items())
        return SuiteQlRefusedError(
            f"Search error occurred: Unknown identifier '{name}'. "
            f"Available identifiers are: {{{known}}}."
        )

    def _parameter(self, node: exp.Expression) -> Term:
        return constant(self._parameters[int(str(node.this)[1:])])

    def _negation(self, node: exp.Expression) -> Term:
        return Term(f"ns_negate({self._number(node.this)})", Kind.NUMBER)

    def _concatenation(self, node: exp.Expression) -> Term:
        left, right = self._text(node.this), self._text(node.expression)
        return Term(f"ns_concat({left}, {right})", Kind.TEXT)

    def _coalesce(self, node: exp.Expression) -> Term:
        only(node, "this expressions is_nvl")
        return self._together("COALESCE", [node.this, *node.expressions])

    def _nullif(self, node: exp.Expression) -> Term:
        return self._together("NULLIF", [node.this, node.expression])

    def _together(self, function: str, nodes: Sequence[exp.Expression]) -> Term:
        terms = [self.term(node) for node in nodes]
        kind = common_kind(terms)
        cast = {Kind.NUMBER: as_number, Kind.TEXT: as_text, Kind.DATE: as_date}[kind]
        parts = [cast(term, self._bindings) for term in terms]
        return Term(f"{function}({', '.join(parts)})", kind)

    def _case(self, node: exp.Expression) -> Term:
        only(node, "ifs default")
        branches = node.args["ifs"]
        results = [branch.args["true"] for branch in branches]
        default = node.args.get("default")
        terms = [self.term(result) for result in results]
        last = self.term(default) if default is not None else constant(None)
        kind = common_kind([*terms, last])
        cast = {Kind.NUMBER: as_number, Kind.TEXT: as_text, Kind.DATE: as_date}[kind]
        whens = [
            f"WHEN {self.condition(branch.this)} THEN {cast(term, self._bindings)}"
            for branch, term in zip(branches, terms, strict=True)
        ]
        return Term(f"CASE {' '.join(whens)} ELSE {cast(last, self._bindings)} END", kind)

    def _on_text(self, function: str) -> Callable[[exp.Expression], Term]:
        return lambda node: Term(f"{function}({self._text(node.this)})", Kind.TEXT)

    def _length(self, node: exp.Expression) -> Term:
        return Term(f"LENGTH({self._text(node.this)})", Kind.NUMBER)

    def _substring(self, node: exp.Expression) -> Term:
        only(node, "this start length")
        length = node.args.get("length") or exp.Literal.number(10**9)
        start, count = self._number(node.args["start"]), self._number(length)
        return Term(f"ns_substr({self._text(node.this)}, {start}, {count})", Kind.TEXT)

    def _abs(self, node: exp.Expression) -> Term:
        return Term(f"ns_abs({self._number(node.this)})", Kind.NUMBER)

    def _round(self, node: exp.Expression) -> Term:
        only(node, "this decimals")
        digits = self._number(node.args.get("decimals") or exp.Literal.number(0))
        return Term(f"ns_round({self._number(node.this)}, {digits})", Kind.NUMBER)

    def _to_number(self, node: exp.Expression) -> Term:
        only(node, "this")
        return Term(f"ns_number({self._text(node.this)})", Kind.NUMBER)

    def _decode(self, node: exp.Expression) -> Term:
        """Compile DECODE, for which null equals null."""
        only(node, "expressions")
        tested, *rest = node.expressions
        pairs = list(zip(rest[::2], rest[1::2], strict=False))
        if not pairs:
            raise unsupported("DECODE without a search")
        default = self.term(rest[-1]) if len(rest) % 2 else constant(None)
        results = [self.term(result) for _, result in pairs]
        kind = common_kind([*results, default])
        cast = {Kind.NUMBER: as_number, Kind.TEXT: as_text, Kind.DATE: as_date}[kind]
        whens = []
        for (search, _), result in zip(pairs, results, strict=True):
            left, right = aligned([self.term(tested), self.term(search)], self._bindings)
            whens.append(f"WHEN {left} IS {right} THEN {cast(result, self._bindings)}")
        return Term(f"CASE {' '.join(whens)} ELSE {cast(default, self._bindings)} END", kind)

    def _count(self, node: exp.Expression) -> Term:
        only(node, "this big_int")
        distinct = isinstance(node.this, exp.Distinct)
        counted = node.this.expressions[0] if distinct else node.this
        word = "DISTINCT " if distinct else ""
        return Term(f"COUNT({word}{of_any_kind(self.term(counted), self._bindings)})", Kind.NUMBER)

    def _sum(self, node: exp.Expression) -> Term:
        return Term(f"ns_sum({self._number(node.this)})", Kind.NUMBER)

    def _extreme(self, function: str) -> Callable[[exp.Expression], Term]:
        def compile_extreme(node: exp.Expression) -> Term:
            only(node, "this")
            term = self.term(node.this)
            if term.kind is Kind.VALUE:
                raise unsupported(f"{function} of a constant")
            collation = " COLLATE DECIMALS" if term.kind is Kind.NUMBER and not term.integer else ""
            return Term(f"{function}({term.sql}{collation})", term.kind)

        return compile_extreme


def _literal(node: exp.Expression) -> Term:
    text = str(node.this)
    return constant(text if node.args.get("is_string") else Decimal(text))
