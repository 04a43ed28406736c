"""GraphQL connections in the style of PostGraphile: pages, cursors and filters (contract 3.2).

What the nodes are is not known here.
"""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from graphql import GraphQLError, GraphQLResolveInfo

View: TypeAlias = dict[str, Any]


def connection(nodes: Sequence[View], *, page_size: int) -> Callable[..., View]:
    """Return the resolver of a connection; no page is longer than `page_size`, asked or not."""

    def resolve(_info: GraphQLResolveInfo, **arguments: Any) -> View:
        found = [node for node in nodes if _fits(node, arguments.get("filter") or {})]
        first = arguments.get("first")
        if first is not None and first < 0:
            raise GraphQLError("first must not be negative")
        start = _position(arguments.get("after"))
        end = start + (page_size if first is None else min(first, page_size))
        edges = [
            {"cursor": _cursor(start + offset + 1), "node": node}
            for offset, node in enumerate(found[start:end])
        ]
        return {
            "nodes": [edge["node"] for edge in edges],
            "edges": edges,
            "totalCount": len(found),
            "pageInfo": {
                "hasNextPage": end < len(found),
                "endCursor": edges[-1]["cursor"] if edges else None,
            },
        }

    return resolve


def _fits(node: View, conditions: Mapping[str, Mapping[str, Any]]) -> bool:
    return all(
        _holds(node[name], operator, wanted)
        for name, operators in conditions.items()
        for operator, wanted in operators.items()
    )


def _holds(value: object, operator: str, wanted: Any) -> bool:
    match operator:
        case "equalTo":
            return bool(value == wanted)
        case "in":
            return value in wanted
        case "notIn":
            return value not in wanted
        case _:  # isNull
            return (value is None) is wanted


def _cursor(position: int) -> str:
    return base64.b64encode(f'["natural",{position}]'.encode()).decode()


def _position(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        text = base64.b64decode(cursor, validate=True).decode()
        return int(text.removeprefix('["natural",').removesuffix("]"))
    except (binascii.Error, ValueError):
        raise GraphQLError("Invalid cursor.") from None
