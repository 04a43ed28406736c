"""The outside world as Dagster resources, configured by the environment (design, section 8).

The only module that reads the environment. Gateways are opened when a step first asks, once per
process, and their heavy imports wait until then (design, decision 4).
"""

import os
import random
import time
from collections.abc import Mapping
from dataclasses import fields
from datetime import date, datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import dagster as dg
from pydantic import Field, PrivateAttr

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.orchestration.watch_resource import WatchResource

if TYPE_CHECKING:
    from refund_pipeline.gateways.landing_bucket import LandingBucket
    from refund_pipeline.gateways.ledger.ledger import Ledger
    from refund_pipeline.gateways.mapping_file import LoadedMapping
    from refund_pipeline.gateways.netsuite import NetSuite
    from refund_pipeline.gateways.netsuite_auth import Authenticator
    from refund_pipeline.gateways.netsuite_setup import NetSuiteSetup
    from refund_pipeline.gateways.newstore import AttributionSetting, NewStore
    from refund_pipeline.gateways.newstore_subscriptions import Subscriptions

DEFAULT_NETSUITE_CONCURRENCY = 2
"""Everybody's integrations share one pool of requests of the account (contract netsuite 5.4)."""

_MOST_CONCURRENCY = 50


def start_date() -> date | None:
    """Return REFUNDS_START_DATE, the first landing day that is ours; None while it is not set.

    Raises:
        Misconfigured: it is not a date.
    """
    value = os.environ.get("REFUNDS_START_DATE", "").strip()
    if not value:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise Misconfigured("REFUNDS_START_DATE is not a date like 2026-01-31") from None


def integration_id() -> str:
    """Return NEWSTORE_INTEGRATION_ID, the id of our event stream integration; empty while unset."""
    return os.environ.get("NEWSTORE_INTEGRATION_ID", "").strip()


class LaunchOptions(dg.ConfigurableResource):
    """What the person who launches a run may ask for."""

    dry_run: bool = Field(
        default=False,
        description="Build everything and show the exact ERP bodies, but write nothing to the ERP.",
    )
    refund_ids: list[str] = Field(
        default_factory=list, description="Only these refunds of the landing day; empty means all."
    )
    refresh: bool = Field(
        default=False,
        description="Read orders and payments again, also of proven refunds that are not posted.",
    )
    reconcile_everything: bool = Field(
        default=False,
        description="Compare every posted refund of the day with the ERP, not only the new ones.",
    )

    @property
    def only(self) -> list[str] | None:
        """The refund ids to restrict the run to, or None for all."""
        return [refund_id.strip().lower() for refund_id in self.refund_ids] or None


class Clock(dg.ConfigurableResource):
    """Time and chance."""

    def now(self) -> datetime:
        """Return the aware UTC time."""
        return datetime.now(timezone.utc)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def random_source(self) -> random.Random:
        """Return a source of jitter."""
        return random.Random()  # noqa: S311  (jitter, not secrets)


class LedgerResource(dg.ConfigurableResource):
    """The ledger's database."""

    url: str = Field(description="SQLAlchemy URL; SQLite in DAGSTER_HOME while it is empty.")
    log_format: str = Field(
        default="", description="json: a line on standard error for every change of a status."
    )
    _ledger: "Ledger | None" = PrivateAttr(default=None)

    def open(self, run_id: str = "") -> "Ledger":
        """Return the ledger, opened once; what it records carries `run_id`."""
        if self._ledger is None:
            from refund_pipeline.gateways.ledger.ledger import Ledger
            from refund_pipeline.gateways.ledger.status_lines import listener

            self._ledger = Ledger(
                self.url or default_ledger_url(),
                clock=lambda: datetime.now(timezone.utc),
                run_id=run_id,
                on_change=listener(self.log_format),
            )
        return self._ledger

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Close the connections."""
        del context
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None


class LandingBucketResource(dg.ConfigurableResource):
    """The landing bucket; endpoint and credentials by the standard AWS variables."""

    url: str = Field(description="s3://bucket/prefix")
    tenant: str
    _bucket: "LandingBucket | None" = PrivateAttr(default=None)

    def open(self, *, attempts: int = 5) -> "LandingBucket":
        """Return the bucket; a request to it is made so many times at most."""
        if self._bucket is None:
            from refund_pipeline.gateways.landing_bucket import LandingBucket
            from refund_pipeline.gateways.s3 import new_client

            client = partial(new_client, attempts=attempts)
            self._bucket = LandingBucket(self.url, tenant=self.tenant, client=client)
        return self._bucket


class NewStoreResource(dg.ConfigurableResource):
    """NewStore's APIs."""

    base_url: str
    token_url: str
    client_id: str
    client_secret: str
    tenant: str
    batch_size: int = Field(default=50, ge=1, le=100, description="Orders per GraphQL request.")
    attribution: str = Field(
        default="auto",
        description="How payments are told apart: auto, rest or graphql_only (docs/operations.md).",
    )
    _newstore: "NewStore | None" = PrivateAttr(default=None)

    def open(self) -> "NewStore":
        """Return the client; its token is shared by all steps of the run.

        Raises:
            Misconfigured: NEWSTORE_ATTRIBUTION is none of the ways there are.
        """
        if self._newstore is None:
            from refund_pipeline.gateways.newstore import NewStore
            from refund_pipeline.gateways.newstore_block import BLOCK_FILE

            home = dagster_home()
            self._newstore = NewStore(
                base_url=self.base_url,
                token_url=self.token_url,
                client_id=self.client_id,
                client_secret=self.client_secret,
                tenant=self.tenant,
                batch_size=self.batch_size,
                attribution=cast("AttributionSetting", self.attribution),
                block_file=home / BLOCK_FILE if home else None,
            )
        return self._newstore


class SubscriptionResource(dg.ConfigurableResource):
    """NewStore's integrations API, and which integration is ours."""

    base_url: str
    token_url: str
    client_id: str
    client_secret: str
    integration_id: str = Field(description="Empty: there is none to look after.")
    _subscriptions: "Subscriptions | None" = PrivateAttr(default=None)

    def open(self) -> "Subscriptions":
        """Return the client.

        Raises:
            Misconfigured: the integration's id is none.
        """
        if self._subscriptions is None:
            from refund_pipeline.gateways.newstore_api import NewStoreApi
            from refund_pipeline.gateways.newstore_block import BLOCK_FILE
            from refund_pipeline.gateways.newstore_integrations import checked_id
            from refund_pipeline.gateways.newstore_subscriptions import Subscriptions

            checked_id(self.integration_id, name="NEWSTORE_INTEGRATION_ID")
            home = dagster_home()
            self._subscriptions = Subscriptions(
                NewStoreApi(
                    base_url=self.base_url,
                    token_url=self.token_url,
                    client_id=self.client_id,
                    client_secret=self.client_secret,
                    concurrency=1,
                    block_file=home / BLOCK_FILE if home else None,
                )
            )
        return self._subscriptions

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Close the connections."""
        del context
        if self._subscriptions is not None:
            self._subscriptions.close()
            self._subscriptions = None


class NetSuiteResource(dg.ConfigurableResource):
    """NetSuite's REST web services."""

    account: str
    base_url: str = Field(default="", description="Derived from the account while it is empty.")
    auth: str = Field(default="oauth2", description="oauth2, or tba: what the fields below fill.")
    client_id: str = ""
    certificate_id: str = ""
    private_key: str = Field(default="", description="PEM; or name a file that holds it.")
    private_key_file: str = ""
    consumer_key: str = ""
    consumer_secret: str = ""
    token_id: str = ""
    token_secret: str = ""
    concurrency: int = Field(
        default=DEFAULT_NETSUITE_CONCURRENCY, description="Requests at a time, 1 to 50."
    )
    _netsuite: "NetSuite | None" = PrivateAttr(default=None)

    def open(self, custom_fields: tuple[str, ...] = ()) -> "NetSuite":
        """Return the client; its token is shared by all steps of the run.

        Raises:
            Misconfigured: the settings do not suffice to authenticate.
        """
        if self._netsuite is None:
            from refund_pipeline.gateways.netsuite import NetSuite

            self._netsuite = NetSuite(
                account=self.account,
                base_url=self.base_url or None,
                authenticator=self._authenticator(),
                custom_fields=custom_fields,
            )
        return self._netsuite

    def pages(self, erp_id: str) -> list[str]:
        """Return where people see a refund's records in NetSuite's UI."""
        from refund_pipeline.gateways.netsuite_pages import record_pages

        return record_pages(erp_id, account=self.account, base_url=self.base_url)

    def open_setup(self) -> "NetSuiteSetup":
        """Return what reads the account's set-up; refused credentials are sent once.

        Raises:
            Misconfigured: the settings do not suffice to authenticate.
        """
        from refund_pipeline.gateways.netsuite_setup import NetSuiteSetup

        return NetSuiteSetup(
            account=self.account,
            base_url=self.base_url or None,
            authenticator=self._authenticator(),
        )

    def _authenticator(self) -> "Authenticator":
        from refund_pipeline.gateways.netsuite_login import LoginSettings, authenticator_of

        if not 1 <= self.concurrency <= _MOST_CONCURRENCY:
            raise Misconfigured("NETSUITE_CONCURRENCY must be between 1 and 50")
        settings = LoginSettings(
            **{field.name: getattr(self, field.name) for field in fields(LoginSettings)}
        )
        return authenticator_of(settings, state=dagster_home())


class ReportPlace(dg.ConfigurableResource):
    """Where reports are put."""

    location: str = Field(
        description="A directory, or s3://bucket/prefix; `reports` in DAGSTER_HOME while empty."
    )

    def put(self, folder: str, files: Mapping[str, bytes]) -> str:
        """Write files into a folder; return where they are."""
        from refund_pipeline.gateways.report_place import put_report

        return put_report(self.location or default_report_location(), folder, files)


class MappingResource(dg.ConfigurableResource):
    """The mapping file."""

    location: str = Field(description="A path, or s3://bucket/key.")
    _loaded: "LoadedMapping | None" = PrivateAttr(default=None)

    def load(self) -> "LoadedMapping":
        """Return the mapping, read once per run so that all steps decide alike."""
        if self._loaded is None:
            from refund_pipeline.gateways.mapping_file import load_mapping

            self._loaded = load_mapping(self.location)
        return self._loaded


def default_ledger_url() -> str:
    """Return the SQLite ledger in DAGSTER_HOME, or in the working directory where there is none."""
    from refund_pipeline.gateways.ledger.database import default_url

    return default_url(os.environ.get("DAGSTER_HOME", ""))


def default_report_location() -> str:
    """Return `reports` in DAGSTER_HOME, or in the working directory where there is none."""
    home = os.environ.get("DAGSTER_HOME", "").strip()
    return str(Path(home or ".").resolve() / "reports")


def dagster_home() -> Path | None:
    """Return DAGSTER_HOME; without one there is no daemon either, and nothing runs by itself."""
    home = os.environ.get("DAGSTER_HOME", "").strip()
    return Path(home) if home else None


def _optional(name: str) -> "str | dg.EnvVar":
    """Refer to an environment variable that may be missing; its value is read by the run."""
    return dg.EnvVar(name) if os.environ.get(name) else ""


def default_resources() -> dict[str, object]:
    """Return every resource, configured by the environment of the process that runs a step."""
    concurrency = os.environ.get("NETSUITE_CONCURRENCY", "").strip()
    return {
        "options": LaunchOptions(),
        "clock": Clock(),
        "ledger": LedgerResource(
            url=_optional("REFUNDS_LEDGER_URL"), log_format=_optional("REFUNDS_LOG_FORMAT")
        ),
        "landing_bucket": LandingBucketResource(
            url=dg.EnvVar("REFUNDS_LANDING_URL"), tenant=dg.EnvVar("REFUNDS_TENANT")
        ),
        "newstore": NewStoreResource(
            base_url=dg.EnvVar("NEWSTORE_BASE_URL"),
            token_url=dg.EnvVar("NEWSTORE_TOKEN_URL"),
            client_id=dg.EnvVar("NEWSTORE_CLIENT_ID"),
            client_secret=dg.EnvVar("NEWSTORE_CLIENT_SECRET"),
            tenant=dg.EnvVar("REFUNDS_TENANT"),
            attribution=os.environ.get("NEWSTORE_ATTRIBUTION", "").strip() or "auto",
        ),
        "subscription": SubscriptionResource(
            base_url=dg.EnvVar("NEWSTORE_BASE_URL"),
            token_url=dg.EnvVar("NEWSTORE_TOKEN_URL"),
            client_id=dg.EnvVar("NEWSTORE_CLIENT_ID"),
            client_secret=dg.EnvVar("NEWSTORE_CLIENT_SECRET"),
            integration_id=_optional("NEWSTORE_INTEGRATION_ID"),
        ),
        "erp": NetSuiteResource(
            account=dg.EnvVar("NETSUITE_ACCOUNT"),
            base_url=_optional("NETSUITE_BASE_URL"),
            auth=os.environ.get("NETSUITE_AUTH", "").strip() or "oauth2",
            client_id=_optional("NETSUITE_CLIENT_ID"),
            certificate_id=_optional("NETSUITE_CERTIFICATE_ID"),
            private_key=_optional("NETSUITE_PRIVATE_KEY"),
            private_key_file=_optional("NETSUITE_PRIVATE_KEY_FILE"),
            consumer_key=_optional("NETSUITE_CONSUMER_KEY"),
            consumer_secret=_optional("NETSUITE_CONSUMER_SECRET"),
            token_id=_optional("NETSUITE_TOKEN_ID"),
            token_secret=_optional("NETSUITE_TOKEN_SECRET"),
            concurrency=dg.EnvVar.int("NETSUITE_CONCURRENCY")
            if concurrency
            else DEFAULT_NETSUITE_CONCURRENCY,
        ),
        "mapping": MappingResource(location=dg.EnvVar("REFUNDS_MAPPING")),
        "watch": WatchResource(
            tenant=dg.EnvVar("REFUNDS_TENANT"),
            alerts=_optional("REFUNDS_ALERTS"),
            heartbeat_url=_optional("REFUNDS_HEARTBEAT_URL"),
            outstanding_limit_hours=_optional("REFUNDS_OUTSTANDING_LIMIT_HOURS"),
            tick_limit_minutes=_optional("REFUNDS_TICK_LIMIT_MINUTES"),
            code_location=_optional("REFUNDS_CODE_LOCATION"),
        ),
        "report_place": ReportPlace(location=_optional("REFUNDS_REPORTS")),
    }
