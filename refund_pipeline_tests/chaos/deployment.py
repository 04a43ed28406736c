"""A deployment on this machine: sandbox, ledger, Dagster's web server and daemon as processes.

For campaigns that run the commands of docs/operations.md, Recovery, as they stand there.
"""

import contextlib
import os
import shlex
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from typing_extensions import Self

from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.local_dagster import PROJECT_ROOT, LocalDagster
from refund_pipeline.sandbox.retailer import SandboxRefund
from refund_pipeline.sandbox.sandbox import MAPPING, Sandbox
from refund_pipeline_tests.chaos.rows import CampaignFailed

PROGRAMS: Mapping[str, list[str]] = {
    "dagster": [sys.executable, "-m", "dagster"],
    "refund-pipeline": [sys.executable, "-c", "from refund_pipeline.cli import main; main()"],
    "python": [sys.executable],
    "rm": ["rm"],
    "cp": ["cp"],
}
LOST_LEDGER = (
    "dagster sensor cursor -w workspace.yaml landing_bucket_sensor --delete",
    "dagster sensor cursor -w workspace.yaml landed_history_sensor --delete",
    "dagster sensor list -w workspace.yaml",
)
COMPARE = "refund-pipeline reconcile --from {first} --to {last}"
POST_THE_REST = (
    "dagster job backfill -w workspace.yaml -j sync_refunds --from {first} --to {last} --noprompt"
)
BACK_UP = (
    "python -c \"import sqlite3; sqlite3.connect('$DAGSTER_HOME/refund_ledger.db')"
    ".execute('VACUUM INTO ?', ['$DAGSTER_HOME/backup.db'])\""
)
PUT_BACK = (
    "rm -f $DAGSTER_HOME/refund_ledger.db-wal $DAGSTER_HOME/refund_ledger.db-shm",
    "cp $DAGSTER_HOME/backup.db $DAGSTER_HOME/refund_ledger.db",
)
LOSE_STORAGE = "rm -rf $DAGSTER_HOME/history $DAGSTER_HOME/schedules $DAGSTER_HOME/storage"
ONE_DAY = (
    "dagster job execute -m refund_pipeline.definitions -j sync_refunds "
    """--tags '{{"dagster/partition": "{day}"}}'"""
)
COMMANDS = (*LOST_LEDGER, COMPARE, POST_THE_REST, BACK_UP, *PUT_BACK)
"""What the page has, with `{first}` and `{last}` filled in; a test holds the two together."""
_LONGEST = 900.0


@dataclass
class Deployment:
    """A context manager; everything of it is below `place`."""

    place: Path
    seed: int
    start: date
    refunds: list[SandboxRefund] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.home = self.place / "home"
        self.home.mkdir()
        self._ending = contextlib.ExitStack()
        self.sandbox = self._ending.enter_context(Sandbox(self.seed, state=self.place))
        self.environment = {
            **self.sandbox.environment(),
            "REFUNDS_START_DATE": self.start.isoformat(),
            "REFUNDS_MAPPING": str(self.place / "mapping.yaml"),
            "DAGSTER_HOME": str(self.home),
        }
        self.stop_posting(on=False)
        self.dagster: LocalDagster | None = None
        return self

    def __exit__(self, *error: object) -> None:
        self.stop_dagster()
        self._ending.close()

    # --- what people do

    def start_dagster(self) -> None:
        """Start web server and daemon, and wait until they answer."""
        self.dagster = LocalDagster(self.home, self.environment)
        self.dagster.start()
        self.dagster.wait_until_ready(timeout=300)

    def stop_dagster(self) -> None:
        """Stop them."""
        if self.dagster is not None:
            self.dagster.stop()
            self.dagster = None

    def stop_posting(self, *, on: bool) -> None:
        """Turn the kill switch of the mapping on or off."""
        mapping = yaml.safe_load(MAPPING.read_text(encoding="utf-8"))
        mapping["gates"]["stop_posting"] = on
        draft = self.place / "mapping.draft"
        draft.write_text(yaml.safe_dump(mapping), encoding="utf-8")
        draft.replace(self.place / "mapping.yaml")

    def command(self, line: str, **values: Any) -> tuple[int, str]:
        """Run a line of the page; return its exit code and what it said."""
        text = line.format(**values) if values else line
        words = shlex.split(text.replace("$DAGSTER_HOME", str(self.home)))
        done = subprocess.run(  # noqa: S603  (our own command line)
            [*PROGRAMS[words[0]], *words[1:]],
            cwd=PROJECT_ROOT,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=_LONGEST,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def must(self, line: str, **values: Any) -> str:
        """Run a line of the page that has to work."""
        code, said = self.command(line, **values)
        if code:
            raise CampaignFailed(f"{line} ended with {code}: {said[-2000:]}")
        return said

    # --- what happens

    def land(self, count: int, *, at: datetime) -> list[SandboxRefund]:
        """Land a file of refunds that can be posted."""
        made = [self.sandbox.retailer.any_refund(at) for _ in range(count)]
        self.sandbox.retailer.land(*made, at=at)
        self.refunds += made
        return made

    def wait(self, what: str, is_so: Callable[[], bool], *, longest: float = _LONGEST) -> float:
        """Wait until something is so; return after how many seconds."""
        started = time.monotonic()
        while not is_so():
            if time.monotonic() - started > longest:
                raise CampaignFailed(f"after {longest:.0f} s still not: {what}; {self.standings()}")
            time.sleep(0.5)
        return time.monotonic() - started

    # --- what is there

    def standings(self) -> Counter[tuple[str, str | None]]:
        """Return how many refunds stand where, by the ledger."""
        counts: Counter[tuple[str, str | None]] = Counter()
        with self.ledger() as ledger:
            for one in ledger.status_totals():
                counts[one.status, one.reason] += one.count
        return counts

    @contextlib.contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """Open the ledger."""
        url = f"sqlite:///{self.home / 'refund_ledger.db'}"
        opened = Ledger(url, clock=lambda: datetime.now(timezone.utc))
        try:
            yield opened
        finally:
            opened.close()

    def records(self) -> dict[str, list[str]]:
        """Return by refund the ids of its records in the ERP."""
        found: dict[str, list[str]] = {}
        for record in self.sandbox.netsuite.cash_refunds():
            found.setdefault(record.custom["custbody_nst_refund_id"], []).append(record.id)
        return found

    @property
    def all_posted(self) -> bool:
        """Whether ERP and ledger have everything that landed."""
        posted = self.standings()["posted", None]
        return len(self.records()) == len(self.refunds) == posted

    def verdict(self) -> tuple[int, int]:
        """Return how many refunds are lost, and how many records too many there are."""
        records = self.records()
        lost = {one.refund_id for one in self.refunds} - set(records)
        return len(lost), sum(len(ids) - 1 for ids in records.values())

    def runs(self) -> list[dg.DagsterRun]:
        """Return every run Dagster remembers."""
        before = os.environ.get("DAGSTER_HOME")
        os.environ["DAGSTER_HOME"] = str(self.home)
        try:
            with dg.DagsterInstance.get() as instance:
                return list(instance.get_runs())
        finally:
            os.environ.pop("DAGSTER_HOME")
            if before is not None:
                os.environ["DAGSTER_HOME"] = before


def days_before(count: int) -> list[datetime]:
    """Return noon of the `count` days before today, oldest first."""
    noon = datetime.now(timezone.utc).replace(hour=12, minute=0, second=0, microsecond=0)
    return [noon - timedelta(days=back) for back in range(count, 0, -1)]
