"""The ledger's place fails while refunds are posted: its database restarts, its disk is full.

No write may begin that could not be recorded, and what was under way is settled by looking it up.
The clock is that of `scaled_day.py`; database and disk are real.
"""

import random
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from refund_pipeline_tests.chaos.enduring import Outage, World, endure, recover, strike, world
from refund_pipeline_tests.chaos.own_postgres import OwnPostgres, own_postgres
from refund_pipeline_tests.chaos.rows import CampaignFailed, Row

_RESTARTS = 20
_BATCH = 24
_DISK = "24m"


def database(seed: int, place: Path) -> Row:
    """PostgreSQL is down for hours, then restarted or crashed in mid-batch again and again."""
    started, chance = time.monotonic(), random.Random(seed)
    with (
        own_postgres(place / "postgres") as server,
        world(seed, place, ledger_url=server.url) as here,
    ):
        down = endure(here, _writes_while(here, "PostgreSQL down", server.stop, server.start))
        here.size, unrecorded = _BATCH, list[int]()

        def _look() -> None:
            server.settled()
            unrecorded.append(here.unrecorded())

        here.day.before_run = _look
        broke_off = sum(_restarted(here, server, number, chance) for number in range(_RESTARTS))
        return here.row(
            "outage-database",
            seed,
            started,
            cases=1 + _RESTARTS,
            faults=f"down for {len(down.per_hour)} h; {_RESTARTS} restarts in mid-batch, half of "
            "them crashes",
            outcome=f"{down}; {broke_off} of {_RESTARTS} restarted batches broke off and were "
            f"finished by the next run, which found {sum(unrecorded)} records of writes whose "
            "outcome was not recorded",
        )


def _restarted(here: World, server: OwnPostgres, number: int, chance: random.Random) -> bool:
    """Restart the database in the middle of a batch; say whether its run broke off."""
    mode: Literal["fast", "immediate"] = "immediate" if number % 2 else "fast"
    outage = _writes_while(here, f"restart {number} ({mode})", partial(server.restart, mode))
    first = len(here.day.runs)
    strike(here, replace(outage, after=chance.randrange(2, _BATCH - 6)))
    recover(here, outage.name)
    return not here.day.runs[first].success


def disk(seed: int, place: Path) -> Row:
    """The disk of a SQLite ledger is full for hours, from the middle of a batch on."""
    started = time.monotonic()
    with (
        _small_disk(place / "disk") as small,
        world(seed, place, ledger_url=f"sqlite:///{small / 'ledger.db'}") as here,
    ):
        ballast = small / "ballast"
        full = _writes_while(here, "disk full", partial(_fill, ballast), ballast.unlink)
        endured = endure(here, full)
        return here.row(
            "outage-disk",
            seed,
            started,
            cases=1,
            faults=f"a tmpfs full for {len(endured.per_hour)} h, from the middle of a batch on",
            outcome=str(endured),
        )


def _writes_while(
    here: World,
    name: str,
    begin: Callable[[], object],
    end: Callable[[], object] = lambda: None,
) -> Outage:
    """Count the writes to the ERP while the ledger cannot be used."""
    audit = here.sandbox.netsuite.audit
    return Outage(
        name,
        begin,
        end,
        asked=lambda: audit.posts,
        progress=lambda: audit.posts,
        after=here.size // 3,
        counted="writes",
    )


@contextmanager
def _small_disk(place: Path) -> Iterator[Path]:
    """Mount a small disk.

    Raises:
        CampaignFailed: this user may not mount one.
    """
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(place)]
    done = subprocess.run(mount, capture_output=True, check=False)  # noqa: S603
    if done.returncode:
        raise CampaignFailed("this campaign needs the right to mount a tmpfs (root)")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)  # noqa: S603, S607


def _fill(ballast: Path) -> None:
    """Write until nothing more can be written, not a byte."""
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
