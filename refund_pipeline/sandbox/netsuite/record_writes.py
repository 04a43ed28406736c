"""Writing cash refunds: create, upsert, update, delete, and the transform of a sale (2.1 to 2.3).

Which address means what is `record_service.py`; what a refund may hold is `refund_rules.py`.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from refund_pipeline.sandbox.netsuite.audit import Audit
from refund_pipeline.sandbox.netsuite.body_parser import ParsedBody, parse_body
from refund_pipeline.sandbox.netsuite.books import Books, DuplicateExternalIdError
from refund_pipeline.sandbox.netsuite.exchange import (
    Answer,
    Request,
    read_json,
    read_query,
    refuse,
    user_error,
)
from refund_pipeline.sandbox.netsuite.ledger import Draft, Transaction, TransactionType
from refund_pipeline.sandbox.netsuite.master_data import MasterData
from refund_pipeline.sandbox.netsuite.preferences import Preferences
from refund_pipeline.sandbox.netsuite.properties import EXTERNAL_ID_LENGTH, RefundProperties
from refund_pipeline.sandbox.netsuite.record_merging import as_body, merged
from refund_pipeline.sandbox.netsuite.refund_rules import RefundRules
from refund_pipeline.sandbox.netsuite.rendering import Rendering
from refund_pipeline.sandbox.netsuite.second_looks import dubious, pays_out
from refund_pipeline.sandbox.netsuite.user_events import UserEvents

_TRANSFORMS = {
    TransactionType.CASH_SALE: ("cashRefund", "returnAuthorization"),
    TransactionType.RETURN_AUTHORIZATION: ("cashRefund", "creditMemo", "itemReceipt"),
    TransactionType.SALES_ORDER: (
        *("cashSale", "invoice", "itemFulfillment", "fulfillmentRequest", "returnAuthorization"),
    ),
    TransactionType.INVOICE: ("creditMemo", "returnAuthorization", "customerPayment"),
    TransactionType.CASH_REFUND: ("creditMemo",),
    TransactionType.CUSTOMER_DEPOSIT: ("customerRefund", "depositApplication"),
}
"""Every pair of contract 2.2; only those to a cash refund are carried out here."""


class RecordWrites:
    """Changes the books of one account."""

    def __init__(
        self,
        *,
        master: MasterData,
        books: Books,
        schema: RefundProperties,
        rules: RefundRules,
        rendering: Rendering,
        audit: Audit,
        scripts: UserEvents,
        preferences: Preferences,
        clock: Callable[[], datetime],
    ) -> None:
        self._master = master
        self._books = books
        self._schema = schema
        self._rules = rules
        self._rendering = rendering
        self._audit = audit
        self._scripts = scripts
        self._preferences = preferences
        self._clock = clock

    def create(self, request: Request) -> Answer:
        """Create a refund."""
        _replaces_lines(request)
        body = self._parse(request)
        for line in body.lines or ():
            if line.number("line") is not None:
                raise user_error(
                    "A new transaction has no line to update.", path=f"{line.path}.line"
                )
        return self._created(body)

    def upsert(self, request: Request, external_id: str) -> Answer:
        """Create the refund with this external id, or update it: its unnumbered lines are added."""
        replaces = self._replaces(request, "PUT")
        body = self._parse(request)
        sent = body.fields.text("externalId")
        if sent is not None and sent.lower() != external_id.lower():
            raise refuse(
                400,
                "INVALID_CONTENT",
                "The external id in the body is not the one in the URL.",
                path="externalId",
            )
        stored = self._books.by_external_id(external_id)
        if stored is None:
            if len(external_id) > EXTERNAL_ID_LENGTH:
                raise refuse(400, "INVALID_REQUEST", "The external id in the URL is too long.")
            fields = replace(body.fields, values={**body.fields.values, "externalId": external_id})
            return self._created(replace(body, fields=fields))
        if stored.draft.type is not TransactionType.CASH_REFUND:
            raise user_error("This record already exists.")
        return self._updated(stored, body, replace_lines=replaces)

    def update(self, request: Request, stored: Transaction) -> Answer:
        """Change some fields or lines of a refund."""
        replaces = self._replaces(request, "PATCH")
        return self._updated(stored, self._parse(request), replace_lines=replaces)

    def delete(self, request: Request, stored: Transaction) -> Answer:
        """Delete a refund; nothing is left but a gap in the numbers."""
        read_query(request, ())
        self._require_changeable(stored)
        self._books.delete(stored.id)
        return Answer(204, committed=True)

    def transform(self, request: Request, source: Transaction, target: str) -> Answer:
        """Make a refund of a sale: the sale's lines are *copied* unless `replace=item` is sent."""
        targets = _TRANSFORMS.get(source.draft.type, ())
        if target.lower() not in {one.lower() for one in targets}:
            raise refuse(
                400,
                "INVALID_REQUEST",
                f"A {source.draft.type.value} cannot be transformed to {target}.",
            )
        if target.lower() != "cashrefund":
            raise refuse(400, "INVALID_REQUEST", f"The sandbox makes no {target}.")
        replaces = self._replaces(request, "transform")
        change = self._parse(request) if request.body else None
        if change is not None and "createdFrom" in change.fields.values:
            raise user_error("A transform has its own origin.", path="createdFrom")
        copied = as_body(_copy_of(source, self._preferred_form()), self._schema)
        del copied.fields.values["tranDate"]  # a target is dated today unless the body says so
        body = copied if change is None else merged(copied, change, replace_lines=replaces)
        return self._created(body)

    def _parse(self, request: Request) -> ParsedBody:
        if request.headers.get("x-netsuite-propertynamevalidation", "").lower() != "error":
            self._audit.note_unchecked_write()
        return parse_body(read_json(request), self._schema, request, self._preferences)

    def _replaces(self, request: Request, what: str) -> bool:
        replaces = _replaces_lines(request)
        if not replaces:
            self._audit.note_without_replace(what)
        return replaces

    def _preferred_form(self) -> str:
        return self._preferences.preferred_form or next(iter(self._master.forms))

    def _created(self, body: ParsedBody) -> Answer:
        draft = self._scripts.run_before(self._rules.draft(body, today=self._clock().date()))
        try:
            stored = self._books.add(draft)
        except DuplicateExternalIdError:
            raise user_error("This record already exists.") from None
        self._note(stored)
        self._scripts.run_after(draft)
        headers = [("Location", self._rendering.location(draft.type, stored.id))]
        return Answer(204, headers=(*headers, *_warnings(body)), committed=True)

    def _updated(self, stored: Transaction, body: ParsedBody, *, replace_lines: bool) -> Answer:
        self._require_changeable(stored)
        whole = merged(as_body(stored.draft, self._schema), body, replace_lines=replace_lines)
        draft = self._scripts.run_before(self._rules.draft(whole, today=self._clock().date()))
        try:
            changed = self._books.put(replace(stored, draft=draft))
        except DuplicateExternalIdError:
            raise user_error("This record already exists.") from None
        self._note(changed)
        self._scripts.run_after(draft)
        return Answer(204, headers=_warnings(body), committed=True)

    def _require_changeable(self, stored: Transaction) -> None:
        if stored.locked is not None:
            raise refuse(
                400, "RCRD_LOCKED_BY_WF", f"Error while accessing a resource. {stored.locked}"
            )
        if stored.deposited:
            raise user_error("This transaction has been deposited and cannot be changed.")
        if stored.voided:
            raise user_error("This transaction has been voided and cannot be changed.")
        self._rules.require_open(self._master.periods[stored.draft.period])

    def _note(self, stored: Transaction) -> None:
        if pays_out(stored.draft, self._master):
            self._audit.note_second_payout()
        for text in dubious(stored, self._master, self._books):
            self._audit.note_flag(f"{stored.id}: {text}")


def _copy_of(source: Transaction, form: str) -> Draft:
    return replace(
        source.draft,
        type=TransactionType.CASH_REFUND,
        external_id=None,
        tran_id=None,
        created_from=source.id,
        custom_form=form,
    )


def _replaces_lines(request: Request) -> bool:
    sublists = read_query(request, {"replace"}).get("replace")
    if sublists not in {None, "item"}:
        raise refuse(
            400,
            "INVALID_PARAMETER",
            "Only the sublist item can be replaced.",
            query_param="replace",
        )
    return sublists is not None


def _warnings(body: ParsedBody) -> tuple[tuple[str, str], ...]:
    # The name of NetSuite's own warning header is not known (contract 9, question 17).
    return tuple(("X-Sandbox-Warning", text) for text in body.warnings if text.isascii())
