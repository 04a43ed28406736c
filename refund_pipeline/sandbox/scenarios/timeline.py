"""Plays staged scenarios: orders stand at once, sales are booked and events land in their time."""

from collections.abc import Sequence
from datetime import datetime

from refund_pipeline.sandbox.landing import LandingSandbox
from refund_pipeline.sandbox.newstore import NewStoreSandbox
from refund_pipeline.sandbox.retail import SalesLedger
from refund_pipeline.sandbox.scenarios.staged import StagedEvent, StagedSale, StagedScenario


class Timeline:
    """What has still to happen of some scenarios; `play` makes happen what is due."""

    def __init__(
        self,
        scenarios: Sequence[StagedScenario],
        *,
        newstore: NewStoreSandbox,
        netsuite: SalesLedger,
        landing: LandingSandbox,
    ) -> None:
        self._netsuite = netsuite
        self._landing = landing
        self._sales = sorted(
            (sale for one in scenarios for sale in one.sales), key=lambda sale: sale.at
        )
        self._events = sorted(
            (event for one in scenarios for event in one.events), key=lambda event: event.at
        )
        for scenario in scenarios:
            for order in scenario.orders:
                newstore.add_order(order)
        sizes = [one.page_size for one in scenarios if one.page_size is not None]
        if sizes:
            newstore.page_size = min(sizes)

    @property
    def next_at(self) -> datetime | None:
        """When the next thing happens; None when all has happened."""
        due = [*(sale.at for sale in self._sales[:1]), *(event.at for event in self._events[:1])]
        return min(due, default=None)

    def play(self, now: datetime) -> None:
        """Book the sales that are due at the aware time `now`, then land the events, file by file.

        Events due at the same moment land in one file.
        """
        while self._sales and self._sales[0].at <= now:
            self._book(self._sales.pop(0))
        while self._events and self._events[0].at <= now:
            self._land(self._events[0].at)

    def _land(self, at: datetime) -> None:
        together: list[StagedEvent] = []
        while self._events and self._events[0].at == at:
            together.append(self._events.pop(0))
        self._landing.land([event.line for event in together], at=at)

    def _book(self, sale: StagedSale) -> None:
        book = (
            self._netsuite.add_cash_sale
            if sale.record == "cash_sale"
            else self._netsuite.add_sales_order
        )
        book(
            external_id=sale.order_number,
            entity=sale.entity,
            subsidiary=sale.place.subsidiary,
            location=sale.place.location,
            currency=sale.currency,
            total=sale.total,
            on=sale.on,
        )
