"""A second memory of what people were told, in a file: for when the ledger cannot be used.

It holds the one situation "the ledger cannot be used". There is no lock: two looks that meet there
may both tell.
"""

import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from refund_pipeline.domain.alerts import (
    Remembered,
    Settlement,
    Situation,
    after_telling,
    settle,
)

FILE_NAME = "refund_alerts.json"
_TIMES = {field.name for field in fields(Remembered) if field.name.endswith(("_at", "_until"))} | {
    "since"
}


class AlertFile:
    """Remembers in a file; without one, from claim to record only, so that every look tells."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def claim(
        self,
        seen: Sequence[Situation],
        *,
        looked_at: Collection[str],
        channels: Sequence[str],
        now: datetime,
    ) -> Settlement:
        """Settle what is seen; one look is not kept from telling by the claim of another."""
        remembered = [replace(row, claimed_until=None) for row in self._read()]
        settled = settle(remembered, seen, looked_at=looked_at, channels=channels, now=now)
        if settled.rows:
            self._write(settled.rows)
        return settled

    def record_told(
        self,
        claimed: Sequence[Remembered],
        delivered: Mapping[str, Collection[str]],
        *,
        now: datetime,
    ) -> None:
        """Record which channels took the messages."""
        if not claimed:
            return
        rows = [after_telling(row, delivered.get(row.key, ()), now) for row in claimed]
        self._write([row for row in rows if row.cleared_at is None or row.pending])

    def _read(self) -> list[Remembered]:
        if self._path is None:
            return []
        try:
            listed = json.loads(self._path.read_text(encoding="utf-8"))
            return [_row(values) for values in listed]
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return []  # no file yet, or not ours: at worst something is told once more

    def _write(self, rows: Sequence[Remembered]) -> None:
        if self._path is None:
            return
        beside = self._path.with_suffix(f".{os.getpid()}")
        try:
            if not rows:
                self._path.unlink(missing_ok=True)
                return
            beside.write_text(json.dumps([_values(row) for row in rows]), encoding="utf-8")
            beside.replace(self._path)
        except OSError:
            return  # a full disk must not keep people from being told


def _values(row: Remembered) -> dict[str, Any]:
    values = {field.name: getattr(row, field.name) for field in fields(Remembered)}
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in values.items()
    }


def _row(values: dict[str, Any]) -> Remembered:
    times = {name: datetime.fromisoformat(values[name]) for name in _TIMES if values[name]}
    return Remembered(**{**values, **times, "pending": tuple(values["pending"])})
