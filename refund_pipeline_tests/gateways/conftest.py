"""Ledgers to test on: each test gets an empty one, on SQLite and on PostgreSQL.

PostgreSQL (LEDGER_TEST_POSTGRES_URL, default the local one) is skipped where it cannot be reached,
but not in CI.
"""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.tables import metadata
from refund_pipeline_tests.gateways.ledger_makers import SetClock

SERVER = os.environ.get("LEDGER_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")


def run_statements(url: URL, *statements: str) -> None:
    """Run statements, each its own transaction."""
    engine = sa.create_engine(
        url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 5}
    )
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@contextmanager
def own_database() -> Iterator[URL]:
    server = make_url(SERVER)
    name = f"ledger_test_{uuid.uuid4().hex[:12]}"
    try:
        run_statements(server, f"CREATE DATABASE {name}")
    except (sa.exc.SQLAlchemyError, ModuleNotFoundError) as error:
        reason = f"PostgreSQL cannot be reached ({type(error).__name__}); these tests need it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    yield server.set(database=name)
    run_statements(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def postgresql_database() -> Iterator[URL]:
    """A database of this session's own, dropped at its end."""
    with own_database() as url:
        yield url


@pytest.fixture(scope="session")
def postgresql_scratch() -> Iterator[URL]:
    """Another one, whose schema is dropped before every test."""
    with own_database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without any table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    url: URL = request.getfixturevalue("postgresql_scratch")
    run_statements(url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return url.render_as_string(hide_password=False)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def shared_ledger(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ledger]:
    """One ledger for the session: migrating and compiling statements anew costs 0.1 s per test."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.db'}"
    else:
        url = request.getfixturevalue("postgresql_database").render_as_string(hide_password=False)
    ledger = Ledger(url, clock=SetClock(), run_id="run-1")
    yield ledger
    ledger.close()


@pytest.fixture
def ledger(shared_ledger: Ledger, clock: SetClock) -> Ledger:
    """A ledger without any row."""
    shared_ledger._clock = clock
    with shared_ledger._database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    return shared_ledger


@pytest.fixture
def ledger_url(ledger: Ledger) -> str:
    """The URL of that ledger."""
    return ledger._database._url


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
