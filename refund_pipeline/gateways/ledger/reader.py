"""The ledger as people and other systems read it: days, refunds with their story, numbers.

Each method sees one moment of the ledger, and raises what those of `ledger.py` raise. Nothing here
writes.
"""

from collections.abc import Collection
from datetime import date, datetime

from refund_pipeline.gateways.ledger import landed_days, listing, numbers, refund_work, story
from refund_pipeline.gateways.ledger.database import Database
from refund_pipeline.gateways.ledger.landed_days import LandedDay, OpenRefund
from refund_pipeline.gateways.ledger.listing import Listed, Wanted
from refund_pipeline.gateways.ledger.numbers import Numbers
from refund_pipeline.gateways.ledger.story import Story


class LedgerReader:
    """The reading side of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def landed_days(self, first: date, last: date | None, *, older: bool) -> list[LandedDay]:
        """Return landing days in order; `older`: those before `first` too, if something waits."""
        with self._database.snapshot() as connection:
            return landed_days.landed_days(connection, first, last, older=older)

    def stories_of(self, term: str) -> list[Story]:
        """Return the stories of the refunds that an id, order number or ERP id may mean."""
        with self._database.snapshot() as connection:
            return story.stories(connection, story.find(connection, term))

    def page(
        self, wanted: Wanted, *, after: str | None, limit: int, newest_first: bool
    ) -> list[Listed] | None:
        """Return refunds from behind refund `after` on; None if there is no such refund."""
        with self._database.snapshot() as connection:
            return listing.page(
                connection, wanted, after=after, limit=limit, newest_first=newest_first
            )

    def built_with(self, refund_ids: Collection[str]) -> dict[str, tuple[datetime, str]]:
        """Return when transactions were built and with which version of the mapping, by refund."""
        with self._database.snapshot() as connection:
            return refund_work.built_with(connection, refund_ids)

    def numbers(self, *, now: datetime) -> Numbers:
        """Return what monitoring shows."""
        with self._database.snapshot() as connection:
            return numbers.numbers(connection, now=now)

    def oldest(
        self, statuses: Collection[str], *, days: Collection[date] | None = None
    ) -> OpenRefund | None:
        """Return the refund of these statuses, none of them settled, that landed first."""
        with self._database.snapshot() as connection:
            return landed_days.oldest(connection, statuses, days=days)
