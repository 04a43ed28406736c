"""What was seen in the ledger or the bucket, and the YAML rows the mapping lacks for it.

Ids are placeholders that no mapping is valid with. What is missing is `domain/suggestions.py`.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timezone

import yaml

from refund_pipeline.domain.events import RefundEvent, parse_line
from refund_pipeline.domain.mapping import Mapping as RefundMapping
from refund_pipeline.domain.suggestions import SECTIONS, Section, Seen, Suggestion
from refund_pipeline.gateways.landing_bucket import (
    CorruptObject,
    LandedObject,
    LandingBucket,
    ObjectChanged,
    OversizedLine,
)
from refund_pipeline.gateways.ledger.ledger import Ledger

_PLACE = '{ location: "<location id>", subsidiary: "<subsidiary id>", zone: "<Area/City>" }'
_LONGEST_ABOUT = 60


def seen_in_ledger(ledger: Ledger, first: date, last: date) -> Seen:
    """Return what the refunds that landed from `first` to `last` were about."""
    seen = Seen()
    with ledger.reported_refunds(first, last) as refunds:
        for refund in refunds:
            seen.add_event(refund.amount, refund.currency, refund.reason_code, refund.reason)
            if refund.order is not None:
                seen.add_order(refund.order, refund.amount, refund.currency)
            seen.add_payments(refund.payment_lines)
    return seen


def add_from_bucket(
    seen: Seen, bucket: LandingBucket, ledger: Ledger, first: date, *, tenant: str
) -> None:
    """Add what files that landed since `first` and were not read yet are about.

    Events tell currencies and reasons: tenders and stores are known once NewStore was asked.
    """
    begin = datetime(first.year, first.month, first.day, tzinfo=timezone.utc)
    for page in bucket.since(begin):
        known = ledger.known_files([file.key for file in page])
        for file in page:
            if file.landing_day is None or (file.key, file.etag) in known:
                continue
            for event in _events(bucket, file, tenant):
                seen.add_event(event.amount, event.currency, event.reason_code, event.reason)


def _events(bucket: LandingBucket, file: LandedObject, tenant: str) -> Iterator[RefundEvent]:
    try:
        for _, line in bucket.lines(file):
            if not isinstance(line, OversizedLine):
                event = parse_line(line, tenant=tenant)
                if isinstance(event, RefundEvent):
                    yield event
    except (ObjectChanged, CorruptObject):  # the run of its day says so
        return


def as_yaml(found: Sequence[Suggestion], mapping: RefundMapping | None) -> str:
    """Write the rows as they are pasted into the mapping."""
    needs = 'item: "<payment item id>"' if mapping is None else mapping.what_a_tender_needs
    return "\n".join(line for section in SECTIONS for line in _section(section, found, needs))


def _section(section: Section, found: Sequence[Suggestion], needs: str) -> Iterator[str]:
    rows = [one for one in found if one.section == section]
    if not rows:
        return
    *parents, _ = section.split(".")
    indent = "  " * section.count(".")
    for parent in parents:
        yield f"{parent}:"
    optional = " # optional: without a row they are booked to default" if parents else ""
    yield f"{indent}{section.rpartition('.')[2]}:{optional}"
    for one in rows:
        yield f"{indent}  {_row(one, needs)} # {_why(one)}"


def _row(one: Suggestion, needs: str) -> str:
    match one.section:
        case "tenders":
            known = ", ".join(f"{name}: {_quoted(value)}" for name, value in one.values.items())
            return f"- {{ {known}, {needs} }}"
        case "stores" | "web":
            return f"{_quoted(one.key)}: {_PLACE}"
        case "currencies":
            return f'{_quoted(one.key)}: "<currency id>"'
        case _:
            return f'{_quoted(one.key, always=True)}: "<item id>"'


def _why(one: Suggestion) -> str:
    """Say where it was seen; a comment ends with its line, whatever text is in it."""
    sums = ", ".join(f"{amount} {code}" for code, amount in sorted(one.tally.amounts.items()))
    about = "".join(char for char in one.about if char.isprintable())[:_LONGEST_ABOUT].strip()
    return f"{one.tally.refunds} refund(s), {sums}" + (f"; {about}" if about else "")


def _quoted(text: str, *, always: bool = False) -> str:
    """Write text from outside as one YAML scalar that is read back as that text."""
    plain = text.replace("_", "").replace("-", "").isalnum() and text.isascii()
    if plain and not always and yaml.safe_load(text) == text:
        return text
    return yaml.safe_dump(text, default_style='"', width=10_000).strip()
