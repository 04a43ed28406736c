"""Tells one thing NewStore cannot answer for from an outage: is something else answered?

One thread finds out for all, so that an outage is noticed by few requests. What is asked is decided
by the caller.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from refund_pipeline.domain.errors import Unavailable

Answer = TypeVar("Answer")


class OutageWatch(Generic[Answer]):
    """One batch of reads side by side; `probe` asks for what does not exist.

    A probe that gets no answer ends the batch: what has not been asked by then is not asked.
    """

    def __init__(self, probe: Callable[[], Answer]) -> None:
        self._probe = probe
        self._probing = threading.Lock()
        self._down: Unavailable | None = None

    def ask(self, read: Callable[[], Answer]) -> Answer | Unavailable:
        """Return the answer, or why this one alone gets none.

        Raises:
            Unavailable: nothing is answered.
        """
        self._stop_if_down()
        try:
            return read()
        except Unavailable as error:
            with self._probing:
                self._stop_if_down()
                try:
                    self._probe()
                except Unavailable:
                    self._down = error
                    raise error from None
            return error

    def _stop_if_down(self) -> None:
        if self._down is not None:
            raise Unavailable(str(self._down))
