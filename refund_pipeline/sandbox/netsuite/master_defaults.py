"""What is in the sandbox's lists at the start. The ids are those of `mappings/example.yaml`."""

import calendar
from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from refund_pipeline.sandbox.netsuite.master_entries import (
    Account,
    Classification,
    Currency,
    Customer,
    Department,
    Form,
    Item,
    Location,
    PaymentMethod,
    Period,
    Subsidiary,
)

CUSTOM_FORM = "131"
BANK_ACCOUNT = "100"
UNDEPOSITED_ACCOUNT = "110"
STOCK_ACCOUNT = "120"
RECEIVABLES_ACCOUNT = "150"
TAX_ACCOUNT = "220"
COST_ACCOUNT = "500"
SALES_ITEM = "7001"
STOCKED_ITEM = "7002"
TAX_ITEM = "-8"
"""NetSuite's own tax code for "not taxable"; here the item of every tax line."""
PRICE_LEVELS = {"-1": "Custom", "1": "Base Price"}


def subsidiaries() -> Iterable[Subsidiary]:
    """Return three legal entities with a currency each."""
    return (
        Subsidiary("1", "US", "1", "US", tax_rate=Decimal("8.875")),
        Subsidiary("2", "DE", "2", "DE", tax_rate=Decimal(19)),
        Subsidiary("3", "JP", "3", "JP", tax_rate=Decimal(10)),
    )


def currencies() -> Iterable[Currency]:
    """Return their currencies; the first is the account's base currency."""
    return (
        Currency("1", "USD", "US Dollar", 2),
        Currency("2", "EUR", "Euro", 2, rate=Decimal("1.0837")),
        Currency("3", "JPY", "Yen", 0, rate=Decimal("0.006543")),
    )


def locations() -> Iterable[Location]:
    """Return stores and web shops."""
    numbers = {"1": ("11", "12", "19"), "2": ("21", "22", "29"), "3": ("31", "39")}
    return [
        Location(number, f"Location {number}", subsidiary)
        for subsidiary, members in numbers.items()
        for number in members
    ]


def classes() -> Iterable[Classification]:
    """Return one class for all, and one of the German subsidiary."""
    return (
        Classification("51", "Footwear"),
        Classification("52", "Outlet", frozenset({"2"})),
    )


def departments() -> Iterable[Department]:
    """Return one department for all, and one of the German subsidiary."""
    return (
        Department("61", "Retail"),
        Department("62", "Outlet", frozenset({"2"})),
    )


def customers() -> Iterable[Customer]:
    """Return customers with the currency of their subsidiary; 501 to 503 are those of the web."""
    numbers = {
        "1": (501, *range(601, 621)),
        "2": (502, *range(621, 631)),
        "3": (503, *range(631, 641)),
    }
    return [
        Customer(str(number), f"Customer {number}", subsidiary, subsidiary)
        for subsidiary, members in numbers.items()
        for number in members
    ]


def items() -> Iterable[Item]:
    """Return goods, goodwill and a payment item per tender."""
    everywhere = frozenset({"1", "2", "3"})
    rows = [
        (SALES_ITEM, "Goods", "NonInvtPart", "400"),
        (STOCKED_ITEM, "Shoes", "InvtPart", "400"),
        ("9001", "Goodwill", "OthCharge", "490"),
        ("9002", "Goodwill, late delivery", "OthCharge", "490"),
        ("8001", "Refund in cash", "Payment", "200"),
        ("8101", "Refund by Adyen", "Payment", "200"),
        ("8102", "Refund by Stripe", "Payment", "200"),
        ("8201", "Gift card USD", "Payment", "210"),
        ("8202", "Gift card EUR", "Payment", "210"),
        ("8203", "Gift card JPY", "Payment", "210"),
        ("8301", "Store credit", "Payment", "210"),
    ]
    costs = {STOCKED_ITEM: Decimal(40)}
    return [
        Item(number, name, kind, account, everywhere, cost=costs.get(number, Decimal(0)))
        for number, name, kind, account in rows
    ]


def accounts() -> Iterable[Account]:
    """Return the chart of accounts."""
    rows = (
        (BANK_ACCOUNT, "Bank", "Bank"),
        (UNDEPOSITED_ACCOUNT, "Undeposited Funds", "OthCurrAsset"),
        (STOCK_ACCOUNT, "Inventory", "OthCurrAsset"),
        (RECEIVABLES_ACCOUNT, "Accounts Receivable", "AcctRec"),
        ("200", "Clearing", "OthCurrAsset"),
        ("210", "Gift Card Liability", "OthCurrLiab"),
        (TAX_ACCOUNT, "Sales Tax Payable", "OthCurrLiab"),
        ("400", "Sales", "Income"),
        ("490", "Goodwill", "Income"),
        (COST_ACCOUNT, "Cost of Goods Sold", "COGS"),
    )
    return [Account(number, f"{number}0", name, kind) for number, name, kind in rows]


def payment_methods() -> Iterable[PaymentMethod]:
    """Return cash, a card NetSuite would charge, and cheques grouped with undeposited funds."""
    return (
        PaymentMethod("1", "Cash", offline=True),
        PaymentMethod("5", "Card", offline=False),
        PaymentMethod("7", "Cheque", offline=True, undeposited=True),
    )


def periods() -> Iterable[Period]:
    """Return the months of five years."""
    months = [(year, month) for year in range(2024, 2029) for month in range(1, 13)]
    for position, (year, month) in enumerate(months):
        last = calendar.monthrange(year, month)[1]
        name = f"{calendar.month_abbr[month]} {year}"
        yield Period(str(301 + position), name, date(year, month, 1), date(year, month, last))


def forms() -> Iterable[Form]:
    """Return the one form the example mapping pins."""
    return (Form(CUSTOM_FORM, "Cash Refund, Appeasement"),)
