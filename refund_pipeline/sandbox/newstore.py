"""The NewStore sandbox: one tenant's token endpoint, GraphQL and REST behind a loopback server.

This module is what tests and demos hold in their hands. What an API shows is decided by the
injected clock: payment legs, accounts and orders appear when their time has come.
"""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from types import TracebackType
from typing import TYPE_CHECKING

from refund_pipeline.sandbox.landing import LandingSandbox
from refund_pipeline.sandbox.newstore_events.stream import EventStream
from refund_pipeline.sandbox.newstore_faults import Audit, Faults
from refund_pipeline.sandbox.newstore_front import Front
from refund_pipeline.sandbox.newstore_graphql import GraphQl
from refund_pipeline.sandbox.newstore_limits import RateLimits
from refund_pipeline.sandbox.newstore_model import PaymentLeg, Poison, RefundRequest, SandboxOrder
from refund_pipeline.sandbox.newstore_money import MoneySpelling
from refund_pipeline.sandbox.newstore_tokens import TokenService
from refund_pipeline.sandbox.serving import LoopbackServer

if TYPE_CHECKING:
    from typing_extensions import Self


def utc_now() -> datetime:
    """Return the time as an aware UTC datetime."""
    return datetime.now(timezone.utc)


class NewStoreSandbox:
    """One NewStore tenant on loopback. Every method is safe to call while the server runs.

    What is behind it: `stream` publishes events and disturbs, exports and waits for deliveries
    (`EventStream`), `faults` counts down single failures (`Faults`), `limits` switches the two
    rate-limit regimes (`RateLimits`), `audit` has every request (`Audit`). `page_size`,
    `graphql_lag` and `money_spelling` decide how GraphQL shows the orders that are put in.
    """

    def __init__(
        self,
        *,
        tenant: str = "demo",
        clock: Callable[[], datetime] = utc_now,
        token_ttl: int = 300,
        page_size: int = 100,
        show_correlation_id: bool = False,
        landing: LandingSandbox | None = None,
        time_scale: float = 1.0,
        connections: int = 8,
        port: int = 0,
    ) -> None:
        """Make a tenant; it answers and delivers once it is started.

        Args:
            tenant: Its name.
            clock: Decides what the APIs show; aware, and it may jump forwards.
            token_ttl: How long a token lives, in seconds of the clock.
            page_size: The longest page of any GraphQL connection.
            show_correlation_id: Whether GraphQL's transactions have `correlationId`.
            landing: Where S3 exports of the event stream are written.
            time_scale: How much faster than documented the event stream's durations pass.
            connections: How many webhooks are under way at the same time.
            port: 0 for a free one.
        """
        self.tenant = tenant
        self.clock = clock
        self.faults = Faults(clock)
        self.audit = Audit()
        self.limits = RateLimits(clock)
        self.stream = EventStream(
            tenant=tenant,
            clock=clock,
            landing=landing,
            time_scale=time_scale,
            connections=connections,
        )
        self._lock = threading.Lock()
        self._orders: dict[str, SandboxOrder] = {}
        self._tokens = TokenService(clock=clock, ttl=token_ttl)
        self._front = Front(
            tenant=tenant,
            tokens=self._tokens,
            graphql=GraphQl(show_correlation_id=show_correlation_id),
            faults=self.faults,
            audit=self.audit,
            orders=self._orders,
            clock=clock,
            stream=self.stream,
            limits=self.limits,
        )
        self.page_size = page_size
        self._server = LoopbackServer(self._front, port=port)

    @property
    def base_url(self) -> str:
        """Scheme, host and port."""
        return self._server.url

    @property
    def token_url(self) -> str:
        """The address of the token endpoint."""
        return self.base_url + self._front.token_path

    @property
    def client_id(self) -> str:
        """The API client's id."""
        return self._tokens.client_id

    @property
    def client_secret(self) -> str:
        """The API client's secret."""
        return self._tokens.client_secret

    @property
    def page_size(self) -> int:
        """The longest page of any GraphQL connection; may be set at any time.

        Raises:
            ValueError: set to less than 1.
        """
        return self._front.page_size

    @page_size.setter
    def page_size(self, size: int) -> None:
        if size < 1:
            raise ValueError("page_size is at least 1")
        self._front.page_size = size

    @property
    def graphql_lag(self) -> timedelta:
        """How far GraphQL is behind the REST APIs and the event stream; may be set at any time.

        Whatever appears at a time appears in GraphQL so much later: orders, accounts, legs.
        """
        return self._front.graphql_lag

    @graphql_lag.setter
    def graphql_lag(self, lag: timedelta) -> None:
        self._front.graphql_lag = lag

    @property
    def money_spelling(self) -> MoneySpelling:
        """How GraphQL spells money; may be set at any time."""
        return self._front.money_spelling

    @money_spelling.setter
    def money_spelling(self, spelling: MoneySpelling) -> None:
        self._front.money_spelling = spelling

    @property
    def requests(self) -> Counter[str]:
        """Requests by kind, as `Audit.counts` names them."""
        return self.audit.counts

    def start(self) -> None:
        """Start answering and delivering."""
        self._server.start()
        self.stream.begin()

    def stop(self) -> None:
        """Stop delivering, then answering."""
        self.stream.end()
        self._server.stop()

    def __enter__(self) -> "Self":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def add_order(self, order: SandboxOrder) -> None:
        """Put an order in, or replace the one with its id."""
        with self._lock:
            self._orders[order.id] = order

    def order(self, order_id: str) -> SandboxOrder:
        """Return an order as it is kept, whatever the APIs show of it yet.

        Raises:
            KeyError: there is none.
        """
        return self._orders[order_id]

    def add_payments(
        self, order_id: str, *legs: PaymentLeg, refund: RefundRequest | None = None
    ) -> None:
        """Add legs to an order's account, and the refund request they belong to."""
        with self._lock:
            order = self._orders[order_id]
            refunds = order.refunds if refund is None else (*order.refunds, refund)
            self._orders[order_id] = replace(order, payments=order.payments + legs, refunds=refunds)

    def poison(self, order_id: str, poison: Poison | None = Poison.ORDER) -> None:
        """Make reading an order fail in GraphQL, alone or with the whole request; None heals it."""
        with self._lock:
            self._orders[order_id] = replace(self._orders[order_id], poison=poison)

    def forbid(self, *kinds: str) -> None:
        """Refuse these kinds of requests, as `Audit.counts` names them, and no others: 403, JSON.

        The API client lacks the permission; a new token changes nothing.
        """
        self._front.forbidden = frozenset(kinds)

    def expire_tokens(self) -> None:
        """Make every token issued so far worthless."""
        self._tokens.expire_all()
