"""A host whose clock may be wrong: the world goes its way, and the pipeline by the host's clock.

The sandbox runs on the true time; everything of the pipeline, sensors and signatures included, on
the clock of the host. Each run opens its gateways anew, as a process would.
"""

import contextlib
import random
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import dagster as dg

from refund_pipeline.domain.errors import SystemicFailure
from refund_pipeline.gateways.landing_bucket import LandingBucket
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.netsuite import NetSuite
from refund_pipeline.gateways.netsuite_circuit import Circuit, refusals_file
from refund_pipeline.gateways.netsuite_oauth2 import OAuth2ClientCredentials
from refund_pipeline.gateways.newstore import NewStore
from refund_pipeline.orchestration.history import landed_history_sensor
from refund_pipeline.orchestration.partitions import day_of
from refund_pipeline.orchestration.resources import Clock, LandingBucketResource, LedgerResource
from refund_pipeline.orchestration.sensors import landing_bucket_sensor, outstanding_refunds_sensor
from refund_pipeline.sandbox.retailer import SandboxRefund
from refund_pipeline.sandbox.sandbox import Sandbox
from refund_pipeline.steps.landing import read_landing_day
from refund_pipeline.steps.payments import fetch_payments
from refund_pipeline.steps.posting import Surroundings, post_refunds
from refund_pipeline.steps.reconciliation import reconcile
from refund_pipeline.steps.transactions import build_transactions
from refund_pipeline_tests.chaos.landing_week import environment
from refund_pipeline_tests.fakes import FakeClock, example_mapping

SENSORS = (landing_bucket_sensor, landed_history_sensor, outstanding_refunds_sensor)
MAPPING = example_mapping()


class HostClock(Clock):
    """The host's clock. Dagster copies resources, so it is kept by the class."""

    host: ClassVar["Host"]

    def now(self) -> datetime:
        return self.host.now()


class HostBucket(LandingBucketResource):
    """The bucket, seen by that clock."""

    host: ClassVar["Host"]

    def open(self, *, attempts: int = 5) -> LandingBucket:
        return self.host.bucket()


@dataclass
class Host:
    """The machine the pipeline runs on. Its clock is wrong by `skew`; a context manager."""

    place: Path
    seed: int
    true_time: FakeClock
    skew: timedelta = timedelta(0)
    start: date = field(init=False)
    refunds: list[SandboxRefund] = field(default_factory=list)
    runs: int = 0
    stopped: list[str] = field(default_factory=list)
    """Why runs stopped as a whole."""

    def __enter__(self) -> "Host":  # noqa: PYI034 - Self needs Python 3.11
        self._ending = contextlib.ExitStack()
        self.start = self.true_time.now().date()
        self.sandbox = self._ending.enter_context(
            Sandbox(self.seed, clock=self.true_time.now, state=self.place)
        )
        variables = {"REFUNDS_START_DATE": self.start.isoformat()}
        self._ending.enter_context(environment({**self.sandbox.environment(), **variables}))
        self.ledger = Ledger(f"sqlite:///{self.place / 'ledger.db'}", clock=self.now)
        self._ending.callback(self.ledger.close)
        self.instance = self._ending.enter_context(dg.DagsterInstance.ephemeral())
        self.cursors: dict[str, str] = {}
        self._keys: set[str] = set()
        HostClock.host = HostBucket.host = self
        return self

    def __exit__(self, *error: object) -> None:
        self._ending.close()

    def now(self) -> datetime:
        """Return the time this host believes it is."""
        return self.true_time.now() + self.skew

    def bucket(self) -> LandingBucket:
        landing = self.sandbox.landing
        return LandingBucket(
            landing.url, tenant="demo", client=lambda: landing.client, clock=self.now
        )

    # --- what happens

    def land(self, count: int, *, at: datetime, requested_at: datetime | None = None) -> None:
        """Land a file of refunds at a true time, requested then or at another one."""
        requested_at = requested_at or at
        made = [self.sandbox.retailer.any_refund(requested_at) for _ in range(count)]
        self.sandbox.retailer.land(*made, at=at)
        self.refunds += made

    def tick(self) -> list[date]:
        """Evaluate all sensors by the host's clock, and run what they ask for."""
        days: dict[date, None] = {}
        for sensor in SENSORS:
            resources: dict[str, Any] = {
                "clock": HostClock(),
                "ledger": LedgerResource(url=self.ledger._database._url),
                "landing_bucket": HostBucket(url=self.sandbox.landing.url, tenant="demo"),
            }
            with dg.build_sensor_context(
                instance=self.instance,
                cursor=self.cursors.get(sensor.name),
                resources={name: resources[name] for name in sensor.required_resource_keys},
            ) as context:
                result = sensor(context)
            if isinstance(result, dg.SensorResult):
                self.cursors[sensor.name] = result.cursor or ""
                for request in result.run_requests or ():
                    if request.run_key not in self._keys:
                        self._keys.add(str(request.run_key))
                        days[day_of(str(request.partition_key))] = None
        for day in days:
            self.run(day)
        return list(days)

    def run(self, day: date) -> None:
        """Run every step for a day, as a process would; a systemic failure ends the run."""
        self.runs += 1
        try:
            self._steps(day)
        except SystemicFailure as failure:
            self.stopped.append(str(failure))

    def _steps(self, day: date) -> None:
        chance = random.Random(self.runs)
        sandbox = self.sandbox
        newstore = NewStore(
            base_url=sandbox.newstore.base_url,
            token_url=sandbox.newstore.token_url,
            client_id=sandbox.newstore.client_id,
            client_secret=sandbox.newstore.client_secret,
            tenant=sandbox.tenant,
        )
        erp = NetSuite(
            account=sandbox.netsuite.account,
            base_url=sandbox.netsuite.base_url,
            authenticator=self._authenticator(),
            custom_fields=MAPPING.custom_body_fields,
        )
        common: dict[str, Any] = {
            "ledger": self.ledger,
            "mapping": MAPPING,
            "clock": self.now,
            "random_source": chance,
        }
        with contextlib.closing(erp):
            read_landing_day(day, bucket=self.bucket(), ledger=self.ledger, tenant="demo")
            fetch_payments(day, open_newstore=lambda: newstore, **common)
            build_transactions(day, erp=erp, mapping_version="v1", **common)
            around = Surroundings(self.now, self.true_time.sleep, chance, lambda _: None)
            post_refunds(day, ledger=self.ledger, erp=erp, concurrency=2, surroundings=around)
            reconcile(day, ledger=self.ledger, erp=erp, prefix="apz-", clock=self.now)

    def _authenticator(self) -> OAuth2ClientCredentials:
        netsuite = self.sandbox.netsuite
        return OAuth2ClientCredentials(
            account=netsuite.account,
            base_url=netsuite.base_url,
            client_id=netsuite.client_id,
            certificate_id=netsuite.certificate_id,
            private_key_pem=netsuite.private_key_pem,
            circuit=Circuit(
                refusals_file(self.place, netsuite.client_id),
                clock=lambda: self.now().timestamp(),
            ),
            clock=lambda: self.now().timestamp(),
        )

    def pass_time(self, minutes: int, *, every: int = 1, until_posted: bool = False) -> int:
        """Tick every so many true minutes; return after how many all was posted, or all of them."""
        for passed in range(0, minutes, every):
            self.tick()
            if until_posted and self.all_posted:
                return passed
            self.true_time.sleep(60 * every)
        return minutes

    @property
    def all_posted(self) -> bool:
        """Whether the ledger says so of everything that landed."""
        posted = self.ledger.refunds(statuses=["posted"], limit=100_000)
        return len(posted) == len(self.refunds)

    def verdict(self) -> tuple[int, int]:
        """Return how many refunds are lost, and how many are there twice, by the ERP."""
        records = [
            record.custom["custbody_nst_refund_id"]
            for record in self.sandbox.netsuite.cash_refunds()
        ]
        lost = {refund.refund_id for refund in self.refunds} - set(records)
        return len(lost), len(records) - len(set(records))
