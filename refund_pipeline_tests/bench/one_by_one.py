"""The baseline: one refund after the other, eight calls each, as the one public integration does.

That one reads order, payment account, store and employee from NewStore, searches the sale and its
customer in NetSuite, adds the cash refund and reads it back (contract newstore 5.1: 8 to 11 calls).
Where the sandbox has no such resource, one that costs as much is read. Nothing is compared, retried
or remembered.
"""

from datetime import date

from refund_pipeline.domain.outcomes import Posted
from refund_pipeline_tests.bench.steps import Steps


def post_one_by_one(steps: Steps, day: date) -> int:
    """Post the refunds of a day that are ready; return how many calls it took."""
    work = steps.ledger.refunds_to_post(day)
    events = steps.ledger.refunds_of_orders(
        {row.order_id for row in steps.ledger.refunds(day=day, limit=len(work))}
    )
    by_refund = {one.refund_id: one for several in events.values() for one in several}
    before = steps.newstore.requests_made + steps.erp.requests_made
    for item in work:
        transaction = item.transaction
        event = by_refund[transaction.refund_id]
        steps.newstore.orders([event.order_id])
        steps.newstore.payment_accounts([event.payment_account_id])
        steps.newstore.payment_accounts([event.payment_account_id])  # for the store
        steps.newstore.refund_facts([(event.order_id, event.refund_id)])  # for the employee
        steps.erp.origins([transaction.order_number], fields=steps.mapping.origins)
        steps.erp.find([transaction.external_id])  # for the customer
        assert isinstance(steps.erp.post(transaction), Posted)
        steps.erp.look_up(transaction.external_id)
    return steps.newstore.requests_made + steps.erp.requests_made - before
