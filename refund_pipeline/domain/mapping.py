"""What finance decides, as typed data: tenders, items, stores, policies.

Reading the YAML is `gateways/mapping_file.py`.

A look-up that finds nothing returns the exact row to add, so that a held refund names its own cure.
"""

from collections.abc import Mapping as MappingType
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from refund_pipeline.domain.errors import InvalidAmount
from refund_pipeline.domain.money import minor_digits

InternalId = Annotated[str, StringConstraints(pattern=r"^\d{1,18}$")]
"""A NetSuite internal id."""
Text = Annotated[str, StringConstraints(min_length=1, max_length=60, strip_whitespace=True)]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _known_currency(code: str) -> str:
    try:
        minor_digits(code)
    except InvalidAmount as error:
        raise ValueError(f"{code}: {error}") from None
    return code


class Place(_Row):
    """Where refunds of a store, or of web orders, are booked; the zone decides the date."""

    location: InternalId
    subsidiary: InternalId
    zone: Text
    fiscal: bool = False
    """The store stands where fiscal rules do not allow in-store appeasements."""

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"{zone} is not an IANA time zone") from None
        return zone


class TenderRow(_Row):
    """One payment item; `provider` and `currency` narrow the row."""

    method: Text
    provider: Text | None = None
    currency: Text | None = None
    item: InternalId

    @field_validator("currency")
    @classmethod
    def _currency_exists(cls, currency: str | None) -> str | None:
        return currency if currency is None else _known_currency(currency)

    @property
    def key(self) -> tuple[str, str | None, str | None]:
        """What the row decides about; unique in the mapping."""
        provider = self.provider.lower() if self.provider else None
        return self.method.lower(), provider, self.currency


class AppeasementItems(_Row):
    """The "Other Charge" item the goodwill is booked to."""

    default: InternalId
    by_reason_code: MappingType[Text, InternalId] = Field(default_factory=dict)


class CustomFields(_Row):
    """Script ids of custom fields to fill; None where the account has none."""

    order_number: Annotated[str, StringConstraints(pattern=r"^custbody_\w+$")] | None = None
    refund_id: Annotated[str, StringConstraints(pattern=r"^custbody_\w+$")] | None = None
    gift_card_last4: Annotated[str, StringConstraints(pattern=r"^custcol_\w+$")] | None = None


class OriginMissing(_Row):
    """What to do while the cash sale of a store order is not in the ERP."""

    action: Literal["wait", "standalone"]
    after_days: Annotated[int, Field(ge=0, le=365)] | None = None

    @model_validator(mode="after")
    def _days_belong_to_standalone(self) -> "OriginMissing":
        if (self.action == "standalone") != (self.after_days is not None):
            raise ValueError("after_days belongs to action: standalone, and only there")
        return self


class Policies(_Row):
    """How to treat what is not plain."""

    origin_missing: OriginMissing
    historical: Literal["skip", "post"]
    returns: Literal["refund_resource", "event"] = "refund_resource"
    """How to know that a refund belongs to a return: ask NewStore, or trust the event."""
    foreign_issue: Literal["match", "hold"] = "match"
    """An issue under another correlation id that fits exactly: take it, or let a person decide."""
    foreign_issue_seconds: Annotated[int, Field(ge=1, le=60)] = 5
    exchange: Literal["match", "hold"] = "match"
    fiscal_in_store: Literal["hold", "post"] = "hold"


OriginField = Annotated[str, StringConstraints(pattern=r"^(externalid|otherrefnum|custbody_\w+)$")]


class Mapping(_Row):
    """The whole mapping file. Look-ups return an id, or None."""

    version: Literal[1]
    external_id_prefix: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,7}$")]
    posting_model: Literal["payment_lines"]
    custom_form: InternalId
    currencies: MappingType[str, InternalId]
    appeasement_items: AppeasementItems
    tenders: Annotated[tuple[TenderRow, ...], Field(min_length=1, strict=False)]
    stores: MappingType[str, Place]
    web: MappingType[str, Place]
    default_customers: MappingType[InternalId, InternalId] = Field(default_factory=dict)
    custom_fields: CustomFields = CustomFields()
    origins: Annotated[tuple[OriginField, ...], Field(min_length=1, strict=False)] = ("externalid",)
    policies: Policies

    @field_validator("currencies", "web")
    @classmethod
    def _currencies_exist(cls, rows: MappingType[str, object]) -> MappingType[str, object]:
        for code in rows:
            _known_currency(code)
        return rows

    @field_validator("tenders")
    @classmethod
    def _one_row_per_tender(cls, rows: tuple[TenderRow, ...]) -> tuple[TenderRow, ...]:
        seen: set[tuple[str, str | None, str | None]] = set()
        for row in rows:
            if row.key in seen:
                raise ValueError(f"two rows for the same tender: {row.key}")
            seen.add(row.key)
        return rows

    def tender_item(self, method: str, provider: str, currency: str) -> str | None:
        """Return the payment item of a tender by the narrowest row, provider before currency."""
        rows = {row.key: row.item for row in self.tenders}
        name, by = method.lower(), provider.lower()
        for key in (
            (name, by, currency),
            (name, by, None),
            (name, None, currency),
            (name, None, None),
        ):
            if key in rows:
                return rows[key]
        return None

    @property
    def custom_body_fields(self) -> tuple[str, ...]:
        """The custom fields of the transaction's body that are filled."""
        names = (self.custom_fields.order_number, self.custom_fields.refund_id)
        return tuple(name for name in names if name is not None)

    def appeasement_item(self, reason_code: str | None) -> str:
        """Return the goodwill item of a reason code, else the default."""
        items = self.appeasement_items
        return items.by_reason_code.get(reason_code or "", items.default)


def missing_row(path: str, row: str) -> str:
    """Say which mapping row would cure a held refund."""
    return f"add to the mapping, under {path}: {row}"
