"""Has a cash refund, in this account, every property we send, and may its custom fields be read?

What we send is taken from the body of a sample refund, so that no second list can grow old.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.domain.mapping import Mapping as RefundMapping
from refund_pipeline.domain.transactions import RefundTransaction, TransactionLine
from refund_pipeline.gateways.netsuite_metadata import Properties
from refund_pipeline.gateways.netsuite_records import body
from refund_pipeline.gateways.netsuite_setup import NetSuiteSetup
from refund_pipeline.gateways.netsuite_suiteql import QueryRefused
from refund_pipeline.steps.doctor_findings import Finding, Findings, error, warning

AREA = "NetSuite fields"
_RECORD = "cashRefund"
_LINES = "item"
_METADATA_FIX = (
    "give the role Setup > REST Web Services (Full) and Transactions > Cash Refund (Full)"
)


def check_fields(netsuite: NetSuiteSetup, mapping: RefundMapping, *, suiteql: bool) -> Findings:
    """Compare what we send with the record's metadata; `suiteql` says whether it can be asked."""
    sent, sent_lines = _sent(mapping)
    known = netsuite.properties(_RECORD)
    if not known:
        yield error(AREA, "NetSuite does not show the metadata of a cash refund", _METADATA_FIX)
    else:
        problems = list(_missing(sent, known, mapping, where="a cash refund"))
        lines = netsuite.line_properties(_RECORD, _LINES)
        if lines:
            problems += _missing(sent_lines, lines, mapping, where="an item line of a cash refund")
        else:
            problems.append(
                warning(
                    AREA,
                    "NetSuite's metadata do not show the fields of item lines: not checked",
                    "post one refund and compare it (refund-pipeline reconcile)",
                )
            )
        yield from problems or [
            Finding(AREA, f"a cash refund has all {len(sent) + len(sent_lines)} properties we send")
        ]
    if suiteql:
        yield from _readable(netsuite, mapping)


def check_form(netsuite: NetSuiteSetup, mapping: RefundMapping) -> Findings:
    """Look for a cash refund made by the form: NetSuite lists no forms."""
    form = mapping.custom_form
    try:
        example = netsuite.master_data.refund_by_form(form)
    except (Misconfigured, Unavailable):
        example = None
    if example is None:
        yield warning(
            AREA,
            f"custom_form: whether {form} is a form of cash refunds cannot be read, and no cash"
            " refund has been made by it yet",
            f"compare {form} with Customization > Forms > Transaction Forms (internal ids shown):"
            " its type must be Cash Refund",
        )
    else:
        yield Finding(AREA, f"custom_form: cash refund {example} was made by form {form}")


def _missing(
    sent: Mapping[str, object], known: Properties, mapping: RefundMapping, *, where: str
) -> Findings:
    for name, value in sent.items():
        key = _mapping_key(name, mapping)
        found = known.get(name)
        if found is None:
            yield error(AREA, f"{key}: {where} has no property {name}", _fix(name, key))
        elif found.is_read_only:
            yield error(AREA, f"{key}: {name} of {where} can only be read", _fix(name, key))
        elif isinstance(value, str) and found.kind not in {"", "string"}:
            yield error(
                AREA,
                f"{key}: {name} of {where} holds no text ({found.kind})",
                f"choose a field of type Free-Form Text for {key}",
            )


def _mapping_key(name: str, mapping: RefundMapping) -> str:
    """Return where the mapping asks for a property, else the property."""
    fields = mapping.custom_fields
    rows = {
        fields.order_number: "custom_fields.order_number",
        fields.refund_id: "custom_fields.refund_id",
        fields.gift_card_last4: "custom_fields.gift_card_last4",
        "createdFrom": "policies.created_from",
        "paymentOption": "posting_model",
    }
    return rows.get(name, name)


def _fix(name: str, key: str) -> str:
    if name.startswith(("custbody", "custcol")):
        kind = "Transaction Body" if name.startswith("custbody") else "Transaction Line"
        return (
            f"create {name} under Customization > Lists, Records & Fields > {kind} Fields and apply"
            f" it to sales (cash refunds), or correct {key} in the mapping"
        )
    if name == "createdFrom":
        return (
            "set policies.created_from: leave_out, or let the role and the form have Created From"
        )
    return f"let the form of custom_form and the role have the field {name}"


def _readable(netsuite: NetSuiteSetup, mapping: RefundMapping) -> Findings:
    """Probe custom fields: one of the record can be refused by SuiteQL (contract suiteql 1.1)."""
    origins = [field for field in mapping.origins if field.startswith("custbody")]
    fields = mapping.custom_fields
    ours = [name for name in (fields.order_number, fields.refund_id) if name is not None]
    for name in dict.fromkeys((*origins, *ours)):
        if _is_readable(netsuite, name):
            yield Finding(AREA, f"{name} can be read by SuiteQL")
        elif name in origins:
            yield error(
                AREA,
                f"origins: {name} cannot be read by SuiteQL, so no sale is found by it",
                f"create {name} and apply it to sales, or correct origins in the mapping",
            )
        else:
            yield warning(
                AREA,
                f"{name} cannot be read by SuiteQL, so posted refunds are compared without it",
                f"on the Access tab of {name}, give the role a level for Search/Reporting too",
            )


def _is_readable(netsuite: NetSuiteSetup, name: str) -> bool:
    try:
        netsuite.master_data.probe("transaction", name)
    except (QueryRefused, Unavailable):  # a hidden column can be a 5xx (contract suiteql 5.1)
        return False
    return True


def _sent(mapping: RefundMapping) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """Return every property of a refund's body, and of its lines, that this mapping can cause.

    The class is left out: it is sent only where the sale has one, and so the account has classes.
    """
    first = mapping.tenders[0]
    names = mapping.custom_fields
    custom = [name for name in (names.order_number, names.refund_id) if name is not None]
    in_header = mapping.posting_model == "header"
    lines = [TransactionLine(mapping.appeasement_items.default, Decimal(1), "appeasement")]
    if not in_header:
        lines.append(
            TransactionLine(first.item or "", Decimal(-1), "tender", gift_card_last4="0000")
        )
    sample = RefundTransaction(
        refund_id="",
        external_id="",
        business_date=date(2000, 1, 1),
        amount=Decimal(1),
        currency="",
        currency_id="",
        order_number="",
        memo="",
        entity="",
        subsidiary="",
        location="",
        created_from="" if mapping.policies.created_from == "link" else None,
        custom_form=mapping.custom_form,
        custom_fields=tuple((name, "") for name in custom),
        gift_card_field=names.gift_card_last4,
        lines=tuple(lines),
        payment_option="" if in_header else None,
        account="" if any(row.account for row in mapping.tenders) else None,
    )
    document = dict(body(sample))
    document["item"] = {}
    return document, _line_properties(body(sample)["item"])


def _line_properties(sublist: object) -> Mapping[str, object]:
    rows = sublist.get("items") if isinstance(sublist, dict) else None
    found: dict[str, object] = {}
    for row in rows if isinstance(rows, Sequence) else ():
        found |= row
    return found
