"""Turn a JSON body into typed fields, or list everything that is wrong with it (contract 2.3).

Syntax only: whether an id exists or a period is open is for `refund_rules.py`.
"""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import Enum

from refund_pipeline.sandbox.netsuite.body_values import Problem, Reference, Value, parse_value
from refund_pipeline.sandbox.netsuite.exchange import (
    ErrorDetail,
    JsonValue,
    Refusal,
    Request,
    refuse,
)
from refund_pipeline.sandbox.netsuite.preferences import Preferences, ReadOnly, TaxProfile
from refund_pipeline.sandbox.netsuite.properties import Kind, Properties, Property, RefundProperties


class Strictness(Enum):
    """How a validation header wants problems treated."""

    ERROR = "error"
    WARNING = "warning"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class Fields:
    """Parsed properties of a body or a line; `cleared` are those sent as null."""

    path: str
    values: dict[str, Value]
    cleared: frozenset[str] = frozenset()

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

    def flag(self, name: str) -> bool:
        """Return a flag, false when it is absent."""
        return self.values.get(name) is True


@dataclass(frozen=True, slots=True)
class ParsedBody:
    """A body without syntax errors; `warnings` name what was dropped from it.

    `lines` is None when the body says nothing about them, which is not the same as none.
    """

    fields: Fields
    lines: tuple[Fields, ...] | None
    tax_details: tuple[Fields, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class _Findings:
    names: Strictness
    values: Strictness
    read_only: ReadOnly
    tax: TaxProfile
    errors: list[ErrorDetail] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def unknown_name(self, name: str, path: str) -> None:
        text = f"Unknown property '{name}'."
        self._note(self.names, text, path)

    def bad_value(self, text: str, path: str) -> None:
        self._note(self.values, text, path)

    def refused(self, text: str, path: str) -> None:
        self._note(Strictness.ERROR, text, path)

    def is_taken(self, wanted: Property, path: str) -> bool:
        """Say whether to read the property on; note it when it is refused."""
        if wanted.legacy_tax or (wanted.suitetax and self.tax is not TaxProfile.SUITETAX):
            if self.tax is not TaxProfile.LEGACY_DROPS:
                self.refused(f"The field {wanted.name} is not supported: taxes.", path)
            return False
        if wanted.read_only:
            if self.read_only is ReadOnly.REFUSE:
                self.refused(f"The field {wanted.name} is read-only.", path)
            return False
        if not wanted.modelled:
            self.refused(f"The sandbox does not support the field {wanted.name} here.", path)
        return wanted.modelled

    def _note(self, strictness: Strictness, text: str, path: str) -> None:
        detail = f"Error while accessing a resource. {text}"
        if strictness is Strictness.ERROR:
            self.errors.append(ErrorDetail(detail, "INVALID_CONTENT", path))
        elif strictness is Strictness.WARNING:
            self.warnings.append(f"{path}: dropped")


def parse_body(
    raw: JsonValue, schema: RefundProperties, request: Request, preferences: Preferences
) -> ParsedBody:
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
        read_only=preferences.read_only,
        tax=preferences.tax,
    )
    fields = _parse_object(raw, schema.body, "", findings)
    lines = _parse_sublist(raw, "item", schema.line, findings)
    tax_details: tuple[Fields, ...] | None = None
    if preferences.tax is TaxProfile.SUITETAX:
        tax_details = _parse_sublist(raw, "taxDetails", schema.tax_detail, findings)
    if findings.errors:
        raise Refusal(400, findings.errors)
    return ParsedBody(fields, lines, tax_details or (), tuple(findings.warnings))


def _strictness(request: Request, header: str, default: Strictness) -> Strictness:
    text = request.headers.get(header.lower(), default.value)
    try:
        return Strictness(text.lower())
    except ValueError:
        raise refuse(
            400, "INVALID_REQUEST", f"Invalid value of header {header}.", header=header
        ) from None


def _parse_sublist(
    body: dict[str, JsonValue], sublist: str, properties: Properties, findings: _Findings
) -> tuple[Fields, ...] | None:
    if sublist not in body:
        return None
    raw = body[sublist]
    if raw is None:
        return ()
    if not isinstance(raw, dict):
        findings.refused('A sublist is an object: {"items": [...]}.', sublist)
        return ()
    for name in raw:
        if name != "items":
            findings.unknown_name(name, f"{sublist}.{name}")
    items = raw.get("items")
    if not isinstance(items, list):
        findings.refused("The sublist has no list of items.", f"{sublist}.items")
        return ()
    lines = []
    for position, entry in enumerate(items):
        path = f"{sublist}.items[{position}]"
        if isinstance(entry, dict):
            lines.append(_parse_object(entry, properties, path, findings))
        else:
            findings.refused("A line is an object.", path)
    return tuple(lines)


def _parse_object(
    raw: dict[str, JsonValue], properties: Properties, path: str, findings: _Findings
) -> Fields:
    values: dict[str, Value] = {}
    cleared: set[str] = set()
    for name, value in raw.items():
        where = f"{path}.{name}" if path else name
        wanted = properties.get(name)
        if wanted is None:
            findings.unknown_name(name, where)
        elif findings.is_taken(wanted, where) and wanted.kind is not Kind.SUBLIST:
            if value is None:
                cleared.add(name)
                continue
            parsed = parse_value(value, wanted)
            if isinstance(parsed, Problem):
                findings.bad_value(parsed.text, where)
            else:
                values[name] = parsed
    return Fields(path, values, frozenset(cleared))
