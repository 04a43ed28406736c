"""Dagster's three processes on one machine as docs/deployment.md has them, kept up as by systemd.

A service that dies takes the rest of its control group along and is started again. Only processes
of this home are ever looked at. What is killed when is each campaign's.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import requests
import yaml
from typing_extensions import Self

from refund_pipeline_tests.system.host import BIN, ROOT, free_port

Name = Literal["code-server", "daemon", "webserver"]
_NAMES: tuple[Name, ...] = ("code-server", "daemon", "webserver")
_PATIENCE = 240.0
_STOP_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Worker:
    """The process of one run; `started` tells it from a later one with the same number."""

    pid: int
    started: int


class Services:
    """Code server, daemon and web server with `settings` as their dagster.yaml."""

    def __init__(self, home: Path, environment: Mapping[str, str], *, settings: Path) -> None:
        self.home = home
        self._environment = {
            **os.environ,
            **environment,
            "DAGSTER_HOME": str(home),
            "PYTHONPATH": str(ROOT),
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        }
        self._running: dict[Name, subprocess.Popen[bytes]] = {}
        code, web = free_port(), free_port()
        self._url = f"http://127.0.0.1:{web}"
        here = {"host": "127.0.0.1", "port": code, "location_name": "refund_pipeline"}
        (home / "workspace.yaml").write_text(yaml.safe_dump({"load_from": [{"grpc_server": here}]}))
        (home / "dagster.yaml").write_text(settings.read_text(encoding="utf-8"))
        at, workspace = ["-h", "127.0.0.1", "-p"], ["-w", "workspace.yaml"]
        self._commands: dict[Name, list[str]] = {
            "code-server": ["dagster", "code-server", "start", *at, str(code)],
            "daemon": ["dagster-daemon", "run", *workspace],
            "webserver": ["dagster-webserver", *at, str(web), *workspace],
        }
        self._commands["code-server"] += ["-m", "refund_pipeline.definitions"]

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as starting:
            starting.callback(self.stop)
            # Made by all three at once, SQLite's has two heads and none can use it.
            self._run("dagster", "instance", "migrate")
            for name in _NAMES:
                self._start(name)
            self._wait_until_ready()
            starting.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End all of them, and the runs."""
        for process in self._running.values():
            process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + _STOP_SECONDS
        for process in self._running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=max(deadline - time.monotonic(), 0.1))
            _kill_group(process.pid)
            process.wait()
        for worker in self.workers():
            self.kill(worker)

    def crash(self, name: Name, *, alone: bool = False) -> None:
        """Kill a service with all of its control group, or its main process alone; start it anew.

        The runs are children of the code server: `alone` leaves them without it.
        """
        process = self._running[name]
        process.kill()
        process.wait()
        if not alone:
            _kill_group(process.pid)
        self._start(name)

    def revive(self) -> None:
        """Start what has ended by itself."""
        for name, process in list(self._running.items()):
            if process.poll() is not None:
                self.crash(name)

    def workers(self) -> list[Worker]:
        """Return the processes of runs."""
        return list(_workers(self.home))

    def kill(self, worker: Worker) -> bool:
        """Kill the process of a run; False if it is gone already."""
        if _started(worker.pid) != worker.started:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGKILL)
            return True
        return False

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        """Ask the web server as its UI does.

        Raises:
            requests.RequestException: it does not answer.
        """
        body = {"query": query, "variables": variables}
        answer = requests.post(self._url + "/graphql", json=body, timeout=60)
        answer.raise_for_status()
        data: dict[str, Any] = answer.json()["data"]
        return data

    def _run(self, *command: str) -> None:
        subprocess.run(  # noqa: S603  (our own command line)
            command, cwd=self.home, env=self._environment, check=True, capture_output=True
        )

    def _start(self, name: Name) -> None:
        with (self.home / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603  (our own command line)
                self._commands[name],
                cwd=self.home,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _wait_until_ready(self) -> None:
        query = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            self.revive()
            with contextlib.suppress(requests.RequestException, KeyError, TypeError):
                if self.ask(query)["repositoriesOrError"]["nodes"]:
                    return
            time.sleep(0.5)
        raise TimeoutError(f"Dagster does not answer; the logs in {self.home} tell why")


def _workers(home: Path) -> Iterator[Worker]:
    """Find the processes that the code server of this home spawned for its runs."""
    ours = f"DAGSTER_HOME={home}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            if b"spawn_main" not in (entry / "cmdline").read_bytes():
                continue
            if ours not in (entry / "environ").read_bytes().split(b"\0"):
                continue
            started = _started(int(entry.name))
            if started is not None:
                yield Worker(int(entry.name), started)


def _started(pid: int) -> int | None:
    """Return when a process started, in clock ticks; None if it is gone, or dead already."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return None if after_name[0] in {"Z", "X"} else int(after_name[19])


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
