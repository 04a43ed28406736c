"""Comparing the ERP's record with what we would write: believed only when everything agrees."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refund_pipeline.domain.outcomes import RecordLine, differences
from refund_pipeline_tests.fakes import record_of, transaction

OURS = transaction()
RECORD = record_of(OURS, "4711")
NUMBER = OURS.order_number


def test_our_own_record_agrees() -> None:
    assert differences(OURS, RECORD) == ()


@given(st.permutations(RECORD.lines))
def test_the_order_and_scale_of_lines_do_not_matter(lines: list[RecordLine]) -> None:
    scaled = tuple(RecordLine(line.item, line.amount * Decimal("1.0")) for line in lines)
    assert differences(OURS, replace(RECORD, lines=scaled)) == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "cash_sale"}, "it is a cash_sale, not a cash refund"),
        ({"voided": True}, "it is voided"),
        ({"currency_id": "2"}, "currency 2 instead of 1"),
        ({"lines": RECORD.lines[:1]}, "lines ["),
        ({"lines": ()}, "lines [] instead of ["),
        ({"lines": (*RECORD.lines, RecordLine("7", Decimal("0.01")))}, "7: 0.01"),
        ({"lines": (*RECORD.lines, RECORD.lines[1])}, "lines ["),
        ({"memo": None, "custom": ()}, f"no reference to order {NUMBER}"),
        ({"memo": f"order {NUMBER}9", "custom": ()}, f"no reference to order {NUMBER}"),
        ({"memo": f"order X{NUMBER}", "custom": ()}, f"no reference to order {NUMBER}"),
        (
            {"memo": "", "custom": (("custbody_other", NUMBER),)},
            f"no reference to order {NUMBER}",
        ),
    ],
)
def test_each_difference_is_named(change: dict[str, Any], said: str) -> None:
    (found,) = differences(OURS, replace(RECORD, **change))
    assert said in found


def test_all_differences_are_named_at_once() -> None:
    other = replace(
        RECORD, kind="journal", voided=True, currency_id="9", lines=(), memo=None, custom=()
    )
    assert len(differences(OURS, other)) == 5


@given(st.integers(-(10**9), 10**9).filter(bool))
def test_a_cent_more_or_less_on_any_line_is_a_difference(cents: int) -> None:
    for position, line in enumerate(RECORD.lines):
        lines = list(RECORD.lines)
        lines[position] = RecordLine(line.item, line.amount + Decimal(cents).scaleb(-2))
        assert differences(OURS, replace(RECORD, lines=tuple(lines)))


@pytest.mark.parametrize("where", ["memo", "custom field"])
def test_the_order_may_be_named_in_the_memo_or_in_our_custom_field(where: str) -> None:
    change: dict[str, Any] = {"custom": ()} if where == "memo" else {"memo": None}
    assert differences(OURS, replace(RECORD, **change)) == ()


@pytest.mark.parametrize("number", ["SO 123", "UN.1+2", "(7)", "A/B-1"])
def test_an_order_number_of_any_shape_is_found_in_the_memo(number: str) -> None:
    ours = replace(OURS, order_number=number, custom_fields=())
    record = replace(RECORD, memo=f"Appeasement refund x for order {number}", custom=())
    assert differences(ours, record) == ()
    assert differences(ours, replace(record, memo=f"order {number}0"))
