"""What NetSuite's lists say of the ids a mapping names, by SuiteQL (contract suiteql 1.3, 7, 8e).

Read only, and only columns that exist over REST. A list the role may not read raises
`QueryRefused`; a row it may not see is absent, as if it did not exist.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from refund_pipeline.gateways.http import Answer
from refund_pipeline.gateways.netsuite_suiteql import Row, SuiteQL

# The aliases t and tl are those `SuiteQL` pages by.
_ITEMS = """
SELECT t.id, t.itemtype, t.subtype, t.isinactive, t.istaxable, t.incomeaccount
FROM item t WHERE t.id IN ({values}) AND {after} ORDER BY t.id
"""
_PAYMENT_ITEMS = """
SELECT t.id, t.account, t.paymentmethod
FROM paymentitem t WHERE t.id IN ({values}) AND {after} ORDER BY t.id
"""
_LOCATIONS = """
SELECT t.id, t.isinactive FROM location t WHERE t.id IN ({values}) AND {after} ORDER BY t.id
"""
_ZONES = """
SELECT t.id, t.timezone FROM location t WHERE t.id IN ({values}) AND {after} ORDER BY t.id
"""
_SUBSIDIARIES = """
SELECT t.id, t.parent, t.currency, t.isinactive, t.iselimination
FROM subsidiary t WHERE {after} ORDER BY t.id
"""
_CURRENCIES = """
SELECT t.id, t.symbol, t.isinactive FROM currency t WHERE {after} ORDER BY t.id
"""
_CUSTOMERS = """
SELECT t.id, t.isinactive, t.subsidiary, t.currency
FROM customer t WHERE t.id IN ({values}) AND {after} ORDER BY t.id
"""
_RELATIONSHIPS = """
SELECT t.id, t.entity, t.subsidiary, t.primarycurrency
FROM customersubsidiaryrelationship t WHERE t.entity IN ({values}) AND {after} ORDER BY t.id
"""
_ACCOUNTS = """
SELECT t.id, t.isinactive, t.issummary
FROM account t WHERE t.id IN ({values}) AND {after} ORDER BY t.id
"""
_PAYMENT_METHODS = """
SELECT t.id, t.isinactive FROM paymentmethod t WHERE t.id IN ({values}) AND {after} ORDER BY t.id
"""
_MAP = """
SELECT t.id, tl.id AS lineid
FROM {list} t
JOIN {list}subsidiarymap m ON m.{list} = t.id
JOIN subsidiary tl ON tl.id = m.subsidiary
WHERE t.id IN ({values}) AND {after} ORDER BY t.id, tl.id
"""
_FORM = """
SELECT t.id, t.type FROM transaction t
WHERE t.customform = ? AND t.type = 'CashRfnd' AND {after}
ORDER BY t.id FETCH FIRST 1 ROWS ONLY
"""
_PERIODS = """
SELECT t.id, t.closed, t.arlocked, t.alllocked FROM accountingperiod t
WHERE t.isyear = 'F' AND t.isquarter = 'F' AND t.isadjust = 'F'
  AND t.startdate <= TO_DATE(?, 'YYYY-MM-DD') AND t.enddate >= TO_DATE(?, 'YYYY-MM-DD')
  AND {after} ORDER BY t.id
"""


@dataclass(frozen=True, slots=True)
class Item:
    """An item; `is_taxable` is None where the account does not say, `account` where it has none."""

    kind: str
    subtype: str
    is_active: bool
    is_taxable: bool | None
    account: str | None


@dataclass(frozen=True, slots=True)
class PaymentItem:
    """What a payment item posts to: an account, or what its payment method decides."""

    account: str | None
    payment_method: str | None


@dataclass(frozen=True, slots=True)
class Subsidiary:
    """A subsidiary; `currency` is its base currency's id."""

    parent: str | None
    currency: str | None
    is_active: bool
    is_elimination: bool


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency; `symbol` is its ISO 4217 code."""

    symbol: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer with the subsidiaries and currencies SuiteQL shows of it.

    Currencies are those of the relationships; the list of all of them is in its record alone.
    """

    is_active: bool
    subsidiaries: frozenset[str]
    currencies: frozenset[str]


@dataclass(frozen=True, slots=True)
class Account:
    """A general-ledger account; a summary account takes no postings."""

    is_active: bool
    is_summary: bool


class MasterData:
    """The lists of one account, asked by `SuiteQL`'s `read`. Results are keyed by internal id."""

    def __init__(self, read: Callable[..., Answer]) -> None:
        self._suiteql = SuiteQL(read)

    def items(self, ids: Collection[str]) -> Mapping[str, Item]:
        """Return these items."""
        return {
            row["id"]: Item(
                kind=row.get("itemtype", ""),
                subtype=row.get("subtype", ""),
                is_active=_is_active(row),
                is_taxable=row["istaxable"] == "T" if "istaxable" in row else None,
                account=row.get("incomeaccount"),
            )
            for row in self._among("items", _ITEMS, ids)
        }

    def payment_items(self, ids: Collection[str]) -> Mapping[str, PaymentItem]:
        """Return those of these items that are payment items."""
        return {
            row["id"]: PaymentItem(row.get("account"), row.get("paymentmethod"))
            for row in self._among("payment items", _PAYMENT_ITEMS, ids)
        }

    def locations(self, ids: Collection[str]) -> Mapping[str, bool]:
        """Return whether each of these locations is active."""
        return {row["id"]: _is_active(row) for row in self._among("locations", _LOCATIONS, ids)}

    def location_zones(self, ids: Collection[str]) -> Mapping[str, str]:
        """Return the time zones of those of these locations that have one."""
        rows = self._among("the zones of locations", _ZONES, ids)
        return {row["id"]: row["timezone"] for row in rows if "timezone" in row}

    def subsidiaries(self) -> Mapping[str, Subsidiary]:
        """Return every subsidiary the role sees."""
        return {
            row["id"]: Subsidiary(
                parent=row.get("parent"),
                currency=row.get("currency"),
                is_active=_is_active(row),
                is_elimination=row.get("iselimination") == "T",
            )
            for row in self._rows("subsidiaries", _SUBSIDIARIES)
        }

    def currencies(self) -> Mapping[str, Currency]:
        """Return every currency."""
        return {
            row["id"]: Currency(row.get("symbol", ""), _is_active(row))
            for row in self._rows("currencies", _CURRENCIES)
        }

    def customers(self, ids: Collection[str]) -> Mapping[str, Customer]:
        """Return these customers."""
        relationships = list(self._among("customers' subsidiaries", _RELATIONSHIPS, ids))
        found = {}
        for row in self._among("customers", _CUSTOMERS, ids):
            own = [one for one in relationships if one.get("entity") == row["id"]]
            found[row["id"]] = Customer(
                is_active=_is_active(row),
                subsidiaries=_values("subsidiary", row, *own),
                currencies=_values("currency", row) | _values("primarycurrency", *own),
            )
        return found

    def accounts(self, ids: Collection[str]) -> Mapping[str, Account]:
        """Return these accounts."""
        return {
            row["id"]: Account(_is_active(row), row.get("issummary") == "T")
            for row in self._among("accounts", _ACCOUNTS, ids)
        }

    def payment_methods(self, ids: Collection[str]) -> Mapping[str, bool]:
        """Return whether each of these payment methods is active."""
        rows = self._among("payment methods", _PAYMENT_METHODS, ids)
        return {row["id"]: _is_active(row) for row in rows}

    def subsidiaries_of(self, list_name: str, ids: Collection[str]) -> Mapping[str, frozenset[str]]:
        """Return the subsidiaries each entry of the list `item`, `location` or `account` is for."""
        query = _MAP.replace("{list}", list_name)
        found: dict[str, set[str]] = {entry: set() for entry in ids}
        doing = f"reading NetSuite's subsidiaries of {list_name}s"
        for row in self._suiteql.batched(doing, query, sorted(ids), key=["id", "lineid"]):
            found[row["id"]].add(row["lineid"])
        return {entry: frozenset(subsidiaries) for entry, subsidiaries in found.items()}

    def refund_by_form(self, form: str) -> str | None:
        """Return the id of a cash refund made by a form; forms themselves are in no list."""
        rows = list(self._rows("cash refunds of the form", _FORM, [form]))
        return rows[0]["id"] if rows else None

    def open_periods(self, day: date) -> Sequence[bool]:
        """Return for each accounting period of a day whether it takes postings; mostly one."""
        rows = self._rows("accounting periods", _PERIODS, [day.isoformat()] * 2)
        locks = ("closed", "arlocked", "alllocked")
        return [all(row.get(lock) != "T" for lock in locks) for row in rows]

    def probe(self, table: str, column: str) -> None:
        """Ask for a column of no row: it is refused if column or table cannot be read."""
        query = f"SELECT t.{column} FROM {table} t WHERE t.id = 0 AND {{after}} ORDER BY t.id"  # noqa: S608  (names of the code and of the mapping's pattern)
        list(self._suiteql.rows(f"probing {table}.{column}", query, [], key=["id"]))

    def _rows(self, what: str, query: str, params: Sequence[str] = ()) -> list[Row]:
        return list(self._suiteql.rows(f"reading NetSuite's {what}", query, params, key=["id"]))

    def _among(self, what: str, query: str, ids: Collection[str]) -> list[Row]:
        doing = f"reading NetSuite's {what}"
        return list(self._suiteql.batched(doing, query, sorted(ids), key=["id"]))


def _is_active(row: Row) -> bool:
    return row.get("isinactive") != "T"


def _values(column: str, *rows: Row) -> frozenset[str]:
    return frozenset(row[column] for row in rows if column in row)
