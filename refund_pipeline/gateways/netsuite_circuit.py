"""Stops sending credentials NetSuite refuses, before five refusals lock the user (contract 1.3).

Refusals in a row are counted in a small file of this host, one for each set of credentials, since
every run is a new process. What a refusal is and how a request is signed is `netsuite_auth.py`.
"""

import contextlib
import fcntl
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

from refund_pipeline.domain.errors import Misconfigured

MOST_REFUSALS = 3
"""NetSuite locks the user at five. Two stay in reserve for what others do with the same user."""
PAUSE_SECONDS = 30 * 60
"""As long as NetSuite's lock; then one attempt, and no second one if that is refused too."""


def refusals_file(directory: Path, *public_parts: str) -> Path:
    """Return the file of one set of credentials, named by what is public of them.

    Changed key ids mean another file, so that new credentials are tried at once.
    """
    digest = hashlib.sha256("\n".join(public_parts).encode()).hexdigest()[:16]
    return directory / f"netsuite_refusals_{digest}.log"


class Circuit:
    """Refusals in a row: one line of `file` each, its modification time that of the last.

    Until a request was accepted, and again after a refusal, requests go one at a time, on the whole
    host, so that those under way together cannot be refused together. Without a file, or where it
    cannot be written, this holds within the process only. Safe to use from several threads.
    """

    def __init__(self, file: Path | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self._file = file
        self._clock = clock
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._proven = False
        self._unwritten = 0
        self._unwritten_at = 0.0

    @contextlib.contextmanager
    def passage(self) -> Iterator[None]:
        """Let a request through: at once while the credentials are proven, else one at a time.

        Raises:
            Misconfigured: too many refusals; nothing may be sent.
        """
        if not self._proven:
            with self._turn, self._turn_on_this_host():
                if not self._proven:
                    self.check()
                    yield
                    return
        yield

    def check(self) -> None:
        """Raise where nothing may be sent now.

        Raises:
            Misconfigured: too many refusals; it says until when, and what to do.
        """
        refusals, last = self._tally()
        # A refusal in the future is a clock that was set back: it must not close the way for hours.
        if refusals < MOST_REFUSALS or abs(self._clock() - last) >= PAUSE_SECONDS:
            return
        again = datetime.fromtimestamp(last + PAUSE_SECONDS, timezone.utc)
        sooner = f", or delete {self._file} once its cause is gone" if self._file else ""
        raise Misconfigured(
            f"NetSuite refused these credentials {refusals} times in a row, and five refusals lock "
            f"the user, so nothing is sent before {again:%Y-%m-%d %H:%M} UTC; correct the NETSUITE "
            f"settings (other key ids are tried at once){sooner}"
        )

    def refused(self) -> None:
        """Count a refusal."""
        with self._lock:
            self._proven = False
            now = self._clock()
            try:
                written = self._write(now)
            except OSError:
                written = False
            if not written:
                self._unwritten += 1
                self._unwritten_at = now

    def accepted(self) -> None:
        """Forget the refusals: NetSuite let a request in."""
        with self._lock:
            if self._proven:
                return
            self._proven = True
            self._unwritten = 0
            with contextlib.suppress(OSError):
                if self._file is not None and self._file.stat().st_size:
                    os.truncate(self._file, 0)

    def _write(self, now: float) -> bool:
        if self._file is None:
            return False
        with self._file.open("a", encoding="ascii") as file:
            file.write(f"{datetime.fromtimestamp(now, timezone.utc):%Y-%m-%dT%H:%M:%SZ} refused\n")
        os.utime(self._file, (now, now))
        return True

    def _tally(self) -> tuple[int, float]:
        with self._lock:
            refusals, last = self._unwritten, self._unwritten_at
        with contextlib.suppress(OSError):
            if self._file is not None and (lines := self._file.read_bytes().count(b"\n")):
                return refusals + lines, max(last, self._file.stat().st_mtime)
        return refusals, last

    @contextlib.contextmanager
    def _turn_on_this_host(self) -> Iterator[None]:
        with contextlib.ExitStack() as held:
            with contextlib.suppress(OSError):
                if self._file is not None:
                    file = held.enter_context(self._file.open("a", encoding="ascii"))
                    fcntl.flock(file, fcntl.LOCK_EX)
            yield
