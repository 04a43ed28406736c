"""Fields of what a person fills in to launch a job.

Plain text on purpose: a string of a `dg.Config` may also be the name of an environment variable,
and what is typed here is shown in the UI and kept in the ledger.
"""

from collections.abc import Mapping
from datetime import date

import dagster as dg

from refund_pipeline.orchestration.failures import MAX_RETRIES_TAG, PermanentFailure

BY_A_PERSON: Mapping[str, str] = {MAX_RETRIES_TAG: "0"}
"""Nothing a person launched is launched again by itself."""


def text(description: str, default: str | None = None) -> dg.Field:
    """Return a field of plain text; without a default it is required."""
    if default is None:
        return dg.Field(str, description=description)
    return dg.Field(str, description=description, default_value=default, is_required=False)


def texts(description: str) -> dg.Field:
    """Return a field of a list of plain texts, empty by default."""
    return dg.Field(dg.Array(str), description=description, default_value=[], is_required=False)


def flag(description: str, *, default: bool) -> dg.Field:
    """Return a field that is true or false."""
    return dg.Field(bool, description=description, default_value=default, is_required=False)


WHO: Mapping[str, dg.Field] = {
    "actor": text("Who decides: your name. It is kept for ever."),
    "note": text("Why, in one line, for those who ask later. It is kept for ever."),
}


def day_of_field(name: str, value: str) -> date | None:
    """Read a date of the configuration; None while it is empty.

    Raises:
        PermanentFailure: it is no date.
    """
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        raise PermanentFailure(f"{name} is a date like 2026-01-31") from None
