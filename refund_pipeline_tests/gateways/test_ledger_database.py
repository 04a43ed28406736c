import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.domain.reasons import REASONS
from refund_pipeline.gateways.ledger import database, landing
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.tables import metadata
from refund_pipeline_tests.gateways.ledger_makers import (
    SetClock,
    file_named,
    land,
    make_event,
)


def opened(url: str) -> Ledger:
    return Ledger(url, clock=SetClock())


def columns(engine: sa.Engine, table: str) -> set[str]:
    return {column["name"] for column in sa.inspect(engine).get_columns(table)}


def assert_silent_about(secret: str, error: BaseException) -> None:
    """What a traceback would print: the message, and no chained exception that could say more."""
    assert secret not in str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None


def use(url: str) -> None:
    ledger = opened(url)
    try:
        ledger.status_totals()
    finally:
        ledger.close()


def test_the_migrated_schema_is_the_one_the_code_sees(empty_url: str) -> None:
    use(empty_url)
    engine = sa.create_engine(empty_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_newest_revision_is_the_one_the_fast_path_expects() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == database.HEAD


def test_many_openers_of_an_empty_database_migrate_it_once(empty_url: str) -> None:
    ledgers = [opened(empty_url) for _ in range(4)]
    together = threading.Barrier(len(ledgers))
    failures: list[BaseException] = []

    def open_it(ledger: Ledger) -> None:
        together.wait(10)
        try:
            ledger.status_totals()
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=open_it, args=(ledger,)) for ledger in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert land(ledgers[0], make_event()).new == 1
    assert len(ledgers[1].refunds()) == 1
    for ledger in ledgers:
        ledger.close()


def test_a_migration_that_fails_leaves_nothing_behind(empty_url: str) -> None:
    engine = sa.create_engine(empty_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE resolution (id INTEGER)")
    with pytest.raises(sa.exc.DBAPIError, match="already exists"):
        use(empty_url)
    assert sa.inspect(engine).get_table_names() == ["resolution"]
    engine.dispose()


def test_a_ledger_of_a_newer_version_is_not_touched(ledger_url: str) -> None:
    engine = sa.create_engine(ledger_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    try:
        with pytest.raises(Misconfigured, match="newer version"):
            use(ledger_url)
    finally:
        with engine.begin() as connection:
            connection.execute(
                sa.text("UPDATE alembic_version SET version_num = :head"), {"head": database.HEAD}
            )
        engine.dispose()


def test_a_closed_ledger_opens_again(ledger: Ledger) -> None:
    land(ledger, make_event())
    ledger.close()
    assert len(ledger.refunds()) == 1


def test_a_file_whose_writing_fails_halfway_leaves_nothing(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_out(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(landing, "_insert_rejected", run_out)
    with pytest.raises(MemoryError):
        land(ledger, make_event())
    monkeypatch.undo()
    assert ledger.status_totals() == []
    assert ledger.known_files([file_named().key]) == frozenset()
    assert land(ledger, make_event()).new == 1


def test_no_column_can_hold_the_text_of_a_line(ledger: Ledger, ledger_url: str) -> None:
    ledger.status_totals()
    engine = sa.create_engine(ledger_url)
    assert columns(engine, "rejected_line") == {
        "key", "etag", "line_number", "landing_day", "problems", "line_sha256", "line_bytes",
        "released_at", "released_by", "released_note",
    }  # fmt: skip
    engine.dispose()


def test_money_is_text_on_sqlite_and_unconstrained_numeric_on_postgresql(
    ledger: Ledger, ledger_url: str
) -> None:
    ledger.status_totals()
    engine = sa.create_engine(ledger_url)
    types = {c["name"]: c["type"] for c in sa.inspect(engine).get_columns("refund_event")}
    wanted = "TEXT" if engine.dialect.name == "sqlite" else "NUMERIC"
    assert str(types["amount"]) == wanted
    engine.dispose()


@pytest.mark.usefixtures("as_deployed")
def test_every_sqlite_connection_is_wal_waits_and_checks_foreign_keys(
    open_ledger: Callable[..., Ledger], ledger_url: str
) -> None:
    if not ledger_url.startswith("sqlite"):
        pytest.skip("pragmas are SQLite's")
    with open_ledger()._database.read() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "busy_timeout", "foreign_keys", "synchronous")
        ]
    assert found == ["wal", 30_000, 1, 2]


def test_a_reader_does_not_wait_for_a_writer(open_ledger: Callable[..., Ledger]) -> None:
    first, second = open_ledger(), open_ledger()
    land(first, make_event())
    with first._writing() as writing:
        writing.connection.exec_driver_sql("UPDATE refund_event SET tenant = 'x'")
        assert len(second.refunds()) == 1


def test_a_locked_sqlite_file_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_BUSY_TIMEOUT_MS", 1)
    path = tmp_path / "ledger.db"
    ledger = opened(f"sqlite:///{path}")
    ledger.status_totals()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked"):
        land(ledger, make_event())
    other.close()
    ledger.close()


def test_a_file_that_is_no_database_or_cannot_be_opened_is_misconfigured(tmp_path: Path) -> None:
    text = tmp_path / "ledger.db"
    text.write_text("this is not a database, " * 200)
    for path in (text, tmp_path / "missing" / "ledger.db"):
        with pytest.raises(Misconfigured, match="database"):
            use(f"sqlite:///{path}")


@pytest.mark.parametrize(
    "url",
    [
        "not a url",
        "",
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://user:s3cret@localhost/ledger",
        "oddbase://user:s3cret@localhost/ledger",
        "postgresql://user:s3cret@with-at@localhost/ledger",
        "postgresql://user:s3cret@localhost:port/ledger",
    ],
)
def test_a_url_that_cannot_work_is_misconfigured_and_keeps_its_password(url: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        use(url)
    assert_silent_about("s3cret", caught.value)


def test_a_server_that_does_not_answer_is_unavailable_and_the_password_stays_out() -> None:
    with pytest.raises(Unavailable) as caught:
        use("postgresql://user:s3cret@127.0.0.1:1/ledger")
    assert_silent_about("s3cret", caught.value)


def test_a_driver_that_prints_the_password_is_not_repeated() -> None:
    known = database.Database("postgresql://user:s3%40cret@127.0.0.1:1/ledger")
    with pytest.raises(Unavailable), known.read():
        pass
    with pytest.raises(Unavailable) as caught, known._translated():
        raise sa.exc.OperationalError("SELECT 1", {}, Exception("s3@cret is wrong"))
    assert_silent_about("s3@cret", caught.value)


def test_an_unknown_database_or_role_is_misconfigured(postgresql_database: sa.URL) -> None:
    wrong = (
        postgresql_database.set(database="no_such_ledger"),
        postgresql_database.set(username="no_such_role", password="s3cret"),
    )
    for url in wrong:
        with pytest.raises(Misconfigured, match="does not exist") as caught:
            use(url.render_as_string(hide_password=False))
        assert_silent_about("s3cret", caught.value)


def test_a_connection_lost_between_two_calls_is_replaced(ledger: Ledger, ledger_url: str) -> None:
    if ledger_url.startswith("sqlite"):
        pytest.skip("a file does not hang up")
    ledger.status_totals()
    engine = sa.create_engine(ledger_url)
    with engine.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'refund_pipeline' AND datname = current_database()"
        )
    engine.dispose()
    assert ledger.status_totals() == []


def test_a_connection_lost_in_the_middle_is_unavailable(ledger: Ledger, ledger_url: str) -> None:
    if ledger_url.startswith("sqlite"):
        pytest.skip("a file does not hang up")
    with pytest.raises(Unavailable), ledger._database.write() as connection:
        connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
    assert ledger.status_totals() == []


def test_every_reason_is_explained() -> None:
    assert all(meaning and not meaning.endswith(".") for meaning in REASONS.values())
