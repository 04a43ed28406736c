"""A refund's story as JSON; docs/operations.md names the keys, and they stay."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from refund_pipeline.commands.wording import amount_json, moment_json
from refund_pipeline.domain.advice import advice, happens_by_itself
from refund_pipeline.domain.transactions import RefundTransaction
from refund_pipeline.gateways.ledger.story import (
    BuiltTransaction,
    Posting,
    ReadPayments,
    Story,
)

Pages = Callable[[str], Sequence[str]]


def story_json(story: Story, now: datetime, pages: Pages) -> dict[str, Any]:
    """Return one story as JSON can have it."""
    row = story.standing
    said = advice(row.status, row.reason)
    return {
        "refund_id": row.refund_id,
        "order_id": row.order_id,
        "order_number": story.order_number,
        "landing_day": row.landing_day.isoformat(),
        **amount_json(row.amount, row.currency),
        "status": row.status,
        "reason": row.reason,
        "detail": row.detail,
        "what_it_means": said.means,
        "what_to_do": said.about(row.refund_id, row.landing_day),
        "happens_by_itself": happens_by_itself(row.status, row.next_attempt_at, now=now),
        "next_attempt_at": moment_json(row.next_attempt_at),
        "attempts": row.attempts,
        "external_id": row.external_id,
        "erp_id": row.erp_id,
        "erp_pages": list(pages(row.erp_id)) if row.erp_id else [],
        "updated_at": moment_json(row.updated_at),
        "event": _event(story),
        "payments": _payments(story.payments),
        "transaction": _transaction(story.built),
        "posting": _posting(story.posting, row.currency),
        "history": [
            {
                "at": moment_json(entry.at),
                "from": entry.from_status,
                "to": entry.to_status,
                "reason": entry.reason,
                "detail": entry.detail,
                "run_id": entry.run_id or None,
            }
            for entry in story.history
        ],
        "decisions": [
            {
                "at": moment_json(one.resolved_at),
                "action": one.action.value,
                "actor": one.actor,
                "note": one.note,
                "tenders": [str(choice) for choice in one.tenders],
            }
            for one in story.resolutions
        ],
    }


def _event(story: Story) -> dict[str, Any]:
    event = story.event
    return {
        "requested_at": moment_json(event.requested_at),
        "published_at": moment_json(event.published_at),
        "landed_at": moment_json(story.landed_at),
        "file": story.source_key,
        "line": story.source_line,
        "reason_code": event.reason_code,
        "return_reason": event.reason,
        "return_id": event.return_id,
        "is_historical": event.is_historical,
    }


def _payments(read: ReadPayments | None) -> dict[str, Any] | None:
    if read is None:
        return None
    return {
        "state": read.state,
        "checked_at": moment_json(read.checked_at),
        "attempts": read.attempts,
        "store_id": read.order.store_id if read.order else None,
        "refund_request_status": read.facts.status if read.facts else None,
        "lines": [
            {
                "method": line.method,
                "provider": line.provider,
                **amount_json(line.amount, line.currency),
            }
            for line in read.lines
        ],
    }


def _transaction(built: BuiltTransaction | None) -> dict[str, Any] | None:
    if built is None:
        return None
    found = built.transaction
    return {
        "state": built.state,
        "built_at": moment_json(built.built_at),
        "mapping_version": built.mapping_version,
        "business_date": found.business_date.isoformat() if found else None,
        "entity": found.entity if found else None,
        "subsidiary": found.subsidiary if found else None,
        "location": found.location if found else None,
        "created_from": found.created_from if found else None,
        "lines": _lines(found) if found else [],
    }


def _lines(transaction: RefundTransaction) -> list[dict[str, Any]]:
    return [
        {
            "item": line.item or None,
            "payment_option": line.payment_option,
            "account": line.account,
            "label": line.label,
            **amount_json(line.amount, transaction.currency),
        }
        for line in transaction.lines
    ]


def _posting(posting: Posting | None, currency: str) -> dict[str, Any] | None:
    if posting is None:
        return None
    return {
        "state": posting.state,
        "external_id": posting.external_id,
        "erp_id": posting.erp_id,
        "posted": None if posting.amount is None else amount_json(posting.amount, currency),
        "attempts": posting.attempts,
        "begun_at": moment_json(posting.intended_at),
        "posted_at": moment_json(posting.posted_at),
        "compared_at": moment_json(posting.verified_at),
        "difference": posting.difference,
    }
