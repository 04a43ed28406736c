"""Orders for the sandbox, clients of it, and a server that answers as a test says."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import graphql
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from refund_pipeline.gateways.newstore import NewStore
from refund_pipeline.sandbox.newstore import NewStoreSandbox
from refund_pipeline.sandbox.newstore_model import PaymentLeg, SandboxItem, SandboxOrder
from refund_pipeline.sandbox.serving import serving

PLACED = datetime(2026, 11, 20, 9, 30, tzinfo=timezone.utc)
CARD = "6006491286999929911"
REFUSED = {"errors": [{"message": "Cannot query field", "locations": [{"line": 1, "column": 2}]}]}
"""How GraphQL refuses a query before it looks at any order."""


@contextmanager
def client_of(sandbox: NewStoreSandbox, **changes: Any) -> Iterator[NewStore]:
    arguments: dict[str, Any] = {
        "base_url": sandbox.base_url + "/",
        "token_url": sandbox.token_url,
        "client_id": sandbox.client_id,
        "client_secret": sandbox.client_secret,
        "tenant": sandbox.tenant,
        "attribution": "rest",
    }
    client = NewStore(**(arguments | changes))
    try:
        yield client
    finally:
        client.close()


def order(number: int, **changes: Any) -> SandboxOrder:
    fields: dict[str, Any] = {
        "id": f"9d0e7a52-0000-4000-8000-{number:012}",
        "number": f"UN{number:06}",
        "currency": "USD",
        "channel_type": "store",
        "channel": "NYC01",
        "demand_location_id": "NYC01",
        "placed_at": PLACED,
        "items": (SandboxItem("socks", Decimal("12.50")),),
    }
    return SandboxOrder(**(fields | changes))


def leg(kind: Any, amount: str, correlation_id: str = "refund-1", **changes: Any) -> PaymentLeg:
    fields: dict[str, Any] = {
        "kind": kind,
        "amount": Decimal(amount),
        "currency": "USD",
        "method": "credit_card",
        "provider": "adyen",
        "correlation_id": correlation_id,
        "available_at": PLACED,
    }
    return PaymentLeg(**(fields | changes))


def fill(sandbox: NewStoreSandbox, count: int) -> list[str]:
    for number in range(count):
        sandbox.add_order(order(number))
    return [order(number).id for number in range(count)]


Answered = tuple[int, Any] | tuple[int, Any, dict[str, str]]


class Scripted:
    """Answers tokens by itself and everything else by `answer(path, body)`; counts both."""

    def __init__(self, answer: Callable[[str, Any], Answered]) -> None:
        self.answer = answer
        self.token: Callable[[], Answered] = lambda: (200, {"access_token": "abc"})
        self.calls: list[str] = []
        self.headers: list[dict[str, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        content = await request.body()
        path = scope["raw_path"].decode()
        self.calls.append(path)
        self.headers.append(dict(request.headers))
        if path == "/token":
            answered = self.token()
        else:
            answered = self.answer(path, json.loads(content) if content else None)
        status, body, *headers = answered
        text = body if isinstance(body, str) else json.dumps(body)
        response = Response(text, status_code=status, headers=headers[0] if headers else None)
        await response(scope, receive, send)


@contextmanager
def scripted(
    answer: Callable[[str, Any], Answered], **changes: Any
) -> Iterator[tuple[NewStore, Scripted]]:
    script = Scripted(answer)
    with serving(script) as url:
        arguments: dict[str, Any] = {
            "base_url": url,
            "token_url": f"{url}/token",
            "client_id": "me",
            "client_secret": "hush",
            "tenant": "demo",
            "attribution": "rest",
        }
        client = NewStore(**(arguments | changes))
        try:
            yield client, script
        finally:
            client.close()


def fields_of(text: str) -> set[str]:
    """Return the names of all fields a query asks for."""
    found: set[str] = set()

    class Collect(graphql.Visitor):
        def enter_field(self, node: Any, *_: Any) -> None:
            found.add(node.name.value)

    graphql.visit(graphql.parse(text), Collect())
    return found


def node_of(**changes: Any) -> dict[str, Any]:
    """Return an order as GraphQL answers it."""
    node: dict[str, Any] = {
        "id": "a",
        "externalId": "UN1",
        "placedAt": "2024-01-02T13:45:29.678",
        "demandLocationId": None,
        "currency": "usd",
        "channel": "web",
        "channelType": "web",
        "paymentAccount": None,
        "items": {"edges": []},
    }
    return node | changes
