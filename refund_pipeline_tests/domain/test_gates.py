"""Gates: what a person has to look at before it is posted."""

from collections.abc import Collection
from decimal import Decimal
from typing import Any

from refund_pipeline.domain.gates import GATE_REASONS, Committed, apply_gates
from refund_pipeline.domain.mapping import Gates
from refund_pipeline.domain.reasons import REASONS
from refund_pipeline.domain.transactions import AwaitingOrigin, Built, Held, Ready
from refund_pipeline_tests.fakes import refund_id, transaction


def of(*amounts: str) -> list[Built]:
    return [
        Ready(transaction(number, amount=Decimal(amount))) for number, amount in enumerate(amounts)
    ]


def reasons(
    built: list[Built],
    *,
    committed: Committed = Committed(),  # noqa: B008  (frozen)
    released: Collection[str] = (),
    **gates: Any,
) -> list[str]:
    """Return what becomes of each: "ready", or the reason it is held."""
    chosen = Gates.model_validate(gates)
    passed = apply_gates(built, chosen, committed=committed, released=released)
    return [one.reason if isinstance(one, Held) else "ready" for one in passed]


def test_without_gates_everything_passes() -> None:
    built = of("1.00", "99999.00")
    assert list(apply_gates(built, Gates(), committed=Committed(), released=())) == built


def test_a_refund_over_the_largest_amount_is_held_alone() -> None:
    found = reasons(of("500.00", "500.01", "1.00"), max_amount={"USD": "500.00"})
    assert found == ["ready", "over_max_amount", "ready"]


def test_another_currency_has_its_own_limit() -> None:
    assert reasons(of("900.00"), max_amount={"EUR": "500.00"}) == ["ready"]


def test_beyond_the_daily_count_the_rest_of_the_day_is_held() -> None:
    found = reasons(of("1.00", "1.00", "1.00"), committed=Committed(count=1), daily_count=2)
    assert found == ["ready", "daily_gate", "daily_gate"]


def test_beyond_the_daily_sum_the_rest_is_held_even_what_would_fit() -> None:
    committed = Committed(1, {"USD": Decimal("80.00")})
    found = reasons(of("20.00", "5.00", "0.01"), committed=committed, daily_sum={"USD": "104.00"})
    assert found == ["ready", "daily_gate", "daily_gate"]


def test_a_daily_count_of_zero_lets_nothing_through() -> None:
    assert reasons(of("1.00"), daily_count=0) == ["daily_gate"]


def test_the_kill_switch_holds_everything_released_or_not() -> None:
    assert reasons(of("1.00"), stop_posting=True, released=[refund_id(0)]) == ["posting_stopped"]


def test_what_a_person_released_passes_and_counts() -> None:
    found = reasons(
        of("900.00", "1.00", "1.00"),
        max_amount={"USD": "500.00"},
        daily_count=1,
        released=[refund_id(0), refund_id(2)],
    )
    assert found == ["ready", "daily_gate", "ready"]


def test_what_is_not_ready_passes_as_it_is_and_does_not_count() -> None:
    waiting: list[Built] = [AwaitingOrigin("x"), *of("1.00")]
    assert reasons(waiting, daily_count=1) == ["ready", "ready"]


def test_the_reasons_of_gates_are_in_the_closed_list() -> None:
    assert GATE_REASONS.issubset(REASONS)
