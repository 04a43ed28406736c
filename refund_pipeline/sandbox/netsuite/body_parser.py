"""Turn a JSON body into typed fields, or list everything that is wrong with it (contract 2.3).

Syntax only: whether an id exists or a period is open is for `refund_rules.py`.
"""

import re
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import Enum

from refund_pipeline.sandbox.netsuite.exchange import (
    ErrorDetail,
    JsonValue,
    Refusal,
    Request,
    refuse,
)
from refund_pipeline.sandbox.netsuite.properties import Kind, Properties, Property, RefundProperties

EXTERNAL_ID = re.compile(r"[A-Za-z0-9_-]+")
_LARGEST_NUMBER = 10**15  # a double counts cents exactly up to about here


class Strictness(Enum):
    """How a validation header wants problems treated."""

    ERROR = "error"
    WARNING = "warning"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference to another record, by internal or by external id."""

    id: str | None = None
    external_id: str | None = None


Value = str | bool | Decimal | date | Reference


@dataclass(frozen=True, slots=True)
class Fields:
    """Parsed properties of a body or a line."""

    path: str
    values: dict[str, Value]

    def text(self, name: str) -> str | None:
        """Return a text or choice; an empty one counts as absent."""
        value = self.values.get(name)
        return value if isinstance(value, str) and value else None

    def reference(self, name: str) -> Reference | None:
        """Return a reference."""
        value = self.values.get(name)
        return value if isinstance(value, Reference) else None

    def number(self, name: str) -> Decimal | None:
        """Return a number."""
        value = self.values.get(name)
        return value if isinstance(value, Decimal) else None

    def day(self, name: str) -> date | None:
        """Return a date."""
        value = self.values.get(name)
        return value if isinstance(value, date) else None


@dataclass(frozen=True, slots=True)
class ParsedBody:
    """A body without syntax errors; `warnings` name what was dropped from it."""

    fields: Fields
    lines: tuple[Fields, ...]
    warnings: tuple[str, ...]


@dataclass(slots=True)
class _Findings:
    names: Strictness
    values: Strictness
    errors: list[ErrorDetail] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def unknown_name(self, name: str, path: str) -> None:
        text = f"Unknown property '{name}'."
        self._note(self.names, text, path)

    def bad_value(self, text: str, path: str) -> None:
        self._note(self.values, text, path)

    def refused(self, text: str, path: str) -> None:
        self._note(Strictness.ERROR, text, path)

    def _note(self, strictness: Strictness, text: str, path: str) -> None:
        detail = f"Error while accessing a resource. {text}"
        if strictness is Strictness.ERROR:
            self.errors.append(ErrorDetail(detail, "INVALID_CONTENT", path))
        elif strictness is Strictness.WARNING:
            self.warnings.append(f"{path}: dropped")


def parse_body(raw: JsonValue, schema: RefundProperties, request: Request) -> ParsedBody:
    """Return the typed body of a cash refund, under the request's two validation headers.

    Raises:
        Refusal: 400 with every syntax error and its path. By default an unknown property
            is no error: it is *dropped in silence*.
    """
    if not isinstance(raw, dict):
        raise refuse(400, "INVALID_CONTENT", "The request body must be a JSON object.")
    findings = _Findings(
        names=_strictness(request, "X-NetSuite-PropertyNameValidation", Strictness.WARNING),
        values=_strictness(request, "X-NetSuite-PropertyValueValidation", Strictness.ERROR),
    )
    fields = _parse_object(raw, schema.body, "", findings)
    lines = _parse_lines(raw.get("item"), schema.line, findings)
    if findings.errors:
        raise Refusal(400, findings.errors)
    return ParsedBody(fields, lines, tuple(findings.warnings))


def _strictness(request: Request, header: str, default: Strictness) -> Strictness:
    text = request.headers.get(header.lower(), default.value)
    try:
        return Strictness(text.lower())
    except ValueError:
        raise refuse(
            400, "INVALID_REQUEST", f"Invalid value of header {header}.", header=header
        ) from None


def _parse_lines(raw: JsonValue, properties: Properties, findings: _Findings) -> tuple[Fields, ...]:
    if raw is None:
        return ()
    if not isinstance(raw, dict):
        findings.refused('A sublist is an object: {"items": [...]}.', "item")
        return ()
    for name in raw:
        if name != "items":
            findings.unknown_name(name, f"item.{name}")
    items = raw.get("items")
    if not isinstance(items, list):
        findings.refused("The sublist has no list of items.", "item.items")
        return ()
    lines = []
    for position, entry in enumerate(items):
        path = f"item.items[{position}]"
        if isinstance(entry, dict):
            lines.append(_parse_object(entry, properties, path, findings))
        else:
            findings.refused("A line is an object.", path)
    return tuple(lines)


def _parse_object(
    raw: dict[str, JsonValue], properties: Properties, path: str, findings: _Findings
) -> Fields:
    values: dict[str, Value] = {}
    for name, value in raw.items():
        where = f"{path}.{name}" if path else name
        wanted = properties.get(name)
        if wanted is None:
            findings.unknown_name(name, where)
        elif wanted.read_only:
            findings.refused(f"The field {name} is read-only.", where)
        elif not wanted.modelled:
            findings.refused(f"The sandbox does not support the field {name} here.", where)
        elif value is not None and wanted.kind is not Kind.SUBLIST:
            parsed = _parse_value(value, wanted)
            if isinstance(parsed, _Problem):
                findings.bad_value(parsed.text, where)
            else:
                values[name] = parsed
    return Fields(path, values)


@dataclass(frozen=True, slots=True)
class _Problem:
    text: str


def _parse_value(value: JsonValue, wanted: Property) -> Value | _Problem:
    parsed: Value | None = None
    match wanted.kind:
        case Kind.TEXT:
            return _parse_text(value, wanted)
        case Kind.REFERENCE:
            parsed = _parse_reference(value)
        case Kind.CHOICE:
            parsed = _parse_choice(value, wanted)
        case Kind.DATE:
            parsed = _parse_date(value)
        case Kind.FLAG:
            parsed = value if isinstance(value, bool) else None
        case Kind.NUMBER:
            parsed = _parse_number(value)
        case Kind.INTEGER:
            parsed = _parse_number(value) if isinstance(value, int) else None
        case Kind.SUBLIST:
            parsed = None
    if parsed is None:
        return _Problem(f"Invalid value for field {wanted.name}: expected a {wanted.kind.value}.")
    return parsed


def _parse_text(value: JsonValue, wanted: Property) -> str | _Problem:
    if not isinstance(value, str):
        return _Problem(f"Invalid value for field {wanted.name}: expected a text.")
    if len(value) > wanted.longest:
        return _Problem(
            f"The field {wanted.name} contained more than the maximum number ( {wanted.longest} ) "
            "of characters allowed."
        )
    if any(ord(character) < ord(" ") for character in value):
        return _Problem(f"The field {wanted.name} holds a control character; escape it twice.")
    if wanted.name == "externalId" and not EXTERNAL_ID.fullmatch(value):
        return _Problem("An externalId holds letters, digits, hyphens and underscores.")
    return value


def _parse_reference(value: JsonValue) -> Reference | None:
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


def _parse_choice(value: JsonValue, wanted: Property) -> str | None:
    if isinstance(value, dict):
        value = value.get("id")
    return value if isinstance(value, str) and value in wanted.choices else None


def _parse_date(value: JsonValue) -> date | None:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _parse_number(value: JsonValue) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return None
    number = Decimal(value)
    return number if abs(number) < _LARGEST_NUMBER else None
