"""What became of the publication of an event (contract 1.4).

Attempts have the fields of NewStore's newer subscription API; that the older one shows the same is
an inference.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from refund_pipeline.sandbox.newstore_events.event_log import CreatedEvent
from refund_pipeline.sandbox.newstore_payments import utc_text

Target: TypeAlias = Literal["webhook", "s3"]
Outcome: TypeAlias = Literal["success", "failure"]

_LONGEST_BODY = 1_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one attempt; `status` is None if nothing did."""

    status: int | None
    body: str
    took_ms: int

    @property
    def is_success(self) -> bool:
        """Any 2xx."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - HTTP

    @property
    def is_refusal(self) -> bool:
        """Any 4xx."""
        return self.status is not None and 400 <= self.status < 500  # noqa: PLR2004 - HTTP


@dataclass(frozen=True, slots=True)
class Publication:
    """One attempt to publish one event to one integration."""

    id: str
    integration_id: str
    target: Target
    event: CreatedEvent
    attempted_at: datetime
    retries_remaining: int
    answer: Answer

    @property
    def outcome(self) -> Outcome:
        """Whether the event counts as delivered."""
        return "success" if self.answer.is_success else "failure"

    def view(self) -> dict[str, Any]:
        """Return what the API shows of it."""
        return {
            "id": self.id,
            "integration_id": self.integration_id,
            "subscription_type": "event_stream",
            "target": self.target,
            "status": self.outcome.upper(),
            "attempted_at": utc_text(self.attempted_at),
            "retries_remaining": self.retries_remaining,
            "entity_id": self.event.entity_id,
            "domain_entity_id": self.event.domain_entity_id,
            "domain_entity_type": self.event.domain_entity_type,
            "event_name": self.event.name,
            "response_time_ms": self.answer.took_ms,
            "response": {
                "status_code": self.answer.status,
                "body": self.answer.body[:_LONGEST_BODY],
            },
        }


@dataclass(frozen=True, slots=True)
class RejectedEvent:
    """An event NewStore has given up on for one integration; `republish` sends it again."""

    integration_id: str
    event: CreatedEvent
    rejected_at: datetime


def new_publication(
    integration_id: str,
    target: Target,
    event: CreatedEvent,
    *,
    attempted_at: datetime,
    retries_remaining: int,
    answer: Answer,
) -> Publication:
    """Return a publication with an id of its own."""
    return Publication(
        id=str(uuid.uuid4()),
        integration_id=integration_id,
        target=target,
        event=event,
        attempted_at=attempted_at,
        retries_remaining=retries_remaining,
        answer=answer,
    )
