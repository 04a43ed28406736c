"""The version after this one: a copy of the package with one more revision, for real processes.

As a child, `python -m refund_pipeline_tests.gateways.next_version URL FIRST COUNT [READY GO]`
posts COUNT refunds into the ledger at URL, by whichever version `PYTHONPATH` leads to.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
NEXT = "0900"
"""Its revision: of the same generation, as every one that only adds."""
_REVISION = f'''"""Adds as much as a revision may."""

import sqlalchemy as sa
from alembic import op

revision = "{NEXT}"
down_revision = "{{head}}"


def upgrade() -> None:
    """Add a column, a table and indexes to what everybody writes to."""
    op.add_column("order_payment", sa.Column("of_next_version", sa.Text()))
    op.add_column("erp_posting", sa.Column("of_next_version", sa.Text()))
    op.create_table("of_next_version", sa.Column("id", sa.Text(), primary_key=True))
    op.create_index("ix_next_version", "refund_event", ["reason_code"])
    op.create_index("ix_next_version_posting", "erp_posting", ["erp_id"])
'''


def make_next_version(folder: Path) -> Path:
    """Copy the package into `folder`, one revision newer, and return the folder."""
    from refund_pipeline.gateways.ledger.database import HEAD

    package = folder / "refund_pipeline"
    shutil.copytree(ROOT / "refund_pipeline", package, ignore=shutil.ignore_patterns("__pycache__"))
    ledger = package / "gateways" / "ledger"
    versions = ledger / "migrations" / "versions"
    (versions / f"r{NEXT}_next.py").write_text(_REVISION.replace("{head}", HEAD))
    database = ledger / "database.py"
    database.write_text(database.read_text().replace(f'HEAD = "{HEAD}"', f'HEAD = "{NEXT}"'))
    return folder


def python_of(version: Path) -> dict[str, str]:
    """Return the environment in which `refund_pipeline` is that of `version`."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(version), str(ROOT)])}


def start_posting(
    version: Path, url: str, *, first: int, count: int, signals: tuple[Path, Path] | None = None
) -> "subprocess.Popen[str]":
    """Start a process of `version` that posts `count` refunds, from number `first` on.

    With `signals` it makes the one file when it is ready, and begins once the other is there.
    """
    arguments = [url, str(first), str(count), *(str(path) for path in signals or ())]
    return subprocess.Popen(  # noqa: S603  (our own command line)
        [sys.executable, "-m", "refund_pipeline_tests.gateways.next_version", *arguments],
        cwd=version,
        env=python_of(version),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _post(url: str, first: int, count: int) -> None:
    from refund_pipeline.domain.errors import Unavailable
    from refund_pipeline.gateways.ledger.ledger import Ledger
    from refund_pipeline_tests.gateways.ledger_makers import (
        SetClock,
        file_named,
        land,
        make_event,
        make_ready,
    )

    ledger = Ledger(url, clock=SetClock(), run_id=f"from-{first}")
    for number in range(first, first + count):
        event = make_event(number)
        while True:
            with contextlib.suppress(Unavailable):  # a deadlock with the migration, say
                land(ledger, event, file=file_named(str(number)))
                transaction = make_ready(ledger, event, landed=True)
                ledger.begin_posting(transaction)
                ledger.finish_posting(event.refund_id, state="posted", erp_id=str(number))
                break
    ledger.close()


if __name__ == "__main__":
    if len(sys.argv) > 4:
        Path(sys.argv[4]).touch()
        while not Path(sys.argv[5]).exists():
            time.sleep(0.005)
    _post(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
