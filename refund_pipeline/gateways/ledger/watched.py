"""The ledger as the watch sees it: what it shows of itself, and what people have been told.

Each method is its own transaction, as in `ledger.py`, and raises what those raise.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from refund_pipeline.domain.alerts import Remembered, Settlement, Situation
from refund_pipeline.domain.standing import Standing
from refund_pipeline.gateways.ledger import alerts, standing
from refund_pipeline.gateways.ledger.database import Database


class WatchedLedger:
    """The watch's side of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def standing(self, *, landed_before: datetime) -> Standing:
        """Return what a person may have to know; outstanding are refunds landed before then."""
        with self._database.read() as connection:
            return standing.standing(connection, landed_before=landed_before)

    def last_landed(self, *, now: datetime) -> datetime | None:
        """Return when the last file landed that was read; None when there was none."""
        with self._database.read() as connection:
            return standing.last_landed(connection, now=now)

    def landed_around(self, begin: datetime, end: datetime) -> list[datetime]:
        """Return when files landed in a window, with the last before and the first after it."""
        with self._database.read() as connection:
            return standing.landed_around(connection, begin, end)

    def lasting(self) -> frozenset[str]:
        """Return the keys of the situations that are not over, as far as is known."""
        with self._database.read() as connection:
            return alerts.lasting_keys(connection)

    def claim(
        self,
        seen: Sequence[Situation],
        *,
        looked_at: Collection[str],
        channels: Sequence[str],
        now: datetime,
    ) -> Settlement:
        """Settle what is seen, and claim what is to be told; nothing to do costs no write."""
        if not seen:
            with self._database.read() as connection:
                if not alerts.something_to_settle(connection):
                    return Settlement((), ())
        with self._database.write() as connection:
            return alerts.claim(connection, seen, looked_at=looked_at, channels=channels, now=now)

    def record_told(
        self,
        claimed: Sequence[Remembered],
        delivered: Mapping[str, Collection[str]],
        *,
        now: datetime,
    ) -> None:
        """Record, by key, which channels took the messages of a settlement's claimed rows."""
        with self._database.write() as connection:
            alerts.record_told(connection, claimed, delivered, now=now)
