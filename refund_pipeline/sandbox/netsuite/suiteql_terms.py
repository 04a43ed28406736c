"""Typed pieces of compiled SQL: the kind of each expression, and how two of them may be compared.

Literals and parameters are bound, never pasted: compiled SQL holds our own words and checked names.
"""

from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import Enum

from refund_pipeline.sandbox.netsuite.suiteql_functions import SqlValue, decimal_text
from refund_pipeline.sandbox.netsuite.suiteql_text import SuiteQlRefusedError, unsupported


class Kind(Enum):
    """The kind of a term. VALUE is a constant, which takes the kind of what it meets."""

    NUMBER = "number"
    TEXT = "text"
    DATE = "date"
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class Term:
    """An expression. `integer` marks a bare INTEGER column, which SQLite compares by index."""

    sql: str
    kind: Kind
    value: str | Decimal | None = None
    integer: bool = False


@dataclass(slots=True)
class Bindings:
    """The values a compiled query runs with."""

    values: dict[str, SqlValue] = field(default_factory=dict)

    def bind(self, value: SqlValue) -> str:
        """Take a value in and return its placeholder."""
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f":{name}"


def constant(value: str | Decimal | None) -> Term:
    """Return the term of a literal or parameter; empty text is null."""
    return Term("", Kind.VALUE, value=None if value == "" else value)


def as_text(term: Term, bindings: Bindings) -> str:
    """Return SQL for a term that has to be text."""
    if term.kind is Kind.VALUE:
        if isinstance(term.value, Decimal):
            raise unsupported("a number where text is due")
        return bindings.bind(term.value)
    if term.kind is not Kind.TEXT:
        raise unsupported(f"a {term.kind.value} where text is due")
    return term.sql


def as_number(term: Term, bindings: Bindings) -> str:
    """Return SQL for a term that has to be a number, as canonical decimal text."""
    if term.kind is Kind.VALUE:
        number = _number(term)
        return bindings.bind(None if number is None else decimal_text(number))
    if term.kind is not Kind.NUMBER:
        raise unsupported(f"a {term.kind.value} where a number is due")
    return f"ns_number({term.sql})"


def as_date(term: Term, bindings: Bindings) -> str:
    """Return SQL for a term that has to be a date; a bare text is not one (TO_DATE is)."""
    if term.kind is Kind.VALUE and term.value is None:
        return bindings.bind(None)
    if term.kind is not Kind.DATE:
        raise unsupported(f"a {term.kind.value} where a date is due, use TO_DATE")
    return term.sql


def as_shown(term: Term, bindings: Bindings) -> str:
    """Return SQL for a term of any kind as it appears in the answer."""
    match term.kind:
        case Kind.DATE:
            return f"ns_raw_date({term.sql})"
        case Kind.VALUE if isinstance(term.value, Decimal):
            return as_number(term, bindings)
        case Kind.VALUE:
            return as_text(term, bindings)
        case _:
            return term.sql


def of_any_kind(term: Term, bindings: Bindings) -> str:
    """Return SQL for a term whose kind does not matter, as in a count or a null test."""
    return as_text(term, bindings) if term.kind is Kind.VALUE else term.sql


def common_kind(terms: list[Term]) -> Kind:
    """Return the kind the terms share; constants follow the others."""
    kinds = {term.kind for term in terms if term.kind is not Kind.VALUE}
    if len(kinds) > 1:
        raise unsupported("values of different types together")
    if kinds:
        return kinds.pop()
    numeric = all(isinstance(term.value, Decimal) for term in terms)
    return Kind.NUMBER if numeric else Kind.TEXT


def aligned(terms: list[Term], bindings: Bindings) -> list[str]:
    """Return SQL with which SQLite compares the terms as Oracle does; the first is the left one."""
    kind = common_kind(terms)
    if kind is Kind.TEXT:
        return [as_text(term, bindings) for term in terms]
    if kind is Kind.DATE:
        return [f"ns_moment({as_date(term, bindings)})" for term in terms]
    if any(term.integer for term in terms):
        whole = [_whole(term, bindings) for term in terms]
        if all(whole):
            return [sql for sql in whole if sql is not None]
    first, *others = [as_number(term, bindings) for term in terms]
    return [f"{first} COLLATE DECIMALS", *others]


def _whole(term: Term, bindings: Bindings) -> str | None:
    if term.integer:
        return term.sql
    if term.kind is not Kind.VALUE:
        return None
    number = _number(term)
    if number is None:
        return bindings.bind(None)
    if number != number.to_integral_value() or abs(number) >= 2**63:
        return None
    return bindings.bind(int(number))


def _number(term: Term) -> Decimal | None:
    if term.value is None or isinstance(term.value, Decimal):
        return term.value
    try:
        number = Decimal(term.value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise SuiteQlRefusedError("Search error occurred: Invalid number.")
    return number
