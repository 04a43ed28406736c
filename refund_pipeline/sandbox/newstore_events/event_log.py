"""Every event a tenant ever created, so that it can be replayed (contract 1.4, 2.1).

The domain entity of an event is its order where it names one: an inference. Who receives an event
is not known here.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

_ENVELOPE = ("tenant", "name", "published_at", "payload")


@dataclass(frozen=True, slots=True)
class CreatedEvent:
    """One event of the log; `line` is its JSON as it was published."""

    number: int
    name: str
    created_at: datetime
    line: str
    entity_id: str
    domain_entity_id: str
    domain_entity_type: str


class EventLog:
    """The events in the order of their publication; the caller holds the stream's lock."""

    def __init__(self, *, tenant: str) -> None:
        self._tenant = tenant
        self._events: list[CreatedEvent] = []
        self._to_come: set[int] = set()

    def add(self, line: str, created_at: datetime, *, to_come: bool) -> CreatedEvent:
        """Keep an event; one `to_come` is not there until it is said to have come.

        Raises:
            ValueError: the line is not one event of this tenant.
        """
        number = len(self._events)
        event = _created_event(line, number=number, tenant=self._tenant, created_at=created_at)
        self._events.append(event)
        if to_come:
            self._to_come.add(number)
        return event

    def has_come(self, event: CreatedEvent) -> None:
        """Say that an event is there."""
        self._to_come.discard(event.number)

    def by_creation(self) -> Iterator[CreatedEvent]:
        """Yield the events that are there by the time of their creation."""
        for event in sorted(self._events, key=lambda one: (one.created_at, one.number)):
            if event.number not in self._to_come:
                yield event

    def awaits_before(self, moment: datetime) -> bool:
        """Whether an event is to come that is created before `moment`."""
        return any(self._events[number].created_at < moment for number in self._to_come)


def _created_event(line: str, *, number: int, tenant: str, created_at: datetime) -> CreatedEvent:
    try:
        event = json.loads(line)
    except json.JSONDecodeError:
        raise ValueError("an event is one JSON object") from None
    if not isinstance(event, dict) or set(event) != set(_ENVELOPE) or "\n" in line:
        raise ValueError(f"an event is one line with {', '.join(_ENVELOPE)} and nothing else")
    if event["tenant"] != tenant or not isinstance(event["payload"], dict):
        raise ValueError(f"an event belongs to {tenant} and has an object as payload")
    name, payload = str(event["name"]), event["payload"]
    entity_id = str(payload.get("id") or "")
    order_id = payload.get("order_id")
    return CreatedEvent(
        number=number,
        name=name,
        created_at=created_at,
        line=line,
        entity_id=entity_id,
        domain_entity_id=str(order_id or entity_id),
        domain_entity_type="order" if order_id else name.partition(".")[0],
    )
