"""SuiteQL over REST: bound parameters, keyset pages, rows as text (contract suiteql 5).

What is asked is in `netsuite.py`; only columns that exist over REST are used there (contract
suiteql 1).
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.gateways.http import Answer, exact_json

Row: TypeAlias = Mapping[str, str]
"""One row: keys lower case, every value text, nulls absent."""

PAGE = 1000
BATCH = 200
"""Ids per IN list; more are known to be skipped silently in places (contract suiteql 5)."""


class QueryRefused(Misconfigured):
    """NetSuite refused a query: a column or table is unknown, or hidden from the role."""


class SuiteQL:
    """Runs queries through `read(doing, method, path, params, body, headers)`."""

    def __init__(self, read: Callable[..., Answer]) -> None:
        self._read = read

    def rows(
        self, doing: str, query: str, params: Sequence[str], *, key: Sequence[str]
    ) -> Iterator[Row]:
        """Yield every row of a query, page by page by its key (contract suiteql 5, paging).

        `query` is ordered by the columns `key` (numbers, one or two of them) and holds `{after}`
        where their condition belongs, after all other parameters.

        Raises:
            QueryRefused, Misconfigured: the query or the role does not fit the account.
            Unavailable: NetSuite cannot answer now.
        """
        text = query.replace("{after}", _AFTER_ONE if len(key) == 1 else _AFTER_TWO)
        after = ["0"] * len(key)
        while True:
            items, more = self._page(doing, text, [*params, *_bound(after)])
            rows = [_row(item) for item in items]
            if not all(_NUMBER.fullmatch(row.get(name, "")) for row in rows for name in key):
                raise Unavailable(f"{doing}: NetSuite's rows have no {' and '.join(key)}")
            yield from rows
            if not more:
                return
            after = [rows[-1][name] for name in key]

    def _page(self, doing: str, query: str, params: Sequence[str]) -> tuple[Sequence[object], bool]:
        answer = self._read(
            doing,
            "POST",
            "/query/v1/suiteql",
            params={"limit": str(PAGE), "offset": "0"},
            body=exact_json({"q": query, "params": list(params)}).encode(),
            headers={"Prefer": "transient", "Content-Type": "application/json"},
        )
        document = _document(doing, answer)
        items = document.get("items")
        more = document.get("hasMore") is True
        if not isinstance(items, list) or (more and not items):
            raise Unavailable(f"{doing}: NetSuite's answer holds no rows; a later run tries again")
        return items, more

    def batched(
        self, doing: str, query: str, values: Sequence[str], *, key: Sequence[str]
    ) -> Iterator[Row]:
        """Run `query`, whose `{values}` becomes an IN list, for all values in batches."""
        for start in range(0, len(values), BATCH):
            batch = values[start : start + BATCH]
            marks = ", ".join("?" for _ in batch)
            yield from self.rows(doing, query.replace("{values}", marks), batch, key=key)


def column(doing: str, row: Row, name: str) -> str:
    """Return a value that every row of a query has.

    Raises:
        Unavailable: this one has none.
    """
    value = row.get(name)
    if value is None:
        raise Unavailable(f"{doing}: a row of NetSuite has no {name}; a later run tries again")
    return value


_NUMBER = re.compile(r"\d{1,18}", re.ASCII)
_AFTER_ONE = "t.id > ?"
_AFTER_TWO = "(t.id > ? OR (t.id = ? AND tl.id > ?))"


def _bound(after: Sequence[str]) -> list[str]:
    return list(after) if len(after) == 1 else [after[0], after[0], after[1]]


def _document(doing: str, answer: Answer) -> Mapping[str, object]:
    if answer.status == 400:  # noqa: PLR2004
        raise QueryRefused(
            f"{doing}: NetSuite refused the query; check the role's permissions (SuiteAnalytics "
            "Workbook, transactions) and the custom fields of the mapping"
        )
    if answer.status in {401, 403, 404, 405}:
        raise Misconfigured(
            f"{doing}: NetSuite answered {answer.status}; check the role's permissions"
        )
    if answer.status != 200 or not isinstance(answer.document, dict):  # noqa: PLR2004
        raise Unavailable(f"{doing}: NetSuite answered {answer.status}; a later run tries again")
    return answer.document


def _row(item: object) -> Row:
    if not isinstance(item, dict):
        raise Unavailable("NetSuite's answer holds a row that is none; a later run tries again")
    return {
        str(key).lower(): str(value)
        for key, value in item.items()
        if value is not None and not isinstance(value, (list, dict))
    }
