"""A hand-written NetSuite client for the sandbox's own tests: requests, nothing of the pipeline.

Right by default, so that a test shows one wrong thing at a time.
"""

import time
from collections.abc import Mapping
from copy import deepcopy
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from typing import Any

import jwt
import requests
from cryptography.hazmat.primitives import serialization

from refund_pipeline.sandbox.netsuite.auth import TOKEN_PATH
from refund_pipeline.sandbox.netsuite.server import NetSuiteSandbox

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ORDER = "O-1001"


@lru_cache
def _load(pem: str) -> Any:
    return serialization.load_pem_private_key(pem.encode(), None)


class MovableClock:
    """A clock that starts at the real time and moves when told to."""

    def __init__(self):
        self.now = datetime.now(timezone.utc)

    def __call__(self):
        return self.now

    def move(self, seconds):
        self.now += timedelta(seconds=seconds)


class RawClient:
    """Talks to one sandbox; a token is fetched with the first request."""

    def __init__(self, sandbox: NetSuiteSandbox) -> None:
        self.sandbox = sandbox
        self.session = requests.Session()
        self.base = f"{sandbox.base_url}/services/rest"
        self.token: str | None = None

    def __enter__(self) -> "RawClient":  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": self.sandbox.client_id,
            "scope": ["rest_webservices"],
            "aud": self.sandbox.base_url + TOKEN_PATH,
            "iat": now,
            "exp": now + 300,
        }
        claims.update(changes)
        return {name: value for name, value in claims.items() if value is not None}

    def assertion(self, *, algorithm: str = "PS256", key: str = "", **changes: Any) -> str:
        kid = changes.pop("kid", self.sandbox.certificate_id)
        return jwt.encode(
            self.claims(**changes),
            key or _load(self.sandbox.private_key_pem),
            algorithm=algorithm,
            headers={"kid": kid},
        )

    def ask_token(self, assertion: str, **changes: str) -> requests.Response:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
        }
        form.update(changes)
        return self.session.post(self.sandbox.base_url + TOKEN_PATH, data=form, timeout=10)

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        if self.token is None:
            self.token = self.ask_token(self.assertion()).json()["access_token"]
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return self.session.request(
            method, f"{self.base}/{path}", headers=headers, timeout=10, **options
        )

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.request("GET", path, **options)

    def post_refund(
        self, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        return self.request("POST", "record/v1/cashRefund", json=body, headers=headers or {})

    def query(self, sql: str, *params: Any, **url: int) -> requests.Response:
        return self.request(
            "POST",
            "query/v1/suiteql",
            json={"q": sql, "params": list(params)},
            params=url,
            headers={"Prefer": "transient"},
        )

    def rows(self, sql: str, *params: Any, **url: int) -> list[dict[str, Any]]:
        answer = self.query(sql, *params, **url)
        assert answer.status_code == 200, answer.text
        return [
            {key: value for key, value in row.items() if key != "links"}
            for row in answer.json()["items"]
        ]


_REFUND: dict[str, Any] = {
    "externalId": "apz-0001",
    "entity": {"id": "601"},
    "customForm": {"id": "131"},
    "subsidiary": {"id": "1"},
    "location": {"id": "11"},
    "currency": {"id": "1"},
    "tranDate": "2026-03-14",
    "memo": "Appeasement for O-1001",
    "handlingMode": {"id": "SAVE_ONLY"},
    "custbody_nst_order_number": ORDER,
    "item": {
        "items": [
            {"item": {"id": "9001"}, "quantity": 1, "rate": 12.5, "amount": 12.5},
            {"item": {"id": "8101"}, "amount": -12.5, "custcol_nst_gift_card_last4": "4242"},
        ]
    },
}


def refund(**changes: Any) -> dict[str, Any]:
    """Return a body NetSuite takes, with some properties changed; None takes one out."""
    body = {**deepcopy(_REFUND), **changes}
    return {name: value for name, value in body.items() if value is not None}


def refund_of(*lines: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a refund with these lines."""
    return refund(item={"items": list(lines)}, **changes)


def sell(sandbox: NetSuiteSandbox, **changes: Any) -> str:
    """Book a cash sale that the refund above fits to."""
    sale: dict[str, Any] = {
        "external_id": ORDER,
        "entity": "601",
        "subsidiary": "1",
        "location": "11",
        "currency": "USD",
        "total": Decimal("99.90"),
        "on": date(2026, 3, 1),
        **changes,
    }
    return sandbox.add_cash_sale(**sale)


def error(answer: requests.Response) -> dict[str, Any]:
    """Return the first error detail, the shape of the body checked."""
    body = answer.json()
    assert body["status"] == answer.status_code
    assert answer.headers["Content-Type"].endswith("type=error")
    return body["o:errorDetails"][0]
