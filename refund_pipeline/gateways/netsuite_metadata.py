"""Reads NetSuite's JSON schema of a record: which properties one may write (contract 2.4).

The field set is the account's own. A sublist's rows are described in place, or by a reference to
another schema of the catalog; asking for that one is the caller's business.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

_CATALOG = "/record/v1/metadata-catalog/"


@dataclass(frozen=True, slots=True)
class Property:
    """One property; `kind` is its JSON type, empty where the schema only refers to another."""

    kind: str
    is_read_only: bool


Properties: TypeAlias = Mapping[str, Property]


@dataclass(frozen=True, slots=True)
class Sublist:
    """The rows of a sublist: their properties, or the catalog's name of the schema that has them.

    Both are empty where the schema says nothing to be understood.
    """

    properties: Properties
    schema: str = ""


def properties_of(document: object) -> Properties:
    """Return the properties of a record or a row; empty for what is no schema."""
    return {
        name: Property(kind=str(entry.get("type", "")), is_read_only=entry.get("readOnly") is True)
        for name, value in _object(_object(document).get("properties")).items()
        if (entry := _object(value))
    }


def sublist_of(document: object, name: str) -> Sublist:
    """Return the rows of one sublist of a record's schema."""
    return rows_of(_object(_object(document).get("properties")).get(name))


def rows_of(document: object) -> Sublist:
    """Return the rows by the schema of a sublist, which describes its page, or of one row."""
    schema = _object(document)
    if name := _reference(schema):
        return Sublist({}, name)
    page = _object(schema.get("properties"))
    if "items" not in page:
        return Sublist(properties_of(schema))
    row = _object(_object(page["items"]).get("items"))
    return Sublist(properties_of(row), _reference(row))


def _reference(document: Mapping[str, object]) -> str:
    """Return the name in a reference to the catalog; an address elsewhere is none."""
    _, separator, name = str(document.get("$ref", "")).partition(_CATALOG)
    plain = name.replace("-", "").replace("_", "")
    return name if separator and plain.isascii() and plain.isalnum() else ""


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
