"""The business rules a new cash refund must pass (contract 2.6 and section 8, points 23 to 33).

Takes parsed fields, returns a draft to store. Syntax is `body_parser.py`, uniqueness the ledger's.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import TypeVar

from refund_pipeline.sandbox.netsuite.body_parser import Fields, ParsedBody
from refund_pipeline.sandbox.netsuite.exchange import Refusal, refuse, user_error
from refund_pipeline.sandbox.netsuite.ledger import (
    Draft,
    Ledger,
    Transaction,
    TransactionLine,
    TransactionType,
)
from refund_pipeline.sandbox.netsuite.master_data import (
    CUSTOM_FORM,
    PRICE_LEVELS,
    Currency,
    Item,
    MasterData,
)
from refund_pipeline.sandbox.netsuite.properties import RefundProperties

_MANDATORY = {
    "entity": "Customer",
    "customForm": "Custom Form",
    "subsidiary": "Subsidiary",
    "location": "Location",
    "currency": "Currency",
}
_CENT = Decimal("0.01")
_Entry = TypeVar("_Entry")


class RefundRules:
    """Checks bodies against one account."""

    def __init__(self, master: MasterData, ledger: Ledger, schema: RefundProperties) -> None:
        self._master = master
        self._ledger = ledger
        self._schema = schema

    def draft(self, body: ParsedBody, *, today: date) -> Draft:
        """Return the refund to store.

        Raises:
            Refusal: 400 with the first rule that is broken; mandatory fields are reported together.
        """
        fields = body.fields
        missing = [label for name, label in _MANDATORY.items() if name not in fields.values]
        if missing:
            raise user_error(f"Please enter value(s) for: {', '.join(missing)}.")
        if not body.lines:
            raise user_error("You must enter at least one line item for this transaction.")
        if _chosen(fields, "customForm") != CUSTOM_FORM:
            raise _unknown(fields, "customForm")
        subsidiary = self._find(fields, "subsidiary", self._master.subsidiaries).id
        entity = self._customer(fields, subsidiary)
        location = self._location(fields, subsidiary)
        if location is None:
            raise user_error("Please enter value(s) for: Location.")
        currency = self._currency(fields, entity)
        origin = self._origin(fields, entity=entity, subsidiary=subsidiary, currency=currency.id)
        payment = None
        if fields.reference("paymentOption") is not None:
            payment = self._find(fields, "paymentOption", self._master.payment_methods).id
        tran_date = fields.day("tranDate") or today
        draft = Draft(
            type=TransactionType.CASH_REFUND,
            external_id=fields.text("externalId"),
            entity=entity,
            subsidiary=subsidiary,
            location=location,
            currency=currency.id,
            tran_date=tran_date,
            period=self._period(fields, tran_date),
            tran_id=fields.text("tranId"),
            memo=fields.text("memo"),
            other_ref_num=fields.text("otherRefNum"),
            custom_form=CUSTOM_FORM,
            created_from=origin.id if origin is not None else None,
            handling_mode=fields.text("handlingMode"),
            payment_option=payment,
            lines=tuple(self._line(line, subsidiary, currency) for line in body.lines),
            custom=_custom(fields, self._schema.body_custom),
        )
        if draft.total < 0:
            raise user_error("The total cannot be negative.")
        return draft

    def pays_out(self, draft: Draft) -> bool:
        """Say whether NetSuite would move money itself for this refund (point 32)."""
        if draft.handling_mode is not None:
            return draft.handling_mode == "PROCESS"
        method = self._master.payment_methods.get(draft.payment_option or "")
        return method is not None and not method.offline

    def dubious_lines(self, draft: Draft) -> list[str]:
        """Describe the lines NetSuite takes and a careful client would not send (point 29)."""
        found = []
        for line in draft.lines:
            item = self._master.items[line.item]
            if item.item_type == "Payment" and line.amount > 0:
                found.append(f"payment item {item.id} with a positive amount")
            if item.item_type == "Payment" and item.taxable:
                found.append(f"payment item {item.id} is taxable")
        return found

    def _find(self, fields: Fields, name: str, entries: Mapping[str, _Entry]) -> _Entry:
        entry = entries.get(_chosen(fields, name) or "")
        if entry is None:
            raise _unknown(fields, name)
        return entry

    def _customer(self, fields: Fields, subsidiary: str) -> str:
        customer = self._find(fields, "entity", self._master.customers)
        if not customer.active:
            raise user_error(f"Invalid entity reference key {customer.id}.", path="entity")
        if customer.subsidiary != subsidiary:
            raise user_error(
                f"Invalid entity reference key {customer.id} for subsidiary {subsidiary}.",
                path="entity",
            )
        return customer.id

    def _location(self, fields: Fields, subsidiary: str) -> str | None:
        if fields.reference("location") is None:
            return None
        location = self._find(fields, "location", self._master.locations)
        if location.subsidiary != subsidiary or not location.active:
            raise user_error(
                f"Invalid location reference key {location.id} for subsidiary {subsidiary}.",
                path=_path(fields, "location"),
            )
        return location.id

    def _currency(self, fields: Fields, entity: str) -> Currency:
        currency = self._find(fields, "currency", self._master.currencies)
        if currency.id != self._master.customers[entity].currency:
            raise user_error(
                f"Invalid currency reference key {currency.id} for entity {entity}.",
                path="currency",
            )
        return currency

    def _origin(
        self, fields: Fields, *, entity: str, subsidiary: str, currency: str
    ) -> Transaction | None:
        reference = fields.reference("createdFrom")
        if reference is None:
            return None
        if reference.external_id is not None:
            origin = self._ledger.by_external_id(reference.external_id)
        else:
            origin = self._ledger.get(reference.id or "")
        if origin is None:
            raise _unknown(fields, "createdFrom")
        found = origin.draft
        if found.type is not TransactionType.CASH_SALE:
            raise user_error("Transaction type specified is incorrect.", path="createdFrom")
        if (found.entity, found.subsidiary, found.currency) != (entity, subsidiary, currency):
            raise user_error(
                f"Invalid createdfrom reference key {origin.id}: its customer, subsidiary or "
                "currency differs.",
                path="createdFrom",
            )
        return origin

    def _period(self, fields: Fields, tran_date: date) -> str:
        period = self._master.period_of(tran_date)
        if period is None:
            raise user_error(
                "There is no accounting period for the transaction date.", path="tranDate"
            )
        if fields.reference("postingPeriod") is not None:
            chosen = self._find(fields, "postingPeriod", self._master.periods)
            if chosen.id != period.id:
                raise user_error(
                    "The transaction date you specified is not within the date range of your "
                    "accounting period.",
                    path="postingPeriod",
                )
        if period.closed:
            raise user_error(
                "This transaction has a G/L impact in a closed period: "
                f"{period.name}. Reopen the period or change the date.",
                path="tranDate",
            )
        return period.id

    def _line(self, fields: Fields, subsidiary: str, currency: Currency) -> TransactionLine:
        if fields.number("line") is not None:
            raise user_error("A new transaction has no line to update.", path=f"{fields.path}.line")
        if fields.reference("item") is None:
            raise user_error("Please enter value(s) for: Item.", path=f"{fields.path}.item")
        item = self._find(fields, "item", self._master.items)
        if subsidiary not in item.subsidiaries or not item.active:
            raise user_error(
                f"Invalid item reference key {item.id} for subsidiary {subsidiary}.",
                path=f"{fields.path}.item",
            )
        price = None
        if fields.reference("price") is not None:
            price = _chosen(fields, "price")
            self._find(fields, "price", PRICE_LEVELS)
        quantity, rate, amount = _priced(fields, item, currency)
        return TransactionLine(
            item=item.id,
            amount=amount,
            quantity=quantity,
            rate=rate,
            price=price,
            description=fields.text("description"),
            location=self._location(fields, subsidiary),
            custom=_custom(fields, self._schema.line_custom),
        )


def _priced(
    fields: Fields, item: Item, currency: Currency
) -> tuple[Decimal | None, Decimal | None, Decimal]:
    quantity, rate, amount = (fields.number(name) for name in ("quantity", "rate", "amount"))
    unit = Decimal(1).scaleb(-currency.precision)
    if quantity is not None and quantity <= 0:
        raise user_error("A quantity must be positive.", path=f"{fields.path}.quantity")
    if item.item_type != "Payment":
        quantity = quantity or Decimal(1)
    count = quantity or Decimal(1)
    if rate is None and amount is None:
        rate = item.base_price  # NetSuite prices the line itself: the trap of contract 2.4
    if amount is None:
        amount = (count * (rate or Decimal(0))).quantize(unit)
    if amount != amount.quantize(unit):
        raise refuse(
            400,
            "INVALID_CONTENT",
            f"Error while accessing a resource. Amount has more decimals than {currency.symbol}.",
            path=f"{fields.path}.amount",
        )
    if rate is None:
        return quantity, (amount / count if quantity is not None else None), amount
    if abs(count * rate - amount) > _CENT:
        raise user_error(
            "The amount does not equal quantity times rate.", path=f"{fields.path}.amount"
        )
    return quantity, rate, amount


def _chosen(fields: Fields, name: str) -> str | None:
    reference = fields.reference(name)
    return reference.id if reference is not None else None


def _custom(fields: Fields, names: frozenset[str]) -> dict[str, str]:
    return {name: text for name in sorted(names) if (text := fields.text(name)) is not None}


def _path(fields: Fields, name: str) -> str:
    return f"{fields.path}.{name}" if fields.path else name


def _unknown(fields: Fields, name: str) -> Refusal:
    reference = fields.reference(name)
    value = (reference.id or reference.external_id) if reference is not None else None
    return refuse(
        400,
        "INVALID_CONTENT",
        f"Error while accessing a resource. Invalid field value {value} for field {name}.",
        path=_path(fields, name),
    )
