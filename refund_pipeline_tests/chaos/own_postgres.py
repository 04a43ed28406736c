"""A PostgreSQL server of a campaign's own, which may be stopped, crashed and started at any time.

The machine's own server is left alone: others use it.
"""

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from refund_pipeline_tests.chaos.rows import CampaignFailed

_PLACES = "/usr/lib/postgresql"
_USER = "postgres"
_SETTINGS = "-h 127.0.0.1 -c fsync=off -c max_connections=40 -c unix_socket_directories="


class OwnPostgres:
    """One server on a free port of loopback; `own_postgres` starts and removes it."""

    def __init__(self, place: Path) -> None:
        self._data = place / "data"
        self._log = place / "postgres.log"
        self._port = _free_port()
        self._binaries = _binaries()
        self._changing = threading.Lock()

    @property
    def url(self) -> str:
        return f"postgresql://{_USER}@127.0.0.1:{self._port}/postgres"

    def create(self) -> None:
        self._run("initdb", "--auth=trust", f"--username={_USER}", "--no-sync", "--encoding=UTF8")

    def start(self) -> None:
        options = f"-p {self._port} {_SETTINGS}"
        self._run("pg_ctl", "start", "-w", "-s", "-l", str(self._log), "-o", options)

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop politely, which ends every session, or as a crash does."""
        self._run("pg_ctl", "stop", "-w", "-s", "-m", mode)

    def restart(self, mode: Literal["fast", "immediate"]) -> None:
        with self._changing:
            self.stop(mode)
            self.start()

    def settled(self) -> None:
        """Wait until a restart that is under way is over."""
        with self._changing:
            pass

    def _run(self, name: str, *arguments: str) -> None:
        command: Sequence[str] = (str(self._binaries / name), "-D", str(self._data), *arguments)
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            command = ("runuser", "-u", _USER, "--", *command)
        done = subprocess.run(  # noqa: S603  (our own command line)
            command,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CampaignFailed(f"{name} ended with {done.returncode}: {done.stderr[-500:]}")


@contextmanager
def own_postgres(place: Path) -> Iterator[OwnPostgres]:
    """Start a server whose data is below `place`.

    Raises:
        CampaignFailed: this machine has no PostgreSQL server, or it does not start.
    """
    place.mkdir()
    for folder in (place.parent, place):
        folder.chmod(0o711)
    if os.geteuid() == 0:
        shutil.chown(place, _USER)
    server = OwnPostgres(place)
    server.create()
    server.start()
    try:
        yield server
    finally:
        server.settled()
        server.stop("immediate")


def _binaries() -> Path:
    versions = sorted(Path(_PLACES).glob("*/bin/pg_ctl"), key=lambda it: int(it.parts[-3]))
    if versions:
        return versions[-1].parent
    found = shutil.which("pg_ctl")
    if found is None:
        raise CampaignFailed("this campaign needs PostgreSQL's server (initdb, pg_ctl)")
    return Path(found).parent


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
