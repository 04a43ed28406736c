"""Reading a landing day: events a second and memory, beside a `json.loads` loop over the files."""

import contextlib
import gzip
import json
import shutil
import time
from datetime import date, datetime, timezone
from pathlib import Path

from refund_pipeline.domain.events import RefundEvent, parse_line
from refund_pipeline.gateways.landing_bucket import LandingBucket
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.steps.landing import read_landing_day
from refund_pipeline_tests.bench.folder_s3 import FolderS3
from refund_pipeline_tests.bench.landed_days import PREFIX, TENANT, write_day
from refund_pipeline_tests.bench.own_process import measured
from refund_pipeline_tests.bench.results import Budget, Result, Settings, count

_DAY = date(2026, 11, 20)
_NOW = datetime(2026, 11, 21, 8, tzinfo=timezone.utc)
_BUDGET = 20_000
_HEADINGS = (
    *("events in 288 files", "files", "json.loads alone", "read and checked"),
    *("of json.loads", "and recorded in SQLite", "memory while recording"),
)


def reading(settings: Settings) -> Result:
    """Read days of growing size, plain and packed."""
    sizes = settings.pick(
        full=(1_000, 100_000, 1_000_000), quick=(1_000, 20_000, 100_000), tiny=(300,)
    )
    rows: list[tuple[object, ...]] = []
    parsed, grown = [], []
    here = settings.size == "tiny"
    for size, packed in [*((size, False) for size in sizes), (sizes[-1], True)]:
        folder = settings.place / "bucket"
        files = write_day(folder, _DAY, size, settings.seed, packed=packed)
        floor, _, _ = measured(read_json, files, here=here)
        own, _, _ = measured(read_and_check, folder, here=here)
        recorded, before, peak = measured(record, folder, settings.place / "ledger.db", here=here)
        parsed.append(size / own)
        grown.append(peak - before)
        rows.append(
            (
                *(count(size), "gzip" if packed else "plain"),
                *(f"{size / floor:,.0f} a second", f"{size / own:,.0f} a second"),
                *(f"{floor / own:.0%}", f"{size / recorded:,.0f} a second"),
                f"+{peak - before:.0f} MB",
            )
        )
        shutil.rmtree(folder)
        for left in settings.place.glob("ledger.db*"):
            left.unlink()
    budget = Budget(
        "reading landed events, a core",
        f"≥ {_BUDGET:,} a second, memory flat",
        f"{min(parsed[1:] or parsed):,.0f} a second; "
        f"+{grown[0]:.0f} to +{max(grown):.0f} MB for {sizes[-1] // sizes[0]:,} times the events",
        min(parsed[1:] or parsed) >= _BUDGET,
    )
    return Result(_HEADINGS, tuple(rows), (budget,))


def read_json(files: list[Path]) -> float:
    """Return the seconds it takes to read the files and to parse each line, and nothing else."""
    started = time.perf_counter()
    for path in files:
        whole = path.read_bytes()
        for line in (gzip.decompress(whole) if whole[:1] == b"\x1f" else whole).splitlines():
            json.loads(line)
    return time.perf_counter() - started


def read_and_check(folder: Path) -> float:
    """Return the seconds it takes to list, read, split and validate; no ledger."""
    started = time.perf_counter()
    bucket = _bucket(folder)
    for item in bucket.day(_DAY):
        for _, line in bucket.lines(item):
            assert isinstance(line, bytes)
            assert isinstance(parse_line(line, tenant=TENANT), RefundEvent)
    return time.perf_counter() - started


def record(folder: Path, ledger_file: Path) -> float:
    """Return the seconds the whole step takes, with every refund recorded."""
    with contextlib.closing(Ledger(f"sqlite:///{ledger_file}", clock=lambda: _NOW)) as ledger:
        ledger.prove_writable()
        started = time.perf_counter()
        read = read_landing_day(_DAY, bucket=_bucket(folder), ledger=ledger, tenant=TENANT)
        took = time.perf_counter() - started
    assert read.counts.new
    assert not read.counts.rejected
    return took


def _bucket(folder: Path) -> LandingBucket:
    client = FolderS3(folder)
    return LandingBucket(
        f"s3://bucket/{PREFIX}", tenant=TENANT, client=lambda: client, clock=lambda: _NOW
    )
