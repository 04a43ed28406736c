"""The preview of a day's refunds: links to the ERP's own pages where those are known."""

from functools import partial
from pathlib import Path

import pytest

from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.netsuite_pages import record_pages
from refund_pipeline.orchestration.summaries import refunds_table
from refund_pipeline_tests.gateways.ledger_makers import DAY, SetClock, make_event, make_ready

PAGE = "https://1234567-sb1.app.netsuite.com/app/accounting/transactions/transaction.nl?id="


@pytest.mark.parametrize(
    ("erp_id", "account", "shown"),
    [
        ("77", "1234567_SB1", f"[77]({PAGE}77)"),
        ("77, 78", "1234567_SB1", f"[77]({PAGE}77), [78]({PAGE}78)"),
        ("77", "", "| 77 |"),
    ],
)
def test_a_posted_refund_leads_to_its_records(
    tmp_path: Path, erp_id: str, account: str, shown: str
) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock=SetClock())
    transaction = make_ready(ledger, make_event(1))
    assert ledger.begin_posting(transaction)
    ledger.finish_posting(
        transaction.refund_id, state="posted", erp_id=erp_id, amount=transaction.amount
    )
    pages = partial(record_pages, account=account)
    assert shown in str(refunds_table(ledger, DAY, pages=pages).value)
    ledger.close()
