"""How records look when read: JSON of transactions and customers, and a cash refund's schema.

Reads the account, changes nothing.
"""

from collections.abc import Callable

from refund_pipeline.sandbox.netsuite.ledger import Transaction, TransactionLine, TransactionType
from refund_pipeline.sandbox.netsuite.master_data import Customer, MasterData
from refund_pipeline.sandbox.netsuite.properties import Kind, Properties, RefundProperties

_ENUM_NAMES = {"MIMIC": "Mimic", "PROCESS": "Process", "SAVE_ONLY": "Record External Event"}


class Rendering:
    """Renders records of one account under one base URL."""

    def __init__(self, master: MasterData, base_url: str) -> None:
        self._master = master
        self._records = f"{base_url}/services/rest/record/v1"

    def location(self, kind: TransactionType, internal_id: str) -> str:
        """Return the absolute address of a transaction."""
        return f"{self._records}/{kind.value}/{internal_id}"

    def transaction(
        self,
        stored: Transaction,
        *,
        origin: Transaction | None,
        expanded: bool,
        bare_enums: bool,
    ) -> dict[str, object]:
        """Return a transaction without absent values; unless `expanded`, its lines are a link."""
        draft, master = stored.draft, self._master
        here = self.location(draft.type, stored.id)
        enum = _bare if bare_enums else _enum
        body: dict[str, object | None] = {
            "links": [_self(here)],
            "id": stored.id,
            "tranId": stored.tran_id,
            "externalId": draft.external_id,
            "type": enum(draft.type.code, draft.type.title),
            "source": enum("restWebServices", "REST Web Services"),
            "entity": self._customer_reference(draft.entity),
            "subsidiary": self._reference(
                "subsidiary", draft.subsidiary, master.subsidiaries[draft.subsidiary].name
            ),
            "location": self._reference(
                "location", draft.location, master.locations[draft.location].name
            ),
            "currency": self._reference(
                "currency", draft.currency, master.currencies[draft.currency].symbol
            ),
            "customForm": {"id": draft.custom_form, "refName": draft.type.title},
            "postingPeriod": self._reference(
                "accountingPeriod", draft.period, master.periods[draft.period].name
            ),
            "tranDate": draft.tran_date.isoformat(),
            "createdDate": stored.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "lastModifiedDate": stored.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "memo": draft.memo,
            "otherRefNum": draft.other_ref_num,
            "exchangeRate": 1.0,
            "subtotal": draft.total,
            "taxTotal": 0.0,
            "total": draft.total,
            "createdFrom": self._origin(origin),
            **draft.custom,
        }
        if draft.handling_mode is not None:
            body["handlingMode"] = enum(draft.handling_mode, _ENUM_NAMES[draft.handling_mode])
        if draft.payment_option is not None:
            method = master.payment_methods[draft.payment_option]
            body["paymentOption"] = self._reference("paymentOption", method.id, method.name)
        body["item"] = self._lines(stored, here, enum) if expanded else _link(f"{here}/item")
        return {name: value for name, value in body.items() if value is not None}

    def customer(self, customer: Customer) -> dict[str, object]:
        """Return a customer with the little a refund client reads."""
        currency = self._master.currencies[customer.currency]
        subsidiary = self._master.subsidiaries[customer.subsidiary]
        return {
            "links": [_self(f"{self._records}/customer/{customer.id}")],
            "id": customer.id,
            "entityId": customer.name,
            "isInactive": not customer.active,
            "subsidiary": self._reference("subsidiary", subsidiary.id, subsidiary.name),
            "currency": self._reference("currency", currency.id, currency.symbol),
        }

    def collection(
        self, found: list[Transaction], *, kind: TransactionType, limit: int, offset: int
    ) -> dict[str, object]:
        """Return one page of ids and links."""
        page = found[offset : offset + limit]
        return {
            "links": [_self(f"{self._records}/{kind.value}?limit={limit}&offset={offset}")],
            "count": len(page),
            "hasMore": offset + len(page) < len(found),
            "offset": offset,
            "totalResults": len(found),
            "items": [
                {"links": [_self(self.location(kind, stored.id))], "id": stored.id}
                for stored in page
            ],
        }

    def _lines(
        self, stored: Transaction, here: str, enum: Callable[[str, str], object]
    ) -> dict[str, object]:
        items = [
            self._line(line, number, f"{here}/item/{number}", enum)
            for number, line in enumerate(stored.draft.lines, start=1)
        ]
        return {
            "links": [_self(f"{here}/item")],
            "count": len(items),
            "hasMore": False,
            "offset": 0,
            "totalResults": len(items),
            "items": items,
        }

    def _line(
        self, line: TransactionLine, number: int, here: str, enum: Callable[[str, str], object]
    ) -> dict[str, object]:
        item = self._master.items[line.item]
        body: dict[str, object | None] = {
            "links": [_self(here)],
            "line": number,
            "item": self._reference("item", item.id, item.name),
            "itemType": enum(item.item_type, item.item_type),
            "quantity": line.quantity,
            "rate": line.rate,
            "amount": line.amount,
            "description": line.description,
            **line.custom,
        }
        if line.price is not None:
            body["price"] = {"id": line.price}
        if line.location is not None:
            name = self._master.locations[line.location].name
            body["location"] = self._reference("location", line.location, name)
        return {name: value for name, value in body.items() if value is not None}

    def _origin(self, origin: Transaction | None) -> dict[str, object] | None:
        if origin is None:
            return None
        kind = origin.draft.type
        return self._reference(kind.value, origin.id, f"{kind.title} #{origin.tran_id}")

    def _customer_reference(self, customer: str) -> dict[str, object]:
        return self._reference("customer", customer, self._master.customers[customer].name)

    def _reference(self, kind: str, internal_id: str, name: str) -> dict[str, object]:
        return {
            "links": [_self(f"{self._records}/{kind}/{internal_id}")],
            "id": internal_id,
            "refName": name,
        }


def refund_schema(schema: RefundProperties) -> dict[str, object]:
    """Return the JSON schema the metadata catalog answers with for a cash refund."""
    body = _schema_of(schema.body)
    lines = {"type": "array", "items": {"type": "object", "properties": _schema_of(schema.line)}}
    body["item"] = {"title": "Items", "type": "object", "properties": {"items": lines}}
    return {
        "$schema": "http://json-schema.org/draft-06/hyper-schema#",
        "type": "object",
        "properties": body,
    }


def _schema_of(properties: Properties) -> dict[str, object]:
    types: dict[Kind, dict[str, object]] = {
        Kind.TEXT: {"type": "string"},
        Kind.REFERENCE: {"type": "object", "properties": {"id": {"type": "string"}}},
        Kind.CHOICE: {"type": "object", "properties": {"id": {"type": "string"}}},
        Kind.DATE: {"type": "string", "format": "date"},
        Kind.FLAG: {"type": "boolean"},
        Kind.NUMBER: {"type": "number", "format": "double"},
        Kind.INTEGER: {"type": "integer", "format": "int64"},
        Kind.SUBLIST: {"type": "object"},
    }
    found: dict[str, object] = {}
    for name, entry in properties.items():
        found[name] = {"title": entry.title, **types[entry.kind], "nullable": True}
        if entry.read_only:
            found[name] = {"title": entry.title, **types[entry.kind], "readOnly": True}
    return found


def _enum(code: str, name: str) -> object:
    return {"id": code, "refName": name}


def _bare(code: str, _name: str) -> object:
    return code


def _self(address: str) -> dict[str, str]:
    return {"rel": "self", "href": address}


def _link(address: str) -> dict[str, object]:
    return {"links": [_self(address)]}
