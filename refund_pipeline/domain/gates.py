"""Gates: limits beyond which refunds of a landing day wait for a person, in landing order.

Once a daily gate trips, the rest of the day is held. A person releases refunds one by one or a day
at once; the kill switch has no release but the mapping.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from refund_pipeline.domain.mapping import Gates
from refund_pipeline.domain.transactions import Built, Held, Ready, RefundTransaction

RELEASABLE = frozenset({"over_max_amount", "daily_gate"})
"""What a person lets through refund by refund."""
GATE_REASONS = RELEASABLE | {"posting_stopped"}


@dataclass(frozen=True, slots=True)
class Committed:
    """What of the landing day is in the ERP, or may be: count, and sums by currency."""

    count: int = 0
    sums: Mapping[str, Decimal] | None = None

    def with_these(self, amounts: Iterable[tuple[str, Decimal]]) -> "Committed":
        """Return it with more refunds, each a currency and an amount."""
        count, sums = self.count, dict(self.sums or {})
        for currency, amount in amounts:
            count, sums[currency] = count + 1, sums.get(currency, Decimal(0)) + amount
        return Committed(count, sums)


def apply_gates(
    built: Sequence[Built], gates: Gates, *, committed: Committed, released: Collection[str]
) -> Iterator[Built]:
    """Yield each of `built`, which are in landing order, or why a gate holds it.

    `released` are the ids of refunds that a person has let through; they count, but are not held.
    """
    count, sums = committed.count, dict(committed.sums or {})
    tripped: str | None = None
    for item in built:
        if not isinstance(item, Ready):
            yield item
            continue
        transaction = item.transaction
        if gates.stop_posting:
            yield Held("posting_stopped", "the mapping's gates.stop_posting is on")
            continue
        currency = transaction.currency
        new_sum = sums.get(currency, Decimal(0)) + transaction.amount
        if transaction.refund_id not in released:
            if (over := _over_max_amount(transaction, gates)) is not None:
                yield over
                continue
            tripped = tripped or _tripped(count + 1, new_sum, currency, gates)
            if tripped is not None:
                yield Held("daily_gate", tripped)
                continue
        count, sums[currency] = count + 1, new_sum
        yield item


def _over_max_amount(transaction: RefundTransaction, gates: Gates) -> Held | None:
    limit = gates.max_amount.get(transaction.currency)
    if limit is None or transaction.amount <= limit:
        return None
    return Held(
        "over_max_amount",
        f"{transaction.amount} {transaction.currency} is over gates.max_amount of {limit}",
    )


def _tripped(count: int, new_sum: Decimal, currency: str, gates: Gates) -> str | None:
    if gates.daily_count is not None and count > gates.daily_count:
        return f"the day has more than gates.daily_count of {gates.daily_count} refunds"
    limit = gates.daily_sum.get(currency)
    if limit is not None and new_sum > limit:
        return f"the day's refunds sum to more than gates.daily_sum of {limit} {currency}"
    return None
