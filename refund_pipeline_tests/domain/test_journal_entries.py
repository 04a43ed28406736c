"""The journal entries of docs/mapping.md are what is built for those refunds."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from refund_pipeline.domain.building import Circumstances, build_transaction
from refund_pipeline.domain.mapping import Mapping as RefundMapping
from refund_pipeline.domain.payments import PaymentLine
from refund_pipeline.domain.transactions import CASH_SALE, Origin, Ready, RefundTransaction
from refund_pipeline_tests.fakes import EXAMPLE_MAPPING, NOON, event, order

PAGE = (Path(__file__).parents[2] / "docs" / "mapping.md").read_text(encoding="utf-8")
HEADER: dict[str, Any] = {
    "posting_model": "header",
    "tenders": [
        {"method": "credit_card", "payment_option": "5", "account": "1010"},
        {"method": "gift_card", "payment_option": "6"},
    ],
}
NEW_YORK = Origin(CASH_SALE, "88001", "601", "1", "1")
NO_TROUBLE = Circumstances(NOON)
TOKYO = Origin(CASH_SALE, "88003", "603", "3", "3")


@dataclass(frozen=True)
class Refund:
    """What one table is about; by default the card refund of the first one."""

    tenders: tuple[tuple[str, str, str], ...] = (("credit_card", "adyen", "12.50"),)
    currency: str = "USD"
    event: Mapping[str, object] = field(default_factory=dict)
    order: Mapping[str, object] = field(default_factory=dict)
    sales: tuple[Origin, ...] = (NEW_YORK,)
    mapping: Mapping[str, Any] = field(default_factory=dict)
    circumstances: Circumstances = NO_TROUBLE

    def built(self) -> RefundTransaction:
        document = yaml.safe_load(EXAMPLE_MAPPING.read_text(encoding="utf-8"))
        document["policies"] |= self.mapping.get("policies", {})
        changes = {key: value for key, value in self.mapping.items() if key != "policies"}
        lines = [PaymentLine(*of, Decimal(amount), self.currency) for *of, amount in self.tenders]
        amount = sum((line.amount for line in lines), Decimal(0))
        refund = event(amount=amount, currency=self.currency, **self.event)
        found = build_transaction(
            refund,
            order(refund, **self.order),
            lines,
            self.sales,
            RefundMapping.model_validate(document | changes),
            self.circumstances,
        )
        assert isinstance(found, Ready), found
        return found.transaction


SPLIT = (("credit_card", "adyen", "12.50"), ("gift_card", "newstore", "7.50"))
REFUNDS = {
    "A card": Refund(),
    "A reason code with an item of its own": Refund(event={"reason_code": "7"}),
    "A gift card for a web order": Refund(
        (("gift_card", "newstore", "25.00"),),
        "EUR",
        order={"channel_type": "web", "channel": "web-eu", "store_id": None},
        sales=(),
    ),
    "Cash, late in the day": Refund(
        (("cash", "cash", "1200"),),
        "JPY",
        event={"requested_at": datetime(2026, 11, 20, 16, tzinfo=timezone.utc)},
        order={"store_id": "TYO01", "channel": "TYO01"},
        sales=(TOKYO,),
    ),
    "Two tenders": Refund(SPLIT),
    "A closed period": Refund(
        mapping={"policies": {"closed_period": "current_date"}},
        circumstances=Circumstances(
            datetime(2026, 12, 2, 15, tzinfo=timezone.utc),
            closed_dates=frozenset({date(2026, 11, 20)}),
        ),
    ),
    "Two tenders with `posting_model: header`": Refund(SPLIT, mapping=HEADER),
    "One tender with `posting_model: header`": Refund(mapping=HEADER),
}


def entry(built: RefundTransaction) -> Iterator[tuple[str, str, str, str]]:
    """Yield record, what it is booked by, debit and credit, as the page shows them."""

    def sides(amount: Decimal) -> tuple[str, str]:
        shown = f"{abs(amount)} {built.currency}"
        return (shown, "") if amount > 0 else ("", shown)

    for record in built.records:
        name = f"`apz-…{record.external_id.removeprefix(built.external_id)}`"
        for line in record.lines:
            yield (name, f"item {line.item}", *sides(line.amount))
        if record.payment_option:
            account = f", account {record.account}" if record.account else ""
            yield (name, f"payment option {record.payment_option}{account}", *sides(-record.amount))


def documented(title: str) -> str:
    return PAGE.split(f"\n### {title}\n")[1].split("\n#")[0]


def rows(section: str) -> list[tuple[str, str, str, str]]:
    table = [line for line in section.splitlines() if line.startswith("| `apz")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    return [(record, by, debit, credit) for record, by, _, debit, credit in cells]


@pytest.mark.parametrize("title", REFUNDS)
def test_a_documented_entry_is_what_is_built(title: str) -> None:
    built, section = REFUNDS[title].built(), documented(title)
    assert rows(section) == list(entry(built))
    assert (
        f"Date {built.business_date}, subsidiary {built.subsidiary}, location {built.location},"
        f" customer {built.entity}." in section
    )


def test_every_documented_entry_is_compared() -> None:
    journal = PAGE.split("## Journal entries")[1].split("\n## ")[0]
    assert re.findall(r"^### (.+)$", journal, re.MULTILINE) == list(REFUNDS)
