"""Dagster's web server and daemon as child processes, for `make dev` and `make demo`."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import requests
from typing_extensions import Self

PROJECT_ROOT = Path(__file__).resolve().parents[1]
_STOP_SECONDS = 20


class LocalDagster:
    """`dagster dev` with this project's settings; it logs to a file in its home."""

    def __init__(self, home: Path, environment: Mapping[str, str], *, port: int = 0) -> None:
        self.home = home
        self.log = home / "dagster.log"
        self._environment = {**os.environ, **environment, "DAGSTER_HOME": str(home)}
        self._port = port or _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The UI's address."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start the processes; they need some seconds until they answer."""
        self.home.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT_ROOT / "dagster.yaml", self.home / "dagster.yaml")
        command = [sys.executable, "-m", "dagster", "dev"]
        command += ["-w", str(PROJECT_ROOT / "workspace.yaml")]
        command += ["--host", "127.0.0.1", "--port", str(self._port)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  (our own command line)
                command,
                cwd=PROJECT_ROOT,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def wait_until_ready(self, *, timeout: float = 90.0) -> None:
        """Wait until the UI answers and its code location is loaded.

        Raises:
            RuntimeError: Dagster ended, or does not answer in time; the log tells why.
        """
        query = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"Dagster ended; {self.log} tells why")
            try:
                answer = requests.post(self.url + "/graphql", json={"query": query}, timeout=10)
                if answer.ok and answer.json()["data"]["repositoriesOrError"]["nodes"]:
                    return
            except requests.RequestException:
                pass
            time.sleep(0.5)
        raise RuntimeError(f"Dagster does not answer; {self.log} tells why")

    def wait(self) -> int:
        """Wait until Dagster ends by itself."""
        return self._process.wait() if self._process else 0

    def stop(self) -> None:
        """Stop all its processes: politely, then for good."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
