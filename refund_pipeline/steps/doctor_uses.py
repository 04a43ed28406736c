"""Where a mapping uses which id, and for which subsidiaries; pure look-ups, nothing is judged.

Places in the file are written as in the errors of `gateways/mapping_file.py`: `tenders[3].item`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from refund_pipeline.domain.mapping import Mapping as RefundMapping
from refund_pipeline.domain.mapping import Place, TenderRow
from refund_pipeline.gateways.netsuite_master_data import Subsidiary

Subsidiaries: TypeAlias = Mapping[str, Subsidiary]


@dataclass(frozen=True, slots=True)
class Use:
    """One id, where the mapping has it, and the subsidiaries it is used in."""

    internal_id: str
    where: str
    subsidiaries: frozenset[str] = frozenset()


def places(mapping: RefundMapping) -> Iterator[tuple[str, Place]]:
    """Yield every place with where the mapping has it."""
    for name, rows in (("stores", mapping.stores), ("web", mapping.web)):
        for key, place in rows.items():
            yield f"{name}.{key}", place


def subsidiaries_used(mapping: RefundMapping) -> frozenset[str]:
    """Return the subsidiaries refunds are booked to."""
    return frozenset(place.subsidiary for _, place in places(mapping))


def appeasement_items(mapping: RefundMapping) -> list[Use]:
    """Return the uses of appeasement items: a reason can occur in every subsidiary."""
    everywhere = subsidiaries_used(mapping)
    rows = mapping.appeasement_items
    named = {"appeasement_items.default": rows.default} | {
        f"appeasement_items.by_reason_code.{code}": item
        for code, item in rows.by_reason_code.items()
    }
    return merged(Use(item, where, everywhere) for where, item in named.items())


def tender_uses(mapping: RefundMapping, field: str, subsidiaries: Subsidiaries) -> list[Use]:
    """Return the uses of `item`, `payment_option` or `account` in the rows of tenders."""
    return merged(
        Use(internal_id, f"tenders[{number}].{field}", _in_reach(mapping, row, subsidiaries))
        for number, row in enumerate(mapping.tenders)
        if (internal_id := getattr(row, field)) is not None
    )


def currencies_of(mapping: RefundMapping, subsidiary: str, known: Subsidiaries) -> frozenset[str]:
    """Return the codes of the currencies a subsidiary's refunds are surely in.

    Its base currency, and those of the orders of no store that are booked to it.
    """
    base = known[subsidiary].currency if subsidiary in known else None
    return frozenset(
        code
        for code, internal_id in mapping.currencies.items()
        if internal_id == base
        or (code in mapping.web and mapping.web[code].subsidiary == subsidiary)
    )


def merged(uses: Iterable[Use]) -> list[Use]:
    """Make one use of all uses of an id."""
    found: dict[str, Use] = {}
    for use in uses:
        one = found.get(use.internal_id)
        found[use.internal_id] = (
            use
            if one is None
            else Use(
                use.internal_id,
                f"{one.where}, {use.where}",
                one.subsidiaries | use.subsidiaries,
            )
        )
    return list(found.values())


def _in_reach(mapping: RefundMapping, row: TenderRow, subsidiaries: Subsidiaries) -> frozenset[str]:
    used = subsidiaries_used(mapping)
    if row.currency is None:
        return used
    return frozenset(
        one for one in used if row.currency in currencies_of(mapping, one, subsidiaries)
    )
