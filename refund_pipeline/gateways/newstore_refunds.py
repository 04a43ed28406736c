"""Reads NewStore's refund resource (contract newstore 2.3 and 2.6): what the event leaves out.

Whether the refund belongs to a return, was imported, and what became of it. Its note, its user and
its attributes are not read.
"""

from dataclasses import dataclass

from pydantic import ValidationError

from refund_pipeline.domain.events import canonical_id
from refund_pipeline.domain.payments import RefundFacts
from refund_pipeline.gateways.newstore_answers import (
    Name,
    Tolerant,
    filled,
    first_filled,
    where_unreadable,
)


@dataclass(frozen=True, slots=True)
class RefundFailed:
    """This refund resource alone could not be read; `detail` holds statuses and paths."""

    detail: str


class _Refund(Tolerant):
    id: Name = None
    return_id: Name = None
    is_historical: bool | None = None
    status: Name = None


class _Document(Tolerant):
    refund: _Refund


def read_refund(document: object, *, refund_id: str) -> RefundFacts | RefundFailed:
    """Read the body of one refund resource."""
    try:
        found = _Document.model_validate(document).refund
    except ValidationError as error:
        return RefundFailed(f"the refund cannot be read at {where_unreadable(error)}")
    if found.id is not None and canonical_id(found.id) != canonical_id(refund_id):
        return RefundFailed("the answer is about another refund")
    return RefundFacts(
        return_id=filled(found.return_id),
        is_historical=bool(found.is_historical),
        status=first_filled(found.status).lower(),
    )
