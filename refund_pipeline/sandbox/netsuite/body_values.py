"""Turn one JSON value into a typed one, or say what is wrong with it (contract 2.3)."""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from refund_pipeline.sandbox.netsuite.exchange import JsonValue
from refund_pipeline.sandbox.netsuite.properties import Kind, Property

EXTERNAL_ID = re.compile(r"[A-Za-z0-9_-]+")
_LARGEST_NUMBER = 10**15  # a double counts cents exactly up to about here


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference to another record, by internal or by external id."""

    id: str | None = None
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a value."""

    text: str


Value = str | bool | Decimal | date | Reference


def parse_value(value: JsonValue, wanted: Property) -> Value | Problem:
    """Return the typed value of a property that is not a sublist."""
    parsed: Value | None = None
    match wanted.kind:
        case Kind.TEXT:
            return _text(value, wanted)
        case Kind.REFERENCE:
            parsed = _reference(value)
        case Kind.CHOICE:
            parsed = _choice(value, wanted)
        case Kind.DATE:
            parsed = _date(value)
        case Kind.FLAG:
            parsed = value if isinstance(value, bool) else None
        case Kind.NUMBER:
            parsed = _number(value)
        case Kind.INTEGER:
            parsed = _number(value) if isinstance(value, int) else None
        case Kind.SUBLIST:
            parsed = None
    if parsed is None:
        return Problem(f"Invalid value for field {wanted.name}: expected a {wanted.kind.value}.")
    return parsed


def _text(value: JsonValue, wanted: Property) -> str | Problem:
    if not isinstance(value, str):
        return Problem(f"Invalid value for field {wanted.name}: expected a text.")
    if len(value) > wanted.longest:
        return Problem(
            f"The field {wanted.name} contained more than the maximum number ( {wanted.longest} ) "
            "of characters allowed."
        )
    if any(ord(character) < ord(" ") for character in value):
        return Problem(f"The field {wanted.name} holds a control character; escape it twice.")
    if wanted.name == "externalId" and not EXTERNAL_ID.fullmatch(value):
        return Problem("An externalId holds letters, digits, hyphens and underscores.")
    return value


def _reference(value: JsonValue) -> Reference | None:
    if isinstance(value, dict):
        if not {"id", "externalId", "refName", "links"}.issuperset(value):
            return None
        external = value.get("externalId")
        if "id" not in value:
            return Reference(external_id=external) if isinstance(external, str) else None
        if external is not None:
            return None
        value = value["id"]
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return Reference(id=value) if isinstance(value, str) and value else None


def _choice(value: JsonValue, wanted: Property) -> str | None:
    if isinstance(value, dict):
        value = value.get("id")
    return value if isinstance(value, str) and value in wanted.choices else None


def _date(value: JsonValue) -> date | None:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _number(value: JsonValue) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return None
    number = Decimal(value)
    return number if abs(number) < _LARGEST_NUMBER else None
