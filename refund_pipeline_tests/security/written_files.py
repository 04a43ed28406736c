"""Searches everything a campaign has written: files as they are, and what databases hold packed."""

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

_SQLITE = b"SQLite format 3\x00"


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file below `folder`, and each packed value of each SQLite database."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        content = path.read_bytes()
        yield str(path.relative_to(folder)), content
        if content.startswith(_SQLITE):
            yield from _values(path)


def _values(path: Path) -> Iterator[tuple[str, bytes]]:
    with closing(sqlite3.connect(path)) as database:
        names = [
            row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type='table'")
        ]
        for name in names:
            for row in database.execute(f'SELECT * FROM "{name}"'):  # noqa: S608  (its own tables)
                for value in row:
                    if isinstance(value, bytes):
                        yield f"{path.name}: {name}", _unpacked(value)
                    elif isinstance(value, str):
                        yield f"{path.name}: {name}", value.encode()


def _unpacked(value: bytes) -> bytes:
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value


def places(folder: Path, text: str) -> set[str]:
    """Return where `text` stands, as it is or with its line breaks escaped as JSON does."""
    needle = text.encode()
    return {name for name, content in contents(folder) if needle in content}
