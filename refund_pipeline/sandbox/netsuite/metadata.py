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
        self._address = f"{address}/services/rest/record/v1/metadata-catalog"

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
                _require_known(record)
                if accepted not in {_SCHEMA, "application/json", "*/*"}:
                    raise _not_acceptable()
                return json_answer(200, self._refund(), media_type=_SCHEMA)
            case _:
                raise refuse(404, "NONEXISTENT_ID", "The resource was not found.")

    def _catalogue(self, request: Request, accepted: str) -> Answer:
        selected = read_query(request, {"select"}).get("select")
        for record in selected.split(",") if selected is not None else ():
            _require_known(record)
        if accepted == _SWAGGER:
            body = {
                "openapi": "3.0.1",
                "info": {"title": "NetSuite REST Record API", "version": "v1"},
                "components": {"schemas": {_RECORD: self._refund()}},
            }
            return json_answer(200, body, media_type=_SWAGGER)
        if accepted not in {"application/json", "*/*"}:
            raise _not_acceptable()
        link = {"rel": "canonical", "href": f"{self._address}/{_RECORD}"}
        catalogue = {"items": [{"name": _RECORD, "links": [link]}]}
        return json_answer(200, catalogue, media_type=f"{RESOURCE}; type=collection")

    def _refund(self) -> dict[str, object]:
        body = self._described(self._schema.body)
        body["item"] = _sublist("Items", self._described(self._schema.line))
        if "taxDetails" in body:
            body["taxDetails"] = _sublist("Tax Details", self._described(self._schema.tax_detail))
        return {
            "$schema": "http://json-schema.org/draft-06/hyper-schema#",
            "type": "object",
            "properties": body,
        }

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


def _sublist(title: str, properties: dict[str, object]) -> dict[str, object]:
    lines = {"type": "array", "items": {"type": "object", "properties": properties}}
    return {"title": title, "type": "object", "properties": {"items": lines}}


def _require_known(record: str) -> None:
    if record.lower() != _RECORD.lower():
        raise refuse(404, "NONEXISTENT_ID", f"Record type '{record}' has no metadata here.")


def _not_acceptable() -> Exception:
    return refuse(406, "INVALID_REQUEST", "The media type is not supported.")
