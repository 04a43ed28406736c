"""What would be posted now: the exact bodies, and what they come to per account.

The same for the job's dry run and for the shell. Nothing is asked of the ERP, nothing is written; a
run reads and builds everything again before it posts, so what is shown is as fresh as it says.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from refund_pipeline.domain.money import in_full
from refund_pipeline.domain.transactions import RefundTransaction, TransactionLine
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import PostingWork

_POSSIBLE = ("ready", "uncertain")
_BEGUN = frozenset({"intended", "uncertain"})
_MOST = 1_000_000
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class PlannedPosting:
    """One refund to be posted."""

    transaction: RefundTransaction
    looked_up_first: bool
    """A write of it was begun; it is written again only if the ERP surely has nothing."""

    def bodies(self, render: Callable[[RefundTransaction], str]) -> list[str]:
        """Return the exact body of each of its records."""
        return [render(record) for record in self.transaction.records]


@dataclass(frozen=True, slots=True)
class Account:
    """What an item or payment option at one place gets in one currency."""

    booked_to: str
    """The ERP's item, or payment option and account where a record's header names the tender."""
    what: str
    """`appeasement`, or the tender."""
    subsidiary: str
    location: str
    currency: str
    lines: int
    debit: Decimal
    credit: Decimal


@dataclass(frozen=True, slots=True)
class CurrencySum:
    """What all refunds of one currency come to; `debit` and `credit` are equal."""

    currency: str
    refunds: int
    debit: Decimal
    credit: Decimal


@dataclass(frozen=True, slots=True)
class Freshness:
    """When the transactions were built, and with which versions of the mapping."""

    first_built_at: datetime
    last_built_at: datetime
    mapping_versions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PostingPlan:
    """What would be posted now, in landing order."""

    postings: tuple[PlannedPosting, ...]
    accounts: tuple[Account, ...]
    """Of what would be written without a look-up: the rest may be in the ERP already."""
    sums: tuple[CurrencySum, ...]
    fresh: Freshness | None
    """None where nothing would be posted."""

    @property
    def written(self) -> int:
        """How many would be written without further ado."""
        return sum(not one.looked_up_first for one in self.postings)

    @property
    def looked_up_first(self) -> int:
        """How many of a write begun before would be settled first."""
        return len(self.postings) - self.written


def plan_postings(
    ledger: Ledger, *, day: date | None = None, refund_ids: Collection[str] | None = None
) -> PostingPlan:
    """Plan the postings of a landing day, or of every day where something is ready."""
    days = [day] if day is not None else _days(ledger, refund_ids)
    work = [item for one in days for item in ledger.refunds_to_post(one, refund_ids=refund_ids)]
    transactions = [item.transaction for item in work if item.state not in _BEGUN]
    return PostingPlan(
        postings=tuple(PlannedPosting(item.transaction, item.state in _BEGUN) for item in work),
        accounts=tuple(_accounts(transactions)),
        sums=tuple(_sums(transactions)),
        fresh=_freshness(ledger, work),
    )


def _days(ledger: Ledger, refund_ids: Collection[str] | None) -> list[date]:
    rows = ledger.refunds(statuses=_POSSIBLE, limit=_MOST)
    chosen = None if refund_ids is None else frozenset(refund_ids)
    return sorted({row.landing_day for row in rows if chosen is None or row.refund_id in chosen})


def _accounts(transactions: Iterable[RefundTransaction]) -> list[Account]:
    sides: dict[tuple[str, str, str, str, str], tuple[int, Decimal, Decimal]] = {}
    for built in transactions:
        for line in built.lines:
            key = (
                _booked_to(line),
                line.label,
                built.subsidiary,
                built.location,
                built.currency,
            )
            lines, debit, credit = sides.get(key, (0, _NOTHING, _NOTHING))
            is_debit = line.amount > 0
            sides[key] = (
                lines + 1,
                debit + (line.amount if is_debit else _NOTHING),
                credit - (_NOTHING if is_debit else line.amount),
            )
    ordered = sorted(sides, key=lambda key: (key[4], key[1] != "appeasement", *key))
    return [
        Account(*key, sides[key][0], *(in_full(side, key[4]) for side in sides[key][1:]))
        for key in ordered
    ]


def _booked_to(line: TransactionLine) -> str:
    named = (line.item, line.payment_option, line.account)
    return " ".join(part for part in named if part)


def _sums(transactions: Sequence[RefundTransaction]) -> list[CurrencySum]:
    sums = []
    for currency in sorted({built.currency for built in transactions}):
        chosen = [built for built in transactions if built.currency == currency]
        amounts = [line.amount for built in chosen for line in built.lines]
        debit = sum((amount for amount in amounts if amount > 0), _NOTHING)
        credit = -sum((amount for amount in amounts if amount < 0), _NOTHING)
        sums.append(
            CurrencySum(currency, len(chosen), in_full(debit, currency), in_full(credit, currency))
        )
    return sums


def _freshness(ledger: Ledger, work: Sequence[PostingWork]) -> Freshness | None:
    built = ledger.for_reading().built_with([item.transaction.refund_id for item in work])
    if not built:
        return None
    times = [at for at, _ in built.values()]
    versions = sorted({version for _, version in built.values()})
    return Freshness(min(times), max(times), tuple(versions))
