"""Which properties a cash refund has in REST, of which JSON type, and which the sandbox models.

The list follows contract 2.4. A known property that is not modelled is refused, never ignored.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


class Kind(Enum):
    """The JSON type of a property."""

    TEXT = "text"
    REFERENCE = "reference"
    CHOICE = "choice"
    DATE = "date"
    FLAG = "flag"
    NUMBER = "number"
    INTEGER = "integer"
    SUBLIST = "sublist"


@dataclass(frozen=True, slots=True)
class Property:
    """One property; `title` is NetSuite's label, `longest` the most characters of a text.

    `legacy_tax` marks what REST does not support, `suitetax` what only a SuiteTax account has.
    """

    name: str
    kind: Kind
    title: str
    longest: int = 999
    choices: tuple[str, ...] = ()
    read_only: bool = False
    modelled: bool = True
    legacy_tax: bool = False
    suitetax: bool = False


Properties = Mapping[str, Property]
CustomFields = Collection[str] | Mapping[str, Kind]
"""Names of custom fields, all of them free-form text, or a kind for each."""


@dataclass(frozen=True, slots=True)
class RefundProperties:
    """The schema of one account: standard properties and its custom fields."""

    body: Properties
    line: Properties
    tax_detail: Properties
    body_custom: Mapping[str, Kind]
    line_custom: Mapping[str, Kind]


CUSTOM_TEXT_LENGTH = 300
EXTERNAL_ID_LENGTH = (
    40  # NetSuite's limit is not known; 40 is what public code keeps to (contract 3.1)
)


def refund_properties(
    body_custom_fields: CustomFields,
    line_custom_fields: CustomFields,
    *,
    hidden: Collection[str] = (),
) -> RefundProperties:
    """Return the schema of an account with these custom fields and without the `hidden` ones."""
    body_custom = _kinds(body_custom_fields)
    line_custom = _kinds(line_custom_fields)
    body = [
        Property("externalId", Kind.TEXT, "External ID", longest=EXTERNAL_ID_LENGTH),
        Property("entity", Kind.REFERENCE, "Customer"),
        Property("createdFrom", Kind.REFERENCE, "Created From"),
        Property("tranDate", Kind.DATE, "Date"),
        Property("tranId", Kind.TEXT, "Refund #", longest=45),
        Property("postingPeriod", Kind.REFERENCE, "Posting Period"),
        Property("subsidiary", Kind.REFERENCE, "Subsidiary"),
        Property("location", Kind.REFERENCE, "Location"),
        Property("department", Kind.REFERENCE, "Department"),
        Property("class", Kind.REFERENCE, "Class"),
        Property("currency", Kind.REFERENCE, "Currency"),
        Property("account", Kind.REFERENCE, "Account"),
        Property("customForm", Kind.REFERENCE, "Custom Form"),
        Property("paymentOption", Kind.REFERENCE, "Payment Option"),
        Property("memo", Kind.TEXT, "Memo"),
        Property("otherRefNum", Kind.TEXT, "PO/Check Number", longest=45),
        Property("toBePrinted", Kind.FLAG, "To Be Printed"),
        Property("toBeEmailed", Kind.FLAG, "To Be E-mailed"),
        Property("refundCheck", Kind.FLAG, "Refund Check"),
        _choice("handlingMode", "Handling Mode", "MIMIC", "PROCESS", "SAVE_ONLY"),
        _choice("paymentOperation", "Payment Operation", "CREDIT", "REFUND"),
        Property("taxDetailsOverride", Kind.FLAG, "Tax Details Override", suitetax=True),
        Property("taxDetails", Kind.SUBLIST, "Tax Details", suitetax=True),
        Property("item", Kind.SUBLIST, "Items"),
        *(_unmodelled(name) for name in _BODY_UNMODELLED),
        *(_read_only(name) for name in _BODY_READ_ONLY),
        *(_custom(name, kind) for name, kind in body_custom.items()),
    ]
    line = [
        Property("line", Kind.INTEGER, "Line"),
        Property("item", Kind.REFERENCE, "Item"),
        Property("quantity", Kind.NUMBER, "Quantity"),
        Property("rate", Kind.NUMBER, "Rate"),
        Property("amount", Kind.NUMBER, "Amount"),
        Property("price", Kind.REFERENCE, "Price Level"),
        Property("description", Kind.TEXT, "Description"),
        Property("location", Kind.REFERENCE, "Location"),
        Property("department", Kind.REFERENCE, "Department"),
        Property("class", Kind.REFERENCE, "Class"),
        Property("taxDetailsReference", Kind.TEXT, "Tax Details Reference", suitetax=True),
        *(Property(name, Kind.TEXT, name, legacy_tax=True) for name in _LINE_LEGACY_TAX),
        *(_unmodelled(name) for name in _LINE_UNMODELLED),
        *(_read_only(name) for name in _LINE_READ_ONLY),
        *(_custom(name, kind) for name, kind in line_custom.items()),
    ]
    return RefundProperties(
        body=_by_name(entry for entry in body if entry.name not in hidden),
        line=_by_name(entry for entry in line if entry.name not in hidden),
        tax_detail=_TAX_DETAIL,
        body_custom=MappingProxyType(body_custom),
        line_custom=MappingProxyType(line_custom),
    )


# What has no place in an appeasement.
_BODY_UNMODELLED = (
    *("exchangeRate", "checkNumber", "partner", "salesRep", "excludeCommission", "discountItem"),
    *("discountRate", "shippingCost", "transactionToRefund", "paymentProcessingProfile"),
    *("outputReferenceCode", "payPalTranId", "accountingBookDetail", "appliedRules", "partners"),
    *("promotions", "salesTeam"),
)
_BODY_READ_ONLY = (
    *("id", "links", "refName", "subtotal", "taxTotal", "total", "type", "source"),
    *("createdDate", "lastModifiedDate", "transactionNumber"),
)
_LINE_LEGACY_TAX = ("taxCode", "isTaxable", "tax1Amt", "grossAmt")
_LINE_UNMODELLED = (
    *("orderDoc", "orderLine", "inventoryDetail", "giftCertFrom", "giftCertMessage"),
    *("giftCertNumber", "giftCertRecipientEmail", "giftCertRecipientName"),
)
_LINE_READ_ONLY = ("itemType", "lineUniqueKey", "links", "refName")


def _by_name(entries: Iterable[Property]) -> Properties:
    return MappingProxyType({entry.name: entry for entry in entries})


_TAX_DETAIL = _by_name(
    (
        Property("taxDetailsReference", Kind.TEXT, "Tax Details Reference"),
        Property("taxType", Kind.REFERENCE, "Tax Type"),
        Property("taxCode", Kind.REFERENCE, "Tax Code"),
        Property("taxBasis", Kind.NUMBER, "Tax Basis"),
        Property("taxRate", Kind.NUMBER, "Tax Rate"),
        Property("taxAmount", Kind.NUMBER, "Tax Amount"),
    )
)


def _kinds(fields: CustomFields) -> dict[str, Kind]:
    return dict(fields) if isinstance(fields, Mapping) else dict.fromkeys(fields, Kind.TEXT)


def _choice(name: str, title: str, *choices: str) -> Property:
    return Property(name, Kind.CHOICE, title, choices=choices)


def _unmodelled(name: str) -> Property:
    return Property(name, Kind.TEXT, name, modelled=False)


def _read_only(name: str) -> Property:
    return Property(name, Kind.TEXT, name, read_only=True)


def _custom(name: str, kind: Kind) -> Property:
    return Property(name, kind, name, longest=CUSTOM_TEXT_LENGTH)
