"""The ledger is proven writable without writing a row."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.gateways.ledger.database import HEAD
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.tables import metadata
from refund_pipeline_tests.gateways.ledger_makers import SetClock, land, make_event


def rows_in(ledger: Ledger) -> dict[str, int]:
    with ledger._database.read() as connection:
        return {
            table.name: connection.execute(
                sa.select(sa.func.count()).select_from(table)
            ).scalar_one()
            for table in metadata.sorted_tables
        }


def test_a_ledger_that_can_be_written_to_says_its_revision_and_stays_as_it_is(
    ledger: Ledger,
) -> None:
    land(ledger, make_event(1))
    before = rows_in(ledger)
    assert ledger.prove_writable() == HEAD
    assert rows_in(ledger) == before
    assert before["refund_event"] == 1


def test_an_empty_database_gets_its_schema(empty_url: str) -> None:
    ledger = Ledger(empty_url, clock=SetClock())
    assert ledger.prove_writable() == HEAD
    assert set(rows_in(ledger).values()) == {0}
    ledger.close()


def test_a_file_that_can_only_be_read_is_a_setting_to_mend(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    migrated = Ledger(f"sqlite:///{file}", clock=SetClock())
    migrated.prove_writable()
    migrated.close()
    ledger = Ledger(f"sqlite:///file:{file}?mode=ro&uri=true", clock=SetClock())
    with pytest.raises(Misconfigured, match="readonly"):
        ledger.prove_writable()
    ledger.close()


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("granted", "says"),
    [
        (True, "permission denied for table"),
        (False, "no schema has been selected"),
    ],
)
def test_a_user_who_may_not_insert_is_a_setting_to_mend(
    empty_url: str, granted: bool, says: str
) -> None:
    migrated = Ledger(empty_url, clock=SetClock())
    migrated.prove_writable()
    url = sa.make_url(empty_url)
    name = f"reader_{url.database}"
    with migrated._database.write() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN")
        if granted:
            connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA public TO {name}")
        connection.exec_driver_sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
    ledger = Ledger(str(url.set(username=name)), clock=SetClock())
    try:
        with pytest.raises(Misconfigured, match=says):
            ledger.prove_writable()
    finally:
        ledger.close()
        with migrated._database.write() as connection:
            connection.exec_driver_sql(f"DROP OWNED BY {name}")
            connection.exec_driver_sql(f"DROP ROLE {name}")
        migrated.close()
