"""A newcomer follows the README's "Run it on your tenant", with the sandbox as the tenant.

Two terminals: in one the sandbox, started by its own command; in the other the steps, in an empty
directory, with nothing but what the README says.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from refund_pipeline_tests.system.host import BIN, ROOT, free_port, stop, wait_until

pytestmark = pytest.mark.timeout(600)
PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
STEPS = PAGE.split("## Run it on your tenant")[1].split("| variable |")[0]


class Terminal:
    """One terminal: a directory and an environment."""

    def __init__(self, place: Path, **environment: str) -> None:
        clean = {"HOME": str(place), "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
        kept = {name: os.environ[name] for name in ("PYTHONPATH", "LANG") if name in os.environ}
        self._environment = {**clean, **kept, **environment}
        self._place = place

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command the README names to its end."""
        assert words[-1] in STEPS, f"the README does not say {words[-1]!r}"
        return self.ask(*words)

    def ask(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command of the test's own to its end."""
        return subprocess.run(  # noqa: S603
            words,
            cwd=self._place,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def follow(self, command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command with the `.env`, exactly as a step says it."""
        whole = f"refund-pipeline --env-file .env {command}"
        assert f"`{whole}`" in STEPS, f"the README does not say {whole}"
        return self.run(*whole.split())

    @contextlib.contextmanager
    def keep_running(self, *words: str):
        """Run a command until the block ends."""
        with (self._place / f"{Path(words[0]).name}.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603
                words,
                cwd=self._place,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            stop(process)


def variables(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def test_from_an_empty_directory_to_a_posted_refund(tmp_path: Path) -> None:
    tenant, home = tmp_path / "tenant", tmp_path / "home"
    tenant.mkdir()
    home.mkdir()
    told = tenant / "told.env"
    sandbox = Terminal(tenant)
    with sandbox.keep_running("refund-pipeline", "sandbox", "--env-file", str(told)):
        wait_until(told.exists)
        answers = Terminal(home, **variables(told))

        done = answers.run(
            *("refund-pipeline", "init", "--mapping-from", str(ROOT / "mappings" / "example.yaml")),
            "--defaults",
        )
        assert done.returncode == 0, done.stdout + done.stderr
        newcomer = Terminal(home, DAGSTER_HOME=str(home))
        for step in ("mapping suggest --bucket", "mapping check", "doctor"):
            done = newcomer.follow(step)
            assert done.returncode == 0, done.stdout + done.stderr
        for name in ("dagster.yaml", "workspace.yaml"):
            shutil.copy(ROOT / name, home)
        port = str(free_port())
        with (
            newcomer.keep_running("dagster-webserver", "-w", "workspace.yaml", "-p", port),
            newcomer.keep_running("dagster-daemon", "run", "-w", "workspace.yaml"),
        ):

            def posted() -> bool:
                words = ("list", "--status", "posted", "--json")
                said = newcomer.ask("refund-pipeline", "--env-file", ".env", *words)
                return bool(json.loads(said.stdout or "{}").get("refunds"))

            wait_until(posted)
            done = newcomer.follow("status")
            assert done.returncode in {0, 1}, done.stdout + done.stderr
            assert "posted" in done.stdout


def test_the_way_has_ten_steps() -> None:
    assert re.findall(r"^(\d+)\. ", STEPS, re.MULTILINE) == [str(one) for one in range(1, 11)]
