"""Which properties a cash refund has in REST, of which JSON type, and which the sandbox models.

The list follows contract 2.4. A known property that is not modelled is refused, never ignored.
"""

from collections.abc import Collection
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
    """One property; `title` is NetSuite's label, `longest` the most characters of a text."""

    name: str
    kind: Kind
    title: str
    longest: int = 999
    choices: tuple[str, ...] = ()
    read_only: bool = False
    modelled: bool = True


Properties = MappingProxyType[str, Property]


@dataclass(frozen=True, slots=True)
class RefundProperties:
    """The schema of one account: standard properties and its custom fields."""

    body: Properties
    line: Properties
    body_custom: frozenset[str]
    line_custom: frozenset[str]


CUSTOM_TEXT_LENGTH = 300
EXTERNAL_ID_LENGTH = (
    40  # NetSuite's limit is not known; 40 is what public code keeps to (contract 3.1)
)


def refund_properties(
    body_custom_fields: Collection[str], line_custom_fields: Collection[str]
) -> RefundProperties:
    """Return the schema of an account with these custom fields, all of them free-form text."""
    body = [
        Property("externalId", Kind.TEXT, "External ID", longest=EXTERNAL_ID_LENGTH),
        Property("entity", Kind.REFERENCE, "Customer"),
        Property("createdFrom", Kind.REFERENCE, "Created From"),
        Property("tranDate", Kind.DATE, "Date"),
        Property("tranId", Kind.TEXT, "Refund #", longest=45),
        Property("postingPeriod", Kind.REFERENCE, "Posting Period"),
        Property("subsidiary", Kind.REFERENCE, "Subsidiary"),
        Property("location", Kind.REFERENCE, "Location"),
        Property("currency", Kind.REFERENCE, "Currency"),
        Property("customForm", Kind.REFERENCE, "Custom Form"),
        Property("paymentOption", Kind.REFERENCE, "Payment Option"),
        Property("memo", Kind.TEXT, "Memo"),
        Property("otherRefNum", Kind.TEXT, "PO/Check Number", longest=45),
        Property("toBePrinted", Kind.FLAG, "To Be Printed"),
        Property("toBeEmailed", Kind.FLAG, "To Be E-mailed"),
        Property("refundCheck", Kind.FLAG, "Refund Check"),
        _choice("handlingMode", "Handling Mode", "MIMIC", "PROCESS", "SAVE_ONLY"),
        _choice("paymentOperation", "Payment Operation", "CREDIT", "REFUND"),
        Property("item", Kind.SUBLIST, "Items"),
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
    ]
    body += [_unmodelled(name) for name in _BODY_UNMODELLED]
    body += [_read_only(name) for name in _BODY_READ_ONLY]
    body += [_custom(name) for name in body_custom_fields]
    line += [_unmodelled(name) for name in _LINE_UNMODELLED]
    line += [_read_only(name) for name in _LINE_READ_ONLY]
    line += [_custom(name) for name in line_custom_fields]
    return RefundProperties(
        body=MappingProxyType({entry.name: entry for entry in body}),
        line=MappingProxyType({entry.name: entry for entry in line}),
        body_custom=frozenset(body_custom_fields),
        line_custom=frozenset(line_custom_fields),
    )


# A legacy-tax account refuses taxes through REST (6.4); the rest has no place in an appeasement.
_BODY_UNMODELLED = (
    *("account", "class", "department", "exchangeRate", "checkNumber", "partner", "salesRep"),
    *("excludeCommission", "discountItem", "discountRate", "shippingCost", "transactionToRefund"),
    *("paymentProcessingProfile", "outputReferenceCode", "payPalTranId", "taxDetailsOverride"),
    *("taxDetails", "accountingBookDetail", "appliedRules", "partners", "promotions", "salesTeam"),
)
_BODY_READ_ONLY = (
    *("id", "links", "refName", "subtotal", "taxTotal", "total", "type", "source"),
    *("createdDate", "lastModifiedDate", "transactionNumber"),
)
_LINE_UNMODELLED = (
    *("class", "department", "taxCode", "isTaxable", "tax1Amt", "grossAmt", "taxDetailsReference"),
    *("orderDoc", "orderLine", "inventoryDetail", "giftCertFrom", "giftCertMessage"),
    *("giftCertNumber", "giftCertRecipientEmail", "giftCertRecipientName"),
)
_LINE_READ_ONLY = ("itemType", "lineUniqueKey", "links", "refName")


def _choice(name: str, title: str, *choices: str) -> Property:
    return Property(name, Kind.CHOICE, title, choices=choices)


def _unmodelled(name: str) -> Property:
    return Property(name, Kind.TEXT, name, modelled=False)


def _read_only(name: str) -> Property:
    return Property(name, Kind.TEXT, name, read_only=True)


def _custom(name: str) -> Property:
    return Property(name, Kind.TEXT, name, longest=CUSTOM_TEXT_LENGTH)
