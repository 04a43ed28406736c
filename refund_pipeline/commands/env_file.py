"""The `.env` file: read as Dagster reads it, written for its owner alone, whole or not at all."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from refund_pipeline.domain.errors import Misconfigured

_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=-]*", re.ASCII)
_HEADER = """\
# Written by `refund-pipeline init`. It holds secrets: keep it out of version control.
# Dagster reads it from its working directory, commands by `refund-pipeline --env-file .env ...`.
"""


def read(path: Path) -> dict[str, str]:
    """Return the variables of a file; none where it does not exist."""
    from dotenv import dotenv_values

    if not path.is_file():
        return {}
    found = dotenv_values(path, interpolate=False)
    return {name: value for name, value in found.items() if value is not None}


def text_of(values: Mapping[str, str]) -> str:
    """Write variables as the lines of a file.

    Raises:
        Misconfigured: a value cannot be written so that it is read back.
    """
    return _HEADER + "".join(f"{name}={_quoted(name, value)}\n" for name, value in values.items())


def _quoted(name: str, value: str) -> str:
    if "${" in value:
        raise Misconfigured(f"{name} holds ${{, which no .env file can: set it in the environment")
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def write_privately(path: Path, text: str) -> None:
    """Write a file that only its owner can read, in the place of an earlier one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)
