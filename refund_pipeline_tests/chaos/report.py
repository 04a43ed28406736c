"""The table of docs/reliability.md, from rows: nothing else of that page is touched."""

from collections.abc import Sequence
from pathlib import Path

from refund_pipeline_tests.chaos.rows import Row

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
_HEADINGS = (
    *("campaign", "seed", "cases", "refunds", "faults"),
    *("lost", "twice", "outcome", "seconds"),
)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [_line(_HEADINGS), _line(["---"] * len(_HEADINGS))]
    lines += [
        _line(
            [
                *(row.campaign, row.seed, f"{row.cases:,}", f"{row.refunds:,}", row.faults),
                *(row.lost, row.twice, row.outcome, f"{row.seconds:,.0f}"),
            ]
        )
        for row in rows
    ]
    return "\n".join(lines)


def _line(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |"


def replace_rows(page: Path, rows: Sequence[Row]) -> None:
    """Put the table between the page's two marks; rows of campaigns that were not run stay."""
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    old, after = rest.split(END)
    fresh = {row.campaign for row in rows}
    head, *new = table(rows).splitlines()
    kept = [
        line
        for line in old.strip().splitlines()[2:]
        if line.strip("| ").split(" | ")[0] not in fresh
    ]
    body = "\n".join([head, new[0], *sorted([*kept, *new[1:]])])
    page.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}", encoding="utf-8")
