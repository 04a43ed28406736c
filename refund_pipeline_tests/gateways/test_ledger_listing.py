"""Pages of refunds, on SQLite and on PostgreSQL."""

from dataclasses import replace
from datetime import timedelta

import pytest

from refund_pipeline.domain.payments import PaymentsHeld
from refund_pipeline.domain.statuses import OUTSTANDING
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.listing import Wanted
from refund_pipeline.gateways.ledger.rows import PaymentRow
from refund_pipeline_tests.gateways.ledger_makers import (
    DAY,
    ORDER,
    file_named,
    land,
    make_event,
    make_ready,
    pay,
    proven,
)

NEXT = DAY + timedelta(days=1)


def numbers(ledger: Ledger, after: int | None = None, limit: int = 100, **wanted) -> list[int]:
    newest_first = wanted.pop("newest_first", False)
    found = ledger.for_reading().page(
        Wanted(**wanted),
        after=None if after is None else make_event(after).refund_id,
        limit=limit,
        newest_first=newest_first,
    )
    assert found is not None
    return [int(row.standing.refund_id.replace("-", ""), 16) for row in found]


@pytest.fixture
def landed(ledger: Ledger) -> Ledger:
    """A ledger with refunds on two days, whose files are not in the order of their ids."""
    land(ledger, make_event(5), make_event(4), file=file_named("b", day=DAY))
    land(ledger, make_event(3), file=file_named("c", day=DAY))
    land(ledger, make_event(2), make_event(1), file=file_named("a", day=NEXT))
    return ledger


def test_the_order_is_that_of_landing(landed) -> None:
    assert numbers(landed) == [5, 4, 3, 2, 1]
    assert numbers(landed, newest_first=True) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("after", "newest_first", "rest"),
    [(4, False, [3, 2, 1]), (3, False, [2, 1]), (3, True, [4, 5]), (1, False, []), (5, True, [])],
)
def test_a_page_begins_behind_a_refund_also_one_that_the_filter_leaves_out(
    landed, after: int, rest: list[int], *, newest_first: bool
) -> None:
    assert numbers(landed, after, newest_first=newest_first) == rest
    pay(landed, make_event(after), PaymentsHeld("overpaid", "too much"))
    assert numbers(landed, after, newest_first=newest_first, statuses=OUTSTANDING) == rest
    assert numbers(landed, after, limit=1, newest_first=newest_first) == rest[:1]


def test_what_moved_on_meanwhile_does_not_shift_the_pages(landed) -> None:
    assert numbers(landed, limit=2) == [5, 4]
    land(landed, make_event(9), file=file_named("0", day=DAY))
    assert numbers(landed, 4) == [3, 2, 1]


def test_an_unknown_place_is_told(landed) -> None:
    reader = landed.for_reading()
    assert reader.page(Wanted(), after="x", limit=1, newest_first=False) is None


def test_posted_refunds_are_found_beside_open_ones(landed) -> None:
    transaction = make_ready(landed, make_event(4), landed=True)
    assert landed.begin_posting(transaction)
    landed.finish_posting(
        transaction.refund_id, state="posted", erp_id="77", amount=transaction.amount
    )
    assert numbers(landed, statuses=frozenset({"posted"})) == [4]
    assert numbers(landed, statuses=frozenset({"posted", "landed"})) == [5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("store_id", "channel"), [("S-1", "shop"), (None, "S-1"), ("", "S-1"), ('S-1"%', "x")]
)
def test_a_store_is_the_orders_own_or_else_its_channel(landed, store_id, channel) -> None:
    order = replace(ORDER, order_number="N-1", store_id=store_id, channel=channel)
    event = make_event(3)
    landed.save_payments([PaymentRow(event.refund_id, order, proven(event), 1, None)])
    name = store_id or channel
    assert numbers(landed, store=name) == [3]
    assert numbers(landed, store=name[:-1]) == []
    assert numbers(landed, order="N-1") == [3]


def test_a_store_is_not_found_by_the_channel_of_another_one(landed) -> None:
    order = replace(ORDER, store_id="S-2", channel="S-1")
    event = make_event(3)
    landed.save_payments([PaymentRow(event.refund_id, order, proven(event), 1, None)])
    assert numbers(landed, store="S-1") == []
