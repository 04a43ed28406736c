"""NewStore's block of an address: five minutes without a request (contract newstore 3.3).

A 403 that is not JSON says that too many requests came from this address. Every run is a process
of its own, so the block is kept for the others in a small file: its modification time is when the
block was seen. Without a file, or when it cannot be used, the block holds in this process alone.
"""

import contextlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from refund_pipeline.gateways.http import Answer, Http

BLOCK_FILE = "newstore_blocked"
"""The small file's name in DAGSTER_HOME."""
_BLOCK_SECONDS = 300.0
_FORBIDDEN = 403


class AddressBlocked(Exception):
    """Nothing may be asked now."""


class AddressBlock:
    """The block of this address, as far as this process and the file know."""

    def __init__(
        self,
        file: Path | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._file = file
        self._monotonic = monotonic
        self._wall_clock = wall_clock
        self._until = float("-inf")

    @property
    def is_on(self) -> bool:
        """Whether the last five minutes saw a block."""
        return self._monotonic() < self._until or self._is_on_in_file()

    def begin(self) -> None:
        """Remember that NewStore has just blocked this address."""
        self._until = self._monotonic() + _BLOCK_SECONDS
        if self._file is not None:
            with contextlib.suppress(OSError):  # the block itself is what the caller must hear of
                self._write(self._file)

    def _is_on_in_file(self) -> bool:
        if self._file is None:
            return False
        try:
            seen = self._file.stat().st_mtime
        except OSError:
            return False
        # either side of now: clocks differ a little, and a file from a far future blocks nobody
        return abs(self._wall_clock() - seen) < _BLOCK_SECONDS

    def _write(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        os.close(handle)
        try:
            now = self._wall_clock()
            os.utime(draft, (now, now))
            Path(draft).replace(file)
        except OSError:
            Path(draft).unlink()
            raise


class BlockableHttp(Http):
    """HTTP that asks nothing while the address is blocked, repetitions of reads included."""

    def __init__(self, system: str, *, block: AddressBlock, connections: int) -> None:
        super().__init__(system, connections=connections)
        self._block = block

    def send(self, method: str, url: str, **arguments: Any) -> Answer:
        """Send one request, once; `arguments` are those of `Http.send`.

        Raises:
            NoAnswer: no complete answer arrived.
            AddressBlocked: nothing was sent, or the answer is the block.
        """
        if self._block.is_on:
            raise AddressBlocked
        answer = super().send(method, url, **arguments)
        if answer.status == _FORBIDDEN and not answer.is_json:
            self._block.begin()
            raise AddressBlocked
        return answer
