"""Why a refund is not posted: the closed list of reasons and what each one means to a person.

The ledger refuses any other reason, so that every value of `refund_status.reason` is explained
here.
"""

from collections.abc import Mapping
from types import MappingProxyType

HANDLED_BY_HAND = "handled_by_hand"
"""The one reason only a person gives; a refund that has it is left alone by every run."""

REASONS: Mapping[str, str] = MappingProxyType(
    {
        # held: a person decides
        "conflicting_event": "two events with this refund id say different things",
        "ambiguous_payments": "the payment account has transactions nobody can attribute surely",
        "currency_mismatch": "event, order, payments or sale are in different currencies",
        "overpaid": "the payments of this refund sum to more than the event's amount",
        "refund_failed": "NewStore shows the refund request as failed",
        "exchange_refund": "the order is an exchange, and the policy holds refunds of exchanges",
        "fiscal_in_store": "an in-store refund where fiscal rules do not allow appeasements",
        "unmapped_tender": "the mapping has no payment item for a tender; the detail names the row",
        "unmapped_currency": "the mapping has no ERP currency; the detail names the row",
        "unmapped_store": "the mapping has no place for the store; the detail names the row",
        "ambiguous_origin": "the ERP holds several sales for this order",
        "subsidiary_mismatch": "the sale belongs to another subsidiary than the mapping books to",
        "exceeds_sale": "the refunds of this sale would be more than the customer paid",
        "closed_period": "the books are closed for its date, and the policy does not move it",
        "over_max_amount": "more than the mapping's gates let one refund be; a person releases it",
        "daily_gate": "the day has more refunds than the mapping's gates allow; a person releases",
        "posting_stopped": "the mapping's kill switch is on; nothing is posted",
        "conflicting_erp_record": "the ERP has a different record under our external id",
        "refused_by_erp": "the ERP refused the content; posted again once the transaction changes",
        # skipped: not ours to post
        "belongs_to_return": "the refund belongs to a return and is booked with it",
        "historical": "the refund was imported from another system",
        HANDLED_BY_HAND: "a person has booked or settled it, and said so with a note",
        # outstanding: tried again by itself
        "payments_incomplete": "the payment lines do not prove the amount yet",
        "origin_missing": "the sale is not in the ERP yet",
        "erp_uncertain": "a write to the ERP was begun and its outcome is not known yet",
        "erp_unavailable": "the ERP did not take the write in; nothing was written",
    }
)


def known_reason(reason: str) -> str:
    """Return `reason`; a `ValueError` (the caller's defect) when it is not in the list."""
    if reason not in REASONS:
        raise ValueError(f"{reason!r} is not in the closed list of reasons (domain/reasons.py)")
    return reason
