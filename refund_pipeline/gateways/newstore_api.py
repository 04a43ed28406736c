"""Asks NewStore: one authorised request, and what its status means (contract newstore 3.3).

401 or a 403 in JSON is a token that ended: renewed once. A 403 that is not JSON is a block of this
address for five minutes: nothing more is asked meanwhile. Messages hold statuses and codes, never
bodies. What is asked and how answers are read is `newstore.py`.
"""

import functools
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast
from urllib.parse import quote

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.gateways.http import Answer, Http, checked_base_url
from refund_pipeline.gateways.newstore_token import Token, TokenCache

_QUERY = "/api/v1/org/data/query"
_ACCOUNTS = "/v0/c/payments/accounts/"
_BLOCK_SECONDS = 300.0
_ASSUMED_LIFE = 300.0
_OK, _BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN = 200, 400, 401, 403
_REFUSED = frozenset({_UNAUTHORIZED, _FORBIDDEN})
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,60}", re.ASCII)
_MOST_CODES = 5


@dataclass(frozen=True, slots=True)
class GraphqlData:
    """An answer without errors."""

    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class GraphqlRefusal:
    """An answer with errors, whatever its HTTP status; `detail` holds codes and field names."""

    detail: str
    is_about_the_query: bool
    """Whether the query itself was refused, before any order was looked at."""


GraphqlAnswer: TypeAlias = GraphqlData | GraphqlRefusal


class NewStoreApi:
    """Authorised requests to one tenant; safe to use from several threads."""

    def __init__(
        self,
        *,
        base_url: str,
        token_url: str,
        client_id: str,
        client_secret: str,
        concurrency: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = Http("NewStore", connections=concurrency)
        self._base_url = checked_base_url(base_url, name="NEWSTORE_BASE_URL")
        self._token_url = checked_base_url(token_url, name="NEWSTORE_TOKEN_URL")
        self._client_id = client_id
        self._client_secret = client_secret
        self._monotonic = monotonic
        self._tokens = TokenCache(self._fetch_token, monotonic=monotonic)
        self._blocked_until = float("-inf")

    @property
    def requests_made(self) -> int:
        """How many HTTP requests were made so far, tokens and retries included."""
        return self._http.requests_made

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def graphql(self, query: str, variables: Mapping[str, str]) -> GraphqlAnswer:
        """Run one query. `errors` are a refusal, also with HTTP 200."""
        body = json.dumps({"query": query, "variables": dict(variables)}).encode()
        answer = self._ask("asking NewStore for orders", "POST", _QUERY, body)
        document = answer.document if isinstance(answer.document, dict) else {}
        errors, data = document.get("errors"), document.get("data")
        if errors or answer.status == _BAD_REQUEST:
            return _refusal(errors, data, status=answer.status)
        if answer.status != _OK:
            raise Misconfigured(
                f"asking NewStore for orders: it answered {answer.status};"
                " check NEWSTORE_BASE_URL and what the API client may do"
            )
        if not isinstance(data, dict):
            raise Unavailable(
                "asking NewStore for orders: it answered 200 without GraphQL data or errors"
            )
        return GraphqlData(cast("dict[str, object]", data))

    def payment_account(self, account_id: str) -> Answer:
        """Read one payment account; the caller decides what its status means."""
        path = _ACCOUNTS + quote(account_id, safe="")
        return self._ask(f"reading NewStore's payment account {account_id}", "GET", path)

    def ask(
        self,
        doing: str,
        method: str,
        path: str,
        document: object = None,
        *,
        repeatable: bool = True,
    ) -> Answer:
        """Send one request with a JSON document; the caller decides what its status means.

        What is not `repeatable` is sent again only if the token was refused.

        Raises:
            NoAnswer: it is not repeatable, and no complete answer arrived.
        """
        body = None if document is None else json.dumps(document).encode()
        return self._ask(doing, method, path, body, repeatable=repeatable)

    def _ask(
        self,
        doing: str,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        repeatable: bool = True,
    ) -> Answer:
        send = functools.partial(
            self._ask_with_token, doing, method, path, body, repeatable=repeatable
        )
        answer, token = send(refused=None)
        if answer.status in _REFUSED:
            answer, _ = send(refused=token)
        if answer.status in _REFUSED:
            raise Misconfigured(
                f"{doing}: NewStore answered {answer.status} to a new token; give the API client"
                " of NEWSTORE_CLIENT_ID the permission"
            )
        return answer

    def _ask_with_token(
        self,
        doing: str,
        method: str,
        path: str,
        body: bytes | None,
        *,
        refused: str | None,
        repeatable: bool,
    ) -> tuple[Answer, str]:
        token = self._tokens.current(refused=refused)
        headers = {"Authorization": f"Bearer {token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        url = self._base_url + path
        answer = self._read(doing, method, url, body=body, headers=headers, repeatable=repeatable)
        return answer, token

    def _read(
        self,
        doing: str,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = True,
    ) -> Answer:
        """Send one request, unless NewStore blocks this address."""
        self._stop_while_blocked(doing)
        send = functools.partial(self._http.read, doing) if repeatable else self._http.send
        answer = send(method, url, body=body, form=form, headers=headers)
        if answer.status == _FORBIDDEN and not answer.is_json:
            self._blocked_until = self._monotonic() + _BLOCK_SECONDS
            self._stop_while_blocked(doing)
        return answer

    def _fetch_token(self) -> Token:
        doing = "asking for a NewStore token"
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "client_secret": self._client_secret,
        }
        answer = self._read(doing, "POST", self._token_url, form=form)
        document = answer.document if isinstance(answer.document, dict) else {}
        value, expires_in = document.get("access_token"), document.get("expires_in")
        if answer.status != _OK or not isinstance(value, str) or not value:
            code = document.get("error")
            named = f" {code}" if isinstance(code, str) and _CODE.fullmatch(code) else ""
            raise Misconfigured(
                f"{doing}: NewStore answered {answer.status}{named} without a token; check"
                " NEWSTORE_TOKEN_URL, NEWSTORE_CLIENT_ID and NEWSTORE_CLIENT_SECRET"
            )
        try:
            life = float(str(expires_in))
        except ValueError:
            life = _ASSUMED_LIFE
        return Token(value, expires_in=life)

    def _stop_while_blocked(self, doing: str) -> None:
        if self._monotonic() < self._blocked_until:
            raise Unavailable(
                f"{doing}: NewStore blocks this address for five minutes (403, not JSON), because"
                " too many requests came from it; nothing is asked until then"
            )


def _refusal(errors: object, data: object, *, status: int) -> GraphqlRefusal:
    listed = (
        [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    )
    codes = dict.fromkeys(code for error in listed for code in _codes(error))
    named = f" ({', '.join(list(codes)[:_MOST_CODES])})" if codes else ""
    nothing_ran = data is None and not any(error.get("path") for error in listed)
    return GraphqlRefusal(
        detail=f"NewStore's GraphQL answered {status} with {len(listed)} error(s){named}",
        # the specification gives errors of validation a location in the query and no path
        is_about_the_query=nothing_ran
        and (status == _BAD_REQUEST or any(error.get("locations") for error in listed)),
    )


def _codes(error: Mapping[str, object]) -> list[str]:
    """Return the code and the field of an error; its message may quote values and is left out."""
    extensions = error.get("extensions")
    code = extensions.get("code") if isinstance(extensions, dict) else None
    path = error.get("path")
    fields = [step for step in path[1:] if isinstance(step, str)] if isinstance(path, list) else []
    found = [code, ".".join(fields)]
    return [text for text in found if isinstance(text, str) and _CODE.fullmatch(text)]
