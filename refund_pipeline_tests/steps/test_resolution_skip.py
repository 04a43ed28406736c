"""A refund that a person handled by hand is never posted, and no record of it is ever hidden."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from refund_pipeline.domain.actions import Action
from refund_pipeline.domain.errors import Unavailable
from refund_pipeline.domain.payments import PaymentsHeld
from refund_pipeline.domain.resolutions import ACTIONS
from refund_pipeline.domain.transactions import Ready
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.steps.resolution import (
    Verdict,
    carry_out,
)
from refund_pipeline_tests.fakes import (
    DAY,
    FakeClock,
    FakeErp,
    FakeErpWithSales,
    event,
    record_of,
    sales_of,
    transaction,
)
from refund_pipeline_tests.steps.resolution_makers import (
    MAPPING,
    REFUND,
    build,
    decide,
    land,
    pay,
    planned,
    run,
    stand_at,
    stands,
    stripped,
    unknown_tender,
    with_a_proven_refund,
)


@pytest.fixture(scope="module")
def one_ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    path = tmp_path_factory.mktemp("resolution") / "ledger.db"
    book = Ledger(f"sqlite:///{path}", clock=FakeClock().now, run_id="test")
    yield book
    book.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ledger(one_ledger: Ledger, clock: FakeClock) -> Ledger:
    return with_a_proven_refund(one_ledger, clock)


SKIPPABLE = tuple(reason for reason, actions in ACTIONS.items() if Action.SKIP in actions)


@pytest.mark.parametrize("reason", SKIPPABLE)
def test_a_skip_survives_every_rerun_with_refresh(ledger, clock, reason) -> None:
    stand_at(ledger, reason or "-")
    clock.sleep(3600)
    decide(ledger, clock, Action.SKIP)
    erp = FakeErpWithSales(sales_of(event(1)))
    for refresh in (False, True, True):
        run(ledger, clock, erp, refresh=refresh)
        assert stands(ledger) == ("skipped", "handled_by_hand")
    assert erp.posts == 0
    assert ledger.outstanding_days(now=clock.now()) == []


def test_a_skip_survives_what_a_run_had_read_before_it(ledger, clock) -> None:
    stand_at(ledger, "unmapped_store")
    decide(ledger, clock, Action.SKIP)
    build(ledger, Ready(transaction(1)))
    pay(ledger, PaymentsHeld("overpaid", "x"))
    assert stands(ledger) == ("skipped", "handled_by_hand")
    assert not ledger.begin_posting(transaction(1))


def test_a_run_that_was_about_to_write_does_not_write_what_was_skipped(ledger, clock) -> None:
    stand_at(ledger, "-")
    (work,) = ledger.refunds_to_post(DAY)
    decide(ledger, clock, Action.SKIP)
    assert not ledger.begin_posting(work.transaction, seen=work.intent)


def test_a_skip_twice_is_a_skip(ledger, clock) -> None:
    stand_at(ledger, "closed_period")
    decide(ledger, clock, Action.SKIP)
    before = ledger.history(REFUND), ledger.resolutions([REFUND])
    (item,) = planned(ledger, clock, Action.SKIP).items
    assert item.verdict is Verdict.NOTHING
    assert decide(ledger, clock, Action.SKIP).done == ()
    assert (ledger.history(REFUND), ledger.resolutions([REFUND])) == before


def test_what_was_skipped_counts_for_what_its_sale_may_still_give_back(ledger, clock) -> None:
    stand_at(ledger, "closed_period")
    assert ledger.committed_amounts([event(1).order_id], leaving_out=()) == {}
    decide(ledger, clock, Action.SKIP)
    taken = ledger.committed_amounts([event(1).order_id], leaving_out=())
    assert taken == {event(1).order_id: Decimal("12.50")}


def test_an_event_that_says_otherwise_after_a_skip_holds_the_refund_again(ledger, clock) -> None:
    stand_at(ledger, "closed_period")
    decide(ledger, clock, Action.SKIP)
    land(ledger, key="second", amount=Decimal("99.00"))
    assert stands(ledger) == ("held", "conflicting_event")
    decide(ledger, clock, Action.SKIP)
    land(ledger, key="third", amount=Decimal("99.00"))
    assert stands(ledger) == ("skipped", "handled_by_hand"), "that one was known by then"


def test_an_uncertain_write_is_not_skipped_while_its_answer_may_still_come(ledger, clock) -> None:
    stand_at(ledger, "erp_uncertain")
    clock.sleep(14 * 60)
    erp = FakeErp()
    (item,) = planned(ledger, clock, Action.SKIP, erp=erp).items
    assert (item.verdict, "may still come in" in item.what) == (Verdict.IMPOSSIBLE, True)
    assert erp.requests_made == 0
    clock.sleep(61)
    assert len(decide(ledger, clock, Action.SKIP, erp=erp).done) == 1
    assert erp.look_ups >= 1


def test_a_begun_write_is_not_skipped_either(ledger, clock) -> None:
    build(ledger, Ready(transaction(1)))
    assert ledger.begin_posting(transaction(1))
    assert planned(ledger, clock, Action.SKIP).having(Verdict.DO) == []
    clock.sleep(16 * 60)
    assert len(decide(ledger, clock, Action.SKIP).done) == 1
    assert stands(ledger) == ("skipped", "handled_by_hand")


@pytest.mark.parametrize("way", ["index", "address", "refund id", "earlier integration"])
@pytest.mark.parametrize("action", [Action.SKIP, Action.STANDALONE, Action.TENDER])
def test_what_has_a_record_in_the_erp_is_neither_skipped_nor_booked_otherwise(
    ledger, clock, way, action
) -> None:
    stand_at(ledger, "refused_by_erp")
    erp = FakeErp()
    record = record_of(transaction(1), "500")
    if way == "refund id":
        stripped(erp)
    elif way == "earlier integration":
        erp.records[REFUND] = replace(record, external_id=REFUND)
    else:
        erp.records[transaction(1).external_id] = record
    if way == "address":
        erp.find = lambda _: {}  # type: ignore[method-assign]
    (item,) = planned(ledger, clock, action, erp=erp).items
    assert (item.verdict, "record 500" in item.what) == (Verdict.IMPOSSIBLE, True)
    assert stands(ledger) == ("held", "refused_by_erp")


def test_a_split_header_record_is_looked_for_under_its_number(ledger, clock) -> None:
    stand_at(ledger, "refused_by_erp")
    erp = FakeErp()
    number_one = f"{transaction(1).external_id}-1"
    erp.records[number_one] = replace(record_of(transaction(1), "500"), external_id=number_one)
    assert planned(ledger, clock, Action.SKIP, erp=erp).having(Verdict.DO) == []


def test_an_erp_that_does_not_answer_lets_nothing_be_decided(ledger, clock) -> None:
    stand_at(ledger, "refused_by_erp")

    class Down(FakeErp):
        def find(self, external_ids):
            raise Unavailable("down")

    with pytest.raises(Unavailable):
        planned(ledger, clock, Action.SKIP, erp=Down())
    assert stands(ledger) == ("held", "refused_by_erp")


def test_a_write_begun_between_look_up_and_decision_leaves_the_refund_alone(ledger, clock) -> None:
    stand_at(ledger, "erp_unavailable")
    plan = planned(ledger, clock, Action.SKIP)
    assert len(plan.having(Verdict.DO)) == 1
    assert ledger.begin_posting(transaction(1))
    resolved = carry_out(plan, ledger)
    assert (resolved.done, len(resolved.overtaken)) == ((), 1)
    assert stands(ledger) == ("uncertain", "erp_uncertain")
    assert ledger.resolutions([REFUND]) == {}


def test_a_record_that_comes_in_after_a_skip_all_the_same_is_seen(ledger, clock) -> None:
    stand_at(ledger, "erp_uncertain")
    clock.sleep(3600)
    decide(ledger, clock, Action.SKIP)
    erp = FakeErpWithSales(sales_of(event(1)))
    external_id = transaction(1).external_id
    erp.records[external_id] = record_of(transaction(1), "500")
    assert run(ledger, clock, erp).extra == ((external_id, "500"),)


def test_a_skip_of_a_record_that_was_another_from_the_start_leaves_it_known(ledger, clock) -> None:
    stand_at(ledger, "conflicting_erp_record")
    erp = FakeErpWithSales(sales_of(event(1)))
    external_id = transaction(1).external_id
    erp.records[external_id] = replace(record_of(transaction(1), "77"), memo="another")
    decide(ledger, clock, Action.SKIP, erp=erp)
    assert stands(ledger) == ("skipped", "handled_by_hand")
    assert run(ledger, clock, erp).extra == ()


def test_a_write_that_ends_after_the_skip_is_shown_as_posted(ledger, clock) -> None:
    stand_at(ledger, "erp_uncertain")
    clock.sleep(3600)
    decide(ledger, clock, Action.SKIP)
    ledger.finish_posting(REFUND, state="posted", erp_id="9", amount=Decimal("12.50"))
    assert stands(ledger) == ("posted", None)


# reopen


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("closed_period", ("landed", None)),
        ("overpaid", ("held", "overpaid")),
        ("payments_incomplete", ("awaiting_payment", "payments_incomplete")),
        ("conflicting_event", ("held", "conflicting_event")),
        ("erp_uncertain", ("landed", None)),
        ("refused_by_erp", ("landed", None)),
    ],
)
def test_a_skip_is_taken_back(ledger, clock, reason, expected) -> None:
    stand_at(ledger, reason)
    clock.sleep(3600)
    decide(ledger, clock, Action.SKIP)
    assert len(decide(ledger, clock, Action.REOPEN).done) == 1
    assert stands(ledger) == expected


def test_what_was_reopened_is_posted_once(ledger, clock) -> None:
    stand_at(ledger, "erp_uncertain")
    clock.sleep(3600)
    decide(ledger, clock, Action.SKIP)
    decide(ledger, clock, Action.REOPEN)
    erp = FakeErpWithSales(sales_of(event(1)))
    run(ledger, clock, erp)
    assert (stands(ledger), erp.created) == (("posted", None), [REFUND])


def test_taking_back_lets_the_rules_decide_again(ledger, clock) -> None:
    unknown_tender(ledger)
    decide(ledger, clock, Action.TENDER)
    stopped = MAPPING.model_copy(update={"gates": type(MAPPING.gates)(stop_posting=True)})
    erp = FakeErpWithSales(sales_of(event(1)))
    run(ledger, clock, erp, mapping=stopped)
    assert stands(ledger) == ("held", "posting_stopped")
    assert len(decide(ledger, clock, Action.REOPEN).done) == 1
    run(ledger, clock, erp)
    assert stands(ledger) == ("held", "unmapped_tender")
