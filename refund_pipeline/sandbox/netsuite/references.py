"""Resolve what a body refers to: each id exists, is active, and fits its subsidiary (point 24).

Takes parsed fields, returns internal ids. Which fields a refund needs is `refund_rules.py`.
"""

from collections.abc import Mapping
from typing import TypeVar

from refund_pipeline.sandbox.netsuite.body_parser import Fields
from refund_pipeline.sandbox.netsuite.books import Books
from refund_pipeline.sandbox.netsuite.exchange import Refusal, refuse, user_error
from refund_pipeline.sandbox.netsuite.ledger import Transaction, TransactionType
from refund_pipeline.sandbox.netsuite.master_data import MasterData
from refund_pipeline.sandbox.netsuite.master_entries import (
    Classification,
    Currency,
    Customer,
    Department,
    Item,
    PaymentMethod,
    allowed_in,
)
from refund_pipeline.sandbox.netsuite.role import Level, Role

_ORIGINS = (TransactionType.CASH_SALE, TransactionType.RETURN_AUTHORIZATION)
_MONEY_ACCOUNTS = {"Bank", "OthCurrAsset", "CredCard"}
_Entry = TypeVar("_Entry")
_Segment = TypeVar("_Segment", Classification, Department)


class References:
    """Looks ids up in one account."""

    def __init__(self, master: MasterData, books: Books, role: Role) -> None:
        self._master = master
        self._books = books
        self._role = role

    def find(self, fields: Fields, name: str, entries: Mapping[str, _Entry]) -> _Entry:
        """Return the entry a field refers to.

        Raises:
            Refusal: 400 INVALID_CONTENT with the field's path.
        """
        reference = fields.reference(name)
        entry = entries.get(reference.id or "") if reference is not None else None
        if entry is None:
            raise unknown(fields, name)
        return entry

    def subsidiary(self, fields: Fields, customer: Customer) -> str:
        """Return the subsidiary, by default the customer's; the role has to be allowed it."""
        found = self._master.subsidiaries[customer.subsidiary]
        if fields.reference("subsidiary") is not None:
            found = self.find(fields, "subsidiary", self._master.subsidiaries)
        if not (found.active and self._role.may_use(found.id)):
            raise user_error(f"Invalid subsidiary reference key {found.id}.", path="subsidiary")
        return found.id

    def customer(self, fields: Fields) -> Customer:
        """Return the customer."""
        customer = self.find(fields, "entity", self._master.customers)
        if not customer.active:
            raise user_error(f"Invalid entity reference key {customer.id}.", path="entity")
        return customer

    def location(self, fields: Fields, subsidiary: str) -> str | None:
        """Return the location of a body or line, None when it has none."""
        if fields.reference("location") is None:
            return None
        found = self.find(fields, "location", self._master.locations)
        if not (found.active and found.subsidiary == subsidiary):
            raise _unfit(fields, "location", found.id, subsidiary)
        return found.id

    def classification(self, fields: Fields, subsidiary: str) -> str | None:
        """Return the class of a body or line, None when it has none."""
        return self._segment(fields, "class", self._master.classes, subsidiary)

    def department(self, fields: Fields, subsidiary: str) -> str | None:
        """Return the department of a body or line, None when it has none."""
        return self._segment(fields, "department", self._master.departments, subsidiary)

    def currency(self, fields: Fields, customer: Customer) -> Currency:
        """Return the currency, which has to be one of the customer's."""
        found = self.find(fields, "currency", self._master.currencies)
        if not found.active or found.id not in customer.currencies:
            raise user_error(
                f"Invalid currency reference key {found.id} for entity {customer.id}.",
                path="currency",
            )
        return found

    def account(self, fields: Fields, subsidiary: str) -> str | None:
        """Return the account the money comes from, None when the body names none."""
        if fields.reference("account") is None:
            return None
        found = self.find(fields, "account", self._master.accounts)
        fits = found.account_type in _MONEY_ACCOUNTS and allowed_in(found.subsidiaries, subsidiary)
        if not (found.active and fits):
            raise _unfit(fields, "account", found.id, subsidiary)
        return found.id

    def payment_method(self, fields: Fields) -> PaymentMethod | None:
        """Return the payment option, None when the body names none."""
        if fields.reference("paymentOption") is None:
            return None
        found = self.find(fields, "paymentOption", self._master.payment_methods)
        if not found.active:
            raise user_error(
                f"Invalid paymentoption reference key {found.id}.", path="paymentOption"
            )
        return found

    def item(self, fields: Fields, subsidiary: str) -> Item:
        """Return the item of a line."""
        if fields.reference("item") is None:
            raise user_error("Please enter value(s) for: Item.", path=f"{fields.path}.item")
        found = self.find(fields, "item", self._master.items)
        if not (found.active and subsidiary in found.subsidiaries):
            raise _unfit(fields, "item", found.id, subsidiary)
        return found

    def origin(
        self, fields: Fields, *, entity: str, subsidiary: str, currency: str
    ) -> Transaction | None:
        """Return the sale or return authorization a refund is made from (point 26)."""
        reference = fields.reference("createdFrom")
        if reference is None:
            return None
        if reference.external_id is not None:
            origin = self._books.by_external_id(reference.external_id)
        else:
            origin = self._books.get(reference.id or "")
        if origin is None or not self._role.sees(origin):
            raise unknown(fields, "createdFrom")
        found = origin.draft
        if found.type not in _ORIGINS:
            raise user_error("Transaction type specified is incorrect.", path="createdFrom")
        if self._role.records[found.type] < Level.VIEW:
            raise user_error(
                f"You do not have permission to view the {found.type.title} {origin.id}.",
                path="createdFrom",
            )
        if (found.entity, found.subsidiary, found.currency) != (entity, subsidiary, currency):
            raise user_error(
                f"Invalid createdfrom reference key {origin.id}: its customer, subsidiary or "
                "currency differs.",
                path="createdFrom",
            )
        if origin.voided:
            raise user_error(f"Invalid createdfrom reference key {origin.id}.", path="createdFrom")
        return origin

    def _segment(
        self,
        fields: Fields,
        name: str,
        entries: Mapping[str, _Segment],
        subsidiary: str,
    ) -> str | None:
        if fields.reference(name) is None:
            return None
        found = self.find(fields, name, entries)
        if not (found.active and allowed_in(found.subsidiaries, subsidiary)):
            raise _unfit(fields, name, found.id, subsidiary)
        return found.id


def path_of(fields: Fields, name: str) -> str:
    """Return the path of a property in an error."""
    return f"{fields.path}.{name}" if fields.path else name


def unknown(fields: Fields, name: str) -> Refusal:
    """Return the refusal of an id nothing is known by."""
    reference = fields.reference(name)
    value = (reference.id or reference.external_id) if reference is not None else None
    return refuse(
        400,
        "INVALID_CONTENT",
        f"Error while accessing a resource. Invalid field value {value} for field {name}.",
        path=path_of(fields, name),
    )


def _unfit(fields: Fields, name: str, key: str, subsidiary: str) -> Refusal:
    return user_error(
        f"Invalid {name} reference key {key} for subsidiary {subsidiary}.",
        path=path_of(fields, name),
    )
