"""NewStore's integrations in memory: counts calls, refuses and fails when told to."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from refund_pipeline.domain.errors import Unavailable
from refund_pipeline.domain.events import REFUND_ISSUED
from refund_pipeline.gateways.newstore_integrations import (
    Integration,
    NewIntegration,
    WebhookDelivery,
    WebhookTarget,
)
from refund_pipeline.gateways.newstore_subscriptions import Refused, Subscriptions

WEBHOOK = WebhookDelivery(WebhookTarget("https://receiver.example/events"), "planted-key")


def integration(integration_id: str = "ours", **changes: Any) -> Integration:
    made = Integration(
        integration_id=integration_id,
        status="running",
        integration_type="permanent",
        target=WEBHOOK.target,
        event_filter=(REFUND_ISSUED,),
        entity_filter=(),
        starts_at=None,
        ends_at=None,
    )
    return replace(made, **changes)


@dataclass
class FakeSubscriptions(Subscriptions):
    """Every integration there is; `on_find` may change them before each look."""

    there: dict[str, Integration] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    """What a command is answered, by its name."""
    outages: dict[str, int] = field(default_factory=dict)
    """How often a command finds NewStore down, by its name."""
    ignores: set[str] = field(default_factory=set)
    """Commands that are accepted and do nothing."""
    on_find: Callable[[], None] | None = None
    calls: list[str] = field(default_factory=list)
    made: list[NewIntegration] = field(default_factory=list)

    def put(self, *integrations: Integration) -> "FakeSubscriptions":
        self.there.update({each.integration_id: each for each in integrations})
        return self

    def change(self, integration_id: str, **changes: Any) -> None:
        self.there[integration_id] = replace(self.there[integration_id], **changes)

    def close(self) -> None:
        self.calls.append("close")

    def all(self) -> list[Integration]:
        self._note("all")
        return list(self.there.values())

    def find(self, integration_id: str) -> Integration | None:
        self._note("find", integration_id)
        if self.on_find is not None:
            self.on_find()
        return self.there.get(integration_id)

    def create(self, new: NewIntegration) -> Integration | Refused:
        self.made.append(new)
        refusal = self._note("create", new.integration_id)
        if refusal is not None:
            return refusal
        self.there[new.integration_id] = integration(
            new.integration_id,
            integration_type=new.integration_type,
            target=new.delivery.target,
            starts_at=new.starts_at,
            ends_at=new.ends_at,
        )
        return self.there[new.integration_id]

    def start(self, integration_id: str) -> Refused | None:
        return self._set("start", integration_id, "running")

    def stop(self, integration_id: str) -> Refused | None:
        return self._set("stop", integration_id, "stopped")

    def delete(self, integration_id: str) -> Refused | None:
        refusal = self._note("delete", integration_id)
        if refusal is None:
            self.there.pop(integration_id, None)
        return refusal

    def _set(self, command: str, integration_id: str, status: str) -> Refused | None:
        refusal = self._note(command, integration_id)
        if refusal is None and command not in self.ignores:
            self.change(integration_id, status=status)
        return refusal

    def _note(self, command: str, integration_id: str = "") -> Refused | None:
        self.calls.append(f"{command} {integration_id}".strip())
        if self.outages.get(command, 0) > 0:
            self.outages[command] -= 1
            raise Unavailable(f"{command}: NewStore is down")
        detail = self.refusals.get(command)
        return None if detail is None else Refused(detail)
