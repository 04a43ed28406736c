"""Are the mapping's subsidiaries, locations, currencies and customers what they have to be?"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from refund_pipeline.domain.mapping import Mapping as RefundMapping
from refund_pipeline.gateways.netsuite_master_data import Currency, Customer, MasterData
from refund_pipeline.steps.doctor_findings import Findings, error, warning
from refund_pipeline.steps.doctor_lists import AREA, Reader, all_well, unfit
from refund_pipeline.steps.doctor_uses import (
    Subsidiaries,
    Use,
    currencies_of,
    merged,
    places,
    subsidiaries_used,
)

_LOCATIONS = "Lists > Locations (View)"
_CUSTOMERS = "Lists > Customers (View)"
_HALF_A_YEAR = timedelta(days=182)


def check_subsidiaries(mapping: RefundMapping, subsidiaries: Subsidiaries) -> Findings:
    """Check the subsidiaries of all places and default customers."""
    used = subsidiaries_used(mapping)
    uses = merged(Use(place.subsidiary, f"{where}.subsidiary") for where, place in places(mapping))

    def check() -> Findings:
        for use in uses:
            found = subsidiaries.get(use.internal_id)
            fix = f"put another subsidiary into {use.where}"
            if found is None:
                yield error(
                    AREA,
                    f"{use.where}: NetSuite shows no subsidiary {use.internal_id}",
                    f"{fix}, or let the role see it",
                )
            elif not found.is_active or found.is_elimination:
                state = "an elimination subsidiary" if found.is_elimination else "inactive"
                yield error(AREA, f"{use.where}: subsidiary {use.internal_id} is {state}", fix)
        for subsidiary in mapping.default_customers:
            if subsidiary not in used:
                yield warning(
                    AREA,
                    f"default_customers.{subsidiary}: no store and no web row is booked to"
                    f" subsidiary {subsidiary}",
                    f"remove default_customers.{subsidiary}, or correct the subsidiary",
                )

    yield from all_well(check(), f"the {len(used)} subsidiaries exist and are active")


def check_locations(
    mapping: RefundMapping,
    lists: MasterData,
    reader: Reader,
    subsidiaries: Subsidiaries,
    now: datetime,
) -> Findings:
    """Check the locations of all places against their subsidiaries and zones."""
    ids = {place.location for _, place in places(mapping)}
    active = reader.read("locations", _LOCATIONS, lambda: lists.locations(ids))
    allowed = reader.read(
        "subsidiaries of locations", _LOCATIONS, lambda: lists.subsidiaries_of("location", ids)
    )
    zones = reader.read("zones of locations", _LOCATIONS, lambda: lists.location_zones(ids))
    if active is None:
        return

    def check() -> Findings:
        for where, place in places(mapping):
            fix = f"put another location into {where}.location"
            if place.location not in active:
                yield error(
                    AREA,
                    f"{where}.location: NetSuite shows no location {place.location}",
                    f"{fix}, or let the role see it",
                )
                continue
            if not active[place.location]:
                yield error(
                    AREA,
                    f"{where}.location: location {place.location} is inactive",
                    f"activate location {place.location} under Setup > Company > Locations, or"
                    f" {fix}",
                )
            use = Use(place.location, f"{where}.location", frozenset({place.subsidiary}))
            yield from unfit(
                use, what="location", allowed=allowed, subsidiaries=subsidiaries, fix=fix
            )
            theirs = (zones or {}).get(place.location)
            if theirs is not None and _differ(place.zone, theirs, now):
                yield warning(
                    AREA,
                    f"{where}.zone is {place.zone}, NetSuite has location {place.location} in"
                    f" {theirs}: refunds around midnight would be booked on another day",
                    f"correct {where}.zone, or the location's time zone in NetSuite",
                )

    yield from all_well(
        check(), f"the {len(ids)} locations exist, are active and belong to their subsidiaries"
    )


def check_currencies(mapping: RefundMapping, currencies: Mapping[str, Currency]) -> Findings:
    """Check that each currency's id is that of its ISO code."""

    def check() -> Findings:
        for code, internal_id in mapping.currencies.items():
            found = currencies.get(internal_id)
            right = next((one for one, row in currencies.items() if row.symbol == code), None)
            fix = f'set currencies.{code}: "{right}"' if right else f"add {code} in NetSuite first"
            if found is None or found.symbol != code:
                what = "no currency" if found is None else found.symbol
                yield error(
                    AREA, f"currencies.{code}: in NetSuite {internal_id} is {what}, not {code}", fix
                )
            elif not found.is_active:
                yield error(
                    AREA,
                    f"currencies.{code}: currency {internal_id} is inactive",
                    f"activate {code} under Lists > Accounting > Currencies, or remove"
                    f" currencies.{code}",
                )

    yield from all_well(
        check(), f"the {len(mapping.currencies)} currencies are those of their codes"
    )


def check_customers(
    mapping: RefundMapping,
    lists: MasterData,
    reader: Reader,
    subsidiaries: Subsidiaries,
    currencies: Mapping[str, Currency],
    record_currencies: Callable[[str], frozenset[str] | None],
) -> Findings:
    """Check that each default customer is active and has its subsidiary and its currencies.

    `record_currencies` asks for a customer's currencies where SuiteQL does not show enough. Left
    out is what is a finding already: a subsidiary that is not used, a currency id of another code.
    """
    booked_to = subsidiaries_used(mapping)
    used = {
        subsidiary: customer
        for subsidiary, customer in mapping.default_customers.items()
        if subsidiary in booked_to
    }
    ids = set(used.values())
    if not ids:
        return
    customers = reader.read("customers", _CUSTOMERS, lambda: lists.customers(ids))
    if customers is None:
        return
    right = {
        code
        for code, currency in mapping.currencies.items()
        if currency in currencies and currencies[currency].symbol == code
    }

    def check() -> Findings:
        for subsidiary, internal_id in used.items():
            where = f"default_customers.{subsidiary}"
            customer = customers.get(internal_id)
            if customer is None:
                yield error(
                    AREA,
                    f"{where}: NetSuite shows no customer {internal_id}",
                    f"put another customer into {where}, or let the role see it",
                )
                continue
            yield from _customer(where, internal_id, customer, subsidiary)
            if subsidiary not in customer.subsidiaries:
                continue
            needed = {
                code: mapping.currencies[code]
                for code in currencies_of(mapping, subsidiary, subsidiaries)
                if code in right
            }
            yield from _customer_currencies(
                where, internal_id, needed, customer.currencies, record_currencies
            )

    yield from all_well(
        check(),
        f"the {len(ids)} default customers are active and have their subsidiaries and currencies",
    )


def _customer(where: str, internal_id: str, customer: Customer, subsidiary: str) -> Findings:
    if not customer.is_active:
        yield error(
            AREA,
            f"{where}: customer {internal_id} is inactive",
            f"activate customer {internal_id} in NetSuite, or put another one into {where}",
        )
    if subsidiary not in customer.subsidiaries:
        yield error(
            AREA,
            f"{where}: customer {internal_id} does not belong to subsidiary {subsidiary}",
            f"add subsidiary {subsidiary} to customer {internal_id} in NetSuite, or put another one"
            f" into {where}",
        )


def _customer_currencies(
    where: str,
    internal_id: str,
    needed: Mapping[str, str],
    known: Collection[str],
    record_currencies: Callable[[str], frozenset[str] | None],
) -> Findings:
    missing = {code for code, currency in needed.items() if currency not in known}
    if not missing:
        return
    listed = record_currencies(internal_id)
    if listed is None:
        yield warning(
            AREA,
            f"{where}: the role may not read customer {internal_id}, so it is not known whether it"
            f" has {', '.join(sorted(missing))}",
            f"give the role the permission {_CUSTOMERS}",
        )
        return
    for code in sorted(missing):
        if needed[code] not in listed:
            yield error(
                AREA,
                f"{where}: customer {internal_id} does not have the currency {code}",
                f"add {code} to the currencies of customer {internal_id} in NetSuite, or put"
                f" another one into {where}",
            )


def _differ(ours: str, theirs: str, now: datetime) -> bool:
    """Whether two zones differ today or in half a year; what is no IANA zone says nothing."""
    try:
        zones = ZoneInfo(ours), ZoneInfo(theirs)
    except (KeyError, ValueError, OSError):
        return False
    return any(
        len({moment.astimezone(zone).utcoffset() for zone in zones}) > 1
        for moment in (now, now + _HALF_A_YEAR)
    )
