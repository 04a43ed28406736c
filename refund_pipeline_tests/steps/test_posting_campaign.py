"""Posting against the NetSuite sandbox on a large scale, with answers that fail as they do there.

The steps' clock is a fake one, so that their pauses cost nothing; the gateway reads with a short
time-out, so that an answer that comes late costs little. What was written is asked of the sandbox.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

from refund_pipeline.domain.errors import Unavailable
from refund_pipeline.domain.payments import PaymentsAvailable
from refund_pipeline.domain.transactions import Ready, RefundTransaction
from refund_pipeline.gateways.http import RetryPolicy
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import PaymentRow, TransactionRow
from refund_pipeline.gateways.netsuite import NetSuite
from refund_pipeline.sandbox.netsuite.faults import Fault
from refund_pipeline.sandbox.netsuite.records import StoredCashRefund
from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox
from refund_pipeline.steps.posting import PostingSummary, Surroundings, post_refunds
from refund_pipeline_tests.fakes import (
    DAY,
    FakeClock,
    event,
    landed_ledger,
    order,
    payment_lines,
    transaction,
)
from refund_pipeline_tests.gateways.netsuite_logins import login

CONCURRENCY = 4
FIELDS = ("custbody_nst_order_number", "custbody_nst_refund_id", "paymentoption")
AT_ONCE = RetryPolicy(attempts=5, first_pause=0.0, longest_pause=0.0)
READ_SECONDS = 1.0
"""Long enough that only what is late on purpose is given up: a request given up is in flight still,
and the next one comes on top of it."""
LATE = 1.4
EVERY_TENTH = {
    Fault.ANSWER_LATE: 0.01,
    Fault.LOSE_ANSWER: 0.03,
    Fault.TOO_MANY_REQUESTS: 0.02,
    Fault.FAIL_BEFORE_COMMIT: 0.01,
    Fault.FAIL_AFTER_COMMIT: 0.01,
    Fault.GATEWAY_PAGE: 0.01,
    Fault.GATEWAY_PAGE_AFTER_COMMIT: 0.01,
}
LONGEST_WAIT = 2 * 3600.0
"""Between two runs; longer than any refund waits for its next attempt."""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def sandbox() -> Iterator[NetSuiteSandbox]:
    with NetSuiteSandbox(concurrency_limit=15) as running:
        yield running


def netsuite_of(sandbox: NetSuiteSandbox, *, read_seconds: float) -> NetSuite:
    return NetSuite(
        account=sandbox.account,
        base_url=sandbox.base_url,
        authenticator=login(sandbox, "oauth2"),
        custom_fields=FIELDS,
        read_seconds=read_seconds,
        policy=AT_ONCE,
    )


@cache
def of_its_own_amount(number: int) -> RefundTransaction:
    """Return a refund of 1.00 to 40.99; kept, since each reads the mapping file anew."""
    return transaction(number, amount=Decimal(100 + 7 * number % 4000) / 100)


def sold(sandbox: NetSuiteSandbox, number: int) -> RefundTransaction:
    """Return a refund after its sale was booked."""
    refund = of_its_own_amount(number)
    sale = sandbox.add_cash_sale(
        external_id=refund.order_number,
        entity="601",
        subsidiary="1",
        location="11",
        currency="USD",
        total=Decimal(50),
        on=DAY,
    )
    return replace(refund, created_from=sale)


def split(refund: RefundTransaction) -> RefundTransaction:
    """Return the refund as two tenders in headers: 0.40 in cash, the rest on a card."""
    goodwill, tender = refund.lines
    cash = replace(tender, item="", amount=Decimal("-0.40"), payment_option="1")
    card = replace(tender, item="", amount=-refund.amount - cash.amount, payment_option="5")
    return replace(refund, in_header=True, lines=(goodwill, card, cash))


def ledger_of(refunds: Sequence[RefundTransaction], path: Path, clock: FakeClock) -> Ledger:
    """Return a ledger in which these refunds are ready to be posted."""
    events = [event(number, amount=refund.amount) for number, refund in enumerate(refunds)]
    ledger = landed_ledger(path, events, clock)
    ledger.save_payments(
        [
            PaymentRow(of.refund_id, order(of), PaymentsAvailable(payment_lines(of)), 1, None)
            for of in events
        ]
    )
    ledger.save_transactions(
        [TransactionRow(refund.refund_id, Ready(refund), 0, None) for refund in refunds],
        mapping_version="v1",
    )
    return ledger


def post(ledger: Ledger, netsuite: NetSuite, clock: FakeClock) -> PostingSummary:
    return post_refunds(
        DAY,
        ledger=ledger,
        erp=netsuite,
        concurrency=CONCURRENCY,
        surroundings=Surroundings(clock.now, clock.sleep, random.Random(1), lambda _: None),
    )


def statuses(ledger: Ledger) -> Counter[str]:
    return Counter(row.status for row in ledger.refunds(day=DAY, limit=10_000))


def post_until_nothing_is_outstanding(ledger: Ledger, netsuite: NetSuite, clock: FakeClock) -> None:
    """Run as the sensor would, again and again, and never mind runs that end early."""
    for _ in range(40):
        try:
            post(ledger, netsuite, clock)
        except Unavailable:
            clock.sleep(LONGEST_WAIT)
            continue
        if not set(statuses(ledger)) & {"ready", "uncertain"}:
            return
        clock.sleep(LONGEST_WAIT)
    pytest.fail(f"still outstanding after 40 runs: {statuses(ledger)}")


def assert_one_equal_record_each(
    refunds: Sequence[RefundTransaction], sandbox: NetSuiteSandbox, ledger: Ledger
) -> None:
    stored = {record.external_id: record for record in sandbox.cash_refunds()}
    meant = [record for refund in refunds for record in refund.records]
    assert len(sandbox.cash_refunds()) == len(stored) == len(meant)
    for record in meant:
        assert as_stored(stored[record.external_id]) == as_meant(record)
    for refund in refunds:
        there = [stored[record.external_id].id for record in refund.records]
        row = ledger.refund(refund.refund_id)
        assert row is not None
        assert (row.status, row.erp_id) == ("posted", ", ".join(there))


def as_stored(record: StoredCashRefund) -> tuple[object, ...]:
    lines = [(line.item, line.amount) for line in record.lines]
    return record.currency, record.total, record.created_from, record.memo, lines, record.custom


def as_meant(refund: RefundTransaction) -> tuple[object, ...]:
    lines = [(line.item, line.amount) for line in refund.lines if line.item]
    total = sum(amount for _, amount in lines)
    custom = dict(refund.custom_fields)
    return refund.currency, total, refund.created_from, refund.memo, lines, custom


def assert_the_books_balance(
    refunds: Sequence[RefundTransaction], sandbox: NetSuiteSandbox
) -> None:
    sums: Counter[str] = Counter()
    goodwill = Decimal(0)
    ours = {record.id for record in sandbox.cash_refunds()}
    account = sandbox.master_data.items["9001"].account
    for line in sandbox.general_ledger():
        sums[line.transaction] += line.amount  # type: ignore[assignment]
        if line.transaction in ours and line.account == account:
            goodwill += line.amount
    assert set(sums.values()) == {0}
    assert goodwill == sum(refund.amount for refund in refunds)


def assert_nothing_risky_was_sent(sandbox: NetSuiteSandbox) -> None:
    audit = sandbox.audit
    assert (audit.second_payouts, audit.flags, audit.unchecked_writes) == (0, [], 0)
    assert audit.without_replace == {}
    assert sandbox.logins.failures == []


def test_a_thousand_refunds_are_one_record_each_although_every_tenth_write_goes_wrong(
    sandbox, clock, tmp_path
) -> None:
    refunds = [sold(sandbox, number) for number in range(1000)]
    ledger = ledger_of(refunds, tmp_path, clock)
    netsuite = netsuite_of(sandbox, read_seconds=READ_SECONDS)
    sandbox.faults.late_seconds = LATE
    sandbox.faults.at_random(EVERY_TENTH, seed=4)
    sandbox.scripts.seconds = 0.015  # long enough that all workers have a write in flight

    post_until_nothing_is_outstanding(ledger, netsuite, clock)

    assert_one_equal_record_each(refunds, sandbox, ledger)
    assert_the_books_balance(refunds, sandbox)
    assert_nothing_risky_was_sent(sandbox)
    assert 2 <= sandbox.audit.peak_in_flight <= CONCURRENCY
    answers = Counter(
        entry.status for entry in sandbox.audit.requests if entry.path.endswith("/cashRefund")
    )
    assert all(answers[status] for status in (429, 500, 502)), answers
    assert answers[400] == 0, "what is there already was written again without a look-up"
    print(f"{netsuite.requests_made / 1000:.3f} requests per refund, answers {dict(answers)}")  # noqa: T201
    netsuite.close()


def test_a_clean_batch_of_a_thousand_costs_hardly_more_requests_than_its_writes(
    sandbox, clock, tmp_path
) -> None:
    refunds = [sold(sandbox, number) for number in range(1000)]
    ledger = ledger_of(refunds, tmp_path, clock)
    netsuite = netsuite_of(sandbox, read_seconds=30)

    summary = post(ledger, netsuite, clock)

    assert summary.results == {"posted": 1000}
    assert summary.erp_requests == sum(sandbox.audit.counts.values())
    assert summary.erp_requests / 1000 <= Decimal("1.1")
    assert_one_equal_record_each(refunds, sandbox, ledger)
    print(f"{summary.erp_requests / 1000:.3f} requests per refund")  # noqa: T201
    netsuite.close()


def test_split_refunds_are_all_their_records_although_every_tenth_write_goes_wrong(
    sandbox, clock, tmp_path
) -> None:
    refunds = [split(sold(sandbox, number)) for number in range(60)]
    ledger = ledger_of(refunds, tmp_path, clock)
    netsuite = netsuite_of(sandbox, read_seconds=READ_SECONDS)
    sandbox.faults.late_seconds = LATE
    sandbox.faults.at_random(EVERY_TENTH, seed=5)

    post_until_nothing_is_outstanding(ledger, netsuite, clock)

    assert_one_equal_record_each(refunds, sandbox, ledger)
    assert_the_books_balance(refunds, sandbox)
    assert_nothing_risky_was_sent(sandbox)
    assert sandbox.audit.peak_in_flight <= CONCURRENCY
    netsuite.close()


def test_writes_carried_out_after_they_were_given_up_are_one_record_each(
    sandbox, clock, tmp_path
) -> None:
    """What is looked up in vain and written again meets the first write when that is done."""
    refunds = [sold(sandbox, number) for number in range(3)]
    ledger = ledger_of(refunds, tmp_path, clock)
    netsuite = netsuite_of(sandbox, read_seconds=0.4)
    sandbox.scripts.seconds = 5.0
    with pytest.raises(Unavailable):
        post(ledger, netsuite, clock)
    assert sandbox.cash_refunds() == []
    sandbox.scripts.seconds = 0.0

    post_until_nothing_is_outstanding(ledger, netsuite, clock)

    netsuite.close()
    sandbox.stop()  # once every request is through
    assert_one_equal_record_each(refunds, sandbox, ledger)
    assert_nothing_risky_was_sent(sandbox)
    posts = [one for one in sandbox.audit.requests if one.path.endswith("/cashRefund")]
    assert Counter(one.status for one in posts)[400] >= 2
