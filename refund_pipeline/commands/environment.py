"""What commands at the shell take from the environment: the same variables as the job's resources.

Secrets come from here only, never from the command line, where other users of the machine and the
shell's history would see them. Dagster is not imported: a command answers in a second.
"""

import os
import time as machine
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import date, datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import assert_never

from refund_pipeline.domain.errors import Misconfigured

if TYPE_CHECKING:
    from refund_pipeline.domain.standing import SensorTicks
    from refund_pipeline.gateways.landing_bucket import LandingBucket
    from refund_pipeline.gateways.ledger.ledger import Ledger
    from refund_pipeline.gateways.mapping_file import LoadedMapping
    from refund_pipeline.gateways.netsuite import NetSuite
    from refund_pipeline.gateways.newstore_integrations import (
        Delivery,
        S3Delivery,
        S3Target,
        Target,
        WebhookDelivery,
    )
    from refund_pipeline.gateways.newstore_subscriptions import Subscriptions
    from refund_pipeline.steps.replay import Time
    from refund_pipeline.steps.watching import DagsterView, Watch

_REGIONS = ("NEWSTORE_EXPORT_AWS_REGION", "AWS_REGION", "AWS_DEFAULT_REGION")


def clock(given: "Time | None") -> "Time":
    """Return the clock a caller gave as click's context object, else the machine's."""
    from refund_pipeline.steps.replay import Time

    return given or Time(lambda: datetime.now(timezone.utc), machine.sleep)


def read_file(path: Path) -> None:
    """Set the variables of a `.env` file that are not set yet."""
    from dotenv import load_dotenv

    load_dotenv(path, override=False)


def adopt(values: Mapping[str, str], names: Sequence[str]) -> None:
    """Let `values` be those of `names` for this process; what has none is unset."""
    for name in names:
        if values.get(name):
            os.environ[name] = values[name]
        else:
            os.environ.pop(name, None)


def optional(name: str) -> str:
    """Return a variable, or nothing."""
    return os.environ.get(name, "").strip()


def required(name: str) -> str:
    """Return a variable.

    Raises:
        Misconfigured: it is not set.
    """
    value = optional(name)
    if not value:
        raise Misconfigured(f"{name} is not set")
    return value


def integration_id() -> str | None:
    """Return NEWSTORE_INTEGRATION_ID, the id of our permanent integration; None while unset.

    Raises:
        Misconfigured: it is no id.
    """
    from refund_pipeline.gateways.newstore_integrations import checked_id

    value = optional("NEWSTORE_INTEGRATION_ID")
    return checked_id(value, name="NEWSTORE_INTEGRATION_ID") if value else None


def required_integration_id() -> str:
    """Return it.

    Raises:
        Misconfigured: it is not set, or no id.
    """
    found = integration_id()
    if found is None:
        raise Misconfigured(
            "NEWSTORE_INTEGRATION_ID is not set: choose an id for our integration, like"
            " refund-pipeline, and keep it"
        )
    return found


def chosen_integration_id(asked: str | None) -> str:
    """Return the id a person asked for, else ours.

    Raises:
        Misconfigured: it is not set, or no id.
    """
    from refund_pipeline.gateways.newstore_integrations import checked_id

    return required_integration_id() if asked is None else checked_id(asked, name="--integration")


@contextmanager
def subscriptions() -> Iterator["Subscriptions"]:
    """Open the integrations API for the length of a `with` block."""
    from refund_pipeline.gateways.newstore_api import NewStoreApi
    from refund_pipeline.gateways.newstore_block import BLOCK_FILE
    from refund_pipeline.gateways.newstore_subscriptions import Subscriptions

    home = optional("DAGSTER_HOME")
    opened = Subscriptions(
        NewStoreApi(
            base_url=required("NEWSTORE_BASE_URL"),
            token_url=required("NEWSTORE_TOKEN_URL"),
            client_id=required("NEWSTORE_CLIENT_ID"),
            client_secret=required("NEWSTORE_CLIENT_SECRET"),
            concurrency=1,
            block_file=Path(home) / BLOCK_FILE if home else None,
        )
    )
    try:
        yield opened
    finally:
        opened.close()


def asked_for(webhook: str | None, *, s3: bool) -> "Delivery | None":
    """Return the delivery a person asked for, None if they did not.

    Raises:
        Misconfigured: they asked for two, or what it takes is missing.
    """
    if webhook is not None and s3:
        raise Misconfigured("--webhook and --s3 exclude each other")
    if webhook is not None:
        return _webhook(webhook)
    return _with_export_keys(_landing_target()) if s3 else None


def _webhook(url: str) -> "WebhookDelivery":
    from refund_pipeline.gateways.http import checked_base_url
    from refund_pipeline.gateways.newstore_integrations import WebhookDelivery, WebhookTarget

    target = WebhookTarget(checked_base_url(url, name="--webhook"))
    return WebhookDelivery(target, required("REFUNDS_RECEIVER_KEY"))


def same_delivery(target: "Target") -> "Delivery":
    """Return a delivery to a target NewStore shows, with the keys of the environment.

    Raises:
        Misconfigured: a key is missing, or the export does not go to our landing bucket.
    """
    from refund_pipeline.gateways.newstore_integrations import (
        S3Target,
        WebhookDelivery,
        WebhookTarget,
    )

    match target:
        case WebhookTarget():
            return WebhookDelivery(target, required("REFUNDS_RECEIVER_KEY"))
        case S3Target():
            ours = _landing_target()
            if (target.bucket, (target.key_prefix or "").strip("/")) != (
                ours.bucket,
                ours.key_prefix,
            ):
                raise Misconfigured(
                    f"the integration writes to {target.shown}, REFUNDS_LANDING_URL is"
                    f" {ours.shown}: what it delivers would not be read"
                )
            return _with_export_keys(target if target.region else ours)
        case _:
            assert_never(target)


def landing_bucket(time: "Time") -> "LandingBucket":
    """Return the landing bucket; S3 is asked with the standard AWS variables."""
    from refund_pipeline.gateways.landing_bucket import LandingBucket

    return LandingBucket(
        required("REFUNDS_LANDING_URL"), tenant=required("REFUNDS_TENANT"), clock=time.now
    )


@contextmanager
def ledger(time: "Time") -> Iterator["Ledger"]:
    """Open the ledger for the length of a `with` block."""
    from refund_pipeline.gateways.ledger.database import default_url
    from refund_pipeline.gateways.ledger.ledger import Ledger
    from refund_pipeline.gateways.ledger.status_lines import listener

    url = optional("REFUNDS_LEDGER_URL") or default_url(optional("DAGSTER_HOME"))
    opened = Ledger(url, clock=time.now, on_change=listener(optional("REFUNDS_LOG_FORMAT")))
    try:
        yield opened
    finally:
        opened.close()


def report_location() -> str:
    """Return where reports are put: REFUNDS_REPORTS, else a directory beside the ledger."""
    location = optional("REFUNDS_REPORTS")
    if not location:
        from refund_pipeline.orchestration.resources import default_report_location

        location = default_report_location()
    return location


def _landing_target() -> "S3Target":
    from refund_pipeline.gateways.newstore_integrations import S3Target
    from refund_pipeline.gateways.s3 import split_url

    bucket, prefix = split_url(required("REFUNDS_LANDING_URL"))
    prefix = prefix.strip("/")
    if not prefix:
        raise Misconfigured(
            "REFUNDS_LANDING_URL has no prefix; NewStore's export needs one: s3://bucket/prefix"
        )
    region = next((value for name in _REGIONS if (value := optional(name))), None)
    if region is None:
        raise Misconfigured(f"the bucket's region is not set; set {_REGIONS[0]}")
    return S3Target(bucket, prefix, region)


def _with_export_keys(target: "S3Target") -> "S3Delivery":
    from refund_pipeline.gateways.newstore_integrations import S3Delivery

    return S3Delivery(
        target,
        access_key_id=required("NEWSTORE_EXPORT_AWS_ACCESS_KEY_ID"),
        secret_access_key=required("NEWSTORE_EXPORT_AWS_SECRET_ACCESS_KEY"),
    )


def mapping() -> "LoadedMapping":
    """Load the mapping file.

    Raises:
        InvalidMapping: it cannot be used; every problem is listed.
        Misconfigured, Unavailable: it cannot be read.
    """
    from refund_pipeline.gateways.mapping_file import load_mapping

    return load_mapping(required("REFUNDS_MAPPING"))


def record_pages(erp_id: str) -> list[str]:
    """Return the pages of a refund's records in NetSuite's UI; none where it is not known."""
    account = optional("NETSUITE_ACCOUNT")
    if not account:
        return []
    from refund_pipeline.gateways import netsuite_pages

    return netsuite_pages.record_pages(
        erp_id, account=account, base_url=optional("NETSUITE_BASE_URL")
    )


@contextmanager
def netsuite(custom_fields: tuple[str, ...] = ()) -> Iterator["NetSuite"]:
    """Open NetSuite for the length of a `with` block; refusals count for the whole host."""
    from refund_pipeline.gateways.netsuite import NetSuite
    from refund_pipeline.gateways.netsuite_login import LoginSettings, authenticator_of

    required("NETSUITE_ACCOUNT")
    home = optional("DAGSTER_HOME")
    named = {
        field.name: optional(f"NETSUITE_{field.name.upper()}") for field in fields(LoginSettings)
    }
    settings = LoginSettings(**{name: value for name, value in named.items() if value})
    opened = NetSuite(
        account=settings.account,
        base_url=settings.base_url or None,
        authenticator=authenticator_of(settings, state=Path(home) if home else None),
        custom_fields=custom_fields,
    )
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def watch(time: "Time") -> "Iterator[Watch]":
    """Open what a look needs; Dagster is asked where DAGSTER_HOME says which."""
    from refund_pipeline.steps.watch_settings import WatchSettings, opened_watch

    home = optional("DAGSTER_HOME")
    settings = WatchSettings(
        tenant=required("REFUNDS_TENANT"),
        alerts=optional("REFUNDS_ALERTS"),
        heartbeat_url=optional("REFUNDS_HEARTBEAT_URL"),
        outstanding_limit_hours=optional("REFUNDS_OUTSTANDING_LIMIT_HOURS"),
        tick_limit_minutes=optional("REFUNDS_TICK_LIMIT_MINUTES"),
    )
    with (
        ledger(time) as opened,
        opened_watch(
            settings,
            ledger=opened,
            bucket=landing_bucket(time) if optional("REFUNDS_LANDING_URL") else None,
            dagster=_dagster(time) if home else None,
            start=_start_date(),
            home=Path(home) if home else None,
            clock=time.now,
        ) as ready,
    ):
        yield ready


def landing_sensor(time: "Time") -> "SensorTicks":
    """Return how the landing sensor ticks.

    Raises:
        Misconfigured: DAGSTER_HOME is not set.
        DagsterUnreadable: its storage cannot be read.
    """
    required("DAGSTER_HOME")
    return _dagster(time).landing_sensor()


def _dagster(time: "Time") -> "DagsterView":
    from refund_pipeline.orchestration.dagster_view import InstanceView

    return InstanceView.of_home(location=optional("REFUNDS_CODE_LOCATION"), clock=time.now)


def _start_date() -> date | None:
    value = optional("REFUNDS_START_DATE")
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        raise Misconfigured("REFUNDS_START_DATE is not a date like 2026-01-31") from None
