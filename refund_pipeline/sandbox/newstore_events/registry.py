"""The integrations of a tenant: registered, changed, started, stopped, deleted, fed (contract 1.1).

How one of them delivers is `subscription.py`.
"""

from functools import partial

from refund_pipeline.sandbox.event_lines import republished
from refund_pipeline.sandbox.newstore_events.event_log import CreatedEvent, EventLog
from refund_pipeline.sandbox.newstore_events.integrations import (
    MOST_INTEGRATIONS,
    Integration,
    Status,
)
from refund_pipeline.sandbox.newstore_events.rules import Setting
from refund_pipeline.sandbox.newstore_events.subscription import Subscription
from refund_pipeline.sandbox.newstore_events.transports import Transport


class Refused(Exception):
    """Something the API does not do; `code` is the error code of the answer."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class Registry:
    """At most 25 integrations by id; safe to use from any thread."""

    def __init__(
        self, setting: Setting, log: EventLog, *, webhook: Transport, export: Transport
    ) -> None:
        self._setting = setting
        self._log = log
        self._webhook = webhook
        self._export = export
        self._subscriptions: dict[str, Subscription] = {}

    def register(self, integration: Integration) -> None:
        """Register an integration, which starts by itself; a start in the past replays the log.

        Raises:
            Refused: the id is taken, or there are 25 already.
        """
        with self._setting.changed:
            if integration.id in self._subscriptions:
                raise Refused("already_exists", f"integration {integration.id} exists already")
            if len(self._subscriptions) >= MOST_INTEGRATIONS:
                raise Refused("limit_reached", f"there are {MOST_INTEGRATIONS} integrations")
            transport = self._webhook if integration.s3_parameters is None else self._export
            made = Subscription(integration, self._setting, transport, settled=self._finish)
            self._subscriptions[integration.id] = made
            if integration.starts_at is not None:
                self._replay(made)
            if integration.ends_at is not None:
                timetable, finish = self._setting.timetable, partial(self._finish, made)
                timetable.at(integration.ends_at, finish, owner=made, counts=False)

    def change(self, integration: Integration) -> None:
        """Replace an integration by its id; attempts to come use the new parameters.

        Raises:
            Refused: there is none.
        """
        with self._setting.changed:
            self.subscription(integration.id).integration = integration

    def start(self, integration_id: str) -> None:
        """Start a stopped integration; what it missed comes only with a replay.

        Raises:
            Refused: there is none, it runs already, or it was temporary and has ended.
        """
        with self._setting.changed:
            subscription = self.subscription(integration_id)
            if subscription.status == "running":
                raise Refused("already_running", f"integration {integration_id} is running")
            ends_at = subscription.integration.ends_at
            if ends_at is not None and ends_at <= self._setting.clock():
                raise Refused("ended", f"integration {integration_id} was temporary and has ended")
            subscription.start()

    def stop(self, integration_id: str) -> None:
        """Stop a running integration; what is on its way is rejected.

        Raises:
            Refused: there is none, or it is stopped already.
        """
        with self._setting.changed:
            subscription = self.subscription(integration_id)
            if subscription.status == "stopped":
                raise Refused("already_stopped", f"integration {integration_id} is stopped")
            subscription.stop()

    def delete(self, integration_id: str) -> None:
        """Delete an integration with its log and its rejected events.

        Raises:
            Refused: there is none.
        """
        with self._setting.changed:
            self.subscription(integration_id).stop()
            del self._subscriptions[integration_id]

    def status(self, integration_id: str) -> Status:
        """Return whether an integration runs.

        Raises:
            Refused: there is none.
        """
        with self._setting.changed:
            return self.subscription(integration_id).status

    def one(self, integration_id: str) -> tuple[Integration, Status]:
        """Return an integration and its status.

        Raises:
            Refused: there is none.
        """
        with self._setting.changed:
            subscription = self.subscription(integration_id)
            return subscription.integration, subscription.status

    def all(self) -> list[tuple[Integration, Status]]:
        """Return every integration and its status, in the order of their registration."""
        return [(one.integration, one.status) for one in self.subscriptions()]

    def subscription(self, integration_id: str) -> Subscription:
        """Return an integration at work.

        Raises:
            Refused: there is none.
        """
        try:
            return self._subscriptions[integration_id]
        except KeyError:
            message = f"there is no integration {integration_id}"
            raise Refused("resource_not_found", message) from None

    def subscriptions(self) -> list[Subscription]:
        """Return every integration at work."""
        with self._setting.changed:
            return list(self._subscriptions.values())

    def feed(self, event: CreatedEvent) -> None:
        """Send an event to every running integration that wants it."""
        with self._setting.changed:
            for subscription in self.subscriptions():
                wanted = subscription.integration.admits(event.name, event.created_at)
                if wanted and subscription.status == "running":
                    subscription.expect(event, event.line)
                self._finish(subscription)

    def _replay(self, subscription: Subscription) -> None:
        now = self._setting.clock()
        for event in self._log.by_creation():
            if subscription.integration.admits(event.name, event.created_at):
                subscription.expect(event, republished(event.line, at=now))

    def _finish(self, subscription: Subscription) -> None:
        """Stop a temporary integration after the last event of its window."""
        with self._setting.changed:
            ends_at = subscription.integration.ends_at
            if ends_at is None or self._setting.clock() < ends_at or subscription.is_busy:
                return
            if subscription.status == "running" and not self._log.awaits_before(ends_at):
                subscription.stop()
