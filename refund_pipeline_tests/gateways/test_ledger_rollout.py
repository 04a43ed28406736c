"""Two versions of the code on one ledger, as during a rollout: real processes on both databases.

What a ledger of an older version holds afterwards is `test_ledger_upgrades.py`.
"""

import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.gateways.ledger import database
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline_tests.gateways.ledger_makers import (
    SetClock,
    file_named,
    land,
    make_event,
    make_ready,
)
from refund_pipeline_tests.gateways.next_version import (
    NEXT,
    ROOT,
    make_next_version,
    start_posting,
)
from refund_pipeline_tests.gateways.test_ledger_upgrades import OLDER, put_back, revisions


@pytest.fixture(scope="module")
def next_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_next_version(tmp_path_factory.mktemp("next"))


@pytest.fixture
def engine(empty_url: str) -> Iterator[sa.Engine]:
    opened = sa.create_engine(empty_url)
    yield opened
    opened.dispose()


def revision(engine: sa.Engine) -> str:
    with engine.connect() as connection:
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()


def wait_for(signs: Sequence[Path], processes: Sequence["subprocess.Popen[str]"]) -> None:
    while not all(sign.exists() for sign in signs):
        assert all(process.poll() is None for process in processes)
        time.sleep(0.01)


def finish(*processes: "subprocess.Popen[str]") -> None:
    for process in processes:
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said


def assert_all_posted(url: str, count: int) -> None:
    ledger = Ledger(url, clock=SetClock())
    rows = ledger.refunds(limit=10_000)
    assert {row.refund_id for row in rows} == {make_event(n).refund_id for n in range(count)}
    for row in rows:
        history = [entry.to_status for entry in ledger.history(row.refund_id)]
        assert (row.status, row.attempts) == ("posted", 1)
        assert history == ["landed", "ready", "uncertain", "posted"]
    ledger.close()


def test_processes_that_open_an_older_ledger_together_migrate_it_once(
    empty_url: str, engine: sa.Engine, tmp_path: Path
) -> None:
    put_back(OLDER[0], empty_url)
    go = tmp_path / "go"
    ready = [tmp_path / f"ready-{number}" for number in range(2)]
    processes = [
        start_posting(ROOT, empty_url, first=100 + number, count=1, signals=(sign, go))
        for number, sign in enumerate(ready)
    ]
    wait_for(ready, processes)
    go.touch()
    finish(*processes)
    assert revision(engine) == database.HEAD
    ledger = Ledger(empty_url, clock=SetClock())
    posted = {row.refund_id for row in ledger.refunds(statuses=["posted"])}
    assert {make_event(100 + number).refund_id for number in range(2)} <= posted
    ledger.close()


def test_a_newer_version_migrates_beside_one_that_writes_and_goes_on_writing(
    empty_url: str, engine: sa.Engine, next_version: Path, tmp_path: Path
) -> None:
    Ledger(empty_url, clock=SetClock()).prove_writable()
    ready, go = tmp_path / "ready", tmp_path / "go"
    newer = start_posting(next_version, empty_url, first=0, count=10, signals=(ready, go))
    older = start_posting(ROOT, empty_url, first=10, count=30)
    wait_for([ready], [newer])
    go.touch()
    finish(newer, older)
    started_later = start_posting(ROOT, empty_url, first=40, count=5)
    finish(started_later)
    assert revision(engine) == NEXT, "nothing is migrated down"
    assert_all_posted(empty_url, 45)


def test_a_version_that_was_rolled_back_works_with_the_newer_ledger(
    empty_url: str, engine: sa.Engine
) -> None:
    ledger = Ledger(empty_url, clock=SetClock())
    land(ledger, make_event(1))
    ledger.close()
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE order_payment ADD COLUMN of_next_version TEXT")
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :n"), {"n": NEXT})
    land(ledger, make_event(2), file=file_named("b"))
    make_ready(ledger, make_event(2), landed=True)
    assert len(ledger.refunds()) == 2
    assert ledger.prove_writable() == NEXT
    ledger.close()
    assert revision(engine) == NEXT


@pytest.mark.parametrize("unknown", ["1000", "9999", "0001a", "abcd"])
def test_a_ledger_of_another_generation_is_refused_and_stays_as_it_is(
    empty_url: str, engine: sa.Engine, unknown: str
) -> None:
    Ledger(empty_url, clock=SetClock()).prove_writable()
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE alembic_version SET version_num = :unknown"), {"unknown": unknown}
        )
    ledger = Ledger(empty_url, clock=SetClock())
    with pytest.raises(Misconfigured, match="newer version"):
        ledger.status_totals()
    assert revision(engine) == unknown


def test_revisions_of_a_generation_only_add(empty_url: str, engine: sa.Engine) -> None:
    """What an older version reads and writes is still there, and asks for nothing new."""
    before: dict[str, object] = {}
    for step in revisions():
        assert len(step) == 4, "four digits, or older versions cannot tell that it is newer"
        with engine.begin() as connection:
            database._upgrade(connection, to=step)
        after = shape(engine)
        if step[0] == database.HEAD[0]:
            lost = {what: how for what, how in before.items() if after.get(what) != how}
            assert lost == {}
            known = {what.split(".")[0] for what in before}
            demanding = [
                what
                for what, how in after.items()
                if what.split(".")[0] in known and what not in before and how == "is demanded"
            ]
            assert demanding == []
        before = after


def shape(engine: sa.Engine) -> dict[str, object]:
    """Return what older code leans on: `table.column` and how it is, and the constraints."""
    found: dict[str, object] = {}
    looked_at = sa.inspect(engine)
    for table in [*looked_at.get_table_names(), *looked_at.get_view_names()]:
        for column in looked_at.get_columns(table):
            optional = column["nullable"] or column["default"] is not None
            found[f"{table}.{column['name']}"] = str(column["type"])
            found[f"{table}.{column['name']} filled"] = (
                "may be left out" if optional else "is demanded"
            )
    for table in looked_at.get_table_names():
        for check in looked_at.get_check_constraints(table):
            found[f"{table}.{check['name']}"] = "is demanded"
            found[f"{table}.{check['name']} says"] = check["sqltext"]
        for rule in looked_at.get_unique_constraints(table):
            found[f"{table}.{rule['name']}"] = "is demanded"
        for rule in looked_at.get_foreign_keys(table):
            found[f"{table}.{rule['name']}"] = "is demanded"
        for index in looked_at.get_indexes(table):
            found[f"{table}.{index['name']}"] = "is demanded" if index["unique"] else "helps"
    return found
