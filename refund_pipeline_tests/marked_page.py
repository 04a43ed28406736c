"""Markdown tables, and the parts of a page that a program writes: nothing else of it is touched."""

from collections.abc import Sequence
from pathlib import Path


def line(cells: Sequence[object]) -> str:
    """Return one line of a Markdown table."""
    return "| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |"


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    return "\n".join([line(headings), line(["---"] * len(headings)), *map(line, rows)])


def marked(page: Path, name: str) -> str:
    """Return what stands between the two marks of this name."""
    begin, end = _marks(name)
    return page.read_text(encoding="utf-8").split(begin)[1].split(end)[0].strip("\n")


def replace_marked(page: Path, name: str, body: str) -> None:
    """Put `body` between the two marks of this name."""
    begin, end = _marks(name)
    before, rest = page.read_text(encoding="utf-8").split(begin)
    _, after = rest.split(end)
    page.write_text(f"{before}{begin}\n{body}\n{end}{after}", encoding="utf-8")


def replace_rows(page: Path, name: str, fresh: str) -> None:
    """Put a table between the marks; rows whose first cell it does not have stay, all sorted."""
    head, rule, *new = fresh.splitlines()
    known = {_first_cell(row) for row in new}
    old = marked(page, name).splitlines()[2:]
    kept = [row for row in old if _first_cell(row) not in known]
    replace_marked(page, name, "\n".join([head, rule, *sorted([*kept, *new])]))


def _first_cell(row: str) -> str:
    return row.strip("| ").split(" | ")[0]


def _marks(name: str) -> tuple[str, str]:
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
