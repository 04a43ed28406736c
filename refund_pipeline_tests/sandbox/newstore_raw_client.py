"""A plain `requests` client of the NewStore sandbox, orders for it, and a receiver of webhooks.

Nothing of the gateways is used: what they assume must not be what proves the sandbox.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Any

import requests
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from refund_pipeline.sandbox.newstore import NewStoreSandbox
from refund_pipeline.sandbox.newstore_model import PaymentLeg, SandboxItem, SandboxOrder
from refund_pipeline.sandbox.serving import serving

if TYPE_CHECKING:
    from typing_extensions import Self

NOON = datetime(2026, 5, 2, 12, tzinfo=timezone.utc)
ORDER_ID = "9d0e2f60-5a0e-4b9e-8c3e-111111111111"
OTHER_ID = "9d0e2f60-5a0e-4b9e-8c3e-222222222222"
REFUND_ID = "5b1c7c30-0d3f-4a52-9a55-333333333333"
INTEGRATIONS = "/api/v1/org/integrations/eventstream"
PUBLISHED = "/api/v1/org/integrations/published-events"


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **how: float) -> None:
        self.now += timedelta(**how)


def leg(kind: Any = "refund", amount: str = "5.00", **changes: Any) -> PaymentLeg:
    values = {
        "kind": kind,
        "amount": Decimal(amount),
        "currency": "USD",
        "method": "credit_card",
        "provider": "adyen",
        "correlation_id": REFUND_ID,
        "available_at": NOON,
    }
    return PaymentLeg(**{**values, **changes})


def order(order_id: str = ORDER_ID, **changes: Any) -> SandboxOrder:
    plain = SandboxOrder(
        id=order_id,
        number="NY000000001",
        currency="USD",
        channel_type="store",
        channel="NYC01",
        demand_location_id="NYC01",
        placed_at=datetime(2026, 5, 1, 9, 30, 15, 678000, tzinfo=timezone.utc),
        items=(SandboxItem(product_id="SKU-1", price=Decimal("40.10"), tax=Decimal("3.20")),),
    )
    return replace(plain, **changes)


class Caller:
    """A client that does as it is told."""

    def __init__(self, newstore: NewStoreSandbox) -> None:
        self.newstore = newstore
        self.session = requests.Session()
        self.authorize()

    def __enter__(self) -> "Self":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.session.close()

    def token(self, **form: str) -> requests.Response:
        credentials = {
            "client_id": self.newstore.client_id,
            "client_secret": self.newstore.client_secret,
        }
        data = {"grant_type": "client_credentials", **credentials, **form}
        return requests.post(self.newstore.token_url, data=data, timeout=5)

    def authorize(self) -> None:
        token = self.token().json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str) -> requests.Response:
        return self.session.get(self.newstore.base_url + path, timeout=5)

    def call(self, method: str, path: str, **how: Any) -> requests.Response:
        return self.session.request(method, self.newstore.base_url + path, timeout=5, **how)

    def account(self, order_id: str = ORDER_ID) -> requests.Response:
        return self.get(f"/v0/c/payments/accounts/{order_id}")

    def query(self, query: str, **body: Any) -> requests.Response:
        url = self.newstore.base_url + "/api/v1/org/data/query"
        return self.session.post(url, json={"query": query, **body}, timeout=5)

    def order(self, fields: str, order_id: str = ORDER_ID) -> Any:
        answer = self.query(f'{{ order(id: "{order_id}", tenant: "demo") {{ {fields} }} }}')
        assert answer.status_code == 200, answer.text
        assert "errors" not in answer.json(), answer.text
        return answer.json()["data"]["order"]

    def transactions(self) -> list[dict[str, Any]]:
        (instrument,) = self.account().json()["instruments"]
        found: list[dict[str, Any]] = instrument["original_transactions"]
        return found


def event(number: int = 0, name: str = "refund_request.issued", **payload: Any) -> str:
    """One event as NewStore publishes it; `number` tells events apart."""
    envelope = {
        "tenant": "demo",
        "name": name,
        "published_at": "2026-05-02T12:00:00.402Z",
        "payload": {"id": f"event-{number}", "order_id": ORDER_ID, "amount": 12.5, **payload},
    }
    return json.dumps(envelope)


def event_id(line: str) -> str:
    """The payload's id."""
    return str(json.loads(line)["payload"]["id"])


@dataclass(slots=True)
class Receiver:
    """A webhook's far end: keeps what it was sent, and answers as it is told."""

    url: str = ""
    answer: Callable[[int], int] = lambda _number: 200
    """Number of the request, from 0 -> status."""
    never_answers: bool = False
    """Keeps every caller waiting until it has gone."""
    calls: list[tuple[dict[str, str], str]] = field(default_factory=list)
    """Headers and body of every request."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reset(self) -> None:
        """Answer 200 again, and forget."""
        self.answer, self.never_answers = lambda _number: 200, False
        with self.lock:
            self.calls = []

    @property
    def bodies(self) -> list[str]:
        with self.lock:
            return [body for _, body in self.calls]

    @property
    def ids(self) -> list[str]:
        return [event_id(body) for body in self.bodies]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = (await request.body()).decode()
        with self.lock:
            number = len(self.calls)
            self.calls.append((dict(request.headers), body))
        if self.never_answers:
            await receive()
            return
        elsewhere = {"Location": "/elsewhere"}  # for a caller that follows redirects
        status = self.answer(number)
        content = None if status == HTTPStatus.NO_CONTENT else "noted"
        response = Response(content, status_code=status, headers=elsewhere)
        await response(scope, receive, send)


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    with serving(receiver) as url:
        receiver.url = f"{url}/newstore-events"
        yield receiver


def webhook(receiver: Receiver | None = None, name: str = "erp", **changes: Any) -> dict[str, Any]:
    """The body that registers a webhook; a field set to None is left out."""
    url = "https://erp.example/newstore" if receiver is None else receiver.url
    body = {
        "id": name,
        "integration_type": "permanent",
        "callback_parameters": {"callback_url": url, "api_key": "key-of-the-hook"},
        **changes,
    }
    return {field: value for field, value in body.items() if value is not None}
