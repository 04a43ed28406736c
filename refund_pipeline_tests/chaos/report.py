"""The table of docs/reliability.md, from rows: nothing else of that page is touched."""

from collections.abc import Sequence
from pathlib import Path

from refund_pipeline_tests import marked_page
from refund_pipeline_tests.chaos.rows import Row

_HEADINGS = (
    *("campaign", "seed", "cases", "refunds", "faults"),
    *("lost", "twice", "outcome", "seconds"),
)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    return marked_page.table(
        _HEADINGS,
        [
            (
                *(row.campaign, row.seed, f"{row.cases:,}", f"{row.refunds:,}", row.faults),
                *(row.lost, row.twice, row.outcome, f"{row.seconds:,.0f}"),
            )
            for row in rows
        ],
    )


def replace_rows(page: Path, rows: Sequence[Row]) -> None:
    """Put the table between the page's two marks; rows of campaigns that were not run stay."""
    marked_page.replace_rows(page, "measured", table(rows))
