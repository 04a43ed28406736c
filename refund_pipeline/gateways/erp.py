"""What the pipeline asks of any ERP; another ERP is one module that implements this.

Every method raises `Unavailable` or `Misconfigured` when the whole batch cannot go on.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import date

from refund_pipeline.domain.outcomes import ErpRecord, PostOutcome
from refund_pipeline.domain.transactions import Origin, RefundTransaction


class Erp(ABC):
    """An ERP the pipeline writes refunds to. Methods are safe to call from several threads."""

    @abstractmethod
    def find(self, external_ids: Sequence[str]) -> Mapping[str, ErpRecord]:
        """Return the records of any transaction type with these external ids, in batches.

        Keys are the external ids as asked for; ids without a record are absent.
        """

    @abstractmethod
    def look_up(self, external_id: str) -> ErpRecord | None:
        """Return the record with this external id from the ERP itself, not from an index."""

    @abstractmethod
    def find_by_field(self, field: str, values: Sequence[str]) -> Mapping[str, Sequence[ErpRecord]]:
        """Return the cash refunds whose `field` of the body holds one of `values`, by value.

        A script of the ERP can take a record's external id away; this finds it all the same.
        Nothing where the field cannot be searched.
        """

    @abstractmethod
    def origins(
        self, order_numbers: Sequence[str], *, fields: Sequence[str]
    ) -> Mapping[str, Sequence[Origin]]:
        """Return the sales of these orders by the first of `fields` that holds the number."""

    @abstractmethod
    def closed_dates(self, dates: Sequence[date]) -> frozenset[date]:
        """Return those of `dates` on which the ERP's books take no postings."""

    @abstractmethod
    def ours(self, prefix: str, *, start: date, end: date) -> Mapping[str, str]:
        """Return the cash refunds booked from `start` to `end` (both included) under our prefix.

        Keys are external ids, values the ERP's ids; voided ones are left out.
        """

    @abstractmethod
    def post(self, transaction: RefundTransaction) -> PostOutcome:
        """Write one refund transaction, once: no retry inside."""

    @abstractmethod
    def render(self, transaction: RefundTransaction) -> str:
        """Return the exact body `post` would send, as JSON text."""

    @property
    @abstractmethod
    def requests_made(self) -> int:
        """How many requests this object has made, for requests per refund."""
