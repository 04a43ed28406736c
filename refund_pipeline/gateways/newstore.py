"""NewStore as the pipeline sees it: orders by GraphQL, payment accounts and refunds by REST.

Many orders share a request (`newstore_batches.py`), and requests run side by side. Asking and
tokens are `newstore_api.py`; which transaction belongs to which refund is `domain/payments.py`.
"""

import functools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from refund_pipeline.domain.errors import Unavailable
from refund_pipeline.domain.payments import Attribution, PaymentAccount, RefundFacts
from refund_pipeline.gateways.http import Answer
from refund_pipeline.gateways.newstore_accounts import AccountFailed, read_account
from refund_pipeline.gateways.newstore_api import NewStoreApi
from refund_pipeline.gateways.newstore_batches import OrderBatches, OrderFieldsRefused
from refund_pipeline.gateways.newstore_graphql import GraphqlAnswer
from refund_pipeline.gateways.newstore_orders import OrderFailed, OrderRead
from refund_pipeline.gateways.newstore_outage import OutageWatch
from refund_pipeline.gateways.newstore_refunds import RefundFailed, read_refund
from refund_pipeline.gateways.newstore_schema import (
    INTROSPECTION,
    AttributionSetting,
    Choice,
    choose,
    fixed_choice,
)
from refund_pipeline.gateways.side_by_side import side_by_side

__all__ = [
    "AccountFailed",
    "AttributionSetting",
    "NewStore",
    "OrderFailed",
    "OrderRead",
    "RefundFailed",
]

_NOBODY = "00000000-0000-0000-0000-000000000000"
_OK = 200
_NOT_FOUND = 404


class NewStore:
    """NewStore's APIs for one tenant; one object may be used by several threads.

    `attribution` is how payments are told apart: `auto` asks the schema once, `rest` reads REST
    accounts, `graphql_only` keeps to the playbook's query. `block_file` lets other processes of
    this host know of NewStore's five-minute block.
    """

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
        attribution: AttributionSetting = "auto",
        block_file: Path | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._choice = fixed_choice(attribution)
        self._choosing = threading.Lock()
        self._tenant = tenant
        self._batch_size = batch_size
        self._concurrency = concurrency
        self._api = NewStoreApi(
            base_url=base_url,
            token_url=token_url,
            client_id=client_id,
            client_secret=client_secret,
            concurrency=concurrency,
            block_file=block_file,
            monotonic=monotonic,
            wall_clock=wall_clock,
        )

    @property
    def requests_made(self) -> int:
        """How many HTTP requests were made so far, tokens and retries included."""
        return self._api.requests_made

    @property
    def attribution(self) -> Attribution:
        """How payment transactions are told apart; `auto` asks NewStore's schema the first time.

        Raises:
            Unavailable: NewStore is down or blocks this address.
            Misconfigured: the credentials are refused.
        """
        return self._chosen().attribution

    @property
    def attribution_reason(self) -> str:
        """Why it is this attribution, for people; raises what `attribution` raises."""
        return self._chosen().reason

    def orders(self, order_ids: Sequence[str]) -> Mapping[str, OrderRead | OrderFailed]:
        """Return these orders; one that is not visible yet is absent, `OrderFailed` fails alone.

        Raises:
            Unavailable: NewStore is down, blocks this address, or answers nothing but errors.
            Misconfigured: the credentials or the query are refused.
        """
        ids = list(dict.fromkeys(order_ids))
        if not ids:
            return {}
        choice = self._chosen()
        try:
            return self._read_orders(ids, choice)
        except OrderFieldsRefused:
            choice = choice.without_order_fields()
            self._choice = choice
            return self._read_orders(ids, choice)

    def payment_accounts(
        self, account_ids: Sequence[str]
    ) -> Mapping[str, PaymentAccount | AccountFailed | None]:
        """Return these REST payment accounts; None for one not visible yet.

        Raises:
            Unavailable: NewStore is down or blocks this address.
            Misconfigured: the credentials are refused.
        """
        ids = list(dict.fromkeys(account_ids))
        watch = OutageWatch(lambda: self._api.payment_account(_NOBODY))
        read = functools.partial(self._read_account, watch)
        found = side_by_side(read, ids, at_most=self._concurrency)
        return dict(zip(ids, found, strict=True))

    def refund_facts(
        self, refunds: Sequence[tuple[str, str]]
    ) -> Mapping[str, RefundFacts | RefundFailed | None]:
        """Return what the refund resource says of (order id, refund id), by refund id.

        None: not visible, or no such refund.

        Raises:
            Unavailable: NewStore is down or blocks this address.
            Misconfigured: the credentials are refused.
        """
        pairs = list(dict.fromkeys(refunds))
        watch = OutageWatch(lambda: self._api.refund(_NOBODY, _NOBODY))
        read = functools.partial(self._read_refund, watch)
        facts = side_by_side(read, pairs, at_most=self._concurrency)
        return {refund_id: fact for (_, refund_id), fact in zip(pairs, facts, strict=True)}

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def _chosen(self) -> Choice:
        with self._choosing:
            if self._choice is None:
                doing = "asking NewStore's GraphQL for its schema"
                self._choice = choose(self._api.graphql(doing, INTROSPECTION))
            return self._choice

    def _read_orders(
        self, ids: Sequence[str], choice: Choice
    ) -> dict[str, OrderRead | OrderFailed]:
        batches = OrderBatches(
            self._ask_for_orders, tenant=self._tenant, selection=choice.selection
        )
        starts = range(0, len(ids), self._batch_size)
        cut = [ids[start : start + self._batch_size] for start in starts]
        found: dict[str, OrderRead | OrderFailed] = {}
        for part in side_by_side(batches.read, cut, at_most=self._concurrency):
            found.update(part)
        return found

    def _ask_for_orders(self, query: str, variables: Mapping[str, str]) -> GraphqlAnswer:
        return self._api.graphql("asking NewStore for orders", query, variables)

    def _read_account(
        self, watch: OutageWatch[Answer], account_id: str
    ) -> PaymentAccount | AccountFailed | None:
        answer = watch.ask(lambda: self._api.payment_account(account_id))
        if isinstance(answer, Unavailable):
            return AccountFailed(str(answer))
        if answer.status == _NOT_FOUND:
            return None
        if answer.status != _OK:
            return AccountFailed(f"NewStore answered {answer.status} for the payment account")
        return read_account(answer.document, account_id=account_id)

    def _read_refund(
        self, watch: OutageWatch[Answer], refund: tuple[str, str]
    ) -> RefundFacts | RefundFailed | None:
        order_id, refund_id = refund
        answer = watch.ask(lambda: self._api.refund(order_id, refund_id))
        if isinstance(answer, Unavailable):
            return RefundFailed(str(answer))
        if answer.status == _NOT_FOUND:
            return None
        if answer.status != _OK:
            return RefundFailed(f"NewStore answered {answer.status} for the refund")
        return read_refund(answer.document, refund_id=refund_id)
