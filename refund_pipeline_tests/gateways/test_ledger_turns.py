"""Writers take turns: what one has read to judge by, nobody else changes before it has written."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from refund_pipeline.gateways.ledger import history, landing
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline_tests.gateways.ledger_makers import land, make_event, make_ready

EVENT = make_event()


@pytest.fixture
def is_free(ledger_url: str) -> Callable[[str], bool]:
    """Tells whether another process could write now: on PostgreSQL, by this statement."""

    def _is_free(statement: str) -> bool:
        engine = sa.create_engine(ledger_url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            try:
                if connection.dialect.name == "sqlite":
                    connection.exec_driver_sql("PRAGMA busy_timeout = 0")
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                    return True
                return bool(connection.exec_driver_sql(statement).scalar_one())
            except sa.exc.OperationalError:
                return False

    return _is_free


def watched(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, look: Callable[[], bool]):
    """Let `look` look around whenever `module` reads what it judges by; return what it saw."""
    real, seen = getattr(module, name), list[bool]()

    def _reads(*args: Any) -> Any:
        seen.append(look())
        return real(*args)

    monkeypatch.setattr(module, name, _reads)
    return seen


def test_nobody_records_while_a_file_is_judged(
    ledger: Ledger, is_free: Callable[[str], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = f"SELECT pg_try_advisory_xact_lock({landing._LANDING_LOCK})"
    assert is_free(turn)
    seen = watched(monkeypatch, landing, "known_events", lambda: is_free(turn))
    land(ledger, EVENT)
    assert seen == [False]
    assert is_free(turn)


def test_nobody_changes_a_refund_while_a_write_of_it_is_judged(
    ledger: Ledger, is_free: Callable[[str], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    transaction = make_ready(ledger, EVENT)
    row = f"SELECT 1 FROM refund_event WHERE refund_id = '{EVENT.refund_id}' FOR UPDATE NOWAIT"  # noqa: S608
    assert is_free(row)
    seen = watched(monkeypatch, history, "_standings", lambda: is_free(row))
    assert ledger.begin_posting(transaction)
    assert seen == [False, False], "before the write and after it"
    assert is_free(row)
