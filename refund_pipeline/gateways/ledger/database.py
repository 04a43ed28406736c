"""The ledger's database: connecting, migrating, transactions, and what its errors mean.

SQLite by default, PostgreSQL by URL. Knows no table but `alembic_version`; queries live in the
modules beside.
"""

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url

from refund_pipeline.domain.errors import Misconfigured, Unavailable

HEAD = "0005"
"""The newest revision. When the database is as new, Alembic is not even imported."""
_BATCH = 500
_BUSY_TIMEOUT_MS = 30_000
_MIGRATION_LOCK = 0x7265_6675_6E64_0001  # "refund" and 1: an advisory lock is just a number
_WRITES = "refund_pipeline_writes"
VERSION = sa.table("alembic_version", sa.column("version_num", sa.Text)).c.version_num
_NEEDS_A_PERSON = (
    "password authentication failed",
    "no pg_hba.conf entry",
    "does not exist",
    "unable to open database file",
    "readonly database",
    "not a database",
)
_SQLITE_MAY_PASS = ("is locked", "disk I/O error", "is full")
_POSTGRESQL_CODES: Mapping[str, type[Unavailable | Misconfigured]] = {
    "42501": Misconfigured,  # insufficient privilege
    "3F000": Misconfigured,  # no schema the user may use
    "25006": Unavailable,  # read only: a standby, for as long as the failover lasts
}

Item = TypeVar("Item")


def default_url(home: str) -> str:
    """Return the SQLite ledger in DAGSTER_HOME, or in the working directory where there is none."""
    return f"sqlite:///{Path(home.strip() or '.').resolve() / 'refund_ledger.db'}"


class Database:
    """One engine, made and migrated on first use. Safe to use from several threads."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine: Engine | None = None
        self._opening = threading.Lock()
        # Threads queue here in turn; SQLite's own busy handler polls, and starves some of them.
        self._writing: AbstractContextManager[Any] = nullcontext()
        self._password: str | None = None
        self._name = "the ledger"

    def close(self) -> None:
        """Close every connection; the next use opens them again."""
        with self._opening:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that reads one state of the ledger.

        Raises:
            Unavailable: the database does not answer, or is locked for too long.
            Misconfigured: the URL is wrong, or a permission is missing.
        """
        with self._translated(), self._open().begin() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Open a transaction whose statements all see the same moment; raises as `read` does."""
        with self._translated():
            engine = self._open()
            if engine.dialect.name == "postgresql":
                engine = engine.execution_options(isolation_level="REPEATABLE READ")
            with engine.begin() as connection:
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that may write; raises what `read` raises."""
        with self._translated():
            engine = self._open()
            with (
                self._writing,
                engine.connect() as connection,
                connection.execution_options(**{_WRITES: True}).begin(),
            ):
                yield connection

    def _open(self) -> Engine:
        with self._opening:
            if self._engine is None:
                engine = self._connectable()
                try:
                    _bring_up_to_date(engine)
                except BaseException:
                    engine.dispose()
                    raise
                self._engine = engine
            return self._engine

    def _connectable(self) -> Engine:
        try:
            url = make_url(self._url.strip().replace("postgres://", "postgresql://", 1))
        except (sa.exc.ArgumentError, ValueError):
            raise Misconfigured("the ledger's URL is not a SQLAlchemy URL") from None
        self._password = str(url.password) if url.password else None
        self._name = f"the ledger ({url.get_backend_name()}, {url.database})"
        if url.drivername in {"sqlite", "sqlite+pysqlite"}:
            self._writing = threading.Lock()
            return _sqlite_engine(url)
        if url.drivername in {"postgresql", "postgresql+psycopg2"}:
            return _postgresql_engine(url)
        raise Misconfigured(
            "the ledger's URL must begin with sqlite:/// or postgresql:// "
            f"(psycopg2), not {url.drivername[:40]}"
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
            verdict = _verdict(error)
            if verdict is None:
                raise
            # The driver's text names host, user and database. The chain is cut: its arguments may
            # name more.
            text = " ".join(str(getattr(error, "orig", error)).split())[:300]
            if self._password:
                text = text.replace(self._password, "***")
            raise verdict(f"{self._name} cannot be used: {text}") from None


def _verdict(
    error: sa.exc.DBAPIError | sa.exc.TimeoutError,
) -> type[Unavailable | Misconfigured] | None:
    """Tell a database that cannot be used (and whether waiting helps) from a defect (None)."""
    if isinstance(error, sa.exc.TimeoutError):
        return Unavailable
    text = str(error.orig)
    if any(phrase in text for phrase in _NEEDS_A_PERSON) and not isinstance(
        error, sa.exc.ProgrammingError
    ):
        return Misconfigured
    if type(error.orig).__module__ == "sqlite3":  # its OperationalError says anything, defects too
        return Unavailable if any(phrase in text for phrase in _SQLITE_MAY_PASS) else None
    coded = _POSTGRESQL_CODES.get(getattr(error.orig, "pgcode", None) or "")
    lost = error.connection_invalidated or isinstance(
        error, (sa.exc.OperationalError, sa.exc.InterfaceError)
    )
    return coded or (Unavailable if lost else None)


def _sqlite_engine(url: URL) -> Engine:
    if not url.database or "memory" in (url.query.get("mode"), url.database.strip(":")):
        raise Misconfigured("the ledger must outlive its run: give SQLite a file, not memory")
    engine = sa.create_engine(url, hide_parameters=True)

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA foreign_keys = ON")
        # `synchronous` stays FULL: an intent row must survive a power cut. WAL is a property of the
        # file; when another process is just now opening it for the first time, that process sets
        # it.
        with suppress(Exception):
            connection.execute("PRAGMA journal_mode = WAL").fetchall()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql_engine(url: URL) -> Engine:
    if "@" in (url.host or ""):
        raise Misconfigured("the password in the ledger's URL must be percent-encoded (@ is %40)")
    try:
        return sa.create_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            executemany_mode="values_plus_batch",
            connect_args={"connect_timeout": 10, "application_name": "refund_pipeline"},
        )
    except ModuleNotFoundError:
        raise Misconfigured(
            "a PostgreSQL ledger needs psycopg2: pip install 'refund-pipeline[postgres]'"
        ) from None


def _bring_up_to_date(engine: Engine) -> None:
    if _is_usable(_revision(engine)):
        return
    with engine.execution_options(**{_WRITES: True}).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        # Whoever waited for the lock (SQLite: for BEGIN IMMEDIATE) finds the work done, by a newer
        # version perhaps.
        if not _is_usable(_revision(engine)):
            _upgrade(connection)


def _is_usable(revision: str | None) -> bool:
    """Whether this version can work with a database of `revision` as it is.

    A newer one of the same generation only adds to what is known here (`migrations/versions/`), so
    that two versions may run side by side, and a version can be rolled back without the ledger.
    """
    if revision is None or len(revision) != len(HEAD):
        return False
    return revision[0] == HEAD[0] and revision >= HEAD


def _revision(engine: Engine) -> str | None:
    try:
        with engine.begin() as connection:
            return connection.execute(sa.select(VERSION)).scalar_one_or_none()
    except (sa.exc.ProgrammingError, sa.exc.OperationalError) as error:
        if "no such table" in str(error.orig) or getattr(error.orig, "pgcode", None) == "42P01":
            return None
        raise


def _upgrade(connection: Connection, to: str = "head") -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    folder = Path(__file__).with_name("migrations")
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, to)
    except CommandError as error:
        raise Misconfigured(
            f"the ledger's schema cannot be migrated to revision {HEAD}; was it written by a newer "
            f"version of this program? ({error})"
        ) from None


def batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Cut `items` into lists of at most 500: no statement binds more ids than that."""
    listed = list(items)
    for start in range(0, len(listed), _BATCH):
        yield listed[start : start + _BATCH]


def fetch(
    connection: Connection,
    statement: sa.Select[Any],
    column: sa.ColumnElement[str],
    ids: Collection[str] | None,
) -> Sequence[sa.Row[Any]]:
    """Run a select for all rows (`ids` is None), or in batches for `column` among `ids`."""
    if ids is None:
        return connection.execute(statement).all()
    found: list[sa.Row[Any]] = []
    for batch in batches(sorted(set(ids))):
        found.extend(connection.execute(statement.where(column.in_(batch))).all())
    return found


def upsert(connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert rows, one per primary key, or replace the given columns of those that exist."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert
    else:
        from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]
    statement = insert(table)
    keys = list(table.primary_key)
    names = {column.name for column in keys}
    replaced = {name: statement.excluded[name] for name in rows[0] if name not in names}
    connection.execute(
        statement.on_conflict_do_update(index_elements=keys, set_=replaced),
        [dict(row) for row in rows],
    )
