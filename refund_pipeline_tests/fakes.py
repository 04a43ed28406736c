"""Hand-written stand-ins for the outside world, and makers of refunds for tests."""

import json
import random
import threading
import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import yaml

from refund_pipeline.domain.building import Circumstances, build_transaction
from refund_pipeline.domain.events import REFUND_ISSUED, RefundEvent
from refund_pipeline.domain.mapping import Mapping as RefundMapping
from refund_pipeline.domain.orders import Order, OrderItem
from refund_pipeline.domain.outcomes import (
    CASH_REFUND,
    ErpRecord,
    Posted,
    PostOutcome,
    RecordLine,
    Refused,
    Uncertain,
)
from refund_pipeline.domain.payments import (
    Attribution,
    PaymentAccount,
    PaymentLine,
    PaymentsAvailable,
    PaymentTransaction,
    RefundFacts,
)
from refund_pipeline.domain.transactions import (
    CASH_SALE,
    Origin,
    Ready,
    RefundTransaction,
)
from refund_pipeline.gateways.erp import Erp
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import LandedFile, PaymentRow, TransactionRow
from refund_pipeline.gateways.newstore import AccountFailed, OrderFailed, OrderRead, RefundFailed

DAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
EXAMPLE_MAPPING = Path(__file__).parents[1] / "mappings" / "example.yaml"


def example_mapping() -> RefundMapping:
    return RefundMapping.model_validate(yaml.safe_load(EXAMPLE_MAPPING.read_text()))


class FakeClock:
    """A clock that moves only when somebody sleeps."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._now += timedelta(seconds=seconds)


def refund_id(number: int) -> str:
    return str(uuid.UUID(int=random.Random(number).getrandbits(128), version=4))


def event(number: int = 1, **changes: object) -> RefundEvent:
    values: dict[str, object] = {
        "refund_id": refund_id(number),
        "tenant": "demo",
        "order_id": refund_id(10_000 + number),
        "payment_account_id": refund_id(10_000 + number),
        "amount": Decimal("12.50"),
        "currency": "USD",
        "requested_at": NOON,
        "published_at": NOON,
        "reason_code": None,
        "reason": None,
        "return_id": None,
        "is_historical": False,
    }
    return RefundEvent(**{**values, **changes})  # type: ignore[arg-type]


def order(of: RefundEvent, **changes: object) -> Order:
    item = OrderItem("sku", "1", "50.00", "0", "0", "0", "IN_STORE_HANDOVER", "NYC01")
    values: dict[str, object] = {
        "order_id": of.order_id,
        "order_number": f"SO-{of.order_id[:8]}",
        "placed_at": NOON,
        "store_id": "NYC01",
        "currency": of.currency,
        "channel": "NYC01",
        "channel_type": "store",
        "items": (item,),
    }
    return Order(**{**values, **changes})  # type: ignore[arg-type]


def payment_lines(of: RefundEvent) -> tuple[PaymentLine, ...]:
    return (PaymentLine("credit_card", "adyen", of.amount, of.currency),)


def account(of: RefundEvent) -> tuple[PaymentTransaction, ...]:
    return (
        PaymentTransaction("capture", Decimal(0), of.currency, "create", "credit_card", "adyen"),
        PaymentTransaction("refund", of.amount, of.currency, of.refund_id, "credit_card", "adyen"),
    )


def cash_sale(of: RefundEvent) -> Origin:
    return Origin(CASH_SALE, f"9{of.order_id[:2].encode().hex()}", "601", "1", "1")


def transaction(number: int = 1, **changes: object) -> RefundTransaction:
    refund = event(number, **changes)
    built = build_transaction(
        refund,
        order(refund),
        payment_lines(refund),
        [cash_sale(refund)],
        example_mapping(),
        Circumstances(NOON),
    )
    assert isinstance(built, Ready)
    return built.transaction


OPENED: list[Ledger] = []
"""Ledgers a test has opened here; `conftest.py` closes them after it."""


def opened_ledger(path: Path, clock: FakeClock) -> Ledger:
    ledger = Ledger(f"sqlite:///{path / 'ledger.db'}", clock=clock.now, run_id="test")
    OPENED.append(ledger)
    return ledger


def ready_ledger(path: Path, count: int, clock: FakeClock) -> Ledger:
    """Return a ledger with `count` refunds of DAY that are ready to be posted."""
    ledger = opened_ledger(path, clock)
    make_ready(ledger, count)
    return ledger


def make_ready(ledger: Ledger, count: int) -> None:
    """Put `count` refunds of DAY into an empty ledger that are ready to be posted."""
    events = [event(number) for number in range(count)]
    ledger.record_file(
        LandedFile("key", "etag", DAY, 1),
        events=list(enumerate(events, 1)),
        rejected=[],
        other_events={},
        lines=count,
    )
    ledger.save_payments(
        [
            PaymentRow(item.refund_id, order(item), PaymentsAvailable(payment_lines(item)), 1, None)
            for item in events
        ]
    )
    ledger.save_transactions(
        [
            TransactionRow(item.refund_id, Ready(transaction(number)), 0, None)
            for number, item in enumerate(events)
        ],
        mapping_version="v1",
    )


def record_of(posted: RefundTransaction, erp_id: str) -> ErpRecord:
    return ErpRecord(
        erp_id=erp_id,
        external_id=posted.external_id,
        kind=CASH_REFUND,
        currency_id=posted.currency_id,
        memo=posted.memo,
        voided=False,
        lines=tuple(RecordLine(line.item, line.amount) for line in posted.lines),
        custom=posted.custom_fields,
    )


class FakeErp(Erp):
    """An ERP in memory: external ids are unique, calls are counted, answers can be scripted.

    Scripts, one per POST: "lost" commits and gives no answer, "dropped" does neither, "refused"
    refuses, "created" refuses although it commits; an exception or an outcome is raised or returned
    as it is.
    """

    def __init__(self, scripts: Sequence[object] = ()) -> None:
        self.records: dict[str, ErpRecord] = {}
        self.closed: set[date] = set()
        self.created: list[str] = []
        self.scripts = list(scripts)
        self.posts = 0
        self.look_ups = 0
        self._lock = threading.Lock()
        self._requests = 0

    def find(self, external_ids: Sequence[str]) -> Mapping[str, ErpRecord]:
        self._requests += 1
        return {key: self.records[key] for key in external_ids if key in self.records}

    def find_by_field(self, field: str, values: Sequence[str]) -> Mapping[str, Sequence[ErpRecord]]:
        self._requests += 1
        return {
            value: [one for one in self.records.values() if (field, value) in one.custom]
            for value in values
        }

    def look_up(self, external_id: str) -> ErpRecord | None:
        self._requests += 1
        self.look_ups += 1
        return self.records.get(external_id)

    def origins(
        self, order_numbers: Sequence[str], *, fields: Sequence[str]
    ) -> Mapping[str, Sequence[Origin]]:
        self._requests += 1
        return {}

    def closed_dates(self, dates: Sequence[date]) -> frozenset[date]:
        return frozenset(self.closed.intersection(dates))

    def ours(self, prefix: str, *, start: date, end: date) -> Mapping[str, str]:
        self._requests += 1
        return {
            key: record.erp_id
            for key, record in self.records.items()
            if key.startswith(prefix) and not record.voided
        }

    def post(self, transaction: RefundTransaction) -> PostOutcome:
        with self._lock:
            self._requests += 1
            self.posts += 1
            script = self.scripts.pop(0) if self.scripts else None
            if isinstance(script, BaseException):
                raise script
            if script == "refused":
                return Refused("USER_ERROR")
            if script == "dropped":
                return Uncertain("connection reset")
            if script is not None and not isinstance(script, str):
                return script  # type: ignore[return-value]
            if transaction.external_id in self.records:
                return Refused("USER_ERROR (already exists)")
            erp_id = str(90_000 + len(self.records))
            self.records[transaction.external_id] = record_of(transaction, erp_id)
            self.created.append(transaction.refund_id)
            if script == "lost":
                return Uncertain("read timed out")
            return Refused("USER_ERROR") if script == "created" else Posted(erp_id)

    def render(self, transaction: RefundTransaction) -> str:
        return transaction.external_id

    @property
    def requests_made(self) -> int:
        return self._requests


def event_line(number: int = 1, **changes: object) -> str:
    """Write `event(number)` as a line; `tenant` changes the envelope, the rest its payload."""
    of = event(number)
    payload: dict[str, object] = {
        "id": of.refund_id,
        "order_id": of.order_id,
        "payment_account_id": of.payment_account_id,
        "amount": str(of.amount),
        "currency": of.currency,
        "requested_at": of.requested_at.isoformat(),
    }
    tenant = changes.pop("tenant", of.tenant)
    return json.dumps(
        {
            "tenant": tenant,
            "name": REFUND_ISSUED,
            "published_at": of.published_at.isoformat(),
            "payload": {**payload, **changes},
        }
    )


class FakeNewStore:
    """NewStore in memory: what is not put in is not visible; what is asked for is kept."""

    def __init__(self, attribution: Attribution = Attribution.REST) -> None:
        self.attribution = attribution
        self.attribution_reason = "a test"
        self.known: dict[str, Order | OrderFailed] = {}
        self.accounts: dict[str, tuple[PaymentTransaction, ...] | AccountFailed] = {}
        self.graphql_accounts: dict[str, tuple[PaymentTransaction, ...]] = {}
        self.issued_on: dict[str, tuple[str, ...]] = {}
        self.facts: dict[str, RefundFacts | RefundFailed | None] = {}
        self.orders_asked: list[Sequence[str]] = []
        self.accounts_asked: list[Sequence[str]] = []
        self.facts_asked: list[Sequence[tuple[str, str]]] = []

    def show(self, *refunds: RefundEvent) -> None:
        """Make orders and complete payments of these refunds visible."""
        for of in refunds:
            self.known[of.order_id] = order(of)
            self.accounts[of.payment_account_id] = account(of)

    def orders(self, order_ids: Sequence[str]) -> Mapping[str, OrderRead | OrderFailed]:
        self.orders_asked.append(order_ids)
        return {key: self._read(key) for key in order_ids if key in self.known}

    def _read(self, order_id: str) -> OrderRead | OrderFailed:
        found = self.known[order_id]
        if isinstance(found, OrderFailed):
            return found
        shown = self.graphql_accounts.get(order_id)
        return OrderRead(found, None if shown is None else PaymentAccount(shown))

    def payment_accounts(
        self, account_ids: Sequence[str]
    ) -> Mapping[str, PaymentAccount | AccountFailed | None]:
        if account_ids:
            self.accounts_asked.append(account_ids)
        return {key: self._account(key) for key in account_ids}

    def _account(self, account_id: str) -> PaymentAccount | AccountFailed | None:
        found = self.accounts.get(account_id)
        if found is None or isinstance(found, AccountFailed):
            return found
        return PaymentAccount(found, self.issued_on.get(account_id, ()))

    def refund_facts(
        self, refunds: Sequence[tuple[str, str]]
    ) -> Mapping[str, RefundFacts | RefundFailed | None]:
        if refunds:
            self.facts_asked.append(refunds)
        plain = RefundFacts(None, is_historical=False, status="succeeded")
        return {refund: self.facts.get(refund, plain) for _, refund in refunds}

    @property
    def requests_made(self) -> int:
        asked = (*self.accounts_asked, *self.facts_asked)
        return len(self.orders_asked) + sum(map(len, asked))


def landed_ledger(path: Path, events: Sequence[RefundEvent], clock: FakeClock) -> Ledger:
    """Return a ledger in which these refunds landed on DAY and nothing else happened."""
    ledger = opened_ledger(path, clock)
    ledger.record_file(
        LandedFile("key", "etag", DAY, 1),
        events=list(enumerate(events, 1)),
        rejected=[],
        other_events={},
        lines=len(events),
    )
    return ledger


class FakeErpWithSales(FakeErp):
    """A `FakeErp` that knows sales; what it is asked for is kept."""

    def __init__(
        self, sales: Mapping[str, Sequence[Origin]], scripts: Sequence[object] = ()
    ) -> None:
        super().__init__(scripts)
        self.sales = dict(sales)
        self.origins_asked: list[Sequence[str]] = []

    def origins(
        self, order_numbers: Sequence[str], *, fields: Sequence[str]
    ) -> Mapping[str, Sequence[Origin]]:
        self._requests += 1
        self.origins_asked.append(order_numbers)
        return {key: self.sales[key] for key in order_numbers if key in self.sales}


def sales_of(*refunds: RefundEvent) -> dict[str, list[Origin]]:
    """Return the cash sale of each refund's order, by order number."""
    return {order(of).order_number: [cash_sale(of)] for of in refunds}


def proven_ledger(path: Path, events: Sequence[RefundEvent], clock: FakeClock) -> Ledger:
    """Return a ledger in which the payments of these refunds are proven and nothing is built."""
    ledger = landed_ledger(path, events, clock)
    ledger.save_payments(
        [
            PaymentRow(item.refund_id, order(item), PaymentsAvailable(payment_lines(item)), 1, None)
            for item in events
        ]
    )
    return ledger
