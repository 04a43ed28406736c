"""Ledgers to test on: each test gets an empty one, on SQLite and on PostgreSQL.

PostgreSQL (LEDGER_TEST_POSTGRES_URL, default the local one) is skipped where it cannot be reached, but not in CI.
"""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from refund_pipeline_tests.gateways.ledger_makers import SetClock
from refund_pipeline.gateways.ledger.ledger import Ledger
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

SERVER = os.environ.get(
    "LEDGER_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres"
)


def _run(url: URL, *statements: str) -> None:
    engine = sa.create_engine(
        url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 5}
    )
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.fixture(scope="session")
def postgresql_database() -> Iterator[URL]:
    """A database of this session's own; its tables are dropped before every test."""
    server = make_url(SERVER)
    name = f"ledger_test_{uuid.uuid4().hex[:12]}"
    try:
        _run(server, f"CREATE DATABASE {name}")
    except (sa.exc.SQLAlchemyError, ModuleNotFoundError) as error:
        reason = f"PostgreSQL cannot be reached ({type(error).__name__}); these tests need it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    yield server.set(database=name)
    _run(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    url: URL = request.getfixturevalue("postgresql_database")
    _run(url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return url.render_as_string(hide_password=False)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def open_ledger(ledger_url: str, clock: SetClock) -> Iterator[Callable[..., Ledger]]:
    """Opens further ledgers on the same database, as other processes would."""
    opened: list[Ledger] = []

    def _open(run_id: str = "run-1") -> Ledger:
        opened.append(Ledger(ledger_url, clock=clock, run_id=run_id))
        return opened[-1]

    yield _open
    for each in opened:
        each.close()


@pytest.fixture
def ledger(open_ledger: Callable[..., Ledger]) -> Ledger:
    return open_ledger()
