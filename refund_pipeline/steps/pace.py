"""How many writes may run at once: the configured number, less while the ERP says it is busy.

Other people's integrations share the ERP's pool of requests (contract netsuite 5.3, 5.4), so a busy
ERP halves our part at once, and it grows back by one after a stretch of accepted writes.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_GROWS_AFTER = 10


class Pace:
    """Slots for writes; safe to use from many threads."""

    def __init__(self, most: int) -> None:
        self._most = self._allowed = max(most, 1)
        self._in_flight = 0
        self._accepted_in_a_row = 0
        self._changed = threading.Condition()

    @property
    def allowed(self) -> int:
        """How many may run at once now."""
        return self._allowed

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for a slot and hold it for one request."""
        with self._changed:
            self._changed.wait_for(lambda: self._in_flight < self._allowed)
            self._in_flight += 1
        try:
            yield
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify()

    def busy(self) -> None:
        """Halve the number of slots: the ERP took a request for one too many."""
        with self._changed:
            self._allowed = max(1, self._allowed // 2)
            self._accepted_in_a_row = 0

    def accepted(self) -> None:
        """Count a request the ERP took in; every so often there is one slot more again."""
        with self._changed:
            self._accepted_in_a_row += 1
            if self._accepted_in_a_row >= _GROWS_AFTER and self._allowed < self._most:
                self._allowed += 1
                self._accepted_in_a_row = 0
                self._changed.notify()
