"""The ledger is gone while refunds are posted: a full disk, a database that lets nobody in."""

import contextlib
import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from refund_pipeline.domain.errors import Unavailable
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.steps.posting import Surroundings, post_refunds
from refund_pipeline_tests.fakes import DAY, FakeClock, FakeErp, make_ready, refund_id
from refund_pipeline_tests.gateways.conftest import SERVER, run_statements

REFUNDS = 40
BEFORE = 5


class ErpThatActs(FakeErp):
    """Does something when it has made the fifth record."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self._act = act

    def post(self, transaction: Any) -> Any:
        made = super().post(transaction)
        if self.posts == BEFORE:
            self._act()
        return made


@contextmanager
def full_disk(ledger: Ledger) -> Iterator[None]:
    """Let no page be added to the file: SQLite says what it says when a disk is full."""
    engine = ledger._database._engine
    assert engine is not None

    @sa.event.listens_for(engine, "begin")
    def _limit(connection: sa.Connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # less than there are: no more

    yield
    ledger.close()  # the limit is that of its connections


def _fill_up(url: str) -> None:
    """Give the file's free pages back, which earlier tests left: else a full disk has room."""
    with contextlib.closing(sqlite3.connect(str(make_url(url).database))) as connection:
        connection.execute("VACUUM")


@contextmanager
def locked_out(ledger: Ledger) -> Iterator[None]:
    """End every session of the database, as a restart does, and let nobody in."""
    name, server = make_url(ledger._database._url).database, make_url(SERVER)
    run_statements(
        server,
        f"ALTER DATABASE {name} ALLOW_CONNECTIONS false",
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",  # noqa: S608  (our own name)
    )
    yield
    run_statements(server, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def post(ledger: Ledger, erp: FakeErp) -> None:
    clock = FakeClock()
    around = Surroundings(clock.now, clock.sleep, random.Random(1), lambda _: None)
    post_refunds(DAY, ledger=ledger, erp=erp, concurrency=2, surroundings=around)


def test_no_write_goes_unrecorded_and_the_next_run_finishes_the_batch(
    ledger: Ledger, ledger_url: str
) -> None:
    gone = full_disk if ledger_url.startswith("sqlite") else locked_out
    make_ready(ledger, REFUNDS)
    if gone is full_disk:
        _fill_up(ledger_url)
    outage: list[AbstractContextManager[None]] = []

    def _begin() -> None:
        outage.append(gone(ledger))
        outage[0].__enter__()

    erp = ErpThatActs(_begin)
    with pytest.raises(Unavailable):
        post(ledger, erp)
    written = len(erp.created)
    outage[0].__exit__(None, None, None)
    assert BEFORE <= written < REFUNDS
    begun = {row.refund_id for row in ledger.refunds(day=DAY, statuses=("posted", "uncertain"))}
    assert begun.issuperset(erp.created), "the intent is recorded before the write"

    post(ledger, erp)
    assert Counter(erp.created) == {refund_id(number): 1 for number in range(REFUNDS)}
    assert {row.status for row in ledger.refunds(day=DAY)} == {"posted"}
