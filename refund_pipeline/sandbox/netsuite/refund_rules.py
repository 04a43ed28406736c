"""The business rules a cash refund must pass (contract 2.6 and section 8, points 23 to 33).

Takes parsed fields, returns a draft to store. Syntax is `body_parser.py`, ids `references.py`,
amounts `pricing.py`, uniqueness the books'.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from refund_pipeline.sandbox.netsuite.body_parser import Fields, ParsedBody
from refund_pipeline.sandbox.netsuite.body_values import Reference, Value
from refund_pipeline.sandbox.netsuite.books import Books
from refund_pipeline.sandbox.netsuite.exchange import user_error
from refund_pipeline.sandbox.netsuite.ledger import Draft, TransactionLine, TransactionType
from refund_pipeline.sandbox.netsuite.master_data import MasterData
from refund_pipeline.sandbox.netsuite.master_defaults import (
    BANK_ACCOUNT,
    CUSTOM_FORM,
    PRICE_LEVELS,
    UNDEPOSITED_ACCOUNT,
)
from refund_pipeline.sandbox.netsuite.master_entries import (
    Currency,
    Customer,
    PaymentMethod,
    Period,
)
from refund_pipeline.sandbox.netsuite.preferences import Preferences
from refund_pipeline.sandbox.netsuite.pricing import priced, tax_of
from refund_pipeline.sandbox.netsuite.properties import Kind, Properties, RefundProperties
from refund_pipeline.sandbox.netsuite.references import References, unknown
from refund_pipeline.sandbox.netsuite.role import Role


class RefundRules:
    """Checks bodies against one account."""

    def __init__(
        self,
        *,
        master: MasterData,
        books: Books,
        schema: RefundProperties,
        role: Role,
        preferences: Preferences,
    ) -> None:
        self._master = master
        self._references = References(master, books, role)
        self._schema = schema
        self._preferences = preferences

    def draft(self, body: ParsedBody, *, today: date) -> Draft:
        """Return the refund to store.

        Raises:
            Refusal: 400 with the first rule that is broken; mandatory fields are reported together.
        """
        fields, find = body.fields, self._references
        form = self._form(fields)
        self._require_mandatory(body, form or CUSTOM_FORM)
        if not body.lines:
            raise user_error("You must enter at least one line item for this transaction.")
        customer = find.customer(fields)
        subsidiary = self._subsidiary(fields, customer)
        location = find.location(fields, subsidiary)
        currency = self._currency(fields, customer)
        origin = find.origin(
            fields, entity=customer.id, subsidiary=subsidiary, currency=currency.id
        )
        method = find.payment_method(fields)
        tran_date = self._date(fields, today)
        lines = tuple(self._line(line, subsidiary, currency) for line in body.lines)
        draft = Draft(
            type=TransactionType.CASH_REFUND,
            external_id=fields.text("externalId"),
            entity=customer.id,
            subsidiary=subsidiary,
            location=location,
            currency=currency.id,
            tran_date=tran_date,
            period=self._period(fields, tran_date),
            tran_id=fields.text("tranId"),
            memo=fields.text("memo"),
            other_ref_num=fields.text("otherRefNum"),
            custom_form=form or CUSTOM_FORM,
            created_from=origin.id if origin is not None else None,
            handling_mode=fields.text("handlingMode"),
            payment_option=method.id if method is not None else None,
            lines=lines,
            custom=_custom(fields, self._schema.body_custom),
            account=_money_account(find.account(fields, subsidiary), method),
            class_id=find.classification(fields, subsidiary),
            department=find.department(fields, subsidiary),
            exchange_rate=self._master.exchange_rate(currency.id, subsidiary),
            tax_total=tax_of(
                body,
                lines,
                self._master.items,
                subsidiary=self._master.subsidiaries[subsidiary],
                currency=currency,
            ),
            refund_check=fields.flag("refundCheck"),
        )
        if draft.total < 0:
            raise user_error("The total cannot be negative.")
        return draft

    def require_open(self, period: Period) -> None:
        """Refuse what would change the ledger in a period that is closed or locked.

        Raises:
            Refusal: 400 with the date's path.
        """
        if period.closed or period.all_locked:
            raise user_error(
                "This transaction has a G/L impact in a closed period: "
                f"{period.name}. Reopen the period or change the date.",
                path="tranDate",
            )
        if period.receivables_locked:
            raise user_error(
                f"The period {period.name} is locked for accounts receivable: this transaction "
                "has a G/L impact in a closed period.",
                path="tranDate",
            )

    def _form(self, fields: Fields) -> str | None:
        if fields.reference("customForm") is None:
            return self._preferences.preferred_form
        return self._references.find(fields, "customForm", self._master.forms).id

    def _require_mandatory(self, body: ParsedBody, form_id: str) -> None:
        form = self._master.forms[form_id]
        required = set(form.mandatory)
        if self._preferences.preferred_form is not None:
            required.discard("customForm")
        missing = _missing(body.fields, form.mandatory, self._schema.body, required)
        if missing:
            raise user_error(f"Please enter value(s) for: {', '.join(missing)}.")
        for line in body.lines or ():
            missing = _missing(
                line, form.line_mandatory, self._schema.line, set(form.line_mandatory)
            )
            if missing:
                raise user_error(
                    f"Please enter value(s) for: {', '.join(missing)}.", path=line.path
                )

    def _subsidiary(self, fields: Fields, customer: Customer) -> str:
        subsidiary = self._references.subsidiary(fields, customer)
        if subsidiary not in customer.subsidiaries:
            raise user_error(
                f"Invalid entity reference key {customer.id} for subsidiary {subsidiary}.",
                path="entity",
            )
        return subsidiary

    def _currency(self, fields: Fields, customer: Customer) -> Currency:
        if fields.reference("currency") is None:
            return self._master.currencies[customer.currency]
        return self._references.currency(fields, customer)

    def _date(self, fields: Fields, today: date) -> date:
        tran_date = fields.day("tranDate") or today
        if tran_date > today and not self._preferences.future_dates:
            raise user_error("The transaction date cannot be in the future.", path="tranDate")
        return tran_date

    def _period(self, fields: Fields, tran_date: date) -> str:
        period = self._master.period_of(tran_date)
        if period is None:
            raise user_error(
                "There is no accounting period for the transaction date.", path="tranDate"
            )
        if fields.reference("postingPeriod") is not None:
            chosen = self._references.find(fields, "postingPeriod", self._master.periods)
            if chosen.id != period.id:
                raise user_error(
                    "The transaction date you specified is not within the date range of your "
                    "accounting period.",
                    path="postingPeriod",
                )
        self.require_open(period)
        return period.id

    def _line(self, fields: Fields, subsidiary: str, currency: Currency) -> TransactionLine:
        find = self._references
        item = find.item(fields, subsidiary)
        price = None
        if fields.reference("price") is not None:
            price = (fields.reference("price") or Reference()).id
            find.find(fields, "price", PRICE_LEVELS)
        quantity, rate, amount = priced(fields, item, currency)
        return TransactionLine(
            item=item.id,
            amount=amount,
            quantity=quantity,
            rate=rate,
            price=price,
            description=fields.text("description"),
            location=find.location(fields, subsidiary),
            custom=_custom(fields, self._schema.line_custom),
            class_id=find.classification(fields, subsidiary),
            department=find.department(fields, subsidiary),
            tax_reference=fields.text("taxDetailsReference"),
        )


def _missing(
    fields: Fields, names: tuple[str, ...], properties: Properties, required: set[str]
) -> list[str]:
    return [
        properties[name].title
        for name in names
        if name in required and name in properties and fields.values.get(name) in {None, ""}
    ]


def _money_account(chosen: str | None, method: PaymentMethod | None) -> str:
    if method is not None and method.undeposited:
        return UNDEPOSITED_ACCOUNT  # beats what the body says (contract 6.2)
    if chosen is None and method is not None:
        chosen = method.account
    return chosen or BANK_ACCOUNT


def _custom(fields: Fields, kinds: Mapping[str, Kind]) -> dict[str, str]:
    found = {}
    for name in sorted(kinds):
        value = fields.values.get(name)
        if value not in {None, ""}:
            found[name] = _as_text(fields, name, value)
    return found


def _as_text(fields: Fields, name: str, value: Value | None) -> str:
    match value:
        case bool():
            return "T" if value else "F"
        case Decimal():
            return format(value, "f")
        case date():
            return value.isoformat()
        case Reference(id=str(chosen)):
            return chosen
        case str():
            return value
        case _:
            raise unknown(fields, name)
