"""NewStore as the pipeline sees it: orders by GraphQL, payment transactions by REST account.

Many orders share a request and requests run side by side; a failing request is split until the bad
order is alone. Asking and tokens are `newstore_api.py`, reading answers `newstore_orders.py` and
`newstore_accounts.py`; which transaction belongs to which refund is `domain/payments.py`.
"""

import dataclasses
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.domain.orders import Order
from refund_pipeline.domain.payments import Attribution, PaymentAccount, RefundFacts
from refund_pipeline.gateways.newstore_accounts import AccountFailed, read_account
from refund_pipeline.gateways.newstore_api import GraphqlData, GraphqlRefusal, NewStoreApi
from refund_pipeline.gateways.newstore_orders import (
    OrderFailed,
    OrderPage,
    next_items_query,
    orders_query,
    orders_variables,
    read_order,
)

__all__ = ["AccountFailed", "NewStore", "OrderFailed", "OrderRead", "RefundFailed"]

Argument = TypeVar("Argument")
Result = TypeVar("Result")

_NO_ORDER = "00000000-0000-0000-0000-000000000000"
_MOST_PAGES = 100
_OK = 200
_NOT_FOUND = 404


@dataclasses.dataclass(frozen=True, slots=True)
class OrderRead:
    """An order, and its payment account where GraphQL was asked for it."""

    order: Order
    account: PaymentAccount | None


@dataclasses.dataclass(frozen=True, slots=True)
class RefundFailed:
    """This refund resource alone could not be read; `detail` holds statuses and paths."""

    detail: str


class NewStore:
    """NewStore's APIs for one tenant; one object may be used by several threads."""

    def __init__(
        self,
        *,
        base_url: str,
        token_url: str,
        client_id: str,
        client_secret: str,
        tenant: str,
        batch_size: int = 50,
        concurrency: int = 8,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tenant = tenant
        self._batch_size = batch_size
        self._concurrency = concurrency
        self._api = NewStoreApi(
            base_url=base_url,
            token_url=token_url,
            client_id=client_id,
            client_secret=client_secret,
            concurrency=concurrency,
            monotonic=monotonic,
        )

    @property
    def requests_made(self) -> int:
        """How many HTTP requests were made so far, tokens and retries included."""
        return self._api.requests_made

    @property
    def attribution(self) -> Attribution:
        """How this tenant's payment transactions are told apart."""
        return Attribution.REST

    def orders(self, order_ids: Sequence[str]) -> Mapping[str, OrderRead | OrderFailed]:
        """Return these orders; one that is not visible yet is absent, `OrderFailed` fails alone.

        Raises:
            Unavailable: NewStore is down, blocks this address, or answers nothing but errors.
            Misconfigured: the credentials or the query are refused.
        """
        ids = list(dict.fromkeys(order_ids))
        batches = [
            ids[start : start + self._batch_size] for start in range(0, len(ids), self._batch_size)
        ]
        suspicion = _Suspicion()
        found: dict[str, Order | OrderFailed] = {}
        for part in self._side_by_side(lambda batch: self._read_batch(batch, suspicion), batches):
            found.update(part)
        return {
            order_id: read if isinstance(read, OrderFailed) else OrderRead(read, None)
            for order_id, read in found.items()
        }

    def payment_accounts(
        self, account_ids: Sequence[str]
    ) -> Mapping[str, PaymentAccount | AccountFailed | None]:
        """Return these REST payment accounts; None for one not visible yet.

        Raises:
            Unavailable: NewStore is down or blocks this address.
            Misconfigured: the credentials are refused.
        """
        ids = list(dict.fromkeys(account_ids))
        return dict(zip(ids, self._side_by_side(self._read_account, ids), strict=True))

    def refund_facts(
        self, refunds: Sequence[tuple[str, str]]
    ) -> Mapping[str, RefundFacts | RefundFailed | None]:
        """Return what the refund resource says of (order id, refund id), by refund id."""
        return {
            refund_id: RefundFacts(None, is_historical=False, status="") for _, refund_id in refunds
        }

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def _read_batch(
        self, ids: Sequence[str], suspicion: "_Suspicion"
    ) -> dict[str, Order | OrderFailed]:
        answer = self._api.graphql(
            orders_query(len(ids)), orders_variables(ids, tenant=self._tenant)
        )
        if isinstance(answer, GraphqlData):
            suspicion.clear()
            orders = [
                self._read_node(answer.data.get(f"o{n}"), order_id)
                for n, order_id in enumerate(ids)
            ]
            return {ids[n]: order for n, order in enumerate(orders) if order is not None}
        if len(ids) > 1:
            middle = len(ids) // 2
            first = self._read_batch(ids[:middle], suspicion)
            return first | self._read_batch(ids[middle:], suspicion)
        suspicion.clear_or_stop(self._ask_for_no_order)
        return {ids[0]: OrderFailed(answer.detail)}

    def _ask_for_no_order(self) -> None:
        """Tell a bad order from a bad query: an order that does not exist is null, not an error."""
        variables = orders_variables([_NO_ORDER], tenant=self._tenant)
        answer = self._api.graphql(orders_query(1), variables)
        if not isinstance(answer, GraphqlRefusal):
            return
        if answer.is_about_the_query:
            raise Misconfigured(
                f"NewStore's GraphQL refused every order of a batch: {answer.detail}; compare its"
                " schema with refund_pipeline/gateways/newstore_order.graphql"
            )
        raise Unavailable(
            f"NewStore's GraphQL answered every order of a batch with errors: {answer.detail}"
        )

    def _read_node(self, node: object, order_id: str) -> Order | OrderFailed | None:
        if node is None:
            return None
        page = read_order(node, order_id=order_id)
        if isinstance(page, OrderFailed) or page.next_items is None:
            return page if isinstance(page, OrderFailed) else page.order
        return self._read_more_items(page, order_id)

    def _read_more_items(self, page: OrderPage, order_id: str) -> Order | OrderFailed:
        order, cursor = page.order, page.next_items
        for _ in range(_MOST_PAGES):
            if cursor is None:
                return order
            answer = self._api.graphql(
                next_items_query(cursor), orders_variables([order_id], tenant=self._tenant)
            )
            if isinstance(answer, GraphqlRefusal):
                return OrderFailed(f"reading its further items: {answer.detail}")
            following = read_order(answer.data.get("o0"), order_id=order_id)
            if isinstance(following, OrderFailed):
                return following
            order = dataclasses.replace(order, items=order.items + following.order.items)
            cursor = following.next_items
        return OrderFailed(f"it has more than {_MOST_PAGES} pages of items")

    def _read_account(self, account_id: str) -> PaymentAccount | AccountFailed | None:
        answer = self._api.payment_account(account_id)
        if answer.status == _NOT_FOUND:
            return None
        if answer.status != _OK:
            return AccountFailed(f"NewStore answered {answer.status} for the payment account")
        account = read_account(answer.document)
        return account if isinstance(account, AccountFailed) else PaymentAccount(account)

    def _side_by_side(
        self, read: Callable[[Argument], Result], arguments: Sequence[Argument]
    ) -> list[Result]:
        """Call `read` in threads; the first failure stops what has not started."""
        workers = min(self._concurrency, len(arguments))
        if workers <= 1:
            return [read(argument) for argument in arguments]
        pool = ThreadPoolExecutor(workers, thread_name_prefix="newstore")
        try:
            return list(pool.map(read, arguments))
        finally:
            pool.shutdown(cancel_futures=True)


class _Suspicion:
    """Whether everything fails, not just an order; asked once, while nothing was answered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cleared = False

    def clear(self) -> None:
        self._cleared = True

    def clear_or_stop(self, ask: Callable[[], None]) -> None:
        with self._lock:
            if not self._cleared:
                ask()
                self._cleared = True
