"""The metadata catalogue: which properties a cash refund has in this account (contract 2.4).

Only the cash refund is described; the catalogue says so by listing nothing else.
"""

from refund_pipeline.sandbox.netsuite.exchange import (
    RESOURCE,
    Answer,
    Request,
    json_answer,
    not_allowed,
    read_query,
    refuse,
)
from refund_pipeline.sandbox.netsuite.preferences import Preferences, TaxProfile
from refund_pipeline.sandbox.netsuite.properties import (
    Kind,
    Properties,
    Property,
    RefundProperties,
)

_SCHEMA = "application/schema+json"
_SWAGGER = "application/swagger+json"
_RECORD = "cashRefund"
_ROOT = "/services/rest/record/v1/metadata-catalog"
_TYPES: dict[Kind, dict[str, object]] = {
    Kind.TEXT: {"type": "string"},
    Kind.REFERENCE: {"type": "object", "properties": {"id": {"type": "string"}}},
    Kind.CHOICE: {"type": "object", "properties": {"id": {"type": "string"}}},
    Kind.DATE: {"type": "string", "format": "date"},
    Kind.FLAG: {"type": "boolean"},
    Kind.NUMBER: {"type": "number", "format": "double"},
    Kind.INTEGER: {"type": "integer", "format": "int64"},
    Kind.SUBLIST: {"type": "object"},
}


class Metadata:
    """Answers `/services/rest/record/v1/metadata-catalog...`."""

    def __init__(self, schema: RefundProperties, preferences: Preferences, address: str) -> None:
        self._schema = schema
        self._preferences = preferences
        self._address = f"{address}{_ROOT}"

    def handle(self, request: Request, name: list[str]) -> Answer:
        """Answer a request for the catalogue, or for one record type of it."""
        if request.method != "GET":
            raise not_allowed(request, "GET")
        accepted = request.headers.get("accept", "*/*").split(";")[0].strip().lower()
        match name:
            case []:
                return self._catalogue(request, accepted)
            case [record]:
                read_query(request, ())
                schema = self._found(record)
                if accepted not in {_SCHEMA, "application/json", "*/*"}:
                    raise _not_acceptable()
                return json_answer(200, schema, media_type=_SCHEMA)
            case _:
                raise refuse(404, "NONEXISTENT_ID", "The resource was not found.")

    def _catalogue(self, request: Request, accepted: str) -> Answer:
        selected = read_query(request, {"select"}).get("select")
        for record in selected.split(",") if selected is not None else ():
            self._found(record)
        if accepted == _SWAGGER:
            body = {
                "openapi": "3.0.1",
                "info": {"title": "NetSuite REST Record API", "version": "v1"},
                "components": {"schemas": self._schemas()},
            }
            return json_answer(200, body, media_type=_SWAGGER)
        if accepted not in {"application/json", "*/*"}:
            raise _not_acceptable()
        link = {"rel": "canonical", "href": f"{self._address}/{_RECORD}"}
        catalogue = {"items": [{"name": _RECORD, "links": [link]}]}
        return json_answer(200, catalogue, media_type=f"{RESOURCE}; type=collection")

    def _found(self, record: str) -> dict[str, object]:
        for name, schema in self._schemas().items():
            if name.lower() == record.lower():
                return schema
        raise refuse(404, "NONEXISTENT_ID", f"Record type '{record}' has no metadata here.")

    def _schemas(self) -> dict[str, dict[str, object]]:
        """Return every schema by name: the refund's alone, or its sublists' besides."""
        body = self._described(self._schema.body)
        rows = {"item": self._described(self._schema.line)}
        if "taxDetails" in body:
            rows["taxDetails"] = self._described(self._schema.tax_detail)
        found = {_RECORD: _schema_of(body)}
        for sublist, properties in rows.items():
            element = _schema_of(properties)
            if not self._preferences.schema_references:
                body[sublist] = _page_of(element)
                continue
            names = f"{_RECORD}-{sublist}Collection", f"{_RECORD}-{sublist}Element"
            body[sublist] = {"$ref": f"{_ROOT}/{names[0]}"}
            found[names[0]] = _page_of({"$ref": f"{_ROOT}/{names[1]}"})
            found[names[1]] = element
        return found

    def _described(self, properties: Properties) -> dict[str, object]:
        suitetax = self._preferences.tax is TaxProfile.SUITETAX
        return {
            name: _described(entry)
            for name, entry in properties.items()
            if suitetax or not entry.suitetax
        }


def _described(entry: Property) -> dict[str, object]:
    described = {"title": entry.title, **_TYPES[entry.kind]}
    return {**described, **({"readOnly": True} if entry.read_only else {"nullable": True})}


def _schema_of(properties: dict[str, object]) -> dict[str, object]:
    return {
        "$schema": "http://json-schema.org/draft-06/hyper-schema#",
        "type": "object",
        "properties": properties,
    }


def _page_of(element: dict[str, object]) -> dict[str, object]:
    return {"type": "object", "properties": {"items": {"type": "array", "items": element}}}


def _not_acceptable() -> Exception:
    return refuse(406, "INVALID_REQUEST", "The media type is not supported.")
