"""docs/operations.md, Recovery: its commands are those the campaigns run; backups come back."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline_tests.chaos.deployment import BACK_UP, COMMANDS, PUT_BACK
from refund_pipeline_tests.gateways.ledger_makers import (
    SetClock,
    file_named,
    land,
    make_event,
    make_ready,
)

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
DUMP = 'pg_dump --format=custom --file=ledger.dump "$REFUNDS_LEDGER_URL"'
RESTORE = (
    'pg_restore --clean --if-exists --single-transaction --dbname="$REFUNDS_LEDGER_URL" ledger.dump'
)


@pytest.mark.parametrize("command", [*COMMANDS, DUMP, RESTORE])
def test_the_page_has_the_commands_that_are_tested(command: str) -> None:
    lines = {line.strip() for line in PAGE.read_text(encoding="utf-8").splitlines()}
    assert command.format(first="2026-11-01", last="2026-11-20") in lines


def run(line: str, folder: Path, **variables: str) -> None:
    for name, value in variables.items():
        line = line.replace(f"${name}", value)
    words = shlex.split(line)
    program = sys.executable if words[0] == "python" else shutil.which(words[0])
    if program is None:
        reason = f"{words[0]} is not installed; this test needs it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    subprocess.run(  # noqa: S603  (our own command line)
        [program, *words[1:]], cwd=folder, check=True, capture_output=True, timeout=60
    )


def lose_what_came_after(url: str, back_up: Callable[[], None], put_back: Callable[[], None]):
    """Post a refund, back the ledger up, land another, put the backup back; return the ledger."""
    ledger = Ledger(url, clock=SetClock())
    land(ledger, make_event(1))
    make_ready(ledger, make_event(1), landed=True)
    ledger.finish_posting(make_event(1).refund_id, state="posted", erp_id="900")
    back_up()
    land(ledger, make_event(2), file=file_named("b"))
    ledger.close()
    put_back()
    return ledger


def assert_it_goes_on(ledger: Ledger) -> None:
    assert [row.status for row in ledger.refunds()] == ["posted"]
    land(ledger, make_event(2), file=file_named("b"))
    make_ready(ledger, make_event(2), landed=True)
    assert [entry.to_status for entry in ledger.history(make_event(2).refund_id)] == [
        "landed",
        "ready",
    ]
    ledger.close()


def test_a_sqlite_ledger_is_backed_up_while_it_is_open_and_put_back(tmp_path: Path) -> None:
    def put_back() -> None:
        for line in PUT_BACK:
            run(line, tmp_path, DAGSTER_HOME=str(tmp_path))

    ledger = lose_what_came_after(
        f"sqlite:///{tmp_path / 'refund_ledger.db'}",
        lambda: run(BACK_UP, tmp_path, DAGSTER_HOME=str(tmp_path)),
        put_back,
    )
    assert_it_goes_on(ledger)


def test_a_postgresql_ledger_is_dumped_and_restored(
    postgresql_scratch: sa.URL, tmp_path: Path
) -> None:
    url = postgresql_scratch.render_as_string(hide_password=False)
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    engine.dispose()
    ledger = lose_what_came_after(
        url,
        lambda: run(DUMP, tmp_path, REFUNDS_LEDGER_URL=url),
        lambda: run(RESTORE, tmp_path, REFUNDS_LEDGER_URL=url),
    )
    assert_it_goes_on(ledger)
