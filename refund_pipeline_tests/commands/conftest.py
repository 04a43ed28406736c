"""A ledger as a day leaves it, with refunds in every status, for the commands that only read."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

import pytest
from click.testing import CliRunner, Result

from refund_pipeline.cli import main
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.steps.replay import Time
from refund_pipeline_tests.fakes import NOON, FakeClock
from refund_pipeline_tests.steps.lived_in import live_the_day, surrounding

Shell: TypeAlias = Callable[..., Result]


@pytest.fixture(scope="session")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a ledger that the steps have filled; `steps/lived_in.py` says with what."""
    url = f"sqlite:///{tmp_path_factory.mktemp('lived_in') / 'ledger.db'}"
    world = surrounding()
    book = Ledger(url, clock=world.clock.now, run_id="run-1")
    live_the_day(book, world)
    book.close()
    return url


@pytest.fixture
def shell(lived_in: str, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Run a command on that ledger, some minutes after its noon."""
    for name in ("DAGSTER_HOME", "NETSUITE_ACCOUNT", "NETSUITE_BASE_URL", "REFUNDS_MAPPING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REFUNDS_LEDGER_URL", lived_in)
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments: str, minutes: float = 30) -> Result:
        clock = FakeClock(NOON + timedelta(minutes=minutes))
        return CliRunner().invoke(main, arguments, obj=Time(clock.now, clock.sleep))

    return run


@pytest.fixture
def empty_shell(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Run a command on a ledger nothing has landed in."""
    monkeypatch.setenv("REFUNDS_LEDGER_URL", f"sqlite:///{tmp_path / 'empty.db'}")
    return shell
