"""Services as plain processes: the commands and health checks of compose.yaml, on free ports."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PATIENCE = 180.0
COMPOSE: Mapping[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Host:
    """Runs services in one DAGSTER_HOME, each of their ports exchanged for a free one."""

    def __init__(self, home: Path, environment: Mapping[str, str], *, dagster_yaml: Path) -> None:
        self._ports = {port: str(free_port()) for port in ("3000", "4000", "8080")}
        self._environment = {
            **os.environ,
            **environment,
            "DAGSTER_HOME": str(home),
            "REFUNDS_CODE_SERVER": "127.0.0.1",
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        }
        self._home = home
        places = ROOT / "deploy" / "containers"
        workspace = yaml.safe_load((places / "workspace.yaml").read_text(encoding="utf-8"))
        workspace["load_from"][0]["grpc_server"]["port"] = int(self._ports["4000"])
        (home / "workspace.yaml").write_text(yaml.safe_dump(workspace))
        shutil.copy(dagster_yaml, home / "dagster.yaml")

    @contextlib.contextmanager
    def service(self, name: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Run a service of compose.yaml until the block ends; begin once it is healthy."""
        service = COMPOSE["services"][name]
        kind, *check = service["healthcheck"]["test"]
        assert kind == "CMD"
        with self.process(name, service["command"], check=check) as process:
            yield process

    @contextlib.contextmanager
    def process(
        self,
        name: str,
        command: Sequence[str],
        *,
        check: Sequence[str],
        extra: Mapping[str, str] | None = None,
    ) -> Iterator["subprocess.Popen[bytes]"]:
        """Run a command until the block ends; begin once `check` ends with 0."""
        log = self._home / f"{name}.log"
        environment = {**self._environment, **(extra or {})}
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603  (our own command line)
                self._here(command),
                cwd=self._home,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            deadline = time.monotonic() + PATIENCE
            while self._ends_badly(check, environment):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.5)
            yield process
        finally:
            stop(process)

    def _here(self, words: Sequence[str]) -> list[str]:
        found = []
        for word in words:
            for port, free in self._ports.items():
                word = free if word == port else word.replace(f":{port}/", f":{free}/")  # noqa: PLW2901
            found.append(word)
        return found

    def _ends_badly(self, check: Sequence[str], environment: Mapping[str, str]) -> bool:
        done = subprocess.run(  # noqa: S603
            self._here(check), cwd=self._home, env=environment, capture_output=True, check=False
        )
        return done.returncode != 0


def stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=20)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(condition: Any, *, seconds: float = PATIENCE) -> None:
    """Wait until the condition holds; what it is about is in the assertion."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)
