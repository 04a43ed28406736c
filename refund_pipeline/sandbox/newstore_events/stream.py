"""The Event Stream of one tenant, as tests and demos hold it: publish, disturb, wait, look.

Integrations are usually made through the REST API (`api.py`); `EventStream.integrations` does the
same from Python.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from refund_pipeline.sandbox.exact_json import JsonValue, json_text
from refund_pipeline.sandbox.landing import LandingSandbox
from refund_pipeline.sandbox.newstore_events.disturbances import Disturbances
from refund_pipeline.sandbox.newstore_events.event_log import CreatedEvent, EventLog
from refund_pipeline.sandbox.newstore_events.publications import Publication, RejectedEvent
from refund_pipeline.sandbox.newstore_events.registry import Registry
from refund_pipeline.sandbox.newstore_events.rules import DeliveryRules, Setting
from refund_pipeline.sandbox.newstore_events.timetable import Timetable
from refund_pipeline.sandbox.newstore_events.transports import S3Export, Webhook

_PATIENCE = 30.0
"""Real seconds the waiting methods wait unless told otherwise."""


class EventStream:
    """One tenant's Event Stream. Every method may be called from any thread at any time.

    Durations that are NewStore's (delay, back-off, cadence of the export) are divided by
    `time_scale` and measured with `clock`; all times shown are the clock's own.
    """

    def __init__(
        self,
        *,
        tenant: str,
        clock: Callable[[], datetime],
        landing: LandingSandbox | None = None,
        time_scale: float = 1.0,
        connections: int = 8,
        seed: int = 7,
    ) -> None:
        """Make a stream that delivers nothing before it begins.

        Args:
            tenant: Whose events these are.
            clock: The sandbox's clock, aware; it may jump forwards.
            landing: Where S3 exports are written; without it every upload is refused.
            time_scale: How much faster than documented NewStore's durations pass.
            connections: How many deliveries are under way at the same time.
            seed: The same seed names the files of the export alike.
        """
        if time_scale <= 0 or connections < 1:
            raise ValueError("time_scale is above 0, connections at least 1")
        timetable = Timetable(clock, workers=connections)
        self._setting = Setting(clock=clock, timetable=timetable, time_scale=time_scale)
        self._webhook = Webhook(connections=connections)
        self._log = EventLog(tenant=tenant)
        self.integrations = Registry(
            self._setting,
            self._log,
            webhook=self._webhook,
            export=S3Export(landing, tenant=tenant, clock=clock, seed=seed),
        )

    @property
    def rules(self) -> DeliveryRules:
        """How deliveries are tried, retried and given up; may be replaced at any time."""
        return self._setting.rules

    @rules.setter
    def rules(self, rules: DeliveryRules) -> None:
        self._setting.rules = rules

    @property
    def disturbances(self) -> Disturbances:
        """What deliveries suffer; may be replaced at any time, for events published after it."""
        return self._setting.disturbances

    @disturbances.setter
    def disturbances(self, disturbances: Disturbances) -> None:
        self._setting.disturbances = disturbances

    def begin(self) -> None:
        """Start delivering."""
        self._setting.timetable.start()

    def end(self) -> None:
        """Stop delivering; what is under way ends first."""
        self._setting.timetable.stop()
        self._webhook.close()

    def publish(
        self, event: str | Mapping[str, JsonValue], *, at: datetime | None = None
    ) -> CreatedEvent:
        """Create an event and send it to every running integration that wants it.

        Args:
            event: The envelope as one line of JSON, delivered exactly as it is, or as a mapping.
            at: When it is created, aware: now when None, later if in the future. An event of the
                past is sent now and logged for that time.

        Raises:
            ValueError: it is not one event of this tenant.
        """
        line = event if isinstance(event, str) else json_text(event)
        with self._setting.changed:
            now = self._setting.clock()
            created_at = now if at is None else at
            created = self._log.add(line, created_at, to_come=created_at > now)
            if created_at > now:
                comes = partial(self._comes, created)
                self._setting.timetable.at(created_at, comes, owner=self)
            else:
                self.integrations.feed(created)
        return created

    @property
    def events(self) -> list[CreatedEvent]:
        """Every event created so far, by the time of its creation, whoever received it."""
        with self._setting.changed:
            return list(self._log.by_creation())

    def publications(self, integration_id: str | None = None) -> list[Publication]:
        """Return every attempt so far, of one integration or of all."""
        with self._setting.changed:
            return [
                publication
                for subscription in self.integrations.subscriptions()
                if integration_id in {None, subscription.integration.id}
                for publication in subscription.publications
            ]

    def rejected(self, integration_id: str) -> list[RejectedEvent]:
        """Return the events NewStore has given up on for an integration.

        Raises:
            Refused: there is no such integration.
        """
        with self._setting.changed:
            return list(self.integrations.subscription(integration_id).rejected.values())

    def republish(self, integration_id: str, event_number: int) -> None:
        """Try a rejected event once more, as a person does in Omnichannel Manager.

        It works for a stopped integration too, does not start it, and is not retried.

        Raises:
            Refused: there is no such integration.
            KeyError: the event is not rejected.
        """
        with self._setting.changed:
            self.integrations.subscription(integration_id).republish(event_number)

    def republish_rejected(self, integration_id: str) -> int:
        """Try every rejected event of an integration once more, and return how many those are."""
        rejected = self.rejected(integration_id)
        for one in rejected:
            self.republish(integration_id, one.event.number)
        return len(rejected)

    def wait_until_delivered(self, timeout: float = _PATIENCE) -> None:
        """Wait until everything published, retries and later duplicates included, has its end.

        With a clock that stands still use `wait_until_idle` after every step of the clock.

        Raises:
            TimeoutError: it has not after `timeout` real seconds.
        """
        self._setting.timetable.wait_until_empty(timeout)

    def wait_until_idle(self, timeout: float = _PATIENCE) -> None:
        """Wait until everything that is due by the clock as it stands has been done.

        Raises:
            TimeoutError: it has not after `timeout` real seconds.
        """
        self._setting.timetable.wait_until_idle(timeout)

    def wait_until_stopped(self, integration_id: str, timeout: float = _PATIENCE) -> None:
        """Wait until an integration is stopped, by whatever.

        Raises:
            Refused: there is no such integration.
            TimeoutError: it runs after `timeout` real seconds.
        """

        def stopped() -> bool:
            return self.integrations.status(integration_id) == "stopped"

        with self._setting.changed:
            if not self._setting.changed.wait_for(stopped, timeout):
                raise TimeoutError(f"integration {integration_id} runs after {timeout:g} s")

    def _comes(self, event: CreatedEvent) -> None:
        with self._setting.changed:
            self._log.has_come(event)
            self.integrations.feed(event)
