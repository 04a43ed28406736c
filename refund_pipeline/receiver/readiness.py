"""Knows whether the landing bucket can be reached, without asking it for every probe."""

import asyncio
import logging
import time
from collections.abc import Callable

from refund_pipeline.domain.errors import PipelineError

_GOOD_FOR = 5.0
"""Seconds during which an answer of the bucket counts."""
_PATIENCE = 3.0
"""Seconds a probe waits for the bucket."""
_log = logging.getLogger(__name__)


class Readiness:
    """Asks by `check`, in a thread, at most once in a few seconds.

    Args:
        check: Raises when the bucket cannot be reached.
        clock: Seconds that only grow.
    """

    def __init__(
        self, check: Callable[[], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._check = check
        self._clock = clock
        self._ask_at = float("-inf")
        self._is_ready = False

    async def is_ready(self) -> bool:
        """Say whether the bucket was reached lately; while one probe asks, others are not kept."""
        now = self._clock()
        if now >= self._ask_at:
            self._ask_at = now + _GOOD_FOR
            asking = asyncio.ensure_future(asyncio.to_thread(self._ask))
            done, _ = await asyncio.wait({asking}, timeout=_PATIENCE)
            self._is_ready = bool(done) and asking.result()
        return self._is_ready

    def _ask(self) -> bool:
        try:
            self._check()
        except PipelineError as error:
            _log.error("not ready: %s", error)
            return False
        except Exception:  # noqa: BLE001 - a defect; the probe is answered all the same
            _log.exception("not ready")
            return False
        return True
