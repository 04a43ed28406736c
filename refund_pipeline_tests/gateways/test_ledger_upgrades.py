"""A ledger an older version wrote keeps its promise under this one, on both databases.

`ledgers/<revision>.sql` was written by the version of that revision (`steps/lived_in.py`).
"""

import sqlite3
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from refund_pipeline.gateways.ledger import database, story
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import HistoryEntry
from refund_pipeline.gateways.ledger.tables import metadata, refund_event
from refund_pipeline_tests.fakes import DAY, event, record_of, refund_id, sales_of, transaction
from refund_pipeline_tests.steps.lived_in import (
    AWAITING_ORIGIN,
    AWAITING_PAYMENT,
    CONFLICTING_EVENT,
    CONFLICTING_RECORD,
    HISTORICAL,
    IN_THE_ERP,
    LEDGERS,
    NUMBERS,
    OF_A_RETURN,
    REFUSED,
    STANDINGS,
    UNMAPPED,
    Surrounding,
    surrounding,
)

OLDER = sorted(path.stem for path in LEDGERS.glob("*.sql"))
HELD = {UNMAPPED, REFUSED, CONFLICTING_EVENT, CONFLICTING_RECORD}
SKIPPED = {HISTORICAL, OF_A_RETURN}


def revisions() -> list[str]:
    config = Config()
    folder = Path(database.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    found = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    return sorted(found)


def put_back(revision: str, url: str) -> None:
    """Make the database at `url` what the version of `revision` left."""
    file = LEDGERS / f"{revision}.sql"
    if url.startswith("sqlite"):
        _execute(sa.make_url(url).database or "", file)
        return
    engine = sa.create_engine(url)
    with engine.begin() as target:
        database._upgrade(target, to=revision)
        with sqlite3.connect(":memory:") as written:
            written.executescript(file.read_text(encoding="utf-8"))
            source = sa.create_engine("sqlite://", creator=lambda: written)
            with source.connect() as rows:
                _copy(rows, target)
    engine.dispose()


def _execute(path: str, file: Path) -> None:
    written = sqlite3.connect(path)
    written.executescript(file.read_text(encoding="utf-8"))
    written.close()


def _copy(rows: sa.Connection, target: sa.Connection) -> None:
    there = sa.inspect(rows)
    for table in metadata.sorted_tables:
        if not there.has_table(table.name):
            continue
        had = {column["name"] for column in there.get_columns(table.name)}
        counted = {"id"} if table.name in {"resolution", "refund_history"} else set()
        columns = [column for column in table.columns if column.name in had - counted]
        found = rows.execute(sa.select(*columns).select_from(table)).mappings().all()
        if found:
            target.execute(sa.insert(table), [dict(row) for row in found])


@pytest.fixture(params=OLDER)
def older(request: pytest.FixtureRequest, empty_url: str) -> str:
    """The URL of a database that an older version left."""
    put_back(request.param, empty_url)
    return empty_url


@pytest.fixture
def around() -> Surrounding:
    """The world as the day left it."""
    world = surrounding()
    for number in IN_THE_ERP:
        meant = transaction(number)
        world.erp.records[meant.external_id] = record_of(meant, str(90_001 + number))
    return world


def standings(ledger: Ledger) -> dict[str, tuple[str, str | None]]:
    return {row.refund_id: (row.status, row.reason) for row in ledger.refunds()}


def test_every_revision_but_the_newest_has_a_ledger_written_by_its_own_version() -> None:
    assert set(revisions()) - {database.HEAD} <= set(OLDER)


def test_every_refund_stands_where_the_older_version_left_it(
    older: str, around: Surrounding
) -> None:
    ledger = Ledger(older, clock=around.clock.now, run_id="this-version")
    assert standings(ledger) == {refund_id(one): said for one, said in STANDINGS.items()}
    totals = ledger.file_totals(DAY)
    assert (totals.files, totals.lines) == (2, len(NUMBERS) + 4)
    assert (totals.duplicates, totals.conflicts, totals.rejected) == (1, 1, 2)
    ledger.close()


def test_what_the_older_version_wrote_is_found_by_index(
    older: str, around: Surrounding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story, "_by_looking_through", lambda *_: iter(()))
    ledger = Ledger(older, clock=around.clock.now, run_id="this-version")
    of = next(row for row in ledger.refunds() if row.status == "posted")
    (told,) = ledger.for_reading().stories_of(of.refund_id)
    for term in (told.order_number, of.erp_id, of.external_id):
        assert term is not None
        assert [one.event.refund_id for one in ledger.for_reading().stories_of(term)] == [
            of.refund_id
        ]
    ledger.close()


def test_what_the_older_version_left_open_is_done_and_nothing_twice(
    older: str, around: Surrounding
) -> None:
    ledger = Ledger(older, clock=around.clock.now, run_id="this-version")
    before = {number: ledger.history(refund_id(number)) for number in NUMBERS}
    around.newstore.show(event(AWAITING_PAYMENT))
    around.erp.sales |= sales_of(event(AWAITING_ORIGIN))
    around.clock.sleep(3600)
    for _ in range(2):
        around.read(ledger)
        around.build(ledger)
        around.post(ledger)
    reconciliation = around.reconcile(ledger, everything=True)

    made = Counter(around.erp.created)
    made.pop(refund_id(REFUSED), None)  # tried again where its transaction reads differently now
    owed = set(NUMBERS) - set(IN_THE_ERP) - HELD - SKIPPED
    assert made == {refund_id(number): 1 for number in owed}, "once each, and nothing else"
    posted = {key for key, (status, _) in standings(ledger).items() if status == "posted"}
    assert posted - {refund_id(REFUSED)} == {refund_id(number) for number in owed | set(IN_THE_ERP)}
    assert reconciliation.problems == ()
    assert ledger.file_totals(DAY).files == 2, "what was read is not read again"
    assert_only_added(before, ledger)
    ledger.close()


def assert_only_added(before: dict[int, list[HistoryEntry]], ledger: Ledger) -> None:
    for number, entries in before.items():
        assert ledger.history(refund_id(number))[: len(entries)] == entries


def test_what_the_older_version_posted_is_marked_as_posted(older: str, around: Surrounding) -> None:
    ledger = Ledger(older, clock=around.clock.now, run_id="this-version")
    with ledger._database.read() as connection:
        marked = connection.scalars(
            sa.select(refund_event.c.refund_id).where(refund_event.c.is_posted)
        )
        assert set(marked) == {row.refund_id for row in ledger.refunds(statuses=["posted"])}
    ledger.close()
