"""What 10³ to 10⁷ refunds a day take, on paper: writes the tables of docs/scaling.md.

    python -m refund_pipeline_tests.bench.scaling

Formula and simulation are `scaling_model.py`; the same seed plays the same day.
"""

from pathlib import Path

from refund_pipeline_tests.bench.results import count
from refund_pipeline_tests.bench.scaling_model import (
    EVENT_BYTES,
    LEDGER_BYTES,
    Deployment,
    dollars_a_month,
    requests,
    simulate,
    slots_needed,
)
from refund_pipeline_tests.marked_page import replace_marked, table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scaling.md"
VOLUMES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
PLAYED = (1_000, 10_000, 100_000, 200_000, 400_000, 1_000_000)
SLOTS = (4, 14, 69)
"""Accounts of 5, 15 and 70 requests at once; one is left to others."""
_SEED = 7
_GB = 1e9


def what_a_day_takes() -> str:
    """Return the table by formula."""
    rows = []
    for volume in VOLUMES:
        needed = slots_needed(volume, Deployment(slots=1))
        deployment = Deployment(slots=needed)
        asked = requests(volume, deployment)
        rows.append(
            (
                f"{volume:,}",
                f"{asked.erp / volume:.2f}",
                f"{needed:,}",
                f"{asked.newstore_per_second:,.1f}",
                f"{asked.s3:,.0f}",
                f"{count(volume * LEDGER_BYTES * 365 / _GB)} GB",
                f"{count(volume * EVENT_BYTES / 1e6)} MB",
                f"${dollars_a_month(volume, deployment):,.0f}",
            )
        )
    return table(
        (
            *("refunds a day", "ERP requests each", "writes at once, busiest hour"),
            *("NewStore requests/s, busiest hour", "S3 requests a day"),
            *("ledger after a year", "landed a day", "AWS a month"),
        ),
        rows,
    )


def when_it_is_posted() -> str:
    """Return the table of the simulation, beside what the formula lets expect."""
    rows = []
    for volume in PLAYED:
        for slots in SLOTS:
            deployment = Deployment(slots)
            played = simulate(volume, deployment, seed=_SEED)
            rows.append(
                (
                    f"{volume:,}",
                    slots,
                    f"{deployment.per_hour:,.0f}",
                    f"{slots_needed(volume, deployment) / slots:.0%}",
                    _minutes(played.median),
                    _minutes(played.p99),
                    f"{played.busy:.0%}",
                    f"{played.waiting_at_midnight:,}",
                )
            )
    return table(
        (
            *("refunds a day", "writes at once", "posted an hour at most"),
            *("needed in the busiest hour", "event to posted, median", "p99"),
            *("slots busy over the day", "waiting at midnight"),
        ),
        rows,
    )


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:,.1f} min" if seconds < 2 * 3600 else f"{seconds / 3600:,.1f} h"


def main() -> None:
    """Write both tables."""
    replace_marked(PAGE, "a day", what_a_day_takes())
    replace_marked(PAGE, "simulated", when_it_is_posted())


if __name__ == "__main__":
    main()
