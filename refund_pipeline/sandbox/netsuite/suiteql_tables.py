"""Rows of the master-data tables of SuiteQL, made from `master_data.py` (SuiteQL contract 1.3).

Rows of transactions are in `suiteql_index.py`.
"""

from collections.abc import Mapping, Sequence

from refund_pipeline.sandbox.netsuite.master_data import MasterData
from refund_pipeline.sandbox.netsuite.master_entries import (
    Classification,
    Department,
    Period,
    allowed_in,
)
from refund_pipeline.sandbox.netsuite.statuses import NAMES
from refund_pipeline.sandbox.netsuite.suiteql_functions import SqlValue

Rows = Sequence[Mapping[str, SqlValue]]


def master_rows(master: MasterData) -> dict[str, Rows]:
    """Return the rows of every master-data table."""
    return {
        **_items(master),
        **_places(master),
        **_customers(master),
        **_money(master),
        "classification": [_segment(one) for one in master.classes.values()],
        "department": [_segment(one) for one in master.departments.values()],
        "accountingperiod": [_period(one) for one in master.periods.values()],
        "transactionstatus": [
            {"id": letter, "trantype": kind.code, "fullname": f"{kind.title} : {name}"}
            for kind, names in NAMES.items()
            for letter, name in names.items()
        ],
    }


def _money(master: MasterData) -> dict[str, Rows]:
    return {
        "currency": [
            {
                "id": int(one.id),
                "symbol": one.symbol,
                "name": one.name,
                "currencyprecision": one.precision,
                "isbasecurrency": _flag(holds=one.id == "1"),
                "isinactive": _flag(holds=not one.active),
                "exchangerate": format(one.rate, "f"),
            }
            for one in master.currencies.values()
        ],
        "account": [
            {
                "id": int(one.id),
                "acctnumber": one.number,
                "accttype": one.account_type,
                "accountsearchdisplayname": f"{one.number} {one.name}",
                "fullname": one.name,
                "isinactive": _flag(holds=not one.active),
                "issummary": "F",
            }
            for one in master.accounts.values()
        ],
        "accountsubsidiarymap": [
            {"account": int(one.id), "subsidiary": int(subsidiary)}
            for one in master.accounts.values()
            for subsidiary in master.subsidiaries
            if allowed_in(one.subsidiaries, subsidiary)
        ],
        "paymentmethod": [
            {
                "id": int(one.id),
                "name": one.name,
                "methodtype": "9" if one.offline else "1",
                "account": int(one.account) if one.account is not None else None,
                "isinactive": _flag(holds=not one.active),
            }
            for one in master.payment_methods.values()
        ],
    }


def _segment(one: Classification | Department) -> Mapping[str, SqlValue]:
    return {
        "id": int(one.id),
        "name": one.name,
        "fullname": one.name,
        "isinactive": _flag(holds=not one.active),
        "includechildren": "F",
    }


def _items(master: MasterData) -> dict[str, Rows]:
    items = master.items.values()
    return {
        "item": [
            {
                "id": int(one.id),
                "itemid": one.name,
                "displayname": one.name,
                "fullname": one.name,
                "itemtype": one.item_type,
                "subtype": None if one.item_type == "Payment" else one.subtype,
                "isinactive": _flag(holds=not one.active),
                "istaxable": _flag(holds=one.taxable),
                "incomeaccount": int(one.account),
            }
            for one in items
        ],
        "paymentitem": [
            {
                "id": int(one.id),
                "itemid": one.name,
                "displayname": one.name,
                "itemtype": one.item_type,
                "account": int(one.account),
                "isinactive": _flag(holds=not one.active),
            }
            for one in items
            if one.item_type == "Payment"
        ],
        "itemsubsidiarymap": [
            {"item": int(one.id), "subsidiary": int(subsidiary)}
            for one in items
            for subsidiary in sorted(one.subsidiaries)
        ],
    }


def _places(master: MasterData) -> dict[str, Rows]:
    return {
        "location": [
            {
                "id": int(one.id),
                "name": one.name,
                "fullname": one.name,
                "isinactive": _flag(holds=not one.active),
            }
            for one in master.locations.values()
        ],
        "locationsubsidiarymap": [
            {"location": int(one.id), "subsidiary": int(one.subsidiary)}
            for one in master.locations.values()
        ],
        "subsidiary": [
            {
                "id": int(one.id),
                "name": one.name,
                "fullname": one.name,
                "legalname": one.name,
                "currency": int(one.currency),
                "country": one.country,
                "isinactive": _flag(holds=not one.active),
                "iselimination": "F",
            }
            for one in master.subsidiaries.values()
        ],
    }


def _customers(master: MasterData) -> dict[str, Rows]:
    customers = master.customers.values()
    return {
        "customer": [
            {
                "id": int(one.id),
                "entityid": one.name,
                "companyname": one.name,
                "altname": one.name,
                "isperson": "F",
                "isinactive": _flag(holds=not one.active),
                "subsidiary": int(one.subsidiary),
                "currency": int(one.currency),
            }
            for one in customers
        ],
        "customersubsidiaryrelationship": [
            {
                "id": 10_000 * int(subsidiary) + int(one.id),
                "entity": int(one.id),
                "subsidiary": int(subsidiary),
                "isprimarysub": _flag(holds=subsidiary == one.subsidiary),
                "primarycurrency": int(one.currency),
                "name": one.name,
            }
            for one in customers
            for subsidiary in sorted(one.subsidiaries)
        ],
    }


def _period(one: Period) -> Mapping[str, SqlValue]:
    return {
        "id": int(one.id),
        "periodname": one.name,
        "startdate": one.start.isoformat(),
        "enddate": one.end.isoformat(),
        "closed": _flag(holds=one.closed),
        "arlocked": _flag(holds=one.closed or one.receivables_locked or one.all_locked),
        "aplocked": _flag(holds=one.closed or one.all_locked),
        "alllocked": _flag(holds=one.closed or one.all_locked),
        "allownonglchanges": "T",
        "isposting": "T",
        "isadjust": "F",
        "isquarter": "F",
        "isyear": "F",
        "isinactive": "F",
    }


def _flag(*, holds: bool) -> str:
    return "T" if holds else "F"
