"""The refunds as the report reads them, on SQLite and on PostgreSQL."""

from datetime import timedelta

from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline_tests.gateways.ledger_makers import (
    DAY,
    ORDER,
    file_named,
    land,
    make_event,
    pay,
    proven,
)


def test_a_refund_comes_with_its_order_and_payment_lines_once_they_are_known(
    ledger: Ledger,
) -> None:
    paid, unpaid = make_event(1), make_event(2)
    land(ledger, paid, unpaid)
    pay(ledger, paid)
    with ledger.reported_refunds(DAY, DAY) as refunds:
        one, other = list(refunds)
    assert (one.refund_id, one.amount, one.currency) == (paid.refund_id, paid.amount, "USD")
    assert (one.order, one.payment_lines) == (ORDER, proven(paid).lines)
    assert (other.status, other.order, other.payment_lines) == ("landed", None, ())


def test_only_the_days_asked_for_are_read(ledger: Ledger) -> None:
    days = [DAY + timedelta(days=number) for number in range(4)]
    for number, day in enumerate(days):
        land(ledger, make_event(number), file=file_named(str(number), day=day))
    with ledger.reported_refunds(days[1], days[2]) as refunds:
        assert [refund.landing_day for refund in refunds] == days[1:3]
