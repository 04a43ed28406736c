"""Posting: never without a look-up, never twice, and every answer of the ERP has its place."""

import random
import threading
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from refund_pipeline.domain.building import Circumstances, build_transaction
from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.domain.mapping import Mapping
from refund_pipeline.domain.outcomes import Busy, RecordLine
from refund_pipeline.domain.payments import PaymentLine, PaymentsAvailable
from refund_pipeline.domain.transactions import Ready, RefundTransaction
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import PaymentRow, TransactionRow
from refund_pipeline.steps import posting
from refund_pipeline.steps.posting import PostingSummary, Surroundings, post_refunds
from refund_pipeline_tests.fakes import (
    DAY,
    FakeClock,
    FakeErp,
    cash_sale,
    event,
    example_mapping,
    landed_ledger,
    order,
    ready_ledger,
    record_of,
    refund_id,
    transaction,
)


class Killed(BaseException):
    """The process dies here."""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def surroundings(clock: FakeClock) -> Surroundings:
    return Surroundings(clock.now, clock.sleep, random.Random(1), lambda _: None)


def post(ledger, erp, clock, *, concurrency=2) -> PostingSummary:
    return post_refunds(
        DAY, ledger=ledger, erp=erp, concurrency=concurrency, surroundings=surroundings(clock)
    )


def statuses(ledger) -> Counter[str]:
    return Counter(row.status for row in ledger.refunds(day=DAY, limit=10_000))


def test_every_ready_refund_is_posted_once_with_one_look_up_for_the_batch(tmp_path, clock) -> None:
    ledger, erp = ready_ledger(tmp_path, 25, clock), FakeErp()
    summary = post(ledger, erp, clock)
    assert statuses(ledger) == {"posted": 25}
    assert summary.results == {"posted": 25}
    assert summary.erp_requests == 26


def test_many_are_looked_up_in_lists_the_erp_takes(tmp_path, clock) -> None:
    ledger, erp = ready_ledger(tmp_path, 150, clock), FakeErp()
    inner, sizes = erp.find, []

    def counted(external_ids):
        sizes.append(len(external_ids))
        return inner(external_ids)

    erp.find = counted
    post(ledger, erp, clock)
    assert (sum(sizes), max(sizes)) == (150 * 3, 200), "three ids each"
    assert statuses(ledger) == {"posted": 150}


def test_while_the_erp_is_down_only_the_first_list_is_asked_for(tmp_path, clock) -> None:
    ledger, erp = ready_ledger(tmp_path, 150, clock), FakeErp()
    asked = []

    def down(external_ids):
        asked.append(external_ids)
        raise Unavailable("down")

    erp.find = down
    with pytest.raises(Unavailable):
        post(ledger, erp, clock, concurrency=5)
    assert len(asked) == 1


def test_a_second_run_asks_the_erp_nothing(tmp_path, clock) -> None:
    ledger, erp = ready_ledger(tmp_path, 3, clock), FakeErp()
    post(ledger, erp, clock)
    assert post(ledger, erp, clock).erp_requests == 0


def test_a_lost_answer_is_settled_by_looking_up_and_not_by_writing(tmp_path, clock) -> None:
    ledger, erp = ready_ledger(tmp_path, 1, clock), FakeErp(["lost"])
    summary = post(ledger, erp, clock)
    assert (erp.posts, len(erp.created)) == (1, 1)
    assert summary.results == {"already posted": 1}
    assert statuses(ledger) == {"posted": 1}


@pytest.mark.parametrize("answer", ["lost", "created"])
def test_a_record_the_index_does_not_show_yet_is_found_at_its_own_address(
    tmp_path, clock, answer
) -> None:
    ledger, erp = ready_ledger(tmp_path, 1, clock), FakeErp([answer])
    erp.find = lambda _: {}
    summary = post(ledger, erp, clock)
    assert (erp.posts, erp.look_ups) == (1, 1)
    assert summary.results == {"already posted": 1}


def test_nothing_is_waited_for_where_nothing_is_missing(tmp_path, clock) -> None:
    ledger, erp = ready_ledger(tmp_path, 2, clock), FakeErp(["lost", "refused"])
    before = clock.now()
    post(ledger, erp, clock)
    assert clock.now() == before


def test_a_long_batch_says_how_far_it_is(tmp_path, clock, monkeypatch) -> None:
    monkeypatch.setattr(posting, "_PROGRESS_EVERY", 0.0)
    ledger, said = ready_ledger(tmp_path, 3, clock), list[str]()
    around = replace(surroundings(clock), log=said.append)
    post_refunds(DAY, ledger=ledger, erp=FakeErp(), concurrency=1, surroundings=around)
    assert [sentence.split(",")[0] for sentence in said] == [
        "1 of 3 refunds done",
        "2 of 3 refunds done",
        "3 of 3 refunds done",
    ]
    assert said[-1].endswith(" per second, about 0 s left")


def test_a_write_that_never_arrived_is_looked_up_twice_and_written_again(tmp_path, clock) -> None:
    ledger, erp = ready_ledger(tmp_path, 1, clock), FakeErp(["dropped"])
    before = clock.now()
    post(ledger, erp, clock)
    assert (erp.look_ups, erp.posts, len(erp.created)) == (2, 2, 1)
    assert clock.now() > before, "the two look-ups are apart in time"
    assert statuses(ledger) == {"posted": 1}


def test_a_write_that_stays_unclear_is_uncertain_and_carries_its_next_attempt(
    tmp_path, clock
) -> None:
    ledger, erp = ready_ledger(tmp_path, 1, clock), FakeErp(["dropped", "dropped"])
    assert post(ledger, erp, clock).results == {"uncertain": 1}
    row = ledger.refund(refund_id(0))
    assert (row.status, row.reason, row.erp_id) == ("uncertain", "erp_uncertain", None)
    assert row.next_attempt_at > clock.now()
    post(ledger, erp, clock)
    assert statuses(ledger) == {"posted": 1}
    assert len(erp.created) == 1


def test_a_refusal_of_the_second_write_is_looked_up_by_the_next_run(tmp_path, clock) -> None:
    ledger, erp = ready_ledger(tmp_path, 1, clock), FakeErp(["dropped", "refused"])
    assert post(ledger, erp, clock).results == {"uncertain": 1}
    row = ledger.refund(refund_id(0))
    assert (row.status, row.detail) == ("uncertain", "USER_ERROR")
    assert row.next_attempt_at > clock.now()


def test_a_write_begun_by_a_run_that_died_is_looked_up_before_it_is_written(
    tmp_path, clock
) -> None:
    ledger, erp = ready_ledger(tmp_path, 1, clock), FakeErp()
    (work,) = ledger.refunds_to_post(DAY)
    assert ledger.begin_posting(work.transaction)
    erp.post(work.transaction)
    erp.find = lambda _: {}  # the index is behind
    post(ledger, erp, clock)
    assert (erp.posts, erp.look_ups) == (1, 1)
    assert statuses(ledger) == {"posted": 1}


def test_a_refusal_is_believed_only_after_a_look_up(tmp_path, clock) -> None:
    ledger, erp = ready_ledger(tmp_path, 1, clock), FakeErp(["refused"])
    post(ledger, erp, clock)
    assert erp.look_ups == 1
    row = ledger.refund(refund_id(0))
    assert (row.status, row.reason, row.detail) == ("held", "refused_by_erp", "USER_ERROR")


def test_a_refusal_that_created_the_record_is_posted(tmp_path, clock) -> None:
    ledger, erp = ready_ledger(tmp_path, 1, clock), FakeErp(["created"])
    post(ledger, erp, clock)
    assert statuses(ledger) == {"posted": 1}


def test_an_equal_record_found_in_the_erp_is_taken_as_ours(tmp_path, clock) -> None:
    ledger, erp = ready_ledger(tmp_path, 1, clock), FakeErp()
    erp.records[transaction(0).external_id] = record_of(transaction(0), "77")
    post(ledger, erp, clock)
    assert erp.posts == 0
    assert ledger.refund(refund_id(0)).erp_id == "77"


def test_an_equal_record_under_the_bare_refund_id_is_taken_as_ours(tmp_path, clock) -> None:
    ledger, erp = ready_ledger(tmp_path, 1, clock), FakeErp()
    erp.records[refund_id(0)] = replace(record_of(transaction(0), "77"), external_id=refund_id(0))
    post(ledger, erp, clock)
    assert erp.posts == 0
    assert statuses(ledger) == {"posted": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "cash_sale"},
        {"currency_id": "2"},
        {"voided": True},
        {"memo": "another order", "custom": ()},
        {"lines": (RecordLine("9001", Decimal("12.50")),)},
        {"lines": (RecordLine("9001", Decimal("12.51")), RecordLine("8101", Decimal("-12.50")))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_record_that_is_not_equal_holds_the_refund(tmp_path, clock, change) -> None:
    ledger, erp = ready_ledger(tmp_path, 1, clock), FakeErp()
    key = transaction(0).external_id
    erp.records[key] = replace(record_of(transaction(0), "77"), **change)
    post(ledger, erp, clock)
    assert erp.posts == 0
    assert ledger.refund(refund_id(0)).reason == "conflicting_erp_record"


def test_a_busy_erp_is_asked_again_after_a_pause(tmp_path, clock) -> None:
    ledger, erp = ready_ledger(tmp_path, 1, clock), FakeErp([Busy(), Busy(retry_after=7.0)])
    before = clock.now()
    post(ledger, erp, clock)
    assert (clock.now() - before).total_seconds() >= 7
    assert statuses(ledger) == {"posted": 1}


def test_an_erp_that_stays_busy_leaves_the_refund_for_later(tmp_path, clock) -> None:
    ledger, erp = ready_ledger(tmp_path, 1, clock), FakeErp([Busy()] * 6)
    post(ledger, erp, clock)
    row = ledger.refund(refund_id(0))
    assert (row.status, row.reason) == ("ready", "erp_unavailable")
    assert row.next_attempt_at > clock.now()


@pytest.mark.parametrize("failure", [Unavailable("down"), Misconfigured("refused")])
def test_a_systemic_failure_stops_the_batch_and_leaves_the_rest_untouched(
    tmp_path, clock, failure
) -> None:
    ledger, erp = ready_ledger(tmp_path, 20, clock), FakeErp([failure])
    with pytest.raises(type(failure)):
        post(ledger, erp, clock, concurrency=1)
    assert erp.posts == 1
    assert statuses(ledger) == {"ready": 20}
    post(ledger, erp, clock)
    assert statuses(ledger) == {"posted": 20}


def test_unclear_answers_with_a_clear_one_between_are_no_outage(tmp_path, clock) -> None:
    unclear = ["lost"] * 4
    ledger, erp = ready_ledger(tmp_path, 9, clock), FakeErp([*unclear, None, *unclear])
    post(ledger, erp, clock, concurrency=1)
    assert statuses(ledger) == {"posted": 9}


def test_a_systemic_failure_of_one_worker_stops_the_others(tmp_path, clock) -> None:
    ledger, erp = ready_ledger(tmp_path, 40, clock), FakeErp()
    inner, first, failed = erp.post, threading.Lock(), threading.Event()

    def post_once_the_first_has_failed(item):
        if first.acquire(blocking=False):
            failed.set()
            raise Misconfigured("refused")
        failed.wait(10)
        return inner(item)

    erp.post = post_once_the_first_has_failed
    with pytest.raises(Misconfigured):
        post(ledger, erp, clock, concurrency=2)
    assert erp.posts < 20, "the other worker may be under way, and goes no further"


def test_a_refund_that_waits_for_its_slot_is_not_sent_after_a_failure(
    tmp_path, clock, monkeypatch
) -> None:
    ledger, erp = ready_ledger(tmp_path, 20, clock), FakeErp()
    begin, write = ledger.begin_posting, erp.post
    begun, first, failed = threading.Semaphore(0), threading.Lock(), threading.Event()

    def counted(*args, **kwargs):
        try:
            return begin(*args, **kwargs)
        finally:
            begun.release()

    def fail_once_a_sixth_is_begun(item):
        if first.acquire(blocking=False):
            for _ in range(6):
                assert begun.acquire(timeout=10), "one more than there are slots"
            failed.set()
            raise Misconfigured("refused")
        failed.wait(10)
        return write(item)

    monkeypatch.setattr(ledger, "begin_posting", counted)
    erp.post = fail_once_a_sixth_is_begun
    with pytest.raises(Misconfigured):
        post(ledger, erp, clock, concurrency=5)
    assert erp.posts == 4
    tried = [row for row in ledger.refunds(statuses=["ready"]) if row.reason == "erp_unavailable"]
    assert sorted(row.detail for row in tried) == ["refused", "the batch ended"]


def test_an_outage_is_noticed_after_a_few_unclear_answers(tmp_path, clock) -> None:
    ledger, erp = ready_ledger(tmp_path, 20, clock), FakeErp(["lost"] * 20)
    with pytest.raises(Unavailable, match="in a row"):
        post(ledger, erp, clock, concurrency=1)
    assert erp.posts == 5
    erp.scripts.clear()
    post(ledger, erp, clock)
    assert statuses(ledger) == {"posted": 20}
    assert len(erp.created) == 20


@pytest.mark.parametrize("method", ["begin_posting", "finish_posting", "refunds_to_post"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", [1, 2, 4])
def test_a_run_killed_at_any_commit_and_run_again_ends_with_one_record_each(
    tmp_path: Path, clock, monkeypatch, method, after, call
) -> None:
    ledger, erp = ready_ledger(tmp_path, 4, clock), FakeErp(["lost", None, "created"])
    real = getattr(ledger, method)
    calls = 0

    def dying(*args, **kwargs):
        nonlocal calls
        calls += 1
        if calls < call:
            return real(*args, **kwargs)
        if after:
            real(*args, **kwargs)
        raise Killed

    monkeypatch.setattr(ledger, method, dying)
    if method != "refunds_to_post" or call == 1:
        with pytest.raises(Killed):
            post(ledger, erp, clock, concurrency=1)
    monkeypatch.setattr(ledger, method, real)
    post(ledger, erp, clock)
    assert statuses(ledger) == {"posted": 4}
    assert sorted(erp.created) == sorted(refund_id(number) for number in range(4))


def test_two_runs_of_one_day_at_once_make_one_record_each(tmp_path, clock) -> None:
    first, erp = ready_ledger(tmp_path, 10, clock), FakeErp()
    inner = erp.post
    overlapped = []

    def post_while_another_run_posts(item):
        if not overlapped:
            overlapped.append(item)
            post(first, erp, clock, concurrency=1)
        return inner(item)

    erp.post = post_while_another_run_posts
    summary = post(first, erp, clock, concurrency=1)
    assert summary.results == {"already posted": 1, "left to another run": 9}
    assert statuses(first) == {"posted": 10}
    assert len(erp.created) == len(set(erp.created)) == 10


# A refund of several ERP records (posting model: header)


def split_ledger(tmp_path: Path, clock: FakeClock) -> tuple[Ledger, RefundTransaction]:
    """Return a ledger with one refund of DAY that is two records: 5.00 on a card, 7.50 cash."""
    tenders = [
        {"method": "credit_card", "payment_option": "5"},
        {"method": "cash", "payment_option": "1"},
    ]
    document = example_mapping().model_dump(mode="json") | {
        "posting_model": "header",
        "tenders": tenders,
    }
    mapping = Mapping.model_validate(document)
    of = event(0)
    lines = (
        PaymentLine("credit_card", "adyen", Decimal("5.00"), "USD"),
        PaymentLine("cash", "cash", Decimal("7.50"), "USD"),
    )
    built = build_transaction(
        of, order(of), lines, [cash_sale(of)], mapping, Circumstances(clock.now())
    )
    assert isinstance(built, Ready)
    ledger = landed_ledger(tmp_path, [of], clock)
    ledger.save_payments([PaymentRow(of.refund_id, order(of), PaymentsAvailable(lines), 1, None)])
    ledger.save_transactions([TransactionRow(of.refund_id, built, 0, None)], mapping_version="v")
    return ledger, built.transaction


def test_a_split_refund_is_posted_once_all_its_records_are(tmp_path, clock) -> None:
    ledger, refund = split_ledger(tmp_path, clock)
    erp = FakeErp()
    post(ledger, erp, clock)
    assert set(erp.records) == {f"{refund.external_id}-1", f"{refund.external_id}-2"}
    row = ledger.refund(refund.refund_id)
    assert (row.status, row.erp_id) == ("posted", "90000, 90001")


@pytest.mark.parametrize("second", ["lost", "dropped", "created", Busy()])
def test_a_split_refund_interrupted_half_way_is_completed_and_nothing_is_written_twice(
    tmp_path, clock, second
) -> None:
    ledger, refund = split_ledger(tmp_path, clock)
    erp = FakeErp([None, *([second] * (1 if isinstance(second, str) else 6))])
    post(ledger, erp, clock)
    if ledger.refund(refund.refund_id).status != "posted":
        half_way = ledger.refund(refund.refund_id)
        assert (half_way.status, half_way.erp_id) == ("uncertain", "90000")
        assert "1 of 2 records are in the ERP: 90000" in half_way.detail
        post(ledger, erp, clock)
    assert ledger.refund(refund.refund_id).status == "posted"
    assert len(erp.records) == len(erp.created) == 2


def test_a_split_refund_whose_second_record_is_refused_is_held_and_says_what_is_there(
    tmp_path, clock
) -> None:
    ledger, refund = split_ledger(tmp_path, clock)
    post(ledger, FakeErp([None, "refused"]), clock)
    row = ledger.refund(refund.refund_id)
    assert (row.status, row.reason, row.erp_id) == ("held", "refused_by_erp", "90000")
    assert row.detail == "USER_ERROR (1 of 2 records are in the ERP: 90000)"


def test_an_outage_half_way_through_a_split_refund_leaves_it_uncertain(tmp_path, clock) -> None:
    ledger, refund = split_ledger(tmp_path, clock)
    with pytest.raises(Unavailable):
        post(ledger, FakeErp([None, Unavailable("down")]), clock)
    assert ledger.refund(refund.refund_id).status == "uncertain"


def test_the_first_part_of_a_split_refund_is_a_conflict_for_one_that_is_not_split(
    tmp_path, clock
) -> None:
    ledger, erp = ready_ledger(tmp_path, 1, clock), FakeErp()
    part = replace(transaction(0), external_id=f"{transaction(0).external_id}-1")
    erp.records[part.external_id] = record_of(part, "77")
    post(ledger, erp, clock)
    row = ledger.refund(refund_id(0))
    assert (row.status, row.reason, erp.posts) == ("held", "conflicting_erp_record", 0)


def test_a_whole_refund_is_a_conflict_for_one_that_is_split(tmp_path, clock) -> None:
    ledger, refund = split_ledger(tmp_path, clock)
    erp = FakeErp()
    erp.records[refund.external_id] = record_of(refund, "77")
    post(ledger, erp, clock)
    row = ledger.refund(refund.refund_id)
    assert (row.status, row.reason, erp.posts) == ("held", "conflicting_erp_record", 0)


def test_a_busy_erp_is_asked_by_fewer_at_once(tmp_path, clock) -> None:
    ledger, erp = ready_ledger(tmp_path, 30, clock), FakeErp([Busy()])
    post(ledger, erp, clock, concurrency=4)
    assert statuses(ledger) == {"posted": 30}
    assert len(erp.created) == 30


def test_a_record_that_lost_its_external_id_is_found_by_its_refund_and_not_written_again(
    tmp_path, clock
) -> None:
    ledger, erp = ready_ledger(tmp_path, 1, clock), FakeErp(["dropped"])
    lost = replace(record_of(transaction(0), "77"), external_id="")
    erp.records["somewhere else"] = lost
    post(ledger, erp, clock)
    row = ledger.refund(refund_id(0))
    assert (row.status, row.erp_id, erp.posts) == ("posted", "77", 1)


def test_a_record_that_lost_its_external_id_and_differs_is_held(tmp_path, clock) -> None:
    ledger, erp = ready_ledger(tmp_path, 1, clock), FakeErp(["dropped"])
    there = record_of(transaction(0), "77")
    changed = replace(there, external_id="", lines=(RecordLine("9001", Decimal("1.00")),))
    erp.records["somewhere else"] = changed
    post(ledger, erp, clock)
    row = ledger.refund(refund_id(0))
    assert (row.status, row.reason, erp.posts) == ("held", "conflicting_erp_record", 1)
