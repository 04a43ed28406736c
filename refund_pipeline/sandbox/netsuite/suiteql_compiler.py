"""Compile a SuiteQL tree into SQLite SQL, refusing every shape that is not known to work over REST.

Names are checked against `suiteql_catalogue.py`; expressions are in `suiteql_expressions.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlglot import exp

from refund_pipeline.sandbox.netsuite.suiteql_catalogue import Catalogue
from refund_pipeline.sandbox.netsuite.suiteql_conditions import only
from refund_pipeline.sandbox.netsuite.suiteql_expressions import Expressions
from refund_pipeline.sandbox.netsuite.suiteql_functions import SqlValue
from refund_pipeline.sandbox.netsuite.suiteql_rownum import Split, split
from refund_pipeline.sandbox.netsuite.suiteql_terms import Bindings, Kind, as_number, as_shown
from refund_pipeline.sandbox.netsuite.suiteql_text import (
    parse,
    unsupported,
)

_ORDERS = {None: "ASC", False: "ASC", True: "DESC"}


@dataclass(frozen=True, slots=True)
class CompiledQuery:
    """SQL for SQLite, its values, and the lower-case keys of the rows."""

    sql: str
    values: dict[str, SqlValue]
    keys: tuple[str, ...]


def compile_query(
    text: str, parameters: Sequence[str | Decimal], catalogue: Catalogue
) -> CompiledQuery:
    """Return the compiled query.

    Raises:
        SuiteQlRefusedError: with NetSuite's wording where it is known (SuiteQL contract 5.1).
        SuiteQlFailedError: a column is refused without a word.
    """
    tree = parse(text, len(parameters))
    return _Compiler(tree, parameters, catalogue).compile()


class _Compiler:
    def __init__(
        self, tree: exp.Select, parameters: Sequence[str | Decimal], catalogue: Catalogue
    ) -> None:
        only(tree, "expressions distinct from_ joins where group having order limit")
        self._tree = tree
        self._catalogue = catalogue
        self._bindings = Bindings()
        sources = self._sources()
        self._expressions = Expressions(sources, catalogue, parameters, self._bindings)
        self._aliases: dict[str, exp.Expression] = {}

    def compile(self) -> CompiledQuery:
        """Put the clauses together."""
        keys, shown = self._projections()
        where = split(self._tree.args.get("where"))
        conditions = " AND ".join(f"({self._condition(part)})" for part in where.conditions)
        sql = self._from() + (f" WHERE {conditions}" if conditions else "")
        if where.most is not None:
            sql = self._numbered(shown, sql, where)
        else:
            distinct = "DISTINCT " if self._distinct() else ""
            orders = [f"{term} {how}" for term, how in self._ordering()]
            sql = f"SELECT {distinct}{', '.join(shown)} FROM {sql}{self._grouping()}"  # noqa: S608 - checked names
            sql += f" ORDER BY {', '.join(orders)}" if orders else ""
        return CompiledQuery(sql + self._fetch(), self._bindings.values, keys)

    def _numbered(self, shown: list[str], source: str, where: Split) -> str:
        """Return SQL that takes the first rows as they come, and only then orders them."""
        if self._distinct() or self._grouping() or self._aggregates():
            raise unsupported("ROWNUM with DISTINCT, GROUP BY or an aggregate")
        assert where.most is not None  # noqa: S101 - what the caller asked
        most = self._expressions.term(where.most)
        number = as_number(most, self._bindings) if most.kind is Kind.VALUE else ""
        if not number:
            raise unsupported("ROWNUM compared with something else than a number")
        count = f"MAX(CAST({number} AS INTEGER){'' if where.inclusive else ' - 1'}, 0)"
        columns = [f"{one} AS c{place}" for place, one in enumerate(shown)]
        orders = []
        for place, (term, how) in enumerate(self._ordering()):
            columns.append(f"{term} AS o{place}")
            orders.append(f"o{place} {how}")
        names = ", ".join(f"c{place}" for place in range(len(shown)))
        inner = f"SELECT {', '.join(columns)} FROM {source} LIMIT {count}"  # noqa: S608 - checked names
        order = f" ORDER BY {', '.join(orders)}" if orders else ""
        # a plain subquery SQLite may merge with the outer query, and then it orders first
        return f"WITH numbered AS MATERIALIZED ({inner}) SELECT {names} FROM numbered{order}"  # noqa: S608

    def _condition(self, node: exp.Expression) -> str:
        return self._expressions.condition(node)

    def _aggregates(self) -> bool:
        return any(one.find(exp.AggFunc) for one in self._tree.expressions)

    def _sources(self) -> dict[str, str]:
        start: exp.From | None = self._tree.args.get("from_")
        if start is None:
            raise unsupported("no FROM")
        found: dict[str, str] = {}
        for node in [start.this, *(join.this for join in self._joins())]:
            if not isinstance(node, exp.Table):
                raise unsupported("a FROM of something else than tables")
            only(node, "this alias")
            name = node.name.lower()
            self._catalogue.columns(node.name)
            alias = node.alias_or_name.lower()
            if alias in found:
                raise unsupported(f"alias {alias} twice")
            found[alias] = name
        return found

    def _joins(self) -> list[exp.Join]:
        return self._tree.args.get("joins") or []

    def _from(self) -> str:
        start = self._tree.args["from_"].this
        sql = self._table(start)
        ansi = [join for join in self._joins() if join.args.get("on") is not None]
        if ansi and len(ansi) != len(self._joins()):
            raise unsupported("ANSI and comma joins mixed, or a join without ON")
        for join in self._joins():
            only(join, "this side kind on")
            if join.side not in {"", "LEFT"} or join.kind not in {"", "INNER", "OUTER"}:
                raise unsupported("a join that is not INNER or LEFT")
            if join not in ansi:
                if join.side or join.kind:
                    raise unsupported("a join without ON")
                sql += f", {self._table(join.this)}"
                continue
            condition = join.args["on"]
            for part in condition.flatten() if isinstance(condition, exp.And) else [condition]:
                if not isinstance(part, exp.EQ):
                    raise unsupported("a join condition that is not plain equality")
            side = "LEFT JOIN" if join.side else "JOIN"
            sql += f" {side} {self._table(join.this)} ON {self._expressions.condition(condition)}"
        return sql

    def _table(self, node: exp.Table) -> str:
        return f'{self._catalogue.rows(node.name.lower())} AS "{node.alias_or_name.lower()}"'

    def _distinct(self) -> bool:
        distinct: exp.Distinct | None = self._tree.args.get("distinct")
        if distinct is not None:
            only(distinct, "")
        return distinct is not None

    def _projections(self) -> tuple[tuple[str, ...], list[str]]:
        keys: list[str] = []
        shown: list[str] = []
        for position, projection in enumerate(self._tree.expressions, start=1):
            node = projection.this if isinstance(projection, exp.Alias) else projection
            key = projection.alias_or_name.lower() or f"expr{position}"
            if isinstance(projection, exp.Alias):
                self._aliases[key] = node
            if key in keys:
                raise unsupported(f"two columns called {key}")
            term = self._expressions.term(node)
            keys.append(key)
            shown.append(as_shown(term, self._bindings))
        return tuple(keys), shown

    def _grouping(self) -> str:
        group: exp.Group | None = self._tree.args.get("group")
        grouped: list[exp.Expression] = []
        if group is not None:
            only(group, "expressions")
            grouped = group.expressions
        nodes = [one.unalias() for one in self._tree.expressions]
        if grouped or any(node.find(exp.AggFunc) for node in nodes):
            for node in nodes:
                if not (node.find(exp.AggFunc) or node.find(exp.Column) is None or node in grouped):
                    raise unsupported("a selected expression that is not in GROUP BY")
        sql = ""
        if grouped:
            sql += " GROUP BY " + ", ".join(self._expressions.term(node).sql for node in grouped)
        having: exp.Having | None = self._tree.args.get("having")
        if having is not None:
            if not grouped:
                raise unsupported("HAVING without GROUP BY")
            sql += f" HAVING {self._expressions.condition(having.this)}"
        return sql

    def _ordering(self) -> list[tuple[str, str]]:
        """Return each term to order by, and how."""
        order: exp.Order | None = self._tree.args.get("order")
        if order is None:
            return []
        only(order, "expressions")
        return [self._ordered(entry) for entry in order.expressions]

    def _ordered(self, entry: exp.Expression) -> tuple[str, str]:
        only(entry, "this desc nulls_first")
        node = entry.this
        key = node.name.lower() if isinstance(node, exp.Column) and not node.table else ""
        if key in self._aliases:
            node = self._aliases[key]
            if node.find(exp.AggFunc):
                raise unsupported("ORDER BY on the alias of an aggregate")
        if self._distinct() and node not in [one.unalias() for one in self._tree.expressions]:
            raise unsupported("DISTINCT with ORDER BY something that is not selected")
        term = self._expressions.term(node)
        if term.kind is Kind.VALUE:
            raise unsupported("ORDER BY a constant")
        collation = "COLLATE DECIMALS " if term.kind is Kind.NUMBER and not term.integer else ""
        nulls = "FIRST" if entry.args.get("nulls_first") else "LAST"
        return term.sql, f"{collation}{_ORDERS[entry.args.get('desc')]} NULLS {nulls}"

    def _fetch(self) -> str:
        fetch = self._tree.args.get("limit")
        if fetch is None:
            return ""
        count = fetch.args.get("count")
        options = fetch.args.get("limit_options")
        first = isinstance(fetch, exp.Fetch) and fetch.args.get("direction") == "FIRST"
        if not first or not isinstance(count, exp.Literal):
            raise unsupported("a row limit other than FETCH FIRST n ROWS ONLY")
        if options is not None and (options.args.get("percent") or options.args.get("with_ties")):
            raise unsupported("FETCH FIRST with PERCENT or TIES")
        if not str(count.this).isdigit():
            raise unsupported("a row limit that is no number")
        return f" LIMIT {int(count.this)}"
