"""How records look when read: JSON of transactions and customers.

Reads the account, changes nothing.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Protocol

from refund_pipeline.sandbox.netsuite.books import Books
from refund_pipeline.sandbox.netsuite.ledger import Transaction, TransactionLine, TransactionType
from refund_pipeline.sandbox.netsuite.master_data import MasterData
from refund_pipeline.sandbox.netsuite.master_entries import Customer
from refund_pipeline.sandbox.netsuite.properties import Kind, RefundProperties
from refund_pipeline.sandbox.netsuite.statuses import NAMES, status_of

_ENUM_NAMES = {"MIMIC": "Mimic", "PROCESS": "Process", "SAVE_ONLY": "Record External Event"}
_Enum = Callable[[str, str], object]


class Rendering:
    """Renders records of one account under one base URL."""

    def __init__(
        self, master: MasterData, books: Books, schema: RefundProperties, base_url: str
    ) -> None:
        self._master = master
        self._books = books
        self._schema = schema
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
        draft = stored.draft
        here = self.location(draft.type, stored.id)
        enum = _bare if bare_enums else _enum
        handling = draft.handling_mode
        body: dict[str, object | None] = {
            "links": [_self(here)],
            "id": stored.id,
            "tranId": stored.tran_id,
            "transactionNumber": stored.tran_id,
            "externalId": draft.external_id,
            "type": enum(draft.type.code, draft.type.title),
            "status": self._status(stored, enum),
            "source": enum("restWebServices", "REST Web Services"),
            **self._references(stored),
            "customForm": {"id": draft.custom_form, "refName": draft.type.title},
            "tranDate": draft.tran_date.isoformat(),
            "createdDate": stored.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "lastModifiedDate": stored.modified.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "memo": draft.memo,
            "otherRefNum": draft.other_ref_num,
            "exchangeRate": draft.exchange_rate,
            "subtotal": draft.subtotal,
            "taxTotal": draft.tax_total,
            "total": draft.total,
            "createdFrom": self._origin(origin),
            "handlingMode": enum(handling, _ENUM_NAMES[handling]) if handling else None,
            **_custom(draft.custom, self._schema.body_custom),
        }
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

    def _references(self, stored: Transaction) -> dict[str, object | None]:
        draft, master = stored.draft, self._master
        links = {
            "entity": ("customer", draft.entity, _names(master.customers)),
            "subsidiary": ("subsidiary", draft.subsidiary, _names(master.subsidiaries)),
            "location": ("location", draft.location, _names(master.locations)),
            "department": ("department", draft.department, _names(master.departments)),
            "class": ("classification", draft.class_id, _names(master.classes)),
            "account": ("account", draft.account, _names(master.accounts)),
            "postingPeriod": ("accountingPeriod", draft.period, _names(master.periods)),
            "paymentOption": (
                "paymentOption",
                draft.payment_option,
                _names(master.payment_methods),
            ),
        }
        found: dict[str, object | None] = {
            name: self._reference(record, key, names(key)) if key is not None else None
            for name, (record, key, names) in links.items()
            if name in self._schema.body
        }
        symbol = master.currencies[draft.currency].symbol
        found["currency"] = self._reference("currency", draft.currency, symbol)
        return found

    def _status(self, stored: Transaction, enum: _Enum) -> object | None:
        kind = stored.draft.type
        letter = status_of(stored, self._books)
        if letter is None or kind is TransactionType.CASH_REFUND:  # has no such property (2.4)
            return None
        return enum(letter, NAMES.get(kind, {}).get(letter, letter))

    def _lines(self, stored: Transaction, here: str, enum: _Enum) -> dict[str, object]:
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
        self, line: TransactionLine, number: int, here: str, enum: _Enum
    ) -> dict[str, object]:
        master = self._master
        item = master.items[line.item]
        segments = {
            "location": ("location", line.location, _names(master.locations)),
            "department": ("department", line.department, _names(master.departments)),
            "class": ("classification", line.class_id, _names(master.classes)),
        }
        body: dict[str, object | None] = {
            "links": [_self(here)],
            "line": number,
            "item": self._reference("item", item.id, item.name),
            "itemType": enum(item.item_type, item.item_type),
            "quantity": line.quantity,
            "rate": line.rate,
            "amount": line.amount,
            "description": line.description,
            "taxDetailsReference": line.tax_reference,
            "price": {"id": line.price} if line.price is not None else None,
            **_custom(line.custom, self._schema.line_custom),
        }
        for name, (record, key, names) in segments.items():
            if key is not None:
                body[name] = self._reference(record, key, names(key))
        return {name: value for name, value in body.items() if value is not None}

    def _origin(self, origin: Transaction | None) -> dict[str, object] | None:
        if origin is None:
            return None
        kind = origin.draft.type
        return self._reference(kind.value, origin.id, f"{kind.title} #{origin.tran_id}")

    def _reference(self, kind: str, internal_id: str, name: str) -> dict[str, object]:
        return {
            "links": [_self(f"{self._records}/{kind}/{internal_id}")],
            "id": internal_id,
            "refName": name,
        }


class _Named(Protocol):
    @property
    def name(self) -> str: ...


def _names(entries: Mapping[str, _Named]) -> Callable[[str], str]:
    return lambda key: entries[key].name


def _custom(values: Mapping[str, str], kinds: Mapping[str, Kind]) -> dict[str, object]:
    return {name: _typed(text, kinds.get(name, Kind.TEXT)) for name, text in values.items()}


def _typed(text: str, kind: Kind) -> object:
    match kind:
        case Kind.REFERENCE:
            return {"id": text, "refName": text}
        case Kind.FLAG:
            return text == "T"
        case Kind.NUMBER | Kind.INTEGER:
            return Decimal(text)
        case _:
            return text


def _enum(code: str, name: str) -> object:
    return {"id": code, "refName": name}


def _bare(code: str, _name: str) -> object:
    return code


def _self(address: str) -> dict[str, str]:
    return {"rel": "self", "href": address}


def _link(address: str) -> dict[str, object]:
    return {"links": [_self(address)]}
