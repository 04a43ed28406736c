"""Does NetSuite let us in, let the role do what it has to, and have what the mapping names?

The login is tried once. The lists' entries are checked in `doctor_items.py` and `doctor_places.py`,
the fields of a cash refund in `doctor_fields.py`.
"""

from collections.abc import Sequence
from datetime import date, datetime, timezone

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.domain.mapping import Mapping
from refund_pipeline.domain.transactions import business_date
from refund_pipeline.gateways.netsuite_setup import NetSuiteSetup
from refund_pipeline.gateways.netsuite_suiteql import QueryRefused
from refund_pipeline.steps.doctor_fields import check_fields, check_form
from refund_pipeline.steps.doctor_findings import (
    Finding,
    Findings,
    error,
    not_checked,
    warning,
)
from refund_pipeline.steps.doctor_items import check_items
from refund_pipeline.steps.doctor_lists import Reader
from refund_pipeline.steps.doctor_places import (
    check_currencies,
    check_customers,
    check_locations,
    check_subsidiaries,
)
from refund_pipeline.steps.doctor_uses import places

AREA = "NetSuite"
_RECORDS = {"cashRefund": "Cash Refund", "cashSale": "Cash Sale", "salesOrder": "Sales Order"}
_PERIOD = "accounting period"


def check_netsuite(netsuite: NetSuiteSetup, mapping: Mapping | None, *, now: datetime) -> Findings:
    """Check the account; without a mapping only what does not depend on one.

    Raises:
        Unavailable: NetSuite stops answering.
    """
    try:
        findings = list(_records(netsuite))
    except Misconfigured as refusal:
        yield error(
            AREA,
            str(refusal),
            "correct the NETSUITE_ variables, or the integration record, its certificate or token,"
            " its role and its user in NetSuite (docs/netsuite-setup.md)",
        )
        yield not_checked(AREA, "nothing more of NetSuite was asked with these credentials")
        return
    yield from findings
    problem = _query_problem(netsuite)
    if problem is not None:
        yield problem
        yield not_checked(AREA, "the lists of NetSuite, which only SuiteQL shows")
    yield from _with_mapping(netsuite, mapping, now, suiteql=problem is None)


def _with_mapping(
    netsuite: NetSuiteSetup, mapping: Mapping | None, now: datetime, *, suiteql: bool
) -> Findings:
    if mapping is None:
        yield not_checked(AREA, "the ids and fields of the mapping, which cannot be used")
    else:
        yield from check_fields(netsuite, mapping, suiteql=suiteql)
        if suiteql:
            yield from check_form(netsuite, mapping)
            yield from _lists(netsuite, mapping, now)
    if suiteql:
        yield from _periods(netsuite, _days(mapping, now))


def _records(netsuite: NetSuiteSetup) -> Findings:
    readable = []
    for record, permission in _RECORDS.items():
        status = netsuite.refusal_of(record)
        if status is None:
            readable.append(permission)
            continue
        level = "Full" if record == "cashRefund" else "Edit"
        yield error(
            AREA,
            f"NetSuite answers {status} to reading a {permission}",
            f"give the role Transactions > {permission} ({level}), Setup > REST Web Services (Full)"
            " and the subsidiaries of the mapping",
        )
    yield Finding(AREA, f"lets us in; the role reads: {', '.join(readable) or 'nothing'}")


def _query_problem(netsuite: NetSuiteSetup) -> Finding | None:
    try:
        for table in ("transaction", "transactionline"):
            netsuite.master_data.probe(table, "id")
    except (Misconfigured, Unavailable) as refusal:
        return error(
            AREA,
            f"SuiteQL cannot be used: {refusal}",
            "switch the feature SuiteAnalytics Workbook on, and give the role Reports >"
            " SuiteAnalytics Workbook (Edit) and Transactions > Find Transaction (View)",
        )
    return None


def _lists(netsuite: NetSuiteSetup, mapping: Mapping, now: datetime) -> Findings:
    reader, lists = Reader(), netsuite.master_data
    known = reader.read("subsidiaries", "Lists > Subsidiaries (View)", lists.subsidiaries)
    subsidiaries = known or {}
    if known is not None:
        yield from check_subsidiaries(mapping, known)
    currencies = reader.read("currencies", "Lists > Currency (View)", lists.currencies)
    if currencies is not None:
        yield from check_currencies(mapping, currencies)
    yield from check_locations(mapping, lists, reader, subsidiaries, now)
    yield from check_customers(
        mapping, lists, reader, subsidiaries, currencies or {}, netsuite.customer_currencies
    )
    yield from check_items(mapping, lists, reader, subsidiaries)
    yield from reader.hidden()


def _days(mapping: Mapping | None, now: datetime) -> list[date]:
    """Return today's dates, of which the zones of the mapping may know two."""
    if mapping is None:
        return [now.astimezone(timezone.utc).date()]
    return sorted({business_date(now, place.zone) for _, place in places(mapping)})


def _periods(netsuite: NetSuiteSetup, days: Sequence[date]) -> Findings:
    where = "Setup > Accounting > Manage Accounting Periods"
    try:
        periods = {day: netsuite.master_data.open_periods(day) for day in days}
    except QueryRefused:
        yield warning(
            _PERIOD,
            "the role may not read accounting periods: a closed one is noticed by NetSuite's"
            " refusal only",
            "give the role Setup > Manage Accounting Periods (View)",
        )
        return
    absent = [str(day) for day, found in periods.items() if not found]
    closed = [str(day) for day, found in periods.items() if not all(found)]
    if absent:
        yield error(
            _PERIOD,
            f"there is no accounting period for {' and '.join(absent)}",
            f"set it up under {where}",
        )
    if closed:
        yield error(
            _PERIOD,
            f"the accounting period of {' and '.join(closed)} is closed or locked: refunds of today"
            " are held",
            f"open it under {where}",
        )
    if not absent and not closed:
        listed = " and ".join(str(day) for day in days)
        yield Finding(_PERIOD, f"the accounting period of {listed} is open")
