"""Which decision fits which reason, wholly; each leaves who, why, when and a line of history."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from refund_pipeline.domain.actions import Action
from refund_pipeline.domain.resolutions import ACTIONS, Decision, InvalidDecision
from refund_pipeline.domain.transactions import Ready
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.steps.resolution import (
    Verdict,
    carry_out,
    plan_resolution,
    refunds_with,
)
from refund_pipeline_tests.fakes import (
    DAY,
    FakeClock,
    transaction,
)
from refund_pipeline_tests.steps.resolution_makers import (
    REFUND,
    build,
    decide,
    places,
    planned,
    stand_at,
    stands,
    with_a_proven_refund,
)

# What a person may do, by reason; written out once more, so that no slip of the code's table passes
FITS = """
-                       retry                            skip  reopen
conflicting_event                                        skip
ambiguous_payments      retry                            skip  reopen
currency_mismatch       retry                            skip  reopen
overpaid                retry                            skip  reopen
refund_failed           retry                            skip  reopen
exchange_refund         retry                            skip  reopen
fiscal_in_store         retry                            skip  reopen
unmapped_tender         retry             tender         skip  reopen
unmapped_currency       retry                            skip  reopen
unmapped_store          retry                            skip  reopen
ambiguous_origin        retry standalone                 skip  reopen
subsidiary_mismatch     retry standalone                 skip  reopen
exceeds_sale            retry                            skip  reopen
closed_period           retry                            skip  reopen
over_max_amount         retry                    release skip  reopen
daily_gate              retry                    release skip  reopen
posting_stopped         retry                            skip  reopen
conflicting_erp_record  retry                            skip
refused_by_erp          retry standalone  tender         skip  reopen
belongs_to_return
historical
handled_by_hand                                                reopen
payments_incomplete     retry                            skip  reopen
origin_missing          retry standalone                 skip  reopen
erp_uncertain           retry                            skip
erp_unavailable         retry                            skip  reopen
"""
TABLE = {row.split()[0]: frozenset(row.split()[1:]) for row in FITS.strip().splitlines()}


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


def test_the_table_of_this_test_has_every_reason() -> None:
    assert set(TABLE) == {reason or "-" for reason in ACTIONS}


@pytest.mark.parametrize("reason", TABLE)
def test_what_fits_a_reason_is_decided_and_nothing_else(ledger, clock, reason) -> None:
    stand_at(ledger, reason)
    clock.sleep(3600)
    before = stands(ledger), ledger.history(REFUND), ledger.resolutions([REFUND])
    refused = set(Action) - {Action(name) for name in TABLE[reason]}
    for action in refused:
        assert planned(ledger, clock, action).having(Verdict.DO) == []
        forced = ledger.resolve([REFUND], Decision(action, "anna", "x"), looked_up={REFUND: 1})
        assert forced == [], "nor where a caller skips the plan"
    assert (stands(ledger), ledger.history(REFUND), ledger.resolutions([REFUND])) == before


@pytest.mark.parametrize(
    ("reason", "action"), [(reason, name) for reason in TABLE for name in sorted(TABLE[reason])]
)
def test_each_fitting_decision_leaves_actor_note_time_and_history(
    ledger, clock, reason, action
) -> None:
    stand_at(ledger, reason)
    clock.sleep(3600)
    before = stands(ledger)
    plan = planned(ledger, clock, Action(action))
    (item,) = plan.items
    if action == "reopen" and reason != "handled_by_hand":
        assert (item.verdict, item.what) == (Verdict.NOTHING, "nobody decided anything")
        return
    if (reason, action) == ("-", "retry") or (
        action == "retry" and reason in {"erp_uncertain", "erp_unavailable"}
    ):  # it is due by now: the clock went on for an hour
        assert item.verdict is Verdict.NOTHING
        return
    assert item.verdict is Verdict.DO, item.what
    assert carry_out(plan, ledger).days == [DAY]
    made = ledger.resolutions([REFUND])[REFUND][-1]
    assert (made.action, made.actor, made.note) == (Action(action), "anna", "why not")
    assert made.resolved_at == clock.now()
    last = ledger.history(REFUND)[-1]
    assert last.detail == f"{action}, decided by anna: why not"
    assert (last.from_status, last.to_status) == (before[0], stands(ledger)[0])
    expected = {"skip": ("skipped", "handled_by_hand")}.get(action, ("landed", None))
    assert stands(ledger) == expected


@pytest.mark.parametrize("reason", ["erp_uncertain", "erp_unavailable"])
def test_a_retry_of_a_write_without_an_end_only_hastens_its_next_attempt(
    ledger, clock, reason
) -> None:
    stand_at(ledger, reason)
    before = stands(ledger)
    assert decide(ledger, clock, Action.RETRY).days == [DAY]
    row = ledger.refund(REFUND)
    assert (stands(ledger), row.next_attempt_at) == (before, clock.now())
    assert ledger.history(REFUND)[-1].detail == "retry, decided by anna: why not"
    assert decide(ledger, clock, Action.RETRY).done == ()


def test_a_posted_refund_cannot_be_touched(ledger, clock) -> None:
    build(ledger, Ready(transaction(1)))
    ledger.finish_posting(REFUND, state="posted", erp_id="9", amount=Decimal("12.50"))
    for action in Action:
        (item,) = planned(ledger, clock, action).items
        assert (item.verdict, "record 9" in item.what) == (Verdict.IMPOSSIBLE, True)
        assert ledger.resolve([REFUND], Decision(action, "a", "x"), looked_up={REFUND: 0}) == []


def test_a_refund_that_never_landed_is_said_to_be_unknown(ledger, clock) -> None:
    decision = Decision(Action.SKIP, "anna", "x")
    plan = plan_resolution(["NO-SUCH"], decision, places=places(ledger, clock))
    assert [(item.refund_id, item.verdict) for item in plan.items] == [
        ("no-such", Verdict.IMPOSSIBLE)
    ]
    assert carry_out(plan, ledger).done == ()


def test_ids_are_read_in_any_spelling_and_each_once(ledger, clock) -> None:
    stand_at(ledger, "closed_period")
    spellings = [f" {REFUND.upper()} ", REFUND.replace("-", ""), REFUND]
    decision = Decision(Action.SKIP, "anna", "x")
    plan = plan_resolution(spellings, decision, places=places(ledger, clock))
    assert [item.refund_id for item in plan.items] == [REFUND]


@pytest.mark.parametrize(("action", "tenders"), [(Action.TENDER, []), (Action.SKIP, ["cash"])])
def test_a_tender_belongs_to_its_action_and_to_no_other(ledger, clock, action, tenders) -> None:
    decision = Decision(action, "anna", "x")
    with pytest.raises(InvalidDecision, match="which tender"):
        plan_resolution([REFUND], decision, places=places(ledger, clock), tenders=tenders)


def test_refunds_are_chosen_by_reason_and_landing_day(ledger) -> None:
    stand_at(ledger, "closed_period")
    assert refunds_with(ledger, reason="closed_period", since=None) == [REFUND]
    assert refunds_with(ledger, reason="closed_period", since=DAY) == [REFUND]
    assert refunds_with(ledger, reason="closed_period", since=DAY + timedelta(days=1)) == []
    assert refunds_with(ledger, reason="daily_gate", since=None) == []
    with pytest.raises(InvalidDecision, match="no reason"):
        refunds_with(ledger, reason="closed-period", since=None)
