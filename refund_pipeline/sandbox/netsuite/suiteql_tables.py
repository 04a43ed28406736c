"""Rows of the master-data tables of SuiteQL, made from `master_data.py` (SuiteQL contract 1.3).

Rows of transactions are in `suiteql_index.py`.
"""

from collections.abc import Mapping, Sequence

from refund_pipeline.sandbox.netsuite.master_data import MasterData, Period
from refund_pipeline.sandbox.netsuite.suiteql_functions import SqlValue

Rows = Sequence[Mapping[str, SqlValue]]


def master_rows(master: MasterData) -> dict[str, Rows]:
    """Return the rows of every master-data table."""
    return {
        **_items(master),
        **_places(master),
        **_customers(master),
        "currency": [
            {
                "id": int(one.id),
                "symbol": one.symbol,
                "name": one.name,
                "currencyprecision": one.precision,
                "isbasecurrency": _flag(holds=one.id == "1"),
                "isinactive": "F",
                "exchangerate": "1",
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
                "isinactive": "F",
                "issummary": "F",
            }
            for one in master.accounts.values()
        ],
        "accountingperiod": [_period(one) for one in master.periods.values()],
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
                "subtype": None if one.item_type == "Payment" else "Sale",
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
                "isinactive": "F",
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
                "id": 10_000 + int(one.id),
                "entity": int(one.id),
                "subsidiary": int(one.subsidiary),
                "isprimarysub": "T",
                "primarycurrency": int(one.currency),
                "name": one.name,
            }
            for one in customers
        ],
    }


def _period(one: Period) -> Mapping[str, SqlValue]:
    locked = _flag(holds=one.closed)
    return {
        "id": int(one.id),
        "periodname": one.name,
        "startdate": one.start.isoformat(),
        "enddate": one.end.isoformat(),
        "closed": locked,
        "arlocked": locked,
        "aplocked": locked,
        "alllocked": locked,
        "allownonglchanges": "T",
        "isposting": "T",
        "isadjust": "F",
        "isquarter": "F",
        "isyear": "F",
        "isinactive": "F",
    }


def _flag(*, holds: bool) -> str:
    return "T" if holds else "F"
