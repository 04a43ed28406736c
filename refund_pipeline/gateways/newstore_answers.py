"""What all answers of NewStore have in common: tolerant models, storable text, amounts, times.

Nulls are tolerated and unknown fields ignored. What cannot be read is named by its path, never by
its value. What an answer means is the business of the modules that read it.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timezone
from decimal import Decimal
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from refund_pipeline.domain.errors import InvalidAmount
from refund_pipeline.domain.money import exact_amount

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""What JSON can escape and no database holds as text: NUL and halves of surrogate pairs."""
_TIME = TypeAdapter(datetime)
_LONGEST_NAME = 60
_MOST_PATHS = 5


class Unreadable(Exception):
    """A part of an answer that cannot be used; says where and why, without values."""


def _text(value: object) -> object:
    """Take numbers for text; what is neither is of no use to us."""
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and not _UNSTORABLE.search(value) else None


def _name(value: object) -> object:
    if isinstance(value, str) and _UNSTORABLE.search(value):
        raise ValueError("is not text that can be stored")
    return value


Text = Annotated[str | None, BeforeValidator(_text)]
"""Text that nothing is decided by: None where it is no text."""
Name = Annotated[str | None, BeforeValidator(_name)]
"""Text that something is decided by: an answer with anything else is unreadable."""


class Tolerant(BaseModel):
    """An object of a REST answer."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class Camel(Tolerant):
    """An object of a GraphQL answer."""

    model_config = ConfigDict(alias_generator=to_camel)


Node = TypeVar("Node", bound=Camel)


class _PageInfo(Camel):
    has_next_page: bool | None = None
    end_cursor: Name = None


class Edge(Camel, Generic[Node]):
    """One place of a connection; null where GraphQL could not show it."""

    node: Node | None = None


class Connection(Camel, Generic[Node]):
    """One page of a GraphQL connection."""

    page_info: _PageInfo | None = None
    edges: list[Edge[Node] | None] | None = None

    def nodes(self) -> Iterator[tuple[int, Node]]:
        """Yield the nodes that are there, each with its place on the page."""
        for place, edge in enumerate(self.edges or ()):
            if edge is not None and edge.node is not None:
                yield place, edge.node

    def next_cursor(self, what: str) -> str | None:
        """Return the cursor after which the next page of `what` begins; None on the last page.

        Raises:
            Unreadable: there is a next page, but no cursor.
        """
        if self.page_info is None or not self.page_info.has_next_page:
            return None
        if not self.page_info.end_cursor:
            raise Unreadable(f"{what}: there are more than a page, but no cursor to read them by")
        return self.page_info.end_cursor


def where_unreadable(error: ValidationError | Unreadable) -> str:
    """Return the paths of an answer that cannot be read, and no values."""
    if isinstance(error, Unreadable):
        return str(error)
    paths = sorted({_path(detail["loc"]) for detail in error.errors(include_input=False)})
    return ", ".join(paths[:_MOST_PATHS])


def magnitude(value: object, currency: str, *, path: str) -> Decimal:
    """Return an amount's magnitude; its sign is the kind's business (contract newstore 4.2).

    Raises:
        Unreadable: it is not exact money of `currency`.
    """
    if not currency:
        raise Unreadable(f"{path.rpartition('.')[0]}.currency: is missing")
    try:
        return abs(exact_amount(value, currency))
    except InvalidAmount as error:
        raise Unreadable(f"{path}: {error}") from None


def first_filled(*candidates: str | None) -> str:
    """Return the first name that is not blank, cut to a sane length; empty without any."""
    filled = (text.strip() for text in candidates if text is not None)
    return next((text[:_LONGEST_NAME] for text in filled if text), "")


def filled(text: str | None) -> str | None:
    """Return the text without spaces around it; None if nothing is left."""
    return (text or "").strip() or None


def moment(text: str | None) -> datetime | None:
    """Read NewStore's time as aware UTC: without an offset it is UTC (contract newstore 3.2)."""
    try:
        read = _TIME.validate_python(text)
        return (read if read.tzinfo else read.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValidationError, OverflowError):
        return None


def _path(location: tuple[int | str, ...]) -> str:
    return "$" + "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in location)
