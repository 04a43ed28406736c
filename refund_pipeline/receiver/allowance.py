"""Bounds the memory that events take up while they are read and written."""

import threading
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self


class Allowance:
    """So many bytes may be in hand at once; for any number of threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        self._lock = threading.Lock()

    @property
    def taken(self) -> int:
        """Bytes in hand."""
        return self._taken

    def take(self, count: int) -> bool:
        """Take `count` bytes; False, and none taken, when they would be too many."""
        with self._lock:
            if self._taken + count > self._most:
                return False
            self._taken += count
            return True

    def give_back(self, count: int) -> None:
        """Give `count` bytes back that were taken."""
        with self._lock:
            self._taken -= count


class Share:
    """What is taken for the length of a `with` block."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._taken = 0

    def take(self, count: int) -> bool:
        """Take `count` bytes more; False when they would be too many."""
        is_taken = self._allowance.take(count)
        self._taken += count if is_taken else 0
        return is_taken

    def __enter__(self) -> "Self":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._allowance.give_back(self._taken)
