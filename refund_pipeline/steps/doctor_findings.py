"""What a check of the set-up finds: good, worth a look, or wrong, and how to mend it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from refund_pipeline.domain.errors import PipelineError


class Verdict(str, Enum):
    """How good or bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about the set-up; `fix` says how to mend it, and is empty where all is well."""

    area: str
    what: str
    verdict: Verdict = Verdict.OK
    fix: str = ""


Findings: TypeAlias = Iterator[Finding]


class NotGiven(PipelineError):
    """A setting that something needs is missing or no value of its kind; a finding says so."""


def warning(area: str, what: str, fix: str) -> Finding:
    """Return a finding that keeps nothing from being posted, but is worth a look."""
    return Finding(area, what, Verdict.WARNING, fix)


def error(area: str, what: str, fix: str) -> Finding:
    """Return a finding without whose mending refunds are not posted, or posted wrongly."""
    return Finding(area, what, Verdict.ERROR, fix)


def not_checked(area: str, why: object) -> Finding:
    """Return a finding that something could not be looked at, for a reason that is named too."""
    return warning(area, f"not checked: {why}", "mend that first, then ask the doctor again")


def guarded(area: str, fix: str, check: Callable[[], Findings]) -> Findings:
    """Yield what a check finds; an expected exception is a finding too, and ends this check only.

    A setting that is missing is named elsewhere, so here it is a warning that nothing was checked.
    """
    try:
        yield from check()
    except NotGiven as missing:
        yield not_checked(area, missing)
    except PipelineError as problem:
        yield error(area, str(problem), fix)
