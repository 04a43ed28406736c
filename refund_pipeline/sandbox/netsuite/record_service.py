"""The record service: which address means what, reading of transactions and customers, lists.

Writing is `record_writes.py`, the metadata catalogue `metadata.py`.
"""

import re

from refund_pipeline.sandbox.netsuite.body_values import EXTERNAL_ID
from refund_pipeline.sandbox.netsuite.books import Books
from refund_pipeline.sandbox.netsuite.exchange import (
    RESOURCE,
    Answer,
    Request,
    json_answer,
    not_allowed,
    read_flag,
    read_page,
    read_query,
    refuse,
    user_error,
)
from refund_pipeline.sandbox.netsuite.ledger import Transaction, TransactionType
from refund_pipeline.sandbox.netsuite.master_data import MasterData
from refund_pipeline.sandbox.netsuite.metadata import Metadata
from refund_pipeline.sandbox.netsuite.properties import RefundProperties
from refund_pipeline.sandbox.netsuite.record_writes import RecordWrites
from refund_pipeline.sandbox.netsuite.rendering import Rendering
from refund_pipeline.sandbox.netsuite.role import Level, Role, forbidden

_SINGULAR = f"{RESOURCE}; type=singular"
_COLLECTION = f"{RESOURCE}; type=collection"
_TYPES = {kind.value.lower(): kind for kind in TransactionType}
_EXTERNAL_ID_FILTER = re.compile(r'externalId IS "?([A-Za-z0-9_-]+)"?', re.IGNORECASE)
_BY_EXTERNAL_ID = "eid:"


class RecordService:
    """Answers `/services/rest/record/v1/...`."""

    def __init__(
        self,
        *,
        master: MasterData,
        books: Books,
        schema: RefundProperties,
        rendering: Rendering,
        writes: RecordWrites,
        metadata: Metadata,
        role: Role,
    ) -> None:
        self._master = master
        self._books = books
        self._schema = schema
        self._rendering = rendering
        self._writes = writes
        self._metadata = metadata
        self._role = role

    def handle(self, request: Request, parts: list[str]) -> Answer:
        """Answer a request whose path goes on with `parts` after `record/v1`."""
        _refuse_dry_run(request)
        match parts:
            case [catalog, *name] if catalog.lower() == "metadata-catalog":
                return self._metadata.handle(request, name)
            case [name, key] if name.lower() == "customer":
                return self._customer(request, key)
            case [name]:
                return self._collection(request, _type_of(name))
            case [name, key]:
                return self._instance(request, _type_of(name), key)
            case [name, key, "!transform", target]:
                return self._transform(request, _type_of(name), key, target)
            case _:
                raise refuse(404, "NONEXISTENT_ID", "The record instance does not exist.")

    def _collection(self, request: Request, kind: TransactionType) -> Answer:
        creates = kind is TransactionType.CASH_REFUND
        if request.method not in ({"GET", "POST"} if creates else {"GET"}):
            raise not_allowed(request, "GET, POST" if creates else "GET")
        self._role.require_record(kind, request.method)
        if request.method == "POST":
            return self._writes.create(request)
        return self._list(request, kind)

    def _instance(self, request: Request, kind: TransactionType, key: str) -> Answer:
        changes = kind is TransactionType.CASH_REFUND
        by_external_id = key.lower().startswith(_BY_EXTERNAL_ID)
        allowed = ["GET"]
        if changes:
            allowed += ["PATCH", "DELETE", *(["PUT"] if by_external_id else [])]
        if request.method not in allowed:
            raise not_allowed(request, ", ".join(allowed))
        self._role.require_record(kind, request.method)
        match request.method:
            case "PUT":
                return self._upsert(request, _external_id_of(key))
            case "PATCH":
                return self._writes.update(request, self._find(kind, key))
            case "DELETE":
                return self._writes.delete(request, self._find(kind, key))
            case _:
                return self._read(request, kind, key)

    def _upsert(self, request: Request, external_id: str) -> Answer:
        stored = self._books.by_external_id(external_id)
        if stored is not None and not self._role.sees(stored):
            raise user_error("This record already exists.")
        return self._writes.upsert(request, external_id)

    def _transform(self, request: Request, kind: TransactionType, key: str, target: str) -> Answer:
        if request.method != "POST":
            raise not_allowed(request, "POST")
        self._role.require_record(TransactionType.CASH_REFUND, "POST")
        self._role.require_record(kind, "GET")
        return self._writes.transform(request, self._find(kind, key), target)

    def _read(self, request: Request, kind: TransactionType, key: str) -> Answer:
        parameters = read_query(request, {"expandSubResources", "fields", "simpleEnumFormat"})
        expanded = read_flag(parameters, "expandSubResources")
        bare_enums = read_flag(parameters, "simpleEnumFormat")
        stored = self._find(kind, key)
        origin = None
        if stored.draft.created_from is not None:
            origin = self._books.get(stored.draft.created_from)
        body = self._rendering.transaction(
            stored, origin=origin, expanded=expanded, bare_enums=bare_enums
        )
        if "fields" in parameters and not expanded:  # together, the latter wins (contract 2.1)
            body = _only(body, parameters["fields"].split(","), self._schema)
        return json_answer(200, body, media_type=_SINGULAR)

    def _find(self, kind: TransactionType, key: str) -> Transaction:
        if key.lower().startswith(_BY_EXTERNAL_ID):
            stored = self._books.by_external_id(_external_id_of(key))
            if stored is None or stored.draft.type is not kind or not self._role.sees(stored):
                raise refuse(
                    404,
                    "NONEXISTENT_ID",
                    "The record instance does not exist. Provide a valid record instance ID.",
                )
            return stored
        if not (key.isascii() and key.isdigit()):
            raise refuse(400, "INVALID_REQUEST", "The record id in the URL is malformed.")
        stored = self._books.get(key)
        if stored is None or stored.draft.type is not kind or not self._role.sees(stored):
            raise user_error("Transaction type specified is incorrect.")
        return stored

    def _list(self, request: Request, kind: TransactionType) -> Answer:
        parameters = read_query(request, {"q", "limit", "offset"})
        limit, offset = read_page(parameters)
        found = [stored for stored in self._books.of_type(kind) if self._role.sees(stored)]
        if "q" in parameters:
            wanted = _EXTERNAL_ID_FILTER.fullmatch(parameters["q"].strip())
            if wanted is None:
                raise refuse(
                    400,
                    "INVALID_PARAMETER",
                    "Invalid search query. The sandbox knows only: externalId IS x.",
                    query_param="q",
                )
            one = self._books.by_external_id(wanted.group(1))
            found = [one] if one in found else []
        body = self._rendering.collection(found, kind=kind, limit=limit, offset=offset)
        return json_answer(200, body, media_type=_COLLECTION)

    def _customer(self, request: Request, key: str) -> Answer:
        if request.method != "GET":
            raise not_allowed(request, "GET")
        if self._role.customers < Level.EDIT:
            raise forbidden("Customers")
        parameters = read_query(request, {"expandSubResources"})
        read_flag(parameters, "expandSubResources")
        customer = self._master.customers.get(key)
        if customer is None:
            raise refuse(404, "NONEXISTENT_ID", "The record instance does not exist.")
        return json_answer(200, self._rendering.customer(customer), media_type=_SINGULAR)


def _type_of(name: str) -> TransactionType:
    kind = _TYPES.get(name.lower())
    if kind is None:
        raise refuse(404, "NONEXISTENT_ID", f"Record type '{name}' does not exist.")
    return kind


def _external_id_of(key: str) -> str:
    external_id = key[len(_BY_EXTERNAL_ID) :]
    if not EXTERNAL_ID.fullmatch(external_id):
        raise refuse(400, "INVALID_REQUEST", "The external id in the URL is malformed.")
    return external_id


def _refuse_dry_run(request: Request) -> None:
    accept = request.headers.get("accept", "").lower()
    if "type=create-form" in accept or "type=select-options" in accept:
        raise refuse(400, "INVALID_REQUEST", "The sandbox has no dry run.", header="Accept")


def _only(body: dict[str, object], names: list[str], schema: RefundProperties) -> dict[str, object]:
    for name in names:
        if name not in schema.body or name == "item":
            raise refuse(400, "INVALID_PARAMETER", f"Invalid field '{name}'.", query_param="fields")
    return {name: value for name, value in body.items() if name in names or name == "links"}
