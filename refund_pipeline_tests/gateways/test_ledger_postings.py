import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from refund_pipeline.domain.payments import PaymentsAwaited, PaymentsHeld, RefundFacts
from refund_pipeline.domain.transactions import AwaitingOrigin, Held, Ready, Skipped
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import (
    NO_INTENT,
    Intent,
    PaymentRow,
    PaymentWork,
    PostedRefund,
    PostingWork,
    TransactionRow,
    TransactionWork,
)
from refund_pipeline_tests.gateways.ledger_makers import (
    DAY,
    NOON,
    ORDER,
    SetClock,
    build,
    file_named,
    land,
    make_event,
    make_ready,
    make_transaction,
    pay,
    proven,
    statuses,
)

EVENT = make_event()
LATER = NOON + timedelta(minutes=5)


def posting_states(ledger: Ledger) -> list[tuple[str, int]]:
    return [(work.state, work.intent.attempts) for work in ledger.refunds_to_post(DAY)]


def test_order_payments_and_transaction_come_back_exactly(ledger: Ledger) -> None:
    event = make_event(currency="KWD", amount=Decimal("0.125"))
    land(ledger, event)
    pay(ledger, event)
    assert ledger.refunds_to_build(DAY) == [TransactionWork(event, ORDER, proven(event).lines, 0)]
    transaction = make_transaction(event, created_from="77", gift_card_field="custcol_card")
    build(ledger, event, Ready(transaction))
    (work,) = ledger.refunds_to_post(DAY)
    assert work == PostingWork(transaction, "new")
    assert work.transaction.fingerprint == transaction.fingerprint


def test_payments_are_to_be_read_until_they_are_available(ledger: Ledger) -> None:
    land(ledger, EVENT, make_event(2), make_event(3))
    pay(ledger, make_event(2), PaymentsAwaited("short"))
    pay(ledger, make_event(3))
    assert ledger.refunds_to_pay(DAY) == [PaymentWork(EVENT, 0), PaymentWork(make_event(2), 1)]
    pay(ledger, EVENT, PaymentsHeld("overpaid", "too much"))
    assert len(ledger.refunds_to_pay(DAY)) == 2
    assert ledger.refunds_to_pay(DAY + timedelta(days=1)) == []


def test_a_refresh_reads_available_payments_again_but_not_those_of_the_erp(ledger: Ledger) -> None:
    events = [make_event(number) for number in range(1, 7)]
    land(ledger, *events)
    for event in events:
        make_ready(ledger, event, landed=True)
    for event, state in zip(events[1:], ("retry", "held", "uncertain", "posted"), strict=False):
        reason = "refused_by_erp" if state == "held" else None
        ledger.finish_posting(event.refund_id, state=state, erp_id="1", reason=reason)
    ledger.begin_posting(make_transaction(events[5]))
    assert ledger.refunds_to_pay(DAY) == []
    assert [work.event for work in ledger.refunds_to_pay(DAY, refresh=True)] == events[:3]
    assert [work.event for work in ledger.refunds_to_build(DAY)] == events[:3]


def test_a_skipped_refund_is_decided_again_by_every_run(ledger: Ledger) -> None:
    event = make_event(return_id="ret-1")
    land(ledger, event)
    assert ledger.refunds_to_build(DAY) == [TransactionWork(event, None, (), 0)]
    build(ledger, event, Skipped("belongs_to_return", "x"))
    assert ledger.refunds_to_pay(DAY) == [PaymentWork(event, 0)], "the policy may have changed"
    assert ledger.refunds_to_build(DAY) == [TransactionWork(event, None, (), 1)]


def test_historical_refunds_are_decided_without_payments(ledger: Ledger) -> None:
    event = make_event(is_historical=True)
    land(ledger, event, make_event(2))
    assert [work.event for work in ledger.refunds_to_build(DAY)] == [event]


@pytest.mark.parametrize(
    ("facts", "decided"),
    [
        (RefundFacts("ret-1", is_historical=False, status="succeeded"), True),
        (RefundFacts(None, is_historical=True, status=""), True),
        (RefundFacts(None, is_historical=False, status="pending"), False),
        (None, False),
    ],
)
def test_what_newstore_says_of_a_refund_decides_before_payments_do(
    ledger: Ledger, facts: RefundFacts | None, decided: bool
) -> None:
    land(ledger, EVENT)
    row = PaymentRow(EVENT.refund_id, ORDER, PaymentsAwaited("short"), 1, None, facts)
    ledger.save_payments([row])
    assert ledger.refunds_to_pay(DAY) == [PaymentWork(EVENT, 1, facts)]
    expected = [TransactionWork(EVENT, ORDER, (), 0, facts)] if decided else []
    assert ledger.refunds_to_build(DAY) == expected


def test_the_refunds_of_an_order_are_found_whatever_their_day(ledger: Ledger) -> None:
    same = make_event(2, order_id=EVENT.order_id)
    land(ledger, EVENT)
    land(ledger, same, make_event(3), file=file_named("b", day=DAY + timedelta(days=1)))
    found = ledger.refunds_of_orders([EVENT.order_id, "no-such-order"])
    assert {key: set(events) for key, events in found.items()} == {EVENT.order_id: {EVENT, same}}


def test_work_can_be_limited_to_some_refunds_and_keeps_landing_order(ledger: Ledger) -> None:
    events = [make_event(number) for number in (5, 3, 9)]
    land(ledger, make_event(1), file=file_named("b"))
    land(ledger, *events, file=file_named("a"))
    asked = [make_event(number).refund_id for number in (1, 3, 5, 77)] * 2
    found = [work.event.refund_id for work in ledger.refunds_to_pay(DAY, refund_ids=asked)]
    assert found == [make_event(number).refund_id for number in (5, 3, 1)]
    assert ledger.refunds_to_pay(DAY, refund_ids=[]) == []
    for event in events:
        make_ready(ledger, event, landed=True)
    some = [events[2].refund_id]
    assert len(ledger.refunds_to_build(DAY, refund_ids=some)) == 1
    assert len(ledger.refunds_to_post(DAY, refund_ids=some)) == 1


def test_more_refund_ids_than_a_statement_binds_are_asked_in_batches(ledger: Ledger) -> None:
    events = [make_event(number) for number in range(1, 1_102)]
    land(ledger, *events)
    asked = {event.refund_id for event in events}
    assert [work.event for work in ledger.refunds_to_pay(DAY, refund_ids=asked)] == events


def test_withdrawn_payments_withdraw_the_transaction(ledger: Ledger) -> None:
    transaction = make_ready(ledger, EVENT)
    pay(ledger, EVENT, PaymentsHeld("overpaid", "too much"))
    assert ledger.refunds_to_post(DAY) == []
    assert ledger.begin_posting(transaction) is None


def test_a_transaction_built_from_payments_withdrawn_meanwhile_is_not_kept(
    ledger: Ledger,
) -> None:
    make_ready(ledger, EVENT)
    pay(ledger, EVENT, PaymentsHeld("overpaid", "too much"))
    build(ledger, EVENT)
    assert ledger.refunds_to_post(DAY) == []
    assert statuses(ledger, EVENT)[-1] == ("held", "overpaid")


def test_an_unsettled_write_keeps_its_transaction_whatever_is_found_later(ledger: Ledger) -> None:
    transaction = make_ready(ledger, EVENT)
    assert ledger.begin_posting(transaction)
    pay(ledger, EVENT, PaymentsAwaited("gone"))
    build(ledger, EVENT, Ready(replace(transaction, memo="other")))
    build(ledger, EVENT, Held("unmapped_tender", "x"))
    assert ledger.refunds_to_post(DAY) == [PostingWork(transaction, "intended", Intent(1, NOON))]


def test_only_ready_transactions_are_to_be_posted(ledger: Ledger) -> None:
    land(ledger, EVENT)
    for built in (
        AwaitingOrigin("x"),
        Held("unmapped_tender", "x"),
        Skipped("historical", "x"),
    ):
        pay(ledger, EVENT)
        build(ledger, EVENT, built)
        assert ledger.refunds_to_post(DAY) == []
        assert ledger.begin_posting(make_transaction(EVENT)) is None
    build(ledger, EVENT)
    assert posting_states(ledger) == [("new", 0)]


def test_two_refunds_cannot_have_one_external_id(ledger: Ledger) -> None:
    land(ledger, EVENT, make_event(2))
    pay(ledger, EVENT)
    pay(ledger, make_event(2))
    same = make_transaction(EVENT).external_id
    build(ledger, EVENT)
    with pytest.raises(Exception, match=r"(?i)unique"):
        build(ledger, make_event(2), Ready(make_transaction(make_event(2), external_id=same)))


def test_each_begun_write_counts_an_attempt(ledger: Ledger) -> None:
    transaction = make_ready(ledger, EVENT)
    assert posting_states(ledger) == [("new", 0)]
    assert ledger.begin_posting(transaction)
    assert posting_states(ledger) == [("intended", 1)]
    ledger.finish_posting(EVENT.refund_id, state="uncertain")
    assert posting_states(ledger) == [("uncertain", 1)]
    assert ledger.begin_posting(transaction)
    ledger.finish_posting(EVENT.refund_id, state="retry", next_attempt_at=LATER)
    assert posting_states(ledger) == [("retry", 2)]


@pytest.mark.parametrize("state", ["posted", "held"])
def test_a_write_is_not_begun_once_the_refund_is_posted_or_held(ledger: Ledger, state: str) -> None:
    transaction = make_ready(ledger, EVENT)
    ledger.finish_posting(EVENT.refund_id, state=state, erp_id="1", reason="refused_by_erp")
    assert ledger.begin_posting(transaction) is None
    assert ledger.refunds_to_post(DAY) == []


def test_a_write_is_not_begun_with_a_transaction_the_ledger_no_longer_holds(
    ledger: Ledger,
) -> None:
    old = make_ready(ledger, EVENT)
    build(ledger, EVENT, Ready(replace(old, memo="built anew")))
    assert ledger.begin_posting(old) is None
    assert ledger.begin_posting(make_transaction(make_event(99))) is None


def test_a_write_is_not_begun_once_the_transaction_is_held_again(ledger: Ledger) -> None:
    transaction = make_ready(ledger, EVENT)
    build(ledger, EVENT, Held("daily_gate", "the day has more than that"))
    assert ledger.begin_posting(transaction) is None


def test_a_write_is_begun_by_one_of_two_runs_that_saw_the_same_intent(ledger: Ledger) -> None:
    transaction = make_ready(ledger, EVENT)
    first = ledger.begin_posting(transaction, seen=NO_INTENT)
    assert first == Intent(1, NOON)
    assert ledger.begin_posting(transaction, seen=NO_INTENT) is None
    assert ledger.begin_posting(transaction, seen=first) == Intent(2, NOON)


def test_a_write_is_not_begun_once_the_run_that_began_it_has_confirmed_it(
    ledger: Ledger, clock: SetClock
) -> None:
    transaction = make_ready(ledger, EVENT)
    first = ledger.begin_posting(transaction)
    clock.now = LATER
    assert ledger.confirm_posting(transaction, first) == Intent(1, LATER)
    assert ledger.begin_posting(transaction, seen=first) is None
    assert ledger.confirm_posting(transaction, first) is None, "by the moment it was last confirmed"
    assert posting_states(ledger) == [("intended", 1)]


@pytest.mark.parametrize("state", ["posted", "held", "uncertain", "retry"])
def test_a_write_is_not_confirmed_once_it_has_an_outcome(ledger: Ledger, state: str) -> None:
    transaction = make_ready(ledger, EVENT)
    begun = ledger.begin_posting(transaction)
    ledger.finish_posting(EVENT.refund_id, state=state, erp_id="1", reason="refused_by_erp")
    assert ledger.confirm_posting(transaction, begun) is None


@pytest.mark.parametrize("state", ["uncertain", "retry", "held"])
def test_less_than_posted_is_not_recorded_by_a_run_that_was_overtaken(
    ledger: Ledger, state: str
) -> None:
    transaction = make_ready(ledger, EVENT)
    slow = ledger.begin_posting(transaction)
    ledger.begin_posting(transaction, seen=slow)
    ledger.finish_posting(EVENT.refund_id, state=state, seen=slow, reason="refused_by_erp")
    assert posting_states(ledger) == [("intended", 2)]
    ledger.finish_posting(EVENT.refund_id, state="posted", seen=slow, erp_id="1")
    assert statuses(ledger, EVENT)[-1] == ("posted", None)


@pytest.mark.parametrize("state", ["uncertain", "retry", "held", "posted"])
def test_posted_is_never_overwritten(ledger: Ledger, state: str) -> None:
    transaction = make_ready(ledger, EVENT)
    ledger.begin_posting(transaction)
    ledger.finish_posting(EVENT.refund_id, state="posted", erp_id="900", amount=EVENT.amount)
    before = ledger.refund(EVENT.refund_id)
    ledger.finish_posting(
        EVENT.refund_id, state=state, erp_id="901", reason="refused_by_erp", detail="late"
    )
    assert ledger.refund(EVENT.refund_id) == before
    assert statuses(ledger, EVENT)[-1] == ("posted", None)


def test_a_record_found_in_the_erp_is_posted_without_an_attempt(ledger: Ledger) -> None:
    transaction = make_ready(ledger, EVENT)
    ledger.finish_posting(EVENT.refund_id, state="posted", erp_id="900", amount=EVENT.amount)
    (posted,) = ledger.postings_to_verify(DAY, everything=False)
    assert posted == PostedRefund(transaction, "900", NOON, verified=False)
    row = ledger.refund(EVENT.refund_id)
    assert row is not None
    assert (row.attempts, row.external_id, row.erp_id) == (0, transaction.external_id, "900")


def test_an_outcome_must_say_what_it_means(ledger: Ledger) -> None:
    make_ready(ledger, EVENT)
    with pytest.raises(ValueError, match="has an ERP id"):
        ledger.finish_posting(EVENT.refund_id, state="posted")
    with pytest.raises(ValueError, match="has a reason"):
        ledger.finish_posting(EVENT.refund_id, state="held")
    with pytest.raises(LookupError, match="not in the ledger"):
        ledger.finish_posting("unknown", state="uncertain")


def test_a_compared_amount_is_a_decimal_or_refused(ledger: Ledger) -> None:
    make_ready(ledger, EVENT)
    with pytest.raises(Exception, match="finite Decimal"):
        ledger.finish_posting(EVENT.refund_id, state="posted", erp_id="1", amount=12.3)
    assert statuses(ledger, EVENT)[-1] == ("ready", None)


def test_a_refused_posting_is_reopened_by_a_changed_transaction(
    ledger: Ledger, clock: SetClock
) -> None:
    transaction = make_ready(ledger, EVENT)
    ledger.begin_posting(transaction)
    ledger.finish_posting(EVENT.refund_id, state="held", reason="refused_by_erp", detail="USER")
    build(ledger, EVENT)
    assert posting_states(ledger) == []
    clock.now = LATER
    changed = replace(transaction, location="12")
    build(ledger, EVENT, Ready(changed))
    assert ledger.refunds_to_post(DAY) == [PostingWork(changed, "retry", Intent(1, NOON))]
    row = ledger.refund(EVENT.refund_id)
    assert row is not None
    assert (row.status, row.next_attempt_at) == ("ready", LATER)
    assert ledger.begin_posting(changed)


def test_a_conflicting_erp_record_stays_held_whatever_is_built(ledger: Ledger) -> None:
    transaction = make_ready(ledger, EVENT)
    ledger.finish_posting(EVENT.refund_id, state="held", reason="conflicting_erp_record")
    build(ledger, EVENT, Ready(replace(transaction, location="12")))
    assert ledger.refunds_to_post(DAY) == []
    assert statuses(ledger, EVENT)[-1] == ("held", "conflicting_erp_record")


def test_a_refused_posting_stays_held_while_its_transaction_is_not_ready(ledger: Ledger) -> None:
    make_ready(ledger, EVENT)
    ledger.finish_posting(EVENT.refund_id, state="held", reason="refused_by_erp")
    build(ledger, EVENT, Held("unmapped_tender", "x"))
    assert statuses(ledger, EVENT)[-1] == ("held", "refused_by_erp")


def test_verification_covers_what_is_new_or_differs_and_all_on_demand(ledger: Ledger) -> None:
    events = [make_event(number) for number in (1, 2, 3)]
    land(ledger, *events)
    for event in events:
        make_ready(ledger, event, landed=True)
        ledger.finish_posting(event.refund_id, state="posted", erp_id=f"9{event.order_id}")
    ledger.record_verifications(
        [(events[0].refund_id, None), (events[1].refund_id, "it is voided")]
    )
    ledger.record_verifications([])
    again = [
        work.transaction.refund_id for work in ledger.postings_to_verify(DAY, everything=False)
    ]
    assert again == [events[1].refund_id, events[2].refund_id]
    everything = ledger.postings_to_verify(DAY, everything=True)
    assert [work.verified for work in everything] == [True, False, False]
    assert ledger.posting_differences(DAY) == [(events[1].refund_id, "it is voided")]
    ledger.record_verifications([(events[1].refund_id, None)])
    assert ledger.posting_differences(DAY) == []
    assert statuses(ledger, events[1])[-1] == ("posted", None)


def test_saving_nothing_is_nothing(ledger: Ledger) -> None:
    ledger.save_payments([])
    ledger.save_transactions([], mapping_version="m1")
    assert ledger.status_totals() == []


def test_the_last_of_two_rows_for_one_refund_counts(ledger: Ledger) -> None:
    land(ledger, EVENT)
    pay(ledger, EVENT)
    rows = [
        TransactionRow(EVENT.refund_id, Held("unmapped_tender", "x"), 1, None),
        TransactionRow(EVENT.refund_id, Ready(make_transaction(EVENT)), 1, None),
    ]
    ledger.save_transactions(rows, mapping_version="m1")
    assert posting_states(ledger) == [("new", 0)]


def test_eight_threads_post_many_refunds_without_loss(
    ledger: Ledger, open_ledger: Callable[..., Ledger]
) -> None:
    events = [make_event(number) for number in range(1, 41)]
    land(ledger, *events)
    for event in events:
        make_ready(ledger, event, landed=True)
    work = ledger.refunds_to_post(DAY)
    ledgers = [open_ledger(f"run-{number}") for number in range(2)]

    def post(index: int) -> None:
        item = work[index % len(work)]
        one = ledgers[index % 2]
        if one.begin_posting(item.transaction, seen=item.intent):
            one.finish_posting(
                item.transaction.refund_id, state="posted", erp_id=str(index), amount=EVENT.amount
            )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(post, range(2 * len(work))))
    (total,) = ledger.status_totals()
    assert (total.status, total.count) == ("posted", 40)
    assert all(
        statuses(ledger, event)[-3:]
        == [("ready", None), ("uncertain", "erp_uncertain"), ("posted", None)]
        for event in events
    )


def test_of_eight_threads_exactly_one_begins_the_same_write(ledger: Ledger) -> None:
    transaction = make_ready(ledger, EVENT)
    together = threading.Barrier(8)

    def begin(_: int) -> bool:
        together.wait(10)
        return ledger.begin_posting(transaction, seen=NO_INTENT) is not None

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(begin, range(8))) == 1
    assert posting_states(ledger) == [("intended", 1)]
