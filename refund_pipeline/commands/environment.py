"""What commands at the shell take from the environment: the same variables as the job's resources.

Secrets come from here only, never from the command line, where other users of the machine and the
shell's history would see them. Dagster is not imported: a command answers in a second.
"""

import os
import time as machine
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import assert_never

from refund_pipeline.domain.errors import Misconfigured

if TYPE_CHECKING:
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

_REGIONS = ("NEWSTORE_EXPORT_AWS_REGION", "AWS_REGION", "AWS_DEFAULT_REGION")


def clock(given: "Time | None") -> "Time":
    """Return the clock a caller gave as click's context object, else the machine's."""
    from refund_pipeline.steps.replay import Time

    return given or Time(lambda: datetime.now(timezone.utc), machine.sleep)


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
    from refund_pipeline.gateways.ledger.ledger import Ledger

    url = optional("REFUNDS_LEDGER_URL")
    if not url:
        from refund_pipeline.orchestration.resources import default_ledger_url

        url = default_ledger_url()
    opened = Ledger(url, clock=time.now)
    try:
        yield opened
    finally:
        opened.close()


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
