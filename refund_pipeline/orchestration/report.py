"""`refund_report`: what finance reads every morning, or when asked, as tables, charts and files.

No partitions: a report looks over many landing days, as they stand now.
"""

import base64
from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from refund_pipeline.orchestration.failures import systemic_failures
from refund_pipeline.orchestration.partitions import yesterday
from refund_pipeline.orchestration.resources import Clock, LedgerResource, ReportPlace
from refund_pipeline.orchestration.summaries import table

if TYPE_CHECKING:
    import pandas as pd

REFUND_REPORT = "refund_report"
MAKE_REPORT = "make_report"
DEFAULT_DAYS = 35
"""A month and some days, so that a month's last day can be seen to settle."""
_ROWS_SHOWN = 60


class ReportOptions(dg.Config):
    """Which landing days a report is about."""

    first_day: str = Field(
        default="",
        description=f"The first landing day, like 2026-01-31; {DEFAULT_DAYS} days back if empty.",
    )
    last_day: str = Field(default="", description="The last landing day; today (UTC) if empty.")


def report_range(options: ReportOptions, *, today: date) -> tuple[date, date]:
    """Return the first and the last day a person asked for.

    Raises:
        Failure: one is no date, or they are the wrong way round.
    """
    try:
        last = date.fromisoformat(options.last_day) if options.last_day else today
        first = date.fromisoformat(options.first_day) if options.first_day else None
    except ValueError:
        raise dg.Failure("first_day and last_day are dates like 2026-01-31") from None
    first = first or last - timedelta(days=DEFAULT_DAYS - 1)
    if last < first:
        raise dg.Failure(f"last_day {last} is before first_day {first}")
    return first, last


@dg.asset(
    name=REFUND_REPORT,
    group_name="reports",
    kinds={"pandas", "excel"},
    owners=("team:finance-integrations",),
    description="Refunds per landing day, currency, tender, store and reason: landed, posted, "
    "outstanding, held, skipped; and how old what waits is. Files lie at the path shown.",
)
def refund_report(
    config: ReportOptions, clock: Clock, ledger: LedgerResource, report_place: ReportPlace
) -> dg.MaterializeResult:
    """Make the report and its files."""
    from refund_pipeline.steps.report import make_report, totals
    from refund_pipeline.steps.report_charts import report_charts
    from refund_pipeline.steps.report_files import report_files

    now = clock.now()
    first, last = report_range(config, today=now.date())
    with systemic_failures():
        report = make_report(ledger.open(), first, last, now=now)
        where = report_place.put(f"{first}--{last}", report_files(report))
    return dg.MaterializeResult(
        metadata={
            "landing_days": f"{first} to {last}",
            "files": dg.MetadataValue.path(where),
            "dagster/row_count": len(report.by_tender),
            "totals": _shown(totals(report)),
            "charts": _drawn(report_charts(report)),
            "per_day": _shown(report.by_day),
            "ageing": _shown(report.ageing),
            "not_posted": _shown(report.open_refunds),
        }
    )


def _drawn(charts: Mapping[str, bytes]) -> dg.MetadataValue:
    images = (
        f"### {title}\n\n![{title}](data:image/png;base64,{base64.b64encode(image).decode()})"
        for title, image in charts.items()
    )
    return dg.MetadataValue.md("\n\n".join(images) or "Nothing landed, so nothing is drawn.")


def _shown(frame: "pd.DataFrame") -> dg.MetadataValue:
    names = [str(name).replace("_", " ") for name in frame.columns]
    return table(names, frame.head(_ROWS_SHOWN).itertuples(index=False, name=None))


make_report_job = dg.define_asset_job(
    MAKE_REPORT,
    selection=[refund_report],
    description="Makes the refund report over any landing days.",
    executor_def=dg.in_process_executor,
)


@dg.schedule(
    job=make_report_job,
    cron_schedule="0 5 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Makes the refund report every morning, up to yesterday.",
)
def morning_report(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Request the report of the last days."""
    last = yesterday(context.scheduled_execution_time)
    config = {"ops": {REFUND_REPORT: {"config": {"last_day": last.isoformat()}}}}
    return dg.RunRequest(run_key=f"report:{last}", run_config=config)
