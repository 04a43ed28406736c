"""Reconciliation: what is posted is read back from the ERP, and each difference is named."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from refund_pipeline.domain.building import Circumstances, build_transaction
from refund_pipeline.domain.events import RefundEvent
from refund_pipeline.domain.outcomes import RecordLine
from refund_pipeline.domain.payments import PaymentsAvailable
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import LandedFile, PaymentRow, TransactionRow
from refund_pipeline.steps.reconciliation import (
    INDEX_GRACE,
    Agreement,
    Reconciliation,
    reconcile,
)
from refund_pipeline_tests.fakes import (
    DAY,
    NOON,
    FakeClock,
    FakeErp,
    event,
    example_mapping,
    order,
    payment_lines,
    ready_ledger,
    record_of,
    refund_id,
    transaction,
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def erp() -> FakeErp:
    return FakeErp()


def compare(ledger: Ledger, erp: FakeErp, clock: FakeClock, **options: bool) -> Reconciliation:
    return reconcile(DAY, ledger=ledger, erp=erp, prefix="apz-", clock=clock.now, **options)


def post_all(ledger: Ledger, erp: FakeErp) -> None:
    """Write every ready refund to the ERP and the ledger."""
    for work in ledger.refunds_to_post(DAY):
        ledger.begin_posting(work.transaction)
        posted = erp.post(work.transaction)
        ledger.finish_posting(
            work.transaction.refund_id,
            state="posted",
            erp_id=posted.erp_id,
            amount=work.transaction.amount,
        )


def add_web_refunds(ledger: Ledger, refunds: Iterable[RefundEvent]) -> None:
    """Land further refunds of DAY, of web orders, and make them ready."""
    listed = list(refunds)
    ledger.record_file(
        LandedFile("key-2", "etag", DAY, 1),
        events=list(enumerate(listed, 1)),
        rejected=[],
        other_events={},
        lines=len(listed),
    )
    for of in listed:
        web_order = order(of, channel_type="web", store_id=None)
        proof = PaymentsAvailable(payment_lines(of))
        ledger.save_payments([PaymentRow(of.refund_id, web_order, proof, 1, None)])
        built = build_transaction(
            of, web_order, proof.lines, [], example_mapping(), Circumstances(NOON)
        )
        ledger.save_transactions(
            [TransactionRow(of.refund_id, built, 0, None)], mapping_version="v"
        )


def posted_ledger(path: Path, count: int, clock: FakeClock, erp: FakeErp) -> Ledger:
    ledger = ready_ledger(path, count, clock)
    post_all(ledger, erp)
    return ledger


def test_equal_sides_agree_in_one_question(tmp_path, clock, erp) -> None:
    ledger = posted_ledger(tmp_path, 3, clock, erp)
    assert compare(ledger, erp, clock) == Reconciliation(
        checked=3,
        too_young=0,
        agreements=(Agreement("USD", 3, Decimal("37.50"), 3, Decimal("37.50")),),
        problems=(),
        extra=(),
        erp_requests=1,
    )


def test_what_was_found_equal_is_not_compared_again_unless_everything_is(
    tmp_path, clock, erp
) -> None:
    ledger = posted_ledger(tmp_path, 3, clock, erp)
    compare(ledger, erp, clock)
    again = compare(ledger, erp, clock)
    assert (again.checked, again.agreements, again.erp_requests) == (0, (), 0)
    assert compare(ledger, erp, clock, everything=True).checked == 3


def test_a_change_in_the_erp_after_the_comparison_shows_when_everything_is_compared(
    tmp_path, clock, erp
) -> None:
    ledger = posted_ledger(tmp_path, 1, clock, erp)
    compare(ledger, erp, clock)
    key = transaction(0).external_id
    erp.records[key] = replace(erp.records[key], voided=True)
    assert compare(ledger, erp, clock).problems == ()
    assert compare(ledger, erp, clock, everything=True).problems == (
        (refund_id(0), "it is voided"),
    )


def test_only_what_is_posted_is_compared(tmp_path, clock, erp) -> None:
    ledger = ready_ledger(tmp_path, 2, clock)
    result = compare(ledger, erp, clock)
    assert (result.checked, result.agreements, result.erp_requests) == (0, (), 0)


@pytest.mark.parametrize(
    ("age", "missing"),
    [(timedelta(0), False), (INDEX_GRACE - timedelta(seconds=1), False), (INDEX_GRACE, True)],
    ids=["just written", "within the grace", "past the grace"],
)
def test_a_record_is_missing_only_once_the_index_had_time_to_show_it(
    tmp_path, clock, erp, age, missing
) -> None:
    ledger = posted_ledger(tmp_path, 2, clock, erp)
    erp_id = erp.records.pop(transaction(0).external_id).erp_id
    clock.sleep(age.total_seconds())
    result = compare(ledger, erp, clock)
    problem = (refund_id(0), f"record {erp_id} is missing from the ERP")
    assert (result.checked, result.too_young) == ((2, 0) if missing else (1, 1))
    assert result.problems == ((problem,) if missing else ())
    assert result.agreements == (Agreement("USD", 2, Decimal("25.00"), 1, Decimal("12.50")),)
    assert ledger.refund(refund_id(0)).status == "posted", "what is posted stays posted"


def test_what_was_too_young_or_missing_is_compared_again_and_found(tmp_path, clock, erp) -> None:
    ledger = posted_ledger(tmp_path, 1, clock, erp)
    late = erp.records.pop(transaction(0).external_id)
    assert compare(ledger, erp, clock).too_young == 1
    clock.sleep(INDEX_GRACE.total_seconds())
    assert len(compare(ledger, erp, clock).problems) == 1
    erp.records[late.external_id] = late
    result = compare(ledger, erp, clock)
    assert (result.checked, result.problems) == (1, ())
    assert compare(ledger, erp, clock).checked == 0


def test_a_differing_amount_is_named_with_both_sides(tmp_path, clock, erp) -> None:
    ledger = posted_ledger(tmp_path, 2, clock, erp)
    key = transaction(1).external_id
    lines = (RecordLine("9001", Decimal("12.51")), RecordLine("8101", Decimal("-12.51")))
    erp.records[key] = replace(erp.records[key], lines=lines)
    result = compare(ledger, erp, clock)
    ((named, sentence),) = result.problems
    assert named == refund_id(1)
    assert "12.51" in sentence
    assert "12.50" in sentence
    assert result.agreements == (Agreement("USD", 2, Decimal("25.00"), 2, Decimal("25.01")),)


def test_another_record_than_the_one_written_is_named_with_both_ids(tmp_path, clock, erp) -> None:
    ledger = posted_ledger(tmp_path, 1, clock, erp)
    key = transaction(0).external_id
    ours = erp.records[key].erp_id
    erp.records[key] = replace(erp.records[key], erp_id="4711")
    assert compare(ledger, erp, clock).problems == (
        (refund_id(0), f"it is record 4711, the ledger says {ours}"),
    )


def test_a_record_under_the_bare_refund_id_is_found(tmp_path, clock, erp) -> None:
    ledger = ready_ledger(tmp_path, 1, clock)
    ledger.finish_posting(refund_id(0), state="posted", erp_id="77", amount=Decimal("12.50"))
    record = replace(record_of(transaction(0), "77"), external_id=refund_id(0))
    erp.records[refund_id(0)] = record
    result = compare(ledger, erp, clock)
    assert (result.checked, result.problems) == (1, ())


def test_amounts_are_added_up_per_currency(tmp_path, clock, erp) -> None:
    ledger = ready_ledger(tmp_path, 1, clock)
    web = {
        10: event(10, amount=Decimal(1500), currency="JPY"),
        11: event(11, amount=Decimal("0.10"), currency="EUR"),
        12: event(12, amount=Decimal("0.20"), currency="EUR"),
    }
    add_web_refunds(ledger, web.values())
    post_all(ledger, erp)
    erp.records.pop(transaction(0).external_id)
    assert compare(ledger, erp, clock).agreements == (
        Agreement("EUR", 2, Decimal("0.30"), 2, Decimal("0.30")),
        Agreement("JPY", 1, Decimal(1500), 1, Decimal(1500)),
        Agreement("USD", 1, Decimal("12.50"), 0, Decimal(0)),
    )


def test_records_under_our_prefix_that_the_ledger_does_not_know_are_named(
    tmp_path, clock, erp
) -> None:
    ledger = posted_ledger(tmp_path, 2, clock, erp)
    strangers = [replace(transaction(9), external_id=name) for name in ("apz-stranger", "apz-s-1")]
    for number, stranger in enumerate(strangers):
        erp.records[stranger.external_id] = record_of(stranger, f"66{number}")
    ours = transaction(0)
    erp.records[f"{ours.external_id}-2"] = record_of(ours, "70")  # a part of a refund we know
    assert compare(ledger, erp, clock).extra == ()
    result = compare(ledger, erp, clock, everything=True)
    assert result.extra == (("apz-s-1", "661"), ("apz-stranger", "660"))
    assert not result.agrees
