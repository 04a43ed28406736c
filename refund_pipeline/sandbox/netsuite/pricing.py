"""What a line costs and what tax it bears: quantity times rate, precision, tax (points 28, 30)."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from refund_pipeline.sandbox.netsuite.body_parser import Fields, ParsedBody
from refund_pipeline.sandbox.netsuite.exchange import refuse, user_error
from refund_pipeline.sandbox.netsuite.ledger import TransactionLine
from refund_pipeline.sandbox.netsuite.master_entries import Currency, Item, Subsidiary

_CENT = Decimal("0.01")


def unit_of(currency: Currency) -> Decimal:
    """Return the smallest amount of a currency."""
    return Decimal(1).scaleb(-currency.precision)


def priced(
    fields: Fields, item: Item, currency: Currency
) -> tuple[Decimal | None, Decimal | None, Decimal]:
    """Return quantity, rate and amount of a line, what is missing worked out.

    Raises:
        Refusal: 400 when they contradict each other, or the amount is finer than the currency.
    """
    quantity, rate, amount = (fields.number(name) for name in ("quantity", "rate", "amount"))
    unit = unit_of(currency)
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


def tax_of(
    body: ParsedBody,
    lines: Sequence[TransactionLine],
    items: Mapping[str, Item],
    *,
    subsidiary: Subsidiary,
    currency: Currency,
) -> Decimal:
    """Return the tax on a refund: what the body overrides it with, else the subsidiary's rate.

    Payment items bear none, even if they are taxable (section 8, point 29).
    """
    if body.fields.flag("taxDetailsOverride"):
        return _overridden(body, lines, currency)
    if body.tax_details:
        raise user_error("Tax details are only taken with Tax Details Override.", path="taxDetails")
    base = sum(
        (
            line.amount
            for line in lines
            if items[line.item].taxable and items[line.item].item_type != "Payment"
        ),
        Decimal(0),
    )
    return (base * subsidiary.tax_rate / 100).quantize(unit_of(currency))


def _overridden(body: ParsedBody, lines: Sequence[TransactionLine], currency: Currency) -> Decimal:
    known = {line.tax_reference for line in lines if line.tax_reference is not None}
    total = Decimal(0)
    for detail in body.tax_details:
        reference, amount = detail.text("taxDetailsReference"), detail.number("taxAmount")
        if reference not in known:
            raise user_error(
                "The tax details refer to no line.", path=f"{detail.path}.taxDetailsReference"
            )
        if amount is None or amount != amount.quantize(unit_of(currency)):
            raise user_error("Please enter value(s) for: Tax Amount.", path=detail.path)
        total += amount
    return total
