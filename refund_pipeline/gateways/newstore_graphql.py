"""What an HTTP answer of NewStore's GraphQL says as a whole: data, or a refusal (contract 3.3).

`errors` are a refusal, also with HTTP 200. Details hold codes and names of fields, no values.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeGuard, cast

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.gateways.http import Answer

_OK, _BAD_REQUEST = 200, 400
_CODE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,59}|[0-9A-Z]{5}", re.ASCII)
"""A word, or PostgreSQL's five characters; a card number is neither."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_MOST_CODES = 5


@dataclass(frozen=True, slots=True)
class GraphqlData:
    """An answer without errors."""

    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class GraphqlRefusal:
    """An answer with errors, whatever its HTTP status; `detail` holds codes and field names."""

    detail: str
    is_about_the_query: bool
    """Whether the query itself was refused, before any order was looked at."""


GraphqlAnswer: TypeAlias = GraphqlData | GraphqlRefusal


def read_graphql(doing: str, answer: Answer) -> GraphqlAnswer:
    """Read the answer to one query.

    Raises:
        Unavailable: it says neither data nor errors.
        Misconfigured: its status is that of another service, or of one that may not be used.
    """
    document = answer.document if isinstance(answer.document, dict) else {}
    errors, data = document.get("errors"), document.get("data")
    if errors or answer.status == _BAD_REQUEST:
        return _refusal(errors, data, status=answer.status)
    if answer.status != _OK:
        raise Misconfigured(
            f"{doing}: it answered {answer.status};"
            " check NEWSTORE_BASE_URL and what the API client may do"
        )
    if not isinstance(data, dict):
        raise Unavailable(f"{doing}: it answered 200 without GraphQL data or errors")
    return GraphqlData(cast("dict[str, object]", data))


def is_code(text: object) -> TypeGuard[str]:
    """Whether this is an error code, which may be shown, and no value."""
    return isinstance(text, str) and _CODE.fullmatch(text) is not None


def _refusal(errors: object, data: object, *, status: int) -> GraphqlRefusal:
    listed = (
        [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    )
    codes = dict.fromkeys(code for error in listed for code in _codes(error))
    named = f" ({', '.join(list(codes)[:_MOST_CODES])})" if codes else ""
    nothing_ran = data is None and not any(error.get("path") for error in listed)
    return GraphqlRefusal(
        detail=f"NewStore's GraphQL answered {status} with {len(listed)} error(s){named}",
        # the specification gives errors of validation a location in the query and no path
        is_about_the_query=nothing_ran
        and (status == _BAD_REQUEST or any(error.get("locations") for error in listed)),
    )


def _codes(error: Mapping[str, object]) -> list[str]:
    """Return the code and the field of an error; its message may quote values and is left out."""
    extensions = error.get("extensions")
    code = extensions.get("code") if isinstance(extensions, dict) else None
    path = error.get("path")
    steps = path[1:] if isinstance(path, list) else []
    fields = [step for step in steps if isinstance(step, str) and _NAME.fullmatch(step)]
    found = [code, ".".join(fields)]
    return [text for text in found if is_code(text)]
