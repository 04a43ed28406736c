"""An ERP that saves nobody: it takes a refund twice, and its index lags behind its records.

The real one refuses an external id it has; that must never be what saves us. So a second record
under the same id is taken in silently, and `made` keeps every record there ever was.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from refund_pipeline.domain.errors import Unavailable
from refund_pipeline.domain.outcomes import (
    PAYMENT_OPTION,
    Busy,
    ErpRecord,
    Posted,
    PostOutcome,
    Refused,
    Uncertain,
)
from refund_pipeline.domain.transactions import RefundTransaction
from refund_pipeline_tests.fakes import FakeErpWithSales, record_of

ANSWERS = ("lost", "dropped", "created", "late", "busy", "unavailable", "refused")
"""What can happen to a write besides its success.

"lost" makes the record and gives no answer, "late" does so a little after giving up, "dropped" does
neither, "created" refuses although it makes the record, "refused" means it, "busy" and
"unavailable" take nothing in.
"""
CARRIED_OUT_AFTER = timedelta(seconds=1.5)
"""How late a "late" write is carried out: less than a run waits between its two look-ups."""


class ErpWithoutGuard(FakeErpWithSales):
    """Makes what it is told to make, and counts."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__({})
        self.indexed: dict[str, ErpRecord] = {}
        """What the index shows: `find` and `find_by_field` know no more."""
        self.made: list[RefundTransaction] = []
        self.refused: set[str] = set()
        self.answers: Counter[str] = Counter()
        self._now = now
        self._late: list[tuple[datetime, RefundTransaction, str]] = []

    def show_everything(self) -> None:
        """Let the index catch up with the records."""
        self._carry_out()
        self.indexed = dict(self.records)

    def find(self, external_ids: Sequence[str]) -> Mapping[str, ErpRecord]:
        self._requests += 1
        return {key: self.indexed[key] for key in external_ids if key in self.indexed}

    def find_by_field(self, field: str, values: Sequence[str]) -> Mapping[str, Sequence[ErpRecord]]:
        self._requests += 1
        return {
            value: [one for one in self.indexed.values() if (field, value) in one.custom]
            for value in values
        }

    def look_up(self, external_id: str) -> ErpRecord | None:
        self._carry_out()
        return super().look_up(external_id)

    def post(self, transaction: RefundTransaction) -> PostOutcome:
        self._requests += 1
        self.posts += 1
        self._carry_out()
        answer = self.scripts.pop(0) if self.scripts else None
        self.answers[str(answer or "clear")] += 1
        match answer:
            case "dropped":
                return Uncertain("connection reset")
            case "refused":
                self.refused.add(transaction.refund_id)
                return Refused("USER_ERROR")
            case "busy":
                return Busy()
            case "unavailable":
                raise Unavailable("the ERP is down")
            case "late":
                erp_id = self._new_id()
                self._late.append((self._now() + CARRIED_OUT_AFTER, transaction, erp_id))
                return Uncertain("read timed out")
        erp_id = self._make(transaction, self._new_id())
        if answer == "lost":
            return Uncertain("read timed out")
        return Refused("USER_ERROR") if answer == "created" else Posted(erp_id)

    def _new_id(self) -> str:
        return str(90_000 + self.posts)

    def _carry_out(self) -> None:
        """Make the records of late writes whose time has come."""
        due = [one for one in self._late if one[0] <= self._now()]
        self._late = [one for one in self._late if one not in due]
        for _, transaction, erp_id in due:
            self._make(transaction, erp_id)

    def _make(self, transaction: RefundTransaction, erp_id: str) -> str:
        self.made.append(transaction)
        record = record_of(transaction, erp_id)
        if transaction.payment_option is not None:
            record = replace(
                record, custom=(*record.custom, (PAYMENT_OPTION, transaction.payment_option))
            )
        self.records[transaction.external_id] = record
        return erp_id

    def paid_out(self) -> dict[str, Decimal]:
        """Return by refund what all its records together pay out."""
        sums: dict[str, Decimal] = {}
        for one in self.made:
            sums[one.refund_id] = sums.get(one.refund_id, Decimal(0)) + one.amount
        return sums
