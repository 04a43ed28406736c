"""What an integration may be told, and how it is shown (contract 1.1).

Bodies are read at their strictest: nothing unknown, nothing null, no empty filter, one transport.
Inferences, none of them stated anywhere: ids of plain characters, filters that must both hold,
secrets that are never shown again, and that a PATCH changes the parameters of the transport and the
filter only. What an integration does is `stream.py`.
"""

import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from refund_pipeline.sandbox.newstore_payments import utc_text

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails
    from typing_extensions import Self

MOST_INTEGRATIONS = 25
"""Temporary and stopped ones included."""

Status: TypeAlias = Literal["running", "stopped"]

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)", re.ASCII)


class BadBody(Exception):
    """A body that is refused; `problems` name every field, never a value."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


def read_moment(value: object) -> datetime:
    """Read RFC 3339 with an offset; `datetime.fromisoformat` alone reads no Z on Python 3.10.

    Raises:
        ValueError: it is something else.
    """
    found = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("is not a date-time with an offset, such as 2026-05-02T12:00:00Z")
    to_the_second, fraction, offset = found.groups()
    micros, offset = (fraction or "").ljust(6, "0"), offset.replace("Z", "+00:00")
    try:
        return datetime.fromisoformat(f"{to_the_second}.{micros}{offset}")
    except ValueError:
        raise ValueError("is no date and time there is") from None


def _callback_url(url: str) -> str:
    """Accept https, and http on loopback."""
    try:
        parts = urlsplit(url)
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        port_fits = False
    if not port_fits or not parts.hostname or "@" in parts.netloc or parts.fragment:
        raise ValueError("is not a URL that can be called")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ValueError("must be https; http is for loopback only")
    return url


Text = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,1024}$")]
Moment = Annotated[datetime, BeforeValidator(read_moment)]
EventName = Annotated[str, StringConstraints(pattern=r"^[a-z_]+\.[a-z_.]+$")]
EntityName = Annotated[str, StringConstraints(pattern=r"^[a-z_]+$")]
_SOME = Field(min_length=1, strict=False)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_null(cls, value: Any) -> Any:
        if isinstance(value, dict) and (nulls := [name for name in value if value[name] is None]):
            raise ValueError(f"is null at {', '.join(sorted(nulls))}; leave out what is not set")
        return value


class CallbackParameters(_Part):
    """Where a webhook posts to; with an `api_key` every call carries it as a bearer token."""

    callback_url: Annotated[Text, AfterValidator(_callback_url)]
    api_key: Annotated[Text | None, Field(repr=False)] = None


class S3Parameters(_Part):
    """Where the export writes to, and as whom."""

    aws_access_key_id: Annotated[Text, Field(repr=False)]
    aws_secret_access_key: Annotated[Text, Field(repr=False)]
    aws_region: Text
    bucket: Text
    key_prefix: Annotated[Text, StringConstraints(pattern=r"^[^/](.*[^/])?$")]


class FilterConditions(_Part):
    """Which events are wanted; an event must be in each filter that is given."""

    event_filter: Annotated[tuple[EventName, ...] | None, _SOME] = None
    entity_filter: Annotated[tuple[EntityName, ...] | None, _SOME] = None

    @model_validator(mode="after")
    def _filters_something(self) -> "Self":
        if self.event_filter is None and self.entity_filter is None:
            raise ValueError("has neither event_filter nor entity_filter")
        return self

    def admits(self, event_name: str) -> bool:
        """Whether an event of this name passes; its entity is what stands before the dot."""
        entity = event_name.partition(".")[0]
        return (self.event_filter is None or event_name in self.event_filter) and (
            self.entity_filter is None or entity in self.entity_filter
        )


class Integration(_Part):
    """One integration as it was registered; times are aware."""

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
    integration_type: Literal["permanent", "temporary"]
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    callback_parameters: CallbackParameters | None = None
    s3_parameters: S3Parameters | None = None
    filter_conditions: FilterConditions | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> "Self":
        if (self.callback_parameters is None) == (self.s3_parameters is None):
            raise ValueError("needs callback_parameters or s3_parameters, and not both")
        temporary = self.integration_type == "temporary"
        if temporary and (self.starts_at is None or self.ends_at is None):
            raise ValueError("a temporary integration needs starts_at and ends_at")
        if not temporary and self.ends_at is not None:
            raise ValueError("ends_at makes an integration temporary: say so in integration_type")
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValueError("ends_at is not after starts_at")
        return self

    @property
    def is_temporary(self) -> bool:
        """Whether it replays a window and stops by itself."""
        return self.integration_type == "temporary"

    def admits(self, event_name: str, created_at: datetime) -> bool:
        """Whether an event of this name and time is wanted; the window has its start, not its end.

        An integration that names no start wants every event it sees.
        """
        if self.starts_at is not None and created_at < self.starts_at:
            return False
        if self.ends_at is not None and created_at >= self.ends_at:
            return False
        return self.filter_conditions is None or self.filter_conditions.admits(event_name)

    def view(self, status: Status) -> dict[str, Any]:
        """Return what the API shows: every field that is set, but no key and no secret."""
        shown: dict[str, Any] = {
            "id": self.id,
            "status": status,
            "integration_type": self.integration_type,
        }
        for name, moment in (("starts_at", self.starts_at), ("ends_at", self.ends_at)):
            if moment is not None:
                shown[name] = utc_text(moment)
        if self.callback_parameters is not None:
            shown["callback_parameters"] = {"callback_url": self.callback_parameters.callback_url}
        if self.s3_parameters is not None:
            public = {"aws_region", "bucket", "key_prefix"}
            shown["s3_parameters"] = self.s3_parameters.model_dump(include=public)
        if self.filter_conditions is not None:
            shown["filter_conditions"] = self.filter_conditions.model_dump(
                mode="json", exclude_none=True
            )
        return shown


class _Change(_Part):
    callback_parameters: CallbackParameters | None = None
    s3_parameters: S3Parameters | None = None
    filter_conditions: FilterConditions | None = None


def read_integration(body: bytes) -> Integration:
    """Read the body of a registration.

    Raises:
        BadBody: it is refused.
    """
    try:
        return Integration.model_validate_json(body)
    except ValidationError as error:
        raise BadBody(_problems(error)) from None


def read_change(body: bytes, integration: Integration) -> Integration:
    """Return the integration as the body of a PATCH changes it; parts are replaced as a whole.

    Raises:
        BadBody: it is refused.
    """
    try:
        change = _Change.model_validate_json(body)
    except ValidationError as error:
        raise BadBody(_problems(error)) from None
    changed = {name: getattr(change, name) for name in change.model_fields_set}
    if not changed:
        raise BadBody(["the body changes nothing"])
    transports = {"callback_parameters", "s3_parameters"}
    for name in transports & changed.keys():
        if getattr(integration, name) is None:
            raise BadBody([f"{name}: the transport of an integration cannot be changed"])
    return integration.model_copy(update=changed)


def _problems(error: ValidationError) -> list[str]:
    return [_problem(detail) for detail in error.errors(include_url=False, include_input=False)]


def _problem(detail: "ErrorDetails") -> str:
    where = ".".join(str(step) for step in detail["loc"])
    match detail["type"]:
        case "missing":
            what = "is missing"
        case "extra_forbidden":
            what = "is not a known field"
        case "value_error":
            what = str(detail.get("ctx", {}).get("error", detail["msg"]))
        case _:
            what = detail["msg"][:1].lower() + detail["msg"][1:]
    return f"{where}: {what}" if where else what
