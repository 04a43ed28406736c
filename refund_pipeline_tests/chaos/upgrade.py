"""A rollout: two versions of the code run the same landing days at the same time, on one ledger.

Real processes of `dagster job execute`, one after the other begun while others run, on SQLite and
on PostgreSQL. The newer version is this one with a revision more, so that whichever of its
processes comes first migrates the ledger under the older ones.
"""

import itertools
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.gateways.ledger.database import HEAD
from refund_pipeline_tests.chaos.landing_week import LandingWeek
from refund_pipeline_tests.chaos.rows import CampaignFailed, Row
from refund_pipeline_tests.gateways.next_version import (
    NEXT,
    ROOT,
    make_next_version,
    python_of,
)

SERVER = os.environ.get("LEDGER_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
_LONGEST = 300.0


def upgrade(seed: int, place: Path) -> Row:
    """Run three landing days by both versions at once, and go on after a rollback."""
    started = time.monotonic()
    newer = make_next_version(place / "newer")
    lost = twice = refunds = processes = failures = 0
    with _postgresql() as url:
        for name, ledger_url in (("sqlite", ""), ("postgresql", url)):
            folder = place / name
            folder.mkdir()
            with LandingWeek(folder, seed, per_day=40, length=3, ledger_url=ledger_url) as week:
                made, failed = _roll_out(week, newer)
                processes, failures = processes + made, failures + failed
                refunds += len(week.landed)
                one_lost, one_twice = week.verdict()
                lost, twice = lost + one_lost, twice + one_twice
    return Row(
        campaign="upgrade",
        seed=seed,
        cases=processes,
        refunds=refunds,
        faults=f"{processes} runs of two versions, two of a day at once, on SQLite and PostgreSQL; "
        "the ledger migrated under them; then rolled back; writes unanswered",
        lost=lost,
        twice=twice,
        outcome=f"{failures} runs failed and were made again; no row of the ledger was harmed",
        seconds=time.monotonic() - started,
    )


def _roll_out(week: LandingWeek, newer: Path) -> tuple[int, int]:
    """Run each day by both versions at once, then by the older one; return runs and failures."""
    week.change_mapping()
    with week.ledger() as ledger:
        ledger.prove_writable()
    made = failed = 0
    for day in week.days:
        week.land(day)
        week.with_faults()
        together = [_start(version, day.isoformat(), week) for version in (ROOT, newer)]
        made += len(together)
        failed += sum(_ended(process) != 0 for process in together)
        _assert_revision(week, NEXT)
    week.settle()  # by this version, which is the older one: the newer was rolled back
    for day in week.release():
        week.run(day)
    week.settle()
    _assert_revision(week, NEXT)
    _assert_untouched(week)
    return made + week.runs, failed


def _start(version: Path, day: str, week: LandingWeek) -> "subprocess.Popen[bytes]":
    command = [
        sys.executable,
        "-m",
        "dagster",
        "job",
        "execute",
        "-m",
        "refund_pipeline.definitions",
    ]
    command += ["-j", "sync_refunds", "--tags", f'{{"dagster/partition": "{day}"}}']
    home = week.place / f"home-{version.name}-{day}"
    home.mkdir()
    return subprocess.Popen(  # noqa: S603  (our own command line)
        command,
        cwd=home,
        env={**os.environ, **python_of(version), "DAGSTER_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _ended(process: "subprocess.Popen[bytes]") -> int:
    try:
        return process.wait(timeout=_LONGEST)
    except subprocess.TimeoutExpired:
        process.kill()
        raise CampaignFailed("a run did not end") from None


def _assert_revision(week: LandingWeek, expected: str) -> None:
    with week.ledger() as ledger:
        found = ledger.prove_writable()
    if found != expected:
        raise CampaignFailed(f"the ledger stands at {found}, not at {expected} (ours is {HEAD})")


def _assert_untouched(week: LandingWeek) -> None:
    """Every landed refund is there once, and its history ends where it stands."""
    says = week.standings()
    if set(says) != {one.refund_id for one in week.landed}:
        raise CampaignFailed("a refund is missing from the ledger")
    with week.ledger() as ledger:
        for refund_id, row in says.items():
            history = ledger.history(refund_id)
            steps = [(entry.from_status, entry.to_status) for entry in history]
            joined = all(one[1] == two[0] for one, two in itertools.pairwise(steps))
            if not joined or steps[-1][1] != row.status:
                raise CampaignFailed(f"the history of {refund_id} does not hold together")


@contextmanager
def _postgresql() -> Iterator[str]:
    """Make a database of the campaign's own, and drop it at the end."""
    server = sa.make_url(SERVER)
    name = f"chaos_{uuid.uuid4().hex[:12]}"
    engine = sa.create_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
    except sa.exc.SQLAlchemyError as error:
        raise Misconfigured(f"the campaign needs PostgreSQL: {type(error).__name__}") from None
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
