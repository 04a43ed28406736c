"""Changes to a stored refund: which fields and lines a body leaves alone, changes or adds (2.3).

A line with a known `line` is changed, one without it is *added*: a repeated PUT doubles a refund.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal

from refund_pipeline.sandbox.netsuite.body_parser import Fields, ParsedBody
from refund_pipeline.sandbox.netsuite.body_values import Reference, Value
from refund_pipeline.sandbox.netsuite.ledger import Draft, TransactionLine
from refund_pipeline.sandbox.netsuite.properties import Kind, RefundProperties


def as_body(draft: Draft, schema: RefundProperties) -> ParsedBody:
    """Return the body that would create a stored refund again, each line with its number."""
    body = _Values()
    body.references(
        entity=draft.entity,
        subsidiary=draft.subsidiary if "subsidiary" in schema.body else None,
        location=draft.location,
        currency=draft.currency,
        customForm=draft.custom_form,
        createdFrom=draft.created_from,
        paymentOption=draft.payment_option,
        account=draft.account,
        department=draft.department,
    )
    body.references(**{"class": draft.class_id})
    body.others(
        externalId=draft.external_id,
        tranDate=draft.tran_date,
        tranId=draft.tran_id,
        memo=draft.memo,
        otherRefNum=draft.other_ref_num,
        handlingMode=draft.handling_mode,
        refundCheck=draft.refund_check,
    )
    body.custom(draft.custom, schema.body_custom)
    lines = tuple(_line(line, number, schema) for number, line in enumerate(draft.lines, start=1))
    return ParsedBody(Fields("", body.found), lines)


def merged(stored: ParsedBody, change: ParsedBody, *, replace_lines: bool) -> ParsedBody:
    """Return the stored body after a change; null clears, `replace_lines` drops unsent lines."""
    lines = stored.lines or ()
    if change.lines is not None:
        cleared = not change.lines
        lines = _merged_lines(lines, change.lines, keep_unsent=not (replace_lines or cleared))
    return replace(change, fields=_over(stored.fields, change.fields), lines=lines)


def _merged_lines(
    stored: tuple[Fields, ...], sent: tuple[Fields, ...], *, keep_unsent: bool
) -> tuple[Fields, ...]:
    by_number = dict(enumerate(stored, start=1))
    changed: dict[int, Fields] = {}
    added: list[Fields] = []
    for line in sent:
        number = line.number("line")
        known = by_number.get(int(number)) if number is not None else None
        plain = Fields(line.path, _without(line.values, "line"), line.cleared)
        if known is None or number is None:
            added.append(plain)
        else:
            changed[int(number)] = _over(_repriced(known, plain), plain)
    kept = {number: line for number, line in by_number.items() if keep_unsent or number in changed}
    return (*{**kept, **changed}.values(), *added)


def _repriced(stored: Fields, change: Fields) -> Fields:
    """Forget the stored price that a new one replaces."""
    gone: tuple[str, ...] = ()
    if change.number("amount") is not None:
        gone = ("rate",)
    elif change.number("rate") is not None or change.number("quantity") is not None:
        gone = ("amount",)
    return replace(stored, values=_without(stored.values, *gone))


def _over(stored: Fields, change: Fields) -> Fields:
    values = {**_without(stored.values, *change.cleared), **change.values}
    return Fields(change.path, values)


def _without(values: dict[str, Value], *names: str) -> dict[str, Value]:
    return {name: value for name, value in values.items() if name not in names}


def _line(line: TransactionLine, number: int, schema: RefundProperties) -> Fields:
    values = _Values()
    values.references(
        item=line.item, price=line.price, location=line.location, department=line.department
    )
    values.references(**{"class": line.class_id})
    values.others(
        quantity=line.quantity,
        rate=line.rate,
        amount=line.amount,
        description=line.description,
        taxDetailsReference=line.tax_reference,
    )
    values.custom(line.custom, schema.line_custom)
    return Fields(f"item.items[{number - 1}]", values.found)


class _Values:
    """Collects values by property; absent ones are left out."""

    def __init__(self) -> None:
        self.found: dict[str, Value] = {}

    def references(self, **ids: str | None) -> None:
        for name, internal_id in ids.items():
            if internal_id is not None:
                self.found[name] = Reference(id=internal_id)

    def others(self, **values: Value | None) -> None:
        self.found.update({name: value for name, value in values.items() if value is not None})

    def custom(self, values: Mapping[str, str], kinds: Mapping[str, Kind]) -> None:
        for name, kind in kinds.items():
            if name in values:
                self.found[name] = _typed(values[name], kind)


def _typed(text: str, kind: Kind) -> Value:
    match kind:
        case Kind.REFERENCE:
            return Reference(id=text)
        case Kind.DATE:
            return date.fromisoformat(text)
        case Kind.FLAG:
            return text == "T"
        case Kind.NUMBER | Kind.INTEGER:
            return Decimal(text)
        case _:
            return text
