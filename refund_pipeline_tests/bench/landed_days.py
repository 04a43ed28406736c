"""Landed files of a large day, written one by one, so that making them needs no memory."""

import gzip
import random
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path

from refund_pipeline.sandbox.landing import export_key
from refund_pipeline_tests.fakes import event_line

FILES = 288
"""One every five minutes, as NewStore's export does it."""
PREFIX, TENANT = "events", "demo"


def keys_of(day: date, chance: random.Random, *, files: int = FILES) -> list[str]:
    """Return the keys of a day's files."""
    start = datetime.combine(day, time(), timezone.utc)
    pause = timedelta(days=1) / files
    return [export_key(PREFIX, TENANT, start + pause * number, chance) for number in range(files)]


def write_day(folder: Path, day: date, events: int, seed: int, *, packed: bool) -> list[Path]:
    """Write a day of refunds below a folder; return its files in order."""
    written = []
    keys = keys_of(day, random.Random(seed))
    for number, key in enumerate(keys):
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = "".join(f"{event_line(one)}\n" for one in range(number, events, len(keys))).encode()
        path.write_bytes(gzip.compress(lines, 1, mtime=0) if packed else lines)
        written.append(path)
    return written
