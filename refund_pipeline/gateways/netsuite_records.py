"""Cash refunds as NetSuite writes them: the body of a POST, and a record read back."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from refund_pipeline.domain.outcomes import CASH_REFUND, PAYMENT_OPTION, ErpRecord, RecordLine
from refund_pipeline.domain.transactions import RefundTransaction, TransactionLine
from refund_pipeline.gateways.http import exact_json
from refund_pipeline.gateways.netsuite_suiteql import Row

KINDS = {
    "CashRfnd": CASH_REFUND,
    "CashSale": "cash_sale",
    "SalesOrd": "sales_order",
    "CustInvc": "invoice",
    "CustCred": "credit_memo",
    "CustRfnd": "customer_refund",
    "CustDep": "customer_deposit",
}
CASH_REFUND_SIGN = 1
"""foreignamount of a cash refund's line = + the amount sent (contract suiteql 2)."""


def body(transaction: RefundTransaction) -> Mapping[str, object]:
    """Return the body that creates `transaction`; SAVE_ONLY: the customer has the money."""
    document: dict[str, object] = {
        "externalId": transaction.external_id,
        "customForm": {"id": transaction.custom_form},
        "entity": {"id": transaction.entity},
        "subsidiary": {"id": transaction.subsidiary},
        "location": {"id": transaction.location},
        "currency": {"id": transaction.currency_id},
        "tranDate": transaction.business_date.isoformat(),
        "memo": transaction.memo,
        "handlingMode": {"id": "SAVE_ONLY"},
    }
    if transaction.created_from is not None:
        document["createdFrom"] = {"id": transaction.created_from}
    optional = {
        "class": transaction.class_id,
        "paymentOption": transaction.payment_option,
        "account": transaction.account,
    }
    document |= {name: {"id": value} for name, value in optional.items() if value is not None}
    document.update(transaction.custom_fields)
    document["item"] = {"items": [_line(line, transaction) for line in transaction.lines]}
    return document


def rendered(transaction: RefundTransaction) -> str:
    """Return the exact body, indented for people; no credentials are needed to see it."""
    return exact_json(body(transaction), indent="\n")


def _line(line: TransactionLine, transaction: RefundTransaction) -> Mapping[str, object]:
    written: dict[str, object] = {"item": {"id": line.item}}
    if line.amount > 0:
        written |= {"quantity": 1, "rate": line.amount, "price": {"id": "-1"}}
    written |= {"amount": line.amount, "location": {"id": transaction.location}}
    if line.gift_card_last4 and transaction.gift_card_field:
        written[transaction.gift_card_field] = line.gift_card_last4
    return written


def record_from_rows(rows: Sequence[Row], *, custom_fields: Sequence[str]) -> ErpRecord:
    """Build a record from its SuiteQL rows; an unexpected tax or shipping line stays visible."""
    head = rows[0]
    lines = [
        _record_line(
            row.get("item", "line without item"), row.get("foreignamount"), sign=CASH_REFUND_SIGN
        )
        for row in rows
        if row.get("mainline") != "T" and not _technical(row)
    ]
    return ErpRecord(
        erp_id=head["id"],
        external_id=head.get("externalid", ""),
        kind=KINDS.get(head.get("type", ""), head.get("type", "unknown")),
        currency_id=head.get("currency", ""),
        memo=head.get("memo"),
        voided=head.get("voided") == "T",
        lines=tuple(lines),
        tran_date=_date(head.get("trandate")),
        custom=tuple((name, head[name]) for name in custom_fields if name in head),
    )


def record_from_json(document: Mapping[str, Any]) -> ErpRecord:
    """Build a record from a cash refund read with `expandSubResources`."""
    lines = [
        _record_line(_reference(line.get("item")), line.get("amount"))
        for line in _objects(_object(document.get("item")).get("items"))
    ]
    if document.get("taxTotal"):
        lines.append(_record_line("tax", document["taxTotal"]))
    return ErpRecord(
        erp_id=str(document["id"]),
        external_id=str(document.get("externalId", "")),
        kind=CASH_REFUND,
        currency_id=_reference(document.get("currency")),
        memo=str(document["memo"]) if document.get("memo") is not None else None,
        voided=False,
        lines=tuple(lines),
        tran_date=_date(document.get("tranDate")),
        custom=tuple(
            (name, value)
            for name, value in (
                *document.items(),
                (PAYMENT_OPTION, _reference(document.get("paymentOption")) or None),
            )
            if name.startswith(("custbody", PAYMENT_OPTION)) and isinstance(value, str)
        ),
    )


def _technical(row: Row) -> bool:
    if "T" in {row.get("iscogs"), row.get("donotdisplayline")}:
        return True
    return row.get("taxline") == "T" and _amount(row.get("foreignamount")) == 0


def _record_line(item: str, amount: object, *, sign: int = 1) -> RecordLine:
    """Return a line as we would have sent it; one that cannot be read equals none of ours."""
    value = _amount(amount)
    if value is None:
        return RecordLine(f"{item} without a readable amount", Decimal(0))
    return RecordLine(item, value * sign)


def _amount(value: object) -> Decimal | None:
    try:
        amount = Decimal(str(value)) if value is not None else Decimal(0)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def _reference(value: object) -> str:
    return str(_object(value).get("id", ""))


def _object(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def _objects(value: object) -> Sequence[Mapping[str, object]]:
    return [_object(item) for item in value] if isinstance(value, list) else []


def _date(value: object) -> date | None:
    try:
        return date.fromisoformat(str(value)) if value else None
    except ValueError:
        return None
