"""Asks NewStore: one authorised request, and what its status means (contract newstore 3.3).

401 or a 403 in JSON is a token that ended: renewed once. A 403 that is not JSON is a block of this
address for five minutes: nothing more is asked meanwhile (`newstore_block.py`). Messages hold
statuses and codes, never bodies. What is asked is `newstore.py`.
"""

import functools
import json
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.gateways.http import Answer, checked_base_url
from refund_pipeline.gateways.newstore_block import AddressBlock, AddressBlocked, BlockableHttp
from refund_pipeline.gateways.newstore_graphql import GraphqlAnswer, is_code, read_graphql
from refund_pipeline.gateways.newstore_token import Token, TokenCache

_QUERY = "/api/v1/org/data/query"
_ACCOUNTS = "/v0/c/payments/accounts/"
_ORDERS = "/v0/d/orders/"
_ASSUMED_LIFE = 300.0
_OK, _UNAUTHORIZED, _FORBIDDEN = 200, 401, 403
_REFUSED = frozenset({_UNAUTHORIZED, _FORBIDDEN})
_TOKEN = re.compile(r"[\x21-\x7e]+")
"""What can stand in a header."""


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
        block_file: Path | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        block = AddressBlock(block_file, monotonic=monotonic, wall_clock=wall_clock)
        self._http = BlockableHttp("NewStore", block=block, connections=concurrency)
        self._base_url = checked_base_url(base_url, name="NEWSTORE_BASE_URL")
        self._token_url = checked_base_url(token_url, name="NEWSTORE_TOKEN_URL")
        self._client_id = client_id
        self._client_secret = client_secret
        self._tokens = TokenCache(self._fetch_token, monotonic=monotonic)

    @property
    def requests_made(self) -> int:
        """How many HTTP requests were made so far, tokens and retries included."""
        return self._http.requests_made

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def graphql(
        self, doing: str, query: str, variables: Mapping[str, str] | None = None
    ) -> GraphqlAnswer:
        """Run one query. `errors` are a refusal, also with HTTP 200."""
        body = json.dumps({"query": query, "variables": dict(variables or {})}).encode()
        return read_graphql(doing, self._ask(doing, "POST", _QUERY, body))

    def payment_account(self, account_id: str) -> Answer:
        """Read one payment account; the caller decides what its status means."""
        path = _ACCOUNTS + quote(account_id, safe="")
        return self._ask(f"reading NewStore's payment account {account_id}", "GET", path)

    def refund(self, order_id: str, refund_id: str) -> Answer:
        """Read one refund resource; the caller decides what its status means."""
        path = f"{_ORDERS}{quote(order_id, safe='')}/refunds/{quote(refund_id, safe='')}"
        return self._ask(f"reading NewStore's refund {refund_id}", "GET", path)

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
        send = functools.partial(self._http.read, doing) if repeatable else self._http.send
        try:
            return send(method, url, body=body, form=form, headers=headers)
        except AddressBlocked:
            raise Unavailable(
                f"{doing}: NewStore blocks this address for five minutes (403, not JSON), because"
                " too many requests came from it; nothing is asked until then"
            ) from None

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
        if answer.status != _OK or not isinstance(value, str) or not _TOKEN.fullmatch(value):
            code = document.get("error")
            named = f" {code}" if is_code(code) else ""
            raise Misconfigured(
                f"{doing}: NewStore answered {answer.status}{named} without a token; check"
                " NEWSTORE_TOKEN_URL, NEWSTORE_CLIENT_ID and NEWSTORE_CLIENT_SECRET"
            )
        return Token(value, expires_in=_life(expires_in))


def _life(expires_in: object) -> float:
    """Return a token's seconds; what is no length of time is taken for the usual five minutes."""
    try:
        life = float(str(expires_in))
    except ValueError:
        return _ASSUMED_LIFE
    return life if life > 0 else _ASSUMED_LIFE
