"""NetSuite as an `Erp`: SuiteQL look-ups in batches, one POST per refund, each answer's meaning.

The facts are in contract/netsuite.md; how requests are signed is `netsuite_auth.py`, bodies are
`netsuite_records.py`.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from itertools import groupby
from typing import Any, cast

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.domain.outcomes import ErpRecord, PostOutcome, Uncertain
from refund_pipeline.domain.transactions import (
    CASH_SALE,
    SALES_ORDER,
    Origin,
    RefundTransaction,
)
from refund_pipeline.gateways.erp import Erp
from refund_pipeline.gateways.http import (
    Answer,
    Http,
    NoAnswer,
    RetryPolicy,
    exact_json,
)
from refund_pipeline.gateways.netsuite_auth import Authenticator, services_url
from refund_pipeline.gateways.netsuite_outcomes import outcome
from refund_pipeline.gateways.netsuite_records import (
    body,
    record_from_json,
    record_from_rows,
    rendered,
)
from refund_pipeline.gateways.netsuite_suiteql import QueryRefused, Row, SuiteQL, column

_READ_SECONDS = 90.0
_CASH_REFUND = "/record/v1/cashRefund"
_STRICT = {
    # Without them a misspelled externalId would be dropped silently (contract 2.3).
    "X-NetSuite-PropertyNameValidation": "Error",
    "X-NetSuite-PropertyValueValidation": "Error",
}
_FIELD = re.compile(r"externalid|otherrefnum|paymentoption|custbody_[a-z0-9_]{1,60}", re.ASCII)
_FIND = """
SELECT t.id, t.externalid, t.type, t.currency, t.memo, t.voided,
       TO_CHAR(t.trandate, 'YYYY-MM-DD') AS trandate, {custom} tl.id AS lineid, tl.mainline,
       tl.taxline, tl.iscogs, tl.donotdisplayline, tl.item, tl.foreignamount
FROM transaction t JOIN transactionline tl ON tl.transaction = t.id
WHERE t.externalid IN ({values}) AND {after} ORDER BY t.id, tl.id
"""
_ORIGINS = """
SELECT t.id, t.type, t.{field} AS ordernumber, t.entity, t.currency, t.voided, t.foreigntotal,
       ml.subsidiary, ml.location, ml.class
FROM transaction t JOIN transactionline ml ON ml.transaction = t.id AND ml.mainline = 'T'
WHERE t.{field} IN ({values}) AND t.type IN ('CashSale', 'SalesOrd') AND {after}
ORDER BY t.id
"""
_PERIODS = """
SELECT t.id, TO_CHAR(t.startdate, 'YYYY-MM-DD') AS startdate,
       TO_CHAR(t.enddate, 'YYYY-MM-DD') AS enddate, t.closed, t.arlocked, t.alllocked
FROM accountingperiod t
WHERE t.isyear = 'F' AND t.isquarter = 'F' AND t.isadjust = 'F'
  AND t.startdate <= TO_DATE(?, 'YYYY-MM-DD') AND t.enddate >= TO_DATE(?, 'YYYY-MM-DD')
  AND {after} ORDER BY t.id
"""
_OURS = """
SELECT t.id, t.externalid, t.voided FROM transaction t
WHERE t.type = 'CashRfnd' AND t.trandate >= TO_DATE(?, 'YYYY-MM-DD')
  AND t.trandate < TO_DATE(?, 'YYYY-MM-DD') AND t.externalid LIKE ? AND {after}
ORDER BY t.id
"""


class NetSuite(Erp):
    """One NetSuite account over SuiteTalk REST."""

    def __init__(
        self,
        *,
        account: str,
        base_url: str | None,
        authenticator: Authenticator,
        custom_fields: Sequence[str] = (),
        read_seconds: float = _READ_SECONDS,
        policy: RetryPolicy | None = None,
    ) -> None:
        self._url = services_url(account, base_url)
        self._authenticator = authenticator
        self._http = Http("NetSuite", connections=50, read_seconds=read_seconds, policy=policy)
        self._suiteql = SuiteQL(self._read)
        self._custom_fields = tuple(_checked_field(name) for name in custom_fields)

    @property
    def requests_made(self) -> int:
        """How many requests were sent, those for tokens among them."""
        return self._http.requests_made + self._authenticator.requests_made

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def find(self, external_ids: Sequence[str]) -> Mapping[str, ErpRecord]:
        """Return records of any transaction type with their lines (contract suiteql 8c)."""
        asked = {external_id.lower(): external_id for external_id in external_ids}
        fields = self._custom_fields
        try:
            rows = self._find_rows(external_ids, fields)
        except (QueryRefused, Unavailable):
            # A custom field can be on the record and yet be refused by SuiteQL, with 400 or even
            # with 500 (contract suiteql 1.1 and 5.1).
            readable = self._readable(fields)
            if readable == fields:
                raise
            self._custom_fields = fields = readable
            rows = self._find_rows(external_ids, fields)
        found: dict[str, ErpRecord] = {}
        for _, group in groupby(sorted(rows, key=_record_order), key=lambda row: row["id"]):
            record = record_from_rows(list(group), custom_fields=fields)
            key = asked.get(record.external_id.lower())
            if key is not None:
                found[key] = record
        return found

    def find_by_field(self, field: str, values: Sequence[str]) -> Mapping[str, Sequence[ErpRecord]]:
        """Return cash refunds by a custom field of their body."""
        name = _checked_field(field)
        condition = f"t.type = 'CashRfnd' AND t.{name} IN ({{values}})"
        query = _FIND.replace("t.externalid IN ({values})", condition)
        query = query.replace("{custom}", f"t.{name}, ")
        doing = "looking refunds up in NetSuite by their own id"
        try:
            rows = list(self._suiteql.batched(doing, query, values, key=["id", "lineid"]))
        except QueryRefused:
            return {}
        found: dict[str, list[ErpRecord]] = {}
        for _, group in groupby(sorted(rows, key=_record_order), key=lambda row: row["id"]):
            record = record_from_rows(list(group), custom_fields=[name])
            found.setdefault(dict(record.custom)[name], []).append(record)
        return found

    def _find_rows(self, external_ids: Sequence[str], fields: Sequence[str]) -> list[Row]:
        query = _FIND.replace("{custom}", "".join(f"t.{name}, " for name in fields))
        return list(
            self._suiteql.batched(
                "looking refunds up in NetSuite", query, external_ids, key=["id", "lineid"]
            )
        )

    def _readable(self, fields: tuple[str, ...]) -> tuple[str, ...]:
        if not fields:
            return fields
        self._probe("id")  # an outage, or a role without SuiteQL, ends here
        return tuple(name for name in fields if self._is_readable(name))

    def _is_readable(self, field: str) -> bool:
        try:
            self._probe(field)
        except (QueryRefused, Unavailable):
            return False
        return True

    def _probe(self, field: str) -> None:
        query = f"SELECT t.{field} FROM transaction t WHERE t.id = 0 AND {{after}} ORDER BY t.id"  # noqa: S608  (checked)
        list(self._suiteql.rows("probing a field in NetSuite", query, [], key=["id"]))

    def look_up(self, external_id: str) -> ErpRecord | None:
        """Return the record by its own address; one of another type under the id by SuiteQL."""
        answer = self._read(
            "reading a refund from NetSuite",
            "GET",
            f"{_CASH_REFUND}/eid:{external_id}",
            params={"expandSubResources": "true"},
        )
        document = answer.document
        if answer.status == 200 and isinstance(document, dict) and "id" in document:  # noqa: PLR2004
            return record_from_json(cast("dict[str, Any]", document))
        if answer.status in {400, 404}:  # both forms of "not there" (contract 9, question 4)
            return self.find([external_id]).get(external_id)
        if answer.status in {403, 405}:
            raise Misconfigured(
                f"NetSuite answered {answer.status} to reading a cash refund; check the role"
            )
        raise Unavailable(f"reading a refund from NetSuite: it answered {answer.status}")

    def origins(
        self, order_numbers: Sequence[str], *, fields: Sequence[str]
    ) -> Mapping[str, Sequence[Origin]]:
        """Return the sales of these orders that are not voided (contract suiteql 8b)."""
        found: dict[str, list[Origin]] = {}
        for field in fields:
            missing = [number for number in order_numbers if number not in found]
            if not missing:
                break
            query = _ORIGINS.replace("{field}", _checked_field(field))
            for row in self._suiteql.batched(
                "finding sales in NetSuite", query, missing, key=["id"]
            ):
                if row.get("voided") != "T" and row.get("ordernumber"):
                    found.setdefault(row["ordernumber"], []).append(_origin(row))
        return found

    def closed_dates(self, dates: Sequence[date]) -> frozenset[date]:
        """Return the dates in periods that are closed or locked (contract suiteql 1.3, 7)."""
        if not dates:
            return frozenset()
        first, last = min(dates).isoformat(), max(dates).isoformat()
        try:
            rows = list(
                self._suiteql.rows(
                    "reading NetSuite's periods", _PERIODS, [last, first], key=["id"]
                )
            )
        except QueryRefused:
            return frozenset()  # hidden from the role: NetSuite itself refuses what does not fit
        closed = [
            (_date(row, "startdate"), _date(row, "enddate"))
            for row in rows
            if "T" in {row.get("closed"), row.get("arlocked"), row.get("alllocked")}
        ]
        return frozenset(day for day in dates if any(start <= day <= end for start, end in closed))

    def ours(self, prefix: str, *, start: date, end: date) -> Mapping[str, str]:
        """Return the cash refunds under our prefix, page by page of ids (contract suiteql 8d)."""
        params = [start.isoformat(), (end + timedelta(days=1)).isoformat(), f"{prefix}%"]
        doing = "listing our refunds in NetSuite"
        rows = self._suiteql.rows(doing, _OURS, params, key=["id"])
        return {
            column(doing, row, "externalid"): row["id"] for row in rows if row.get("voided") != "T"
        }

    def post(self, transaction: RefundTransaction) -> PostOutcome:
        """Create one cash refund; a write that may have been executed is not repeated here."""
        content = exact_json(body(transaction)).encode()
        try:
            answer = self._send(
                "POST",
                _CASH_REFUND,
                body=content,
                headers={**_STRICT, "Content-Type": "application/json"},
            )
        except NoAnswer as error:
            if error.sent:
                return Uncertain(str(error))
            raise Unavailable(f"posting refund {transaction.refund_id}: {error}") from None
        return outcome(answer)

    def render(self, transaction: RefundTransaction) -> str:
        """Return the exact body of the POST, indented."""
        return rendered(transaction)

    def _read(
        self,
        doing: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send what is safe to repeat, each attempt signed anew."""
        return self._authenticator.send(
            lambda sign: self._http.read(
                doing,
                method,
                self._url + path,
                params=params,
                body=body,
                headers={"Accept": "application/json", **(headers or {})},
                sign=sign,
            )
        )

    def _send(self, method: str, path: str, *, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a write once; 401 means nothing was executed, so a new signature may try again."""
        return self._authenticator.send(
            lambda sign: self._http.send(
                method, self._url + path, body=body, headers=headers, sign=sign
            )
        )


def _checked_field(name: str) -> str:
    """Let only a plain field name into a query.

    Raises:
        Misconfigured: it is not one.
    """
    if not _FIELD.fullmatch(name.lower()):
        raise Misconfigured(f"{name!r:.70} is not a field of a NetSuite transaction")
    return name.lower()


def _origin(row: Row) -> Origin:
    return Origin(
        kind=CASH_SALE if row.get("type") == "CashSale" else SALES_ORDER,
        erp_id=row["id"],
        entity=row.get("entity", ""),
        subsidiary=row.get("subsidiary"),
        currency=row.get("currency", ""),
        location=row.get("location"),
        class_id=row.get("class"),
        total=_magnitude(row.get("foreigntotal")),
    )


def _date(row: Row, name: str) -> date:
    doing = "reading NetSuite's periods"
    try:
        return date.fromisoformat(column(doing, row, name))
    except ValueError:
        raise Unavailable(f"{doing}: a {name} is no date; a later run tries again") from None


def _magnitude(text: str | None) -> Decimal | None:
    """Return an amount without its sign, which differs by type of record (contract suiteql 2)."""
    try:
        return abs(Decimal(text)) if text is not None else None
    except InvalidOperation:
        return None


def _record_order(row: Row) -> tuple[int, int]:
    return int(row["id"]), int(row.get("lineid", "0"))
