"""Event stream integrations, to and from NewStore's documents (contract newstore 1.1).

Secrets are written, never read: what an answer repeats of them is dropped with every other field
that is not asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StrictStr, TypeAdapter, ValidationError
from typing_extensions import assert_never

from refund_pipeline.domain.events import REFUND_ISSUED
from refund_pipeline.gateways.newstore_integrations import (
    Delivery,
    Integration,
    NewIntegration,
    S3Delivery,
    S3Target,
    Target,
    WebhookDelivery,
    WebhookTarget,
    rfc3339,
)

_MOST_PROBLEMS = 5


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An answer of another shape; `problems` are sentences with JSON paths and no values."""

    problems: tuple[str, ...]


def creation_document(new: NewIntegration) -> Mapping[str, object]:
    """Write the body that registers an integration."""
    document: dict[str, object] = {
        "id": new.integration_id,
        "integration_type": new.integration_type,
        **delivery_document(new.delivery),
        "filter_conditions": {"event_filter": [REFUND_ISSUED]},
    }
    if new.starts_at is not None:
        document["starts_at"] = rfc3339(new.starts_at)
    if new.ends_at is not None:
        document["ends_at"] = rfc3339(new.ends_at)
    return document


def delivery_document(delivery: Delivery) -> Mapping[str, object]:
    """Write target and secrets, as creating and changing an integration take them."""
    match delivery:
        case WebhookDelivery(target, api_key):
            return {"callback_parameters": {"callback_url": target.url, "api_key": api_key}}
        case S3Delivery(target, access_key_id, secret_access_key):
            parameters = {
                "aws_access_key_id": access_key_id,
                "aws_secret_access_key": secret_access_key,
                "aws_region": target.region,
                "bucket": target.bucket,
                "key_prefix": target.key_prefix,
            }
            return {"s3_parameters": parameters}
        case _:
            assert_never(delivery)


def _in_utc(moment: datetime) -> datetime:
    # NewStore writes some times without an offset, always meaning UTC (contract 3.2)
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(
        timezone.utc
    )


_Moment = Annotated[datetime, AfterValidator(_in_utc)]


class _Tolerant(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class _Callback(_Tolerant):
    callback_url: StrictStr | None = None


class _S3(_Tolerant):
    bucket: StrictStr | None = None
    key_prefix: StrictStr | None = None
    aws_region: StrictStr | None = None


class _Filter(_Tolerant):
    event_filter: list[StrictStr] | None = None
    entity_filter: list[StrictStr] | None = None


class _Integration(_Tolerant):
    id: StrictStr
    status: StrictStr
    integration_type: StrictStr | None = None
    starts_at: _Moment | None = None
    ends_at: _Moment | None = None
    callback_parameters: _Callback | None = None
    s3_parameters: _S3 | None = None
    filter_conditions: _Filter | None = None


class _Listed(_Tolerant):
    integrations: list[_Integration]


_LIST = TypeAdapter(list[_Integration])


def read_integration(document: object) -> Integration | Unreadable:
    """Read one integration."""
    try:
        return _integration(_Integration.model_validate(document))
    except ValidationError as error:
        return _unreadable(error)


def read_integrations(document: object) -> list[Integration] | Unreadable:
    """Read all of them: an array, or an object that holds it as `integrations`.

    The contract does not say which; both are understood, nothing else is.
    """
    try:
        if isinstance(document, dict):
            found = _Listed.model_validate(document).integrations
        else:
            found = _LIST.validate_python(document)
    except ValidationError as error:
        return _unreadable(error)
    return [_integration(each) for each in found]


def _integration(read: _Integration) -> Integration:
    conditions = read.filter_conditions or _Filter()
    return Integration(
        integration_id=read.id,
        status=read.status,
        integration_type=read.integration_type,
        target=_target(read),
        event_filter=tuple(conditions.event_filter or ()),
        entity_filter=tuple(conditions.entity_filter or ()),
        starts_at=read.starts_at,
        ends_at=read.ends_at,
    )


def _target(read: _Integration) -> Target | None:
    if read.callback_parameters and read.callback_parameters.callback_url:
        return WebhookTarget(read.callback_parameters.callback_url)
    s3 = read.s3_parameters
    if s3 and s3.bucket:
        return S3Target(s3.bucket, s3.key_prefix, s3.aws_region)
    return None


def _unreadable(error: ValidationError) -> Unreadable:
    found = error.errors(include_input=False, include_context=False, include_url=False)
    return Unreadable(
        tuple(
            f"${''.join(_step(step) for step in each['loc'])}: {each['type'].replace('_', ' ')}"
            for each in found[:_MOST_PROBLEMS]
        )
    )


def _step(step: int | str) -> str:
    return f"[{step}]" if isinstance(step, int) else f".{step}"
