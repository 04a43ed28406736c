"""The query service: `POST /services/rest/query/v1/suiteql` (contract 4.3, SuiteQL contract).

HTTP habits and error bodies; the language is `suiteql_compiler.py`, the data `suiteql_index.py`.
"""

import sqlite3
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from refund_pipeline.sandbox.netsuite.books import Books
from refund_pipeline.sandbox.netsuite.exchange import (
    RESOURCE,
    Answer,
    Refusal,
    Request,
    json_answer,
    not_allowed,
    read_json,
    read_page,
    read_query,
    refuse,
)
from refund_pipeline.sandbox.netsuite.master_data import MasterData
from refund_pipeline.sandbox.netsuite.preferences import Preferences
from refund_pipeline.sandbox.netsuite.properties import RefundProperties
from refund_pipeline.sandbox.netsuite.role import Role
from refund_pipeline.sandbox.netsuite.suiteql_catalogue import catalogue
from refund_pipeline.sandbox.netsuite.suiteql_compiler import compile_query
from refund_pipeline.sandbox.netsuite.suiteql_index import SearchIndex
from refund_pipeline.sandbox.netsuite.suiteql_schema import tables
from refund_pipeline.sandbox.netsuite.suiteql_switches import SearchSwitches
from refund_pipeline.sandbox.netsuite.suiteql_text import (
    SuiteQlFailedError,
    SuiteQlRefusedError,
)

_MOST_ROWS = 100_000


class SuiteQlService:
    """Answers SuiteQL queries over one account."""

    def __init__(
        self,
        *,
        master: MasterData,
        books: Books,
        schema: RefundProperties,
        role: Role,
        preferences: Preferences,
        switches: SearchSwitches,
        clock: Callable[[], datetime],
        lag: float,
    ) -> None:
        self._tables = tables(schema)
        self._role = role
        self._preferences = preferences
        self._switches = switches
        self._index = SearchIndex(
            tables=self._tables,
            master=master,
            books=books,
            preferences=preferences,
            switches=switches,
            clock=clock,
            lag=lag,
        )

    def close(self) -> None:
        """Free the index."""
        self._index.close()

    def handle(self, request: Request, *, address: str) -> Answer:
        """Answer one query; `address` is the absolute URL of the service."""
        if request.method != "POST":
            raise not_allowed(request, "POST")
        if request.headers.get("prefer", "").strip().lower() != "transient":
            raise refuse(
                400,
                "INVALID_REQUEST",
                "The required request header 'Prefer' is missing or invalid: use transient.",
                header="Prefer",
            )
        limit, offset = read_page(read_query(request, {"limit", "offset"}))
        text, parameters = _read_query_body(request)
        seen = catalogue(
            self._tables,
            role=self._role,
            preferences=self._preferences,
            switches=self._switches,
        )
        try:
            query = compile_query(text, parameters, seen)
            rows = self._index.run(query.sql, query.values)
        except RecursionError as error:
            raise _invalid_query("Search error occurred: The query is too long.") from error
        except SuiteQlFailedError as failed:
            raise refuse(
                500, "UNEXPECTED_ERROR", "An unexpected error occurred. Error ID: m1k2s3a4n5d6"
            ) from failed
        except SuiteQlRefusedError as refused:
            raise _invalid_query(str(refused)) from refused
        except sqlite3.OperationalError as error:  # a value a function could not take, e.g. a date
            raise _invalid_query("Search error occurred: Invalid value in the query.") from error
        total = min(len(rows), _MOST_ROWS)
        page = rows[offset : min(offset + limit, total)]
        body = {
            "links": [{"rel": "self", "href": f"{address}?limit={limit}&offset={offset}"}],
            "count": len(page),
            "hasMore": offset + len(page) < total,
            "offset": offset,
            "totalResults": total,
            "items": [
                {
                    "links": [],
                    **{
                        key: str(value)
                        for key, value in zip(query.keys, row, strict=True)
                        if value is not None
                    },
                }
                for row in page
            ],
        }
        return json_answer(200, body, media_type=f"{RESOURCE}; type=collection")


def _read_query_body(request: Request) -> tuple[str, list[str | Decimal]]:
    body = read_json(request)
    if not isinstance(body, dict) or not {"q", "params"}.issuperset(body):
        raise refuse(400, "INVALID_CONTENT", "The body has only the properties q and params.")
    text, parameters = body.get("q"), body.get("params", [])
    if not isinstance(text, str) or not text.strip():
        raise refuse(400, "INVALID_CONTENT", "The property q is missing.", path="q")
    if not isinstance(parameters, list):
        raise refuse(400, "INVALID_CONTENT", "The property params is a list.", path="params")
    values: list[str | Decimal] = []
    for position, value in enumerate(parameters):
        if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
            raise refuse(
                400,
                "INVALID_CONTENT",
                "A parameter is a text or a number.",
                path=f"params[{position}]",
            )
        values.append(value if isinstance(value, str) else Decimal(value))
    return text, values


def _invalid_query(description: str) -> Refusal:
    return refuse(
        400,
        "INVALID_PARAMETER",
        f"Invalid search query. Detailed unprocessed description follows. {description}",
        query_param="q",
    )
