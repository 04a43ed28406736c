"""What a benchmark is given and what it returns: a table of docs/performance.md.

No benchmark lives here, and nothing that runs one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

Size = Literal["full", "quick", "tiny"]
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Settings:
    """One call of a benchmark: it writes only below `place`, an empty directory.

    `tiny` is for the smoke test: every part is run, and nothing is measured.
    """

    seed: int
    place: Path
    size: Size = "full"

    def pick(self, *, full: Value, quick: Value, tiny: Value) -> Value:
        """Return the value of this size."""
        return {"full": full, "quick": quick, "tiny": tiny}[self.size]


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget of the design, and what came of it."""

    what: str
    allowed: str
    measured: str
    met: bool


@dataclass(frozen=True, slots=True)
class Result:
    """A table: one tuple of cells per row, and the budgets it speaks to."""

    headings: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    budgets: tuple[Budget, ...] = ()


Benchmark = Callable[[Settings], Result]


def count(number: float) -> str:
    """Write a number as people read it: 12,345; below 100 with what counts of its fraction."""
    if number == int(number) or abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.3g}" if abs(number) < 10 else f"{number:.1f}"
