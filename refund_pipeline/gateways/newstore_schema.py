"""Asks what NewStore's GraphQL shows of an order, and chooses the attribution that allows.

NewStore does not document the names of its types, so the schema is walked from `Query.order` along
the names of fields (contract newstore 3.2). What a tenant does not show is not asked for.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias, get_args

from pydantic import ValidationError

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.domain.payments import Attribution
from refund_pipeline.gateways.newstore_answers import Camel, Name
from refund_pipeline.gateways.newstore_graphql import GraphqlAnswer, GraphqlRefusal
from refund_pipeline.gateways.newstore_queries import KNOWN_ORDER_FIELDS, Selection

AttributionSetting: TypeAlias = Literal["auto", "rest", "graphql_only"]

INTROSPECTION = (
    "query Schema { __schema { queryType { name } types { name fields(includeDeprecated: true) {"
    " name type { name ofType { name ofType { name ofType { name } } } } } } } }"
)
"""As deep as a type is wrapped at most: a list of what is never null, itself never null."""

_TO_ORDER = ("order",)
_TO_TRANSACTION = (
    *("paymentAccount", "instruments", "edges", "node"),
    *("paymentAccountTransactions", "edges", "node"),
)
_CORRELATION = "correlationId"
_TRANSACTION_FIELDS = (_CORRELATION, "createdAt")


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """How payments are attributed, what is asked for it, and why."""

    attribution: Attribution
    selection: Selection
    reason: str

    def without_order_fields(self) -> "Choice":
        """Return the same choice after NewStore refused the fields the playbook does not have."""
        names = " and ".join(self.selection.order_fields)
        return dataclasses.replace(
            self,
            selection=dataclasses.replace(self.selection, order_fields=()),
            reason=f"{self.reason}; NewStore's GraphQL refuses {names}",
        )


class _TypeReference(Camel):
    name: Name = None
    of_type: "_TypeReference | None" = None

    def innermost(self) -> str | None:
        return self.name or (self.of_type.innermost() if self.of_type else None)


class _Field(Camel):
    name: Name = None
    type: _TypeReference | None = None


class _Type(Camel):
    name: Name = None
    fields: list[_Field] | None = None


class _QueryType(Camel):
    name: Name = None


class _Schema(Camel):
    query_type: _QueryType | None = None
    types: list[_Type] | None = None


_Types: TypeAlias = Mapping[str, Mapping[str, str]]
"""Type -> field -> type; a scalar has no fields."""


def fixed_choice(setting: AttributionSetting) -> Choice | None:
    """Return the choice a setting makes by itself; None for `auto`, which asks the schema.

    Raises:
        Misconfigured: there is no such setting.
    """
    match setting:
        case "auto":
            return None
        case "rest":
            return _rest("chosen by setting")
        case "graphql_only":
            selection = Selection(order_fields=KNOWN_ORDER_FIELDS)
            return Choice(Attribution.GRAPHQL_ONLY, selection, "chosen by setting")
        case _:
            allowed = ", ".join(get_args(AttributionSetting))
            raise Misconfigured(f"NEWSTORE_ATTRIBUTION must be one of {allowed}")


def choose(introspection: GraphqlAnswer) -> Choice:
    """Choose by the answer to `INTROSPECTION`; without a clear one, the REST account."""
    if isinstance(introspection, GraphqlRefusal):
        return _rest(f"introspection was refused: {introspection.detail}")
    try:
        schema = _Schema.model_validate(introspection.data.get("__schema"))
    except (ValidationError, RecursionError):
        return _rest("the answer to introspection cannot be read")
    types = {
        one.name: {
            field.name: field.type.innermost() or ""
            for field in one.fields or ()
            if field.name and field.type
        }
        for one in schema.types or ()
        if one.name
    }
    query = (schema.query_type.name if schema.query_type else None) or "Query"
    order, problem = _walk(types, query, _TO_ORDER)
    if problem is not None:
        return _rest(problem)
    order_fields = _shown(types, order, KNOWN_ORDER_FIELDS)
    transaction, problem = _walk(types, order, _TO_TRANSACTION)
    if problem is not None:
        return _rest(problem, order_fields)
    transaction_fields = _shown(types, transaction, _TRANSACTION_FIELDS)
    if _CORRELATION not in transaction_fields:
        return _rest(f"NewStore's GraphQL shows no {_CORRELATION}", order_fields)
    return Choice(
        Attribution.GRAPHQL,
        Selection(order_fields=order_fields, transaction_fields=transaction_fields),
        f"NewStore's GraphQL shows {_CORRELATION}",
    )


def _rest(reason: str, order_fields: tuple[str, ...] = KNOWN_ORDER_FIELDS) -> Choice:
    selection = Selection(account=False, order_fields=order_fields)
    return Choice(Attribution.REST, selection, reason)


def _walk(types: _Types, start: str, fields: Sequence[str]) -> tuple[str, str | None]:
    """Follow fields from a type; return the type they lead to, or what stops the way."""
    here = start
    for field in fields:
        following = types.get(here, {}).get(field, "")
        if not types.get(following):
            return here, f"introspection shows no way through {field}"
        here = following
    return here, None


def _shown(types: _Types, name: str, wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the wanted fields a type has and that hold a plain value."""
    fields = types.get(name, {})
    return tuple(field for field in wanted if field in fields and not types.get(fields[field]))
