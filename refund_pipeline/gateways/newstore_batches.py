"""Reads a batch of orders in one request; a refused batch is halved until the bad order is alone.

If everything is refused, an order that does not exist tells a bad order from a bad query: it is
null, not an error. How an order is read is `newstore_orders.py`; threads are `newstore.py`.
"""

import dataclasses
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.gateways.newstore_graphql import GraphqlAnswer, GraphqlData, GraphqlRefusal
from refund_pipeline.gateways.newstore_order_pages import complete
from refund_pipeline.gateways.newstore_orders import OrderFailed, OrderRead, read_order
from refund_pipeline.gateways.newstore_outage import OutageWatch
from refund_pipeline.gateways.newstore_queries import Selection, orders_query, orders_variables

_NO_ORDER = "00000000-0000-0000-0000-000000000000"

Graphql: TypeAlias = Callable[[str, Mapping[str, str]], GraphqlAnswer]


class OrderFieldsRefused(Exception):
    """NewStore answers the playbook's query, but not with the order fields added to it."""


class OrderBatches:
    """Reads batches of orders by one selection; safe to use from several threads."""

    def __init__(self, graphql: Graphql, *, tenant: str, selection: Selection) -> None:
        self._graphql = graphql
        self._tenant = tenant
        self._selection = selection
        self._lock = threading.Lock()
        self._cleared = False
        self._watch = OutageWatch(lambda: self._ask_for_no_order(selection))

    def read(self, ids: Sequence[str]) -> dict[str, OrderRead | OrderFailed]:
        """Return these orders; one that is not visible is absent, `OrderFailed` fails alone.

        Raises:
            OrderFieldsRefused: NewStore does not know the selection's order fields.
            Misconfigured: NewStore refuses the playbook's own query.
            Unavailable: NewStore is down, or answers nothing but errors.
        """
        query = orders_query(len(ids), self._selection)
        answer = self._ask(query, orders_variables(ids, tenant=self._tenant))
        if isinstance(answer, GraphqlData):
            self._cleared = True
            nodes = {order_id: answer.data.get(f"o{n}") for n, order_id in enumerate(ids)}
            return {
                order_id: self._read_node(node, order_id)
                for order_id, node in nodes.items()
                if node is not None
            }
        if len(ids) > 1:
            middle = len(ids) // 2
            return self.read(ids[:middle]) | self.read(ids[middle:])
        self._clear_or_stop()
        return {ids[0]: OrderFailed(answer.detail)}

    def _ask(self, query: str, variables: Mapping[str, str]) -> GraphqlAnswer:
        """Send a query. One that gets no answer while others do is a refusal, not an outage."""
        answer = self._watch.ask(lambda: self._graphql(query, variables))
        if isinstance(answer, Unavailable):
            return GraphqlRefusal(str(answer), is_about_the_query=False)
        return answer

    def _read_node(self, node: object, order_id: str) -> OrderRead | OrderFailed:
        page = read_order(node, order_id=order_id)
        if isinstance(page, OrderFailed):
            return page
        variables = orders_variables([order_id], tenant=self._tenant)
        return complete(page, lambda query: self._ask(query, variables), self._selection)

    def _ask_for_no_order(self, selection: Selection) -> GraphqlAnswer:
        variables = orders_variables([_NO_ORDER], tenant=self._tenant)
        return self._graphql(orders_query(1, selection), variables)

    def _clear_or_stop(self) -> None:
        """Find out, once and while nothing was answered, whether everything is refused."""
        with self._lock:
            if self._cleared:
                return
            answer = self._ask_for_no_order(self._selection)
            if isinstance(answer, GraphqlRefusal):
                self._stop(answer)
            self._cleared = True

    def _stop(self, refusal: GraphqlRefusal) -> None:
        if not refusal.is_about_the_query:
            raise Unavailable(
                f"NewStore's GraphQL answered every order of a batch with errors: {refusal.detail}"
            )
        plain = dataclasses.replace(self._selection, order_fields=())
        if self._selection != plain and isinstance(self._ask_for_no_order(plain), GraphqlData):
            raise OrderFieldsRefused
        raise Misconfigured(
            f"NewStore's GraphQL refused every order of a batch: {refusal.detail}; compare its"
            " schema with refund_pipeline/gateways/newstore_order.graphql, or choose another"
            " attribution"
        )
