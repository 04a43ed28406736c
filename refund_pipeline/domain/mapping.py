"""What finance decides, as typed data: tenders, items, stores, policies.

Reading the YAML is `gateways/mapping_file.py`.

A look-up that finds nothing returns the exact row to add, so that a held refund names its own cure.
"""

from collections.abc import Mapping as MappingType
from decimal import Decimal
from typing import Annotated, Literal, cast
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from refund_pipeline.domain.errors import InvalidAmount
from refund_pipeline.domain.money import exact_amount, minor_digits

InternalId = Annotated[str, StringConstraints(pattern=r"^\d{1,18}$")]
"""A NetSuite internal id."""
_LONGEST_HEADER_PREFIX = 5
Text = Annotated[str, StringConstraints(min_length=1, max_length=60, strip_whitespace=True)]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _known_currency(code: str) -> str:
    try:
        minor_digits(code)
    except InvalidAmount as error:
        raise ValueError(f"{code}: {error}") from None
    return code


def _exact_amounts(rows: object) -> object:
    """Read amounts in quotes: YAML would make floats of the others."""
    if not isinstance(rows, dict):
        return rows
    amounts: dict[object, object] = {}
    for code, value in cast("dict[object, object]", rows).items():
        if not isinstance(value, str):
            raise ValueError(f'{code}: write the amount in quotes, like "500.00"')  # noqa: TRY004
        try:
            amounts[code] = exact_amount(value, str(code))
        except InvalidAmount as error:
            raise ValueError(f"{code}: {error}") from None
    return amounts


Amounts = Annotated[MappingType[str, Decimal], BeforeValidator(_exact_amounts)]


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
    """How one tender is booked; `provider` and `currency` narrow the row."""

    method: Text
    provider: Text | None = None
    currency: Text | None = None
    item: InternalId | None = None
    """The payment item (posting model `payment_lines`)."""
    payment_option: InternalId | None = None
    """The payment method (posting model `header`), and the account where it decides none."""
    account: InternalId | None = None

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
    closed_period: Literal["fail", "current_date"] = "fail"
    """What to do when the ERP's books are closed for a refund's date."""
    created_from: Literal["link", "leave_out"] = "link"
    """Whether a cash-and-carry refund is made from its cash sale (contract netsuite 9, no. 1)."""


class Gates(_Row):
    """Limits beyond which a person has to look; amounts by ISO 4217 code."""

    stop_posting: bool = False
    """The kill switch: everything that is not posted is held."""
    max_amount: Amounts = Field(default_factory=dict)
    """The largest refund that is posted by itself."""
    daily_count: Annotated[int, Field(ge=0)] | None = None
    """Refunds of one landing day that are posted by themselves."""
    daily_sum: Amounts = Field(default_factory=dict)


OriginField = Annotated[str, StringConstraints(pattern=r"^(externalid|otherrefnum|custbody_\w+)$")]


class Mapping(_Row):
    """The whole mapping file. Look-ups return an id, or None."""

    version: Literal[1]
    external_id_prefix: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,7}$")]
    posting_model: Literal["payment_lines", "header"]
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
    gates: Gates = Gates()

    @model_validator(mode="after")
    def _tenders_fit_the_posting_model(self) -> "Mapping":
        in_header = self.posting_model == "header"
        if in_header and len(self.external_id_prefix) > _LONGEST_HEADER_PREFIX:
            raise ValueError(
                f"external_id_prefix: at most {_LONGEST_HEADER_PREFIX} characters with "
                "posting_model: header, which appends a number per tender"
            )
        for number, row in enumerate(self.tenders):
            if in_header and (row.payment_option is None or row.item is not None):
                raise ValueError(
                    f"tenders[{number}]: posting_model: header needs payment_option, and no item"
                )
            if not in_header and (row.item is None or row.payment_option or row.account):
                raise ValueError(
                    f"tenders[{number}]: posting_model: payment_lines needs item, and neither "
                    "payment_option nor account"
                )
        return self

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

    @property
    def what_a_tender_needs(self) -> str:
        """What a row of `tenders` has to say besides the tender."""
        in_header = self.posting_model == "header"
        return 'payment_option: "<id>"' if in_header else 'item: "<payment item id>"'

    def tender(self, method: str, provider: str, currency: str) -> TenderRow | None:
        """Return the narrowest row of a tender, provider before currency."""
        rows = {row.key: row for row in self.tenders}
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
        """The fields of the transaction's body to read back besides what every record has."""
        option = "paymentoption" if self.posting_model == "header" else None
        names = (self.custom_fields.order_number, self.custom_fields.refund_id, option)
        return tuple(name for name in names if name is not None)

    def appeasement_item(self, reason_code: str | None) -> str:
        """Return the goodwill item of a reason code, else the default."""
        items = self.appeasement_items
        return items.by_reason_code.get(reason_code or "", items.default)


def missing_row(path: str, row: str) -> str:
    """Say which mapping row would cure a held refund."""
    return f"add to the mapping, under {path}: {row}"
