"""The 31 weaknesses of the one public integration (contract newstore 5.7): each, and how we do.

One test per row of that table, named by its number; most rows have more tests where they belong.
"""

import asyncio
import json
import logging
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from refund_pipeline.domain.building import Circumstances, build_transaction
from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.domain.events import RefundEvent, parse_line
from refund_pipeline.domain.mapping import Mapping
from refund_pipeline.domain.orders import Order
from refund_pipeline.domain.outcomes import RecordLine
from refund_pipeline.domain.payments import (
    PaymentAccount,
    PaymentLine,
    PaymentsAvailable,
    PaymentsAwaited,
    PaymentsHeld,
    PaymentTransaction,
    match_payments,
)
from refund_pipeline.domain.transactions import (
    AwaitingOrigin,
    Built,
    Held,
    Origin,
    Ready,
    RefundTransaction,
)
from refund_pipeline.gateways.http import Http, NoAnswer, RetryPolicy
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.netsuite import NetSuite
from refund_pipeline.gateways.netsuite_records import body
from refund_pipeline.gateways.newstore import NewStore, OrderFailed, OrderRead
from refund_pipeline.gateways.newstore_accounts import read_account
from refund_pipeline.gateways.newstore_token import Token, TokenCache
from refund_pipeline.receiver.app import create_app
from refund_pipeline.receiver.settings import read_settings
from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline.sandbox.newstore import NewStoreSandbox
from refund_pipeline.sandbox.newstore_model import Poison, SandboxItem, SandboxOrder
from refund_pipeline.steps.payments import fetch_payments
from refund_pipeline.steps.posting import Surroundings, post_refunds
from refund_pipeline.steps.reconciliation import reconcile
from refund_pipeline.steps.transactions import build_transactions
from refund_pipeline_tests.fakes import (
    DAY,
    NOON,
    FakeClock,
    FakeErp,
    FakeErpWithSales,
    FakeNewStore,
    cash_sale,
    event,
    event_line,
    example_mapping,
    landed_ledger,
    order,
    payment_lines,
    ready_ledger,
    record_of,
    refund_id,
    sales_of,
    transaction,
)
from refund_pipeline_tests.gateways.netsuite_logins import login
from refund_pipeline_tests.gateways.scripted_server import Reply, scripted_server
from refund_pipeline_tests.receiver.asgi import SETTINGS, KeptFiles, request

MAPPING = example_mapping()
REFUND = event(1)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def build(
    of: RefundEvent = REFUND,
    payments: tuple[PaymentLine, ...] | None = None,
    *,
    placed: Order | None = None,
    sales: tuple[Origin, ...] | None = None,
    mapping: Mapping = MAPPING,
) -> Built:
    return build_transaction(
        of,
        placed or order(of),
        payments or payment_lines(of),
        (cash_sale(of),) if sales is None else sales,
        mapping,
        Circumstances(NOON),
    )


def ready(*arguments: Any, **options: Any) -> RefundTransaction:
    built = build(*arguments, **options)
    assert isinstance(built, Ready), built
    return built.transaction


def paid(amount: str, of: RefundEvent = REFUND, **changes: Any) -> PaymentTransaction:
    made = PaymentTransaction(
        "refund", Decimal(amount), of.currency, of.refund_id, "credit_card", "adyen"
    )
    return replace(made, **changes)


def matched(*transactions: PaymentTransaction, of: RefundEvent = REFUND, **options: Any) -> Any:
    return match_payments(of, PaymentAccount(transactions), **options)


def run_day(
    ledger: Ledger, newstore: FakeNewStore, erp: FakeErp, clock: FakeClock, day: Any = DAY
) -> None:
    """Run payments, transactions and posting of a day once."""
    chance = random.Random(1)
    fetch_payments(
        day,
        ledger=ledger,
        open_newstore=lambda: newstore,
        mapping=MAPPING,
        clock=clock.now,
        random_source=chance,
    )
    build_transactions(
        day,
        ledger=ledger,
        erp=erp,
        mapping=MAPPING,
        mapping_version="v",
        clock=clock.now,
        random_source=chance,
    )
    around = Surroundings(clock.now, clock.sleep, chance, lambda _: None)
    post_refunds(day, ledger=ledger, erp=erp, concurrency=2, surroundings=around)


def test_01_without_a_single_payment_line_nothing_is_posted(tmp_path, clock) -> None:
    ledger, newstore = landed_ledger(tmp_path, [REFUND], clock), FakeNewStore()
    newstore.show(REFUND)
    newstore.accounts[REFUND.payment_account_id] = ()
    erp = FakeErpWithSales(sales_of(REFUND))
    run_day(ledger, newstore, erp, clock)
    assert (erp.posts, ledger.refund(REFUND.refund_id).status) == (0, "awaiting_payment")


def test_02_what_is_partly_available_is_not_frozen(tmp_path, clock) -> None:
    ledger, newstore = landed_ledger(tmp_path, [REFUND], clock), FakeNewStore()
    newstore.show(REFUND)
    erp = FakeErpWithSales(sales_of(REFUND))
    newstore.accounts[REFUND.payment_account_id] = (paid("5.00"),)
    run_day(ledger, newstore, erp, clock)
    assert erp.posts == 0
    later = paid("7.50", method="cash", provider="cash")
    newstore.accounts[REFUND.payment_account_id] = (paid("5.00"), later)
    run_day(ledger, newstore, erp, clock)
    (record,) = erp.records.values()
    assert [line.amount for line in record.lines] == [Decimal(x) for x in ("12.5", "-5", "-7.5")]


def test_03_already_there_is_success_only_if_it_is_equal(tmp_path, clock) -> None:
    ledger, erp = ready_ledger(tmp_path, 1, clock), FakeErp()
    there = record_of(transaction(0), "77")
    erp.records[there.external_id] = replace(there, lines=(RecordLine("9001", Decimal("99.00")),))
    around = Surroundings(clock.now, clock.sleep, random.Random(1), lambda _: None)
    post_refunds(DAY, ledger=ledger, erp=erp, concurrency=1, surroundings=around)
    row = ledger.refund(refund_id(0))
    assert (row.status, row.reason, erp.posts) == ("held", "conflicting_erp_record", 0)


def gift_card_account(**changes: Any) -> dict[str, Any]:
    """Return a REST account whose gift card was issued for REFUND (contract 4.2, 4.4)."""
    issued = {
        "transaction_id": f"issued:{REFUND.refund_id}-6006491234567890",
        "reason": "issue",
        "capture_amount": 12.5,
        "refund_amount": 0,
        "currency": "USD",
        "correlation_id": REFUND.refund_id,
        "created_at": None,
        "metadata": {"number": "6006491234567890"},
    } | changes
    instrument = {
        "id": f"{REFUND.order_id}-{REFUND.refund_id}",
        "payment_method": "gift_card",
        "payment_provider": "gift_card",
        "original_transactions": [issued],
    }
    return json.loads(json.dumps({"instruments": [instrument]}), parse_float=Decimal)


def read_gift_card(**changes: Any) -> PaymentAccount:
    read = read_account(gift_card_account(**changes), account_id=REFUND.payment_account_id)
    assert isinstance(read, PaymentAccount), read
    return read


def test_04_a_gift_card_issued_with_a_positive_amount_nets_to_zero() -> None:
    found = match_payments(REFUND, read_gift_card())
    assert isinstance(found, PaymentsAvailable)
    assert sum(line.amount for line in ready(REFUND, found.lines).lines) == 0


def test_05_the_time_window_adopts_nothing_that_is_not_surely_ours() -> None:
    def near(amount: str = "12.50", method: str = "store_credit") -> PaymentTransaction:
        stranger = refund_id(77)
        return paid(amount, kind="issue", method=method, created_at=NOON, correlation_id=stranger)

    window = {"foreign_issue_within": timedelta(seconds=5), "adopt_foreign_issue": True}
    assert isinstance(matched(near("12.49"), **window), PaymentsAwaited)
    assert isinstance(matched(near(), near(method="gift_card"), **window), PaymentsHeld)


def test_06_every_instrument_counts_and_none_is_no_crash() -> None:
    found = matched(paid("5.00"), paid("7.50", method="cash", provider="cash"))
    assert isinstance(found, PaymentsAvailable)
    lines = ready(REFUND, found.lines).lines
    assert [line.label for line in lines] == ["appeasement", "credit_card/adyen", "cash/cash"]
    assert read_account({"instruments": []}, account_id="x") == PaymentAccount(())


def test_07_a_provider_without_a_row_is_held_and_never_booked_to_another() -> None:
    rows = tuple(row for row in MAPPING.tenders if row.provider != "stripe")
    stripe = (PaymentLine("credit_card", "stripe", REFUND.amount, "USD"),)
    found = build(REFUND, stripe, mapping=MAPPING.model_copy(update={"tenders": rows}))
    assert isinstance(found, Held)
    assert found.reason == "unmapped_tender"


def test_08_there_is_no_offset_line_for_a_script_to_remove() -> None:
    document: Any = body(ready())
    amounts = [line["amount"] for line in document["item"]["items"]]
    assert (sum(amounts), max(amounts)) == (0, REFUND.amount)


def test_09_money_is_exact_and_has_no_tolerance() -> None:
    hundred = event(1, amount=Decimal("100.00"))
    for almost in ("99.00", "99.99", "100.01"):
        assert not isinstance(matched(paid(almost, hundred), of=hundred), PaymentsAvailable)
    parsed = parse_line(event_line(1).replace('"12.50"', "0.30").encode(), tenant="demo")
    assert isinstance(parsed, RefundEvent)
    assert str(parsed.amount) == "0.30"


@pytest.mark.parametrize("currency", ["USD", "EUR", "JPY"])
def test_10_every_mapped_currency_is_posted(currency: str) -> None:
    of = event(1, currency=currency, amount=Decimal(1200))
    placed = order(of, channel_type="web", store_id=None)
    assert ready(of, placed=placed, sales=()).currency_id == MAPPING.currencies[currency]


def test_11_the_currency_is_the_events_and_a_contradiction_is_held() -> None:
    web = order(REFUND, channel_type="web", store_id=None)
    found = build(placed=replace(web, currency="CAD"), sales=())
    assert isinstance(found, Held)
    assert found.reason == "currency_mismatch"
    assert "country" not in {field.name for field in fields(Order)}


def test_12_web_orders_go_to_the_subsidiary_of_their_currency() -> None:
    found = {}
    for currency in ("USD", "EUR"):
        of = event(1, currency=currency)
        web = order(of, channel_type="web", store_id=None)
        found[currency] = ready(of, placed=web, sales=()).subsidiary
    assert found == {"USD": "1", "EUR": "2"}


@pytest.fixture
def newstore() -> Iterator[NewStoreSandbox]:
    with NewStoreSandbox(tenant="demo") as running:
        yield running


def client_of(sandbox: NewStoreSandbox) -> NewStore:
    return NewStore(
        base_url=sandbox.base_url,
        token_url=sandbox.token_url,
        client_id=sandbox.client_id,
        client_secret=sandbox.client_secret,
        tenant=sandbox.tenant,
        attribution="rest",
    )


def guest_order(number: int) -> SandboxOrder:
    return SandboxOrder(
        id=refund_id(number),
        number=f"SO-{number}",
        currency="USD",
        channel_type="web",
        channel="WEBUSD",
        demand_location_id=None,
        placed_at=NOON,
        items=(SandboxItem("sku", Decimal(10), shipping_service_level=None),),
    )


def test_13_a_guest_order_without_e_mail_and_addresses_is_read(newstore: NewStoreSandbox) -> None:
    newstore.add_order(guest_order(1))
    client = client_of(newstore)
    found = client.orders([refund_id(1)])[refund_id(1)]
    client.close()
    assert isinstance(found, OrderRead)
    assert found.order.order_number == "SO-1"


def test_14_null_metadata_of_a_gift_card_is_no_crash() -> None:
    (found,) = read_gift_card(metadata=None).transactions
    assert (found.amount, found.gift_card_last4) == (Decimal("12.50"), None)


def test_15_what_is_not_ours_is_skipped_once_with_its_reason(tmp_path, clock) -> None:
    ledger, newstore = landed_ledger(tmp_path, [event(1, return_id="r")], clock), FakeNewStore()
    for _ in range(2):
        run_day(ledger, newstore, FakeErp(), clock)
    row = ledger.refund(REFUND.refund_id)
    assert (row.status, row.reason) == ("skipped", "belongs_to_return")
    assert newstore.requests_made == 0


def test_16_historical_return_tenant_and_fiscal_are_checked(tmp_path, clock) -> None:
    events = [event(1, is_historical=True), event(2, return_id="r")]
    ledger = landed_ledger(tmp_path, events, clock)
    run_day(ledger, FakeNewStore(), FakeErp(), clock)
    assert [row.reason for row in ledger.refunds()].count("historical") == 1
    assert [row.status for row in ledger.refunds()] == ["skipped", "skipped"]
    assert not isinstance(parse_line(event_line(1).encode(), tenant="other"), RefundEvent)
    euros = event(1, currency="EUR")
    fiscal = build(euros, placed=order(euros, store_id="PAR01"), sales=())
    assert isinstance(fiscal, Held)
    assert fiscal.reason == "fiscal_in_store"


def test_17_posting_writes_cash_refunds_and_nothing_else(tmp_path, clock) -> None:
    with NetSuiteSandbox() as sandbox:
        netsuite = NetSuite(
            account=sandbox.account,
            base_url=sandbox.base_url,
            authenticator=login(sandbox, "oauth2"),
        )
        ledger = ready_ledger(tmp_path, 0, clock)
        sale = sandbox.add_cash_sale(
            external_id="SO-1",
            entity="601",
            subsidiary="1",
            location="11",
            currency="USD",
            total=Decimal(50),
            on=DAY,
        )
        netsuite.post(replace(transaction(1), created_from=sale))
        reconcile(DAY, ledger=ledger, erp=netsuite, prefix="apz-", clock=clock.now)
        written = {kind for kind in sandbox.audit.counts if not kind.startswith("GET ")}
    assert written <= {"POST cashRefund", "POST suiteql", "POST token"}
    assert "POST cashRefund" in written


def test_18_the_stores_own_zone_decides_the_date() -> None:
    before_midnight = datetime(2026, 11, 21, 4, 30, tzinfo=timezone.utc)
    dates = {}
    for store, currency in (("NYC01", "USD"), ("TYO01", "JPY")):
        of = event(1, currency=currency, amount=Decimal(1200), requested_at=before_midnight)
        sale = replace(
            cash_sale(of),
            currency=MAPPING.currencies[currency],
            subsidiary=MAPPING.stores[store].subsidiary,
        )
        dates[store] = ready(of, placed=order(of, store_id=store), sales=(sale,)).business_date.day
    assert dates == {"NYC01": 20, "TYO01": 21}


def test_19_orders_are_read_together_not_one_by_one(newstore: NewStoreSandbox) -> None:
    for number in range(60):
        newstore.add_order(guest_order(number))
    client = client_of(newstore)
    found = client.orders([refund_id(number) for number in range(60)])
    client.close()
    assert len(found) == 60
    assert newstore.requests["graphql"] == 2


def test_20_the_receiver_does_not_start_without_a_key_and_takes_nothing_without_it() -> None:
    with pytest.raises(Misconfigured, match="REFUNDS_RECEIVER_KEY"):
        read_settings({"REFUNDS_LANDING_URL": "s3://bucket/x", "REFUNDS_TENANT": "demo"})
    app = create_app(SETTINGS, writer=KeptFiles())
    stranger = {"content-type": "application/json"}
    answer = asyncio.run(request(app, event_line(1).encode(), headers=stranger))
    assert answer.status == 401


def test_21_the_receiver_asks_nobody_and_an_empty_body_is_no_crash() -> None:
    writer = KeptFiles()
    app = create_app(SETTINGS, writer=writer)
    assert asyncio.run(request(app, b"")).status == 400
    other = event_line(1).replace("refund_request.issued", "order.created").encode()
    assert asyncio.run(request(app, other)).status == 200
    code = "import sys, refund_pipeline.receiver.app; print('requests' in sys.modules)"
    found = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.strip() == "False", "it cannot call NewStore"


def test_22_every_call_has_a_time_out_and_reads_are_retried_with_what_the_server_asks() -> None:
    with scripted_server() as server:
        http = Http("X", read_seconds=0.2, policy=RetryPolicy(attempts=3, first_pause=0.0))
        server.say(Reply(429, b"{}", {"Retry-After": "0"}), Reply(503, b"<html>"), Reply(200))
        assert http.read("reading", "GET", server.url).status == 200
        assert http.requests_made == 3
        http.close()
    with socket.create_server(("127.0.0.1", 0)) as never_answers:
        host, port = never_answers.getsockname()
        silent = Http("X", read_seconds=0.2)
        with pytest.raises(NoAnswer) as caught:
            silent.send("GET", f"http://{host}:{port}")
        silent.close()
    assert caught.value.sent


def test_23_a_token_is_renewed_before_it_ends() -> None:
    now, made = [0.0], []

    def fetch() -> Token:
        made.append(now[0])
        return Token(f"token-{len(made)}", expires_in=100.0)

    cache = TokenCache(fetch, monotonic=lambda: now[0])
    seen = []
    for now[0] in (0.0, 50.0, 95.0, 150.0, 190.0):
        seen.append(cache.current())
    assert seen == ["token-1", "token-1", "token-2", "token-2", "token-3"]


def test_24_nothing_personal_is_logged_or_kept(tmp_path, clock, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    line = event_line(
        1, note="call Testperson 555-0142", associate_email="testperson@example.invalid"
    )
    parsed = parse_line(line.encode(), tenant="demo")
    assert isinstance(parsed, RefundEvent)
    ledger, newstore = landed_ledger(tmp_path, [parsed], clock), FakeNewStore()
    newstore.show(parsed)
    run_day(ledger, newstore, FakeErpWithSales(sales_of(parsed)), clock)
    ledger.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for marker in ("Testperson", "555-01", "example.invalid"):
        assert marker.lower() not in caplog.text.lower()
        assert marker.lower().encode() not in kept.lower()


def test_25_no_associate_reaches_the_erp_by_any_path() -> None:
    names = {field.name for record in (RefundEvent, Order) for field in fields(record)}
    assert not {name for name in names if "associate" in name or "email" in name}


@pytest.mark.parametrize("kind", ["authorize", "authorization"])
def test_26_both_spellings_of_an_authorisation_are_known_and_do_not_count(kind: str) -> None:
    assert isinstance(matched(paid("12.50", kind=kind)), PaymentsAwaited)


def test_27_graphql_errors_are_read_and_a_null_order_is_not_there_yet(
    newstore: NewStoreSandbox,
) -> None:
    for number in (1, 2):
        newstore.add_order(guest_order(number))
    newstore.poison(refund_id(1), Poison.REQUEST)
    client = client_of(newstore)
    found = client.orders([refund_id(number) for number in (1, 2, 3)])
    client.close()
    assert isinstance(found[refund_id(1)], OrderFailed)
    assert isinstance(found[refund_id(2)], OrderRead)
    assert refund_id(3) not in found


def test_28_several_sales_are_held_and_none_waits() -> None:
    sale = cash_sale(REFUND)
    twice = build(sales=(sale, replace(sale, erp_id="999")))
    assert isinstance(twice, Held)
    assert twice.reason == "ambiguous_origin"
    assert isinstance(build(sales=()), AwaitingOrigin)


def test_29_outage_missing_row_and_bad_data_go_three_ways(tmp_path, clock) -> None:
    unmapped = event(2)
    ledger, newstore = landed_ledger(tmp_path, [REFUND, unmapped], clock), FakeNewStore()
    newstore.show(REFUND, unmapped)
    newstore.known[unmapped.order_id] = order(unmapped, store_id="OSL01")
    erp = FakeErpWithSales(sales_of(REFUND, unmapped), [Unavailable("down")])
    with pytest.raises(Unavailable):
        run_day(ledger, newstore, erp, clock)
    assert ledger.refund(REFUND.refund_id).status == "ready"
    assert ledger.refund(unmapped.refund_id).reason == "unmapped_store"
    assert not isinstance(parse_line(b"{", tenant="demo"), RefundEvent)
    run_day(ledger, newstore, erp, clock)
    assert ledger.refund(REFUND.refund_id).status == "posted"


def test_30_the_reason_code_and_the_order_reach_the_erp() -> None:
    late = event(1, reason_code="7")
    found = ready(late)
    assert found.lines[0].item == MAPPING.appeasement_items.by_reason_code["7"]
    assert dict(found.custom_fields) == {
        "custbody_nst_order_number": order(late).order_number,
        "custbody_nst_refund_id": late.refund_id,
    }


def test_31_what_drifts_apart_later_is_named(tmp_path, clock) -> None:
    ledger, newstore = landed_ledger(tmp_path, [REFUND], clock), FakeNewStore()
    newstore.show(REFUND)
    erp = FakeErpWithSales(sales_of(REFUND))
    run_day(ledger, newstore, erp, clock)
    clock.sleep(3600)
    erp.records.clear()
    found = reconcile(DAY, ledger=ledger, erp=erp, prefix="apz-", clock=clock.now, everything=True)
    assert [name for name, _ in found.problems] == [REFUND.refund_id]
    assert [entry.to_status for entry in ledger.history(REFUND.refund_id)][-1] == "posted"
