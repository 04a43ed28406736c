"""Serves numbers to Prometheus: what became of the events, and what the ledger says.

The ledger is asked in a thread, by one request at a time and at most once in some seconds, so that
nobody who asks often slows down the events.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Protocol

from refund_pipeline.domain.errors import PipelineError
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.numbers import Numbers
from refund_pipeline.gateways.metrics import metrics_text, of_ledger, of_receiver

_GOOD_FOR = 15.0
"""Seconds during which what the ledger said counts: as often as Prometheus usually asks."""
_PATIENCE = 8.0
"""Seconds a request waits for the ledger; Prometheus gives up after ten."""
_log = logging.getLogger(__name__)


def _now() -> datetime:
    return datetime.now(timezone.utc)


class Asked(Protocol):
    """Who knows the ledger's numbers; its methods are called in a thread."""

    def numbers(self, *, now: datetime) -> Numbers:
        """Return them; raises when the ledger cannot be used."""

    def close(self) -> None:
        """Close the connections."""


class LedgerNumbers:
    """The ledger behind a URL, connected to when it is first asked."""

    def __init__(self, url: str) -> None:
        self._ledger = Ledger(url, clock=_now)

    def numbers(self, *, now: datetime) -> Numbers:
        """Return its numbers."""
        return self._ledger.for_reading().numbers(now=now)

    def close(self) -> None:
        """Close its connections."""
        self._ledger.close()


class Metrics:
    """The numbers, as they are when they are asked for.

    Args:
        counts: Returns the events by what became of them.
        ledger: None where there is none to ask.
        seconds: A clock that only grows.
        now: The aware UTC time.
    """

    def __init__(
        self,
        counts: Callable[[], Mapping[str, int]],
        *,
        ledger: Asked | None,
        seconds: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._counts = counts
        self._ledger = ledger
        self._seconds = seconds
        self._now = now
        self._turn = asyncio.Lock()
        self._asking: asyncio.Future[Numbers | None] | None = None
        self._ask_at = float("-inf")
        self._found: Numbers | None = None

    async def text(self) -> bytes:
        """Write all numbers as Prometheus reads them."""
        made = [*of_receiver(self._counts())]
        if self._ledger is not None:
            made += of_ledger(await self._numbers(self._ledger), now=self._now())
        return metrics_text(made)

    def close(self) -> None:
        """Close the ledger's connections."""
        if self._ledger is not None:
            self._ledger.close()

    async def _numbers(self, ledger: Asked) -> Numbers | None:
        """Return what the ledger said lately; None when it does not answer."""
        async with self._turn:
            if self._asking is None and self._seconds() >= self._ask_at:
                self._asking = asyncio.ensure_future(asyncio.to_thread(self._read, ledger))
            if self._asking is not None:
                done, _ = await asyncio.wait({self._asking}, timeout=_PATIENCE)
                self._found = self._asking.result() if done else None
                if done:  # else it is waited for by the next request, and never asked twice
                    self._asking = None
                    self._ask_at = self._seconds() + _GOOD_FOR
            return self._found

    def _read(self, ledger: Asked) -> Numbers | None:
        try:
            return ledger.numbers(now=self._now())
        except PipelineError as error:
            _log.error("no numbers: %s", error)
        except Exception:  # noqa: BLE001 - a defect; the events go on all the same
            _log.exception("no numbers")
        return None
