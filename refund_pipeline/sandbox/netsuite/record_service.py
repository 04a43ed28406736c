"""The record service: POST and GET of cash refunds, GET of the sales they come from, metadata.

Routing and HTTP habits only; what a refund may hold is in `body_parser.py` and `refund_rules.py`.
"""

import re
from collections.abc import Callable
from datetime import datetime

from refund_pipeline.sandbox.netsuite.audit import Audit
from refund_pipeline.sandbox.netsuite.body_parser import EXTERNAL_ID, parse_body
from refund_pipeline.sandbox.netsuite.exchange import (
    RESOURCE,
    Answer,
    Refusal,
    Request,
    json_answer,
    read_flag,
    read_json,
    read_page,
    read_query,
    refuse,
    user_error,
)
from refund_pipeline.sandbox.netsuite.ledger import (
    DuplicateExternalIdError,
    Ledger,
    Transaction,
    TransactionType,
)
from refund_pipeline.sandbox.netsuite.master_data import MasterData
from refund_pipeline.sandbox.netsuite.properties import RefundProperties
from refund_pipeline.sandbox.netsuite.refund_rules import RefundRules
from refund_pipeline.sandbox.netsuite.rendering import Rendering, refund_schema

_SINGULAR = f"{RESOURCE}; type=singular"
_COLLECTION = f"{RESOURCE}; type=collection"
_TYPES = {kind.value.lower(): kind for kind in TransactionType}
_EXTERNAL_ID_FILTER = re.compile(r'externalId IS "?([A-Za-z0-9_-]+)"?', re.IGNORECASE)
_METHODS_OF_A_TYPE = {TransactionType.CASH_REFUND: "GET, POST"}


class RecordService:
    """Answers `/services/rest/record/v1/...`."""

    def __init__(
        self,
        *,
        master: MasterData,
        ledger: Ledger,
        schema: RefundProperties,
        rendering: Rendering,
        audit: Audit,
        clock: Callable[[], datetime],
    ) -> None:
        self._master = master
        self._ledger = ledger
        self._schema = schema
        self._rules = RefundRules(master, ledger, schema)
        self._rendering = rendering
        self._audit = audit
        self._clock = clock

    def handle(self, request: Request, parts: list[str]) -> Answer:
        """Answer a request whose path goes on with `parts` after `record/v1`."""
        _refuse_unsupported_modes(request)
        match parts:
            case [catalog, name] if catalog.lower() == "metadata-catalog":
                return self._metadata(request, name)
            case [name, key] if name.lower() == "customer":
                return self._customer(request, key)
            case [name]:
                kind = _type_of(name)
                if request.method == "POST" and kind is TransactionType.CASH_REFUND:
                    return self._create(request)
                _require(request, "GET", allowed=_METHODS_OF_A_TYPE.get(kind, "GET"))
                return self._list(request, kind)
            case [name, key]:
                kind = _type_of(name)
                _require(request, "GET", allowed="GET")
                return self._read(request, kind, key)
            case _:
                raise refuse(404, "NONEXISTENT_ID", "The record instance does not exist.")

    def _create(self, request: Request) -> Answer:
        read_query(request, ())
        body = parse_body(read_json(request), self._schema, request)
        draft = self._rules.draft(body, today=self._clock().date())
        try:
            stored = self._ledger.add(draft)
        except DuplicateExternalIdError:
            raise user_error("This record already exists.") from None
        if self._rules.pays_out(draft):
            self._audit.note_second_payout()
        for text in self._rules.dubious_lines(draft):
            self._audit.note_flag(f"{stored.id}: {text}")
        headers = [("Location", self._rendering.location(draft.type, stored.id))]
        # The name of NetSuite's own warning header is not known (contract 9, question 17).
        headers += [("X-Sandbox-Warning", text) for text in body.warnings if text.isascii()]
        return Answer(204, headers=tuple(headers), committed=True)

    def _read(self, request: Request, kind: TransactionType, key: str) -> Answer:
        parameters = read_query(request, {"expandSubResources", "fields", "simpleEnumFormat"})
        expanded = read_flag(parameters, "expandSubResources")
        bare_enums = read_flag(parameters, "simpleEnumFormat")
        stored = self._find(kind, key)
        origin = None
        if stored.draft.created_from is not None:
            origin = self._ledger.get(stored.draft.created_from)
        body = self._rendering.transaction(
            stored, origin=origin, expanded=expanded, bare_enums=bare_enums
        )
        if "fields" in parameters and not expanded:  # together, the latter wins (contract 2.1)
            body = _only(body, parameters["fields"].split(","), self._schema)
        return json_answer(200, body, media_type=_SINGULAR)

    def _find(self, kind: TransactionType, key: str) -> Transaction:
        if key.lower().startswith("eid:"):
            external_id = key[4:]
            if not EXTERNAL_ID.fullmatch(external_id):
                raise refuse(400, "INVALID_REQUEST", "The external id in the URL is malformed.")
            stored = self._ledger.by_external_id(external_id)
            if stored is None or stored.draft.type is not kind:
                raise refuse(
                    404,
                    "NONEXISTENT_ID",
                    "The record instance does not exist. Provide a valid record instance ID.",
                )
            return stored
        if not (key.isascii() and key.isdigit()):
            raise refuse(400, "INVALID_REQUEST", "The record id in the URL is malformed.")
        stored = self._ledger.get(key)
        if stored is None or stored.draft.type is not kind:
            raise user_error("Transaction type specified is incorrect.")
        return stored

    def _list(self, request: Request, kind: TransactionType) -> Answer:
        parameters = read_query(request, {"q", "limit", "offset"})
        limit, offset = read_page(parameters)
        found = self._ledger.of_type(kind)
        if "q" in parameters:
            wanted = _EXTERNAL_ID_FILTER.fullmatch(parameters["q"].strip())
            if wanted is None:
                raise refuse(
                    400,
                    "INVALID_PARAMETER",
                    "Invalid search query. The sandbox knows only: externalId IS x.",
                    query_param="q",
                )
            stored = self._ledger.by_external_id(wanted.group(1))
            found = [stored] if stored is not None and stored.draft.type is kind else []
        body = self._rendering.collection(found, kind=kind, limit=limit, offset=offset)
        return json_answer(200, body, media_type=_COLLECTION)

    def _customer(self, request: Request, key: str) -> Answer:
        _require(request, "GET", allowed="GET")
        parameters = read_query(request, {"expandSubResources"})
        read_flag(parameters, "expandSubResources")
        customer = self._master.customers.get(key)
        if customer is None:
            raise refuse(404, "NONEXISTENT_ID", "The record instance does not exist.")
        return json_answer(200, self._rendering.customer(customer), media_type=_SINGULAR)

    def _metadata(self, request: Request, name: str) -> Answer:
        _require(request, "GET", allowed="GET")
        read_query(request, ())
        if _type_of(name) is not TransactionType.CASH_REFUND:
            raise refuse(404, "NONEXISTENT_ID", f"Record type '{name}' has no metadata here.")
        accepted = request.headers.get("accept", "*/*").split(";")[0].strip().lower()
        if accepted not in {"application/schema+json", "application/json", "*/*"}:
            raise refuse(406, "INVALID_REQUEST", "The media type is not supported.")
        media_type = "application/schema+json"
        return json_answer(200, refund_schema(self._schema), media_type=media_type)


def _type_of(name: str) -> TransactionType:
    kind = _TYPES.get(name.lower())
    if kind is None:
        raise refuse(404, "NONEXISTENT_ID", f"Record type '{name}' does not exist.")
    return kind


def _require(request: Request, method: str, *, allowed: str) -> None:
    if request.method != method:
        refusal = refuse(405, "METHOD_NOT_ALLOWED", f"{request.method} is not supported here.")
        raise Refusal(405, refusal.details, (("Allow", allowed),))


def _refuse_unsupported_modes(request: Request) -> None:
    if "respond-async" in request.headers.get("prefer", "").lower():
        raise refuse(
            400, "INVALID_REQUEST", "The sandbox has no asynchronous mode.", header="Prefer"
        )
    accept = request.headers.get("accept", "").lower()
    if "type=create-form" in accept or "type=select-options" in accept:
        raise refuse(400, "INVALID_REQUEST", "The sandbox has no dry run.", header="Accept")


def _only(body: dict[str, object], names: list[str], schema: RefundProperties) -> dict[str, object]:
    for name in names:
        if name not in schema.body or name == "item":
            raise refuse(400, "INVALID_PARAMETER", f"Invalid field '{name}'.", query_param="fields")
    return {name: value for name, value in body.items() if name in names or name == "links"}
