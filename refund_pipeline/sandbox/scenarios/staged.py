"""A scenario at a moment: all there is to put into the sandboxes, and what must come of it.

Making it is `staging.py`, playing it `timeline.py`. Times are aware.
"""

import random
import uuid
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from refund_pipeline.sandbox.newstore_model import SandboxOrder
from refund_pipeline.sandbox.retail import Place
from refund_pipeline.sandbox.scenarios.model import Checkpoint


@dataclass(frozen=True, slots=True)
class StagedRefund:
    """One refund; `refund_id` is spelled as the ledger spells it."""

    scenario: str
    refund_id: str
    order_number: str
    amount: Decimal
    currency: str
    expected: tuple[Checkpoint, ...]

    @property
    def end(self) -> Checkpoint:
        """Where it stays."""
        return self.expected[-1]


@dataclass(frozen=True, slots=True)
class StagedEvent:
    """One line, and when it lands."""

    at: datetime
    line: str


@dataclass(frozen=True, slots=True)
class StagedSale:
    """A sale of the ERP, and when it is booked; `on` is the date it bears."""

    at: datetime
    record: Literal["cash_sale", "sales_order"]
    order_number: str
    entity: str
    place: Place
    currency: str
    total: Decimal
    on: date


@dataclass(frozen=True, slots=True)
class StagedScenario:
    """Everything of one scenario."""

    name: str
    at: datetime
    page_size: int | None
    orders: tuple[SandboxOrder, ...]
    sales: tuple[StagedSale, ...]
    events: tuple[StagedEvent, ...]
    refunds: tuple[StagedRefund, ...]
    card_numbers: tuple[str, ...]
    """Gift-card numbers; they may turn up nowhere but in NewStore."""


class Identities:
    """The ids of one scenario: equal for equal seed and name, like no other's."""

    def __init__(self, name: str, seed: int) -> None:
        self.random = random.Random(f"{seed}/{name}")
        self.order = self.new()
        self.original_order = self.new()
        """The order an exchange came from."""
        self.other_return = self.new()
        """A return of the same order that is none of the refunds."""
        self.exchange = self.new()
        """What turned the original order's value into store credit."""

    def new(self) -> str:
        """Return a new uuid."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))
