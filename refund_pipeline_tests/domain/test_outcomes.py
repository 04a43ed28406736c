"""Comparing the ERP's record with what we would write: believed only when everything agrees."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refund_pipeline.domain.outcomes import (
    PAYMENT_OPTION,
    RecordLine,
    differences,
    found_records,
    paired,
)
from refund_pipeline.domain.transactions import RefundTransaction
from refund_pipeline_tests.fakes import record_of, transaction

OURS = transaction()
RECORD = record_of(OURS, "4711")
NUMBER = OURS.order_number
ORDER_FIELD = next(name for name, value in OURS.custom_fields if value == NUMBER)
REFUND_FIELD = next(name for name, value in OURS.custom_fields if value == OURS.refund_id)
SPLIT = replace(
    OURS,
    in_header=True,
    lines=(
        OURS.lines[0],
        replace(OURS.lines[1], amount=Decimal("-5.00"), payment_option="5"),
        replace(OURS.lines[1], amount=Decimal("-7.50"), payment_option="1"),
    ),
)
"""The same refund as two records, one for each tender."""


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
        ({"memo": "", "custom": ((ORDER_FIELD, "SO-1"),)}, f"no reference to order {NUMBER}"),
        ({"memo": "", "custom": ((REFUND_FIELD, NUMBER),)}, f"no reference to order {NUMBER}"),
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


@pytest.mark.parametrize("spelled", [str, str.upper])
def test_another_date_is_a_difference_for_a_record_of_ours_only(spelled: Any) -> None:
    later = OURS.business_date + timedelta(days=1)
    moved = replace(RECORD, tran_date=later, external_id=spelled(OURS.external_id))
    assert differences(OURS, moved) == (f"dated {later} instead of {OURS.business_date}",)
    assert differences(OURS, replace(moved, tran_date=OURS.business_date)) == ()
    assert differences(OURS, replace(moved, tran_date=None)) == ()
    of_an_earlier_integration = replace(moved, external_id=OURS.refund_id)
    assert differences(OURS, of_an_earlier_integration) == ()


def test_another_payment_option_is_a_difference_where_one_was_sent() -> None:
    there = replace(RECORD, custom=(*RECORD.custom, (PAYMENT_OPTION, "5")))
    assert differences(replace(OURS, payment_option="5"), there) == ()
    assert differences(replace(OURS, payment_option="1"), there) == (
        "payment option 5 instead of 1",
    )
    assert differences(OURS, there) == ()


def equal_or_not(refund: RefundTransaction, *there: str) -> dict[str, bool]:
    """Say of a record under each of these ids, equal to the whole refund, whether it is ours."""
    existing = {key: replace(RECORD, external_id=key) for key in there}
    return {
        record.external_id: isinstance(found, RefundTransaction)
        for record, found in found_records(refund, existing)
    }


def test_a_record_under_the_bare_refund_id_is_that_of_the_one_record() -> None:
    assert equal_or_not(OURS, OURS.refund_id) == {OURS.refund_id: True}
    first = replace(record_of(SPLIT.records[0], "4711"), external_id=OURS.refund_id)
    ((_, found),) = found_records(SPLIT, {OURS.refund_id: first})
    assert not isinstance(found, RefundTransaction), "of several records nobody can tell which"


def test_every_record_of_a_refund_is_told_those_of_another_posting_model_too() -> None:
    part = f"{OURS.external_id}-1"
    assert equal_or_not(OURS, part, OURS.external_id) == {OURS.external_id: True, part: False}
    assert equal_or_not(SPLIT, part, OURS.external_id) == {part: False, OURS.external_id: False}


def test_of_two_equal_parts_one_record_proves_the_first_only() -> None:
    first, second = (replace(OURS, external_id=f"{OURS.external_id}-{number}") for number in (1, 2))
    without_id = replace(RECORD, external_id="")
    assert paired([first, second], [without_id]) == {first.external_id: without_id}
    another = replace(without_id, erp_id="4712")
    assert paired([first, second], [without_id, another]) == {
        first.external_id: without_id,
        second.external_id: another,
    }
    assert paired([first], [replace(without_id, voided=True)]) == {}
