"""The report's charts as PNG: refunds per day, amounts per currency, and how old what waits is."""

import io
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from refund_pipeline.domain.statuses import STANDINGS
from refund_pipeline.steps.report import AGES, WAITING, Report

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    "posted": "#2e7d5b",
    "outstanding": "#e0a030",
    "held": "#c0392b",
    "skipped": "#9aa0a6",
}
_INCHES = (10.0, 3.2)
_DOTS_PER_INCH = 110
_DATES_SHOWN = 12


def report_charts(report: Report) -> Mapping[str, bytes]:
    """Return PNG files by title; none where there is nothing to draw."""
    charts: dict[str, bytes] = {}
    if report.by_day.empty:
        return charts
    charts["Refunds per landing day"] = _per_day(report, report.by_day, "count", "refunds")
    for currency, table in report.by_day.groupby("currency"):
        title = f"Amounts per landing day, {currency}"
        charts[title] = _per_day(report, table, "amount", str(currency))
    if not report.ageing.empty:
        charts["Not posted yet, by time since landing"] = _ageing(report)
    return charts


def _per_day(report: Report, table: "pd.DataFrame", what: str, unit: str) -> bytes:
    figure, axes = _new(unit)
    days = [report.first + timedelta(days=n) for n in range((report.last - report.first).days + 1)]
    floor = [0.0] * len(days)
    for standing in STANDINGS:
        sums = table.groupby("landing_day")[f"{standing}_{what}"].sum()
        # A bar's height in pixels is no amount: an exact sum becomes a float here and nowhere else.
        heights = [float(sums.get(day, 0)) for day in days]
        axes.bar(range(len(days)), heights, bottom=floor, color=COLOURS[standing], label=standing)
        floor = [low + height for low, height in zip(floor, heights, strict=True)]
    step = max(1, -(-len(days) // _DATES_SHOWN))
    axes.set_xticks(range(0, len(days), step), [f"{day:%d %b}" for day in days[::step]])
    return _drawn(figure, axes)


def _ageing(report: Report) -> bytes:
    figure, axes = _new("refunds")
    floor = [0] * len(AGES)
    for standing in WAITING:
        chosen = report.ageing[report.ageing["standing"] == standing]
        counts = [int(chosen.loc[chosen["age"] == age, "count"].sum()) for age in AGES]
        axes.bar(AGES, counts, bottom=floor, color=COLOURS[standing], label=standing)
        floor = [low + count for low, count in zip(floor, counts, strict=True)]
    return _drawn(figure, axes)


def _new(unit: str) -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")
    axes = figure.add_subplot()
    axes.set_ylabel(unit)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    return figure, axes


def _drawn(figure: "Figure", axes: "Axes") -> bytes:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, ncols=len(STANDINGS), loc="upper left", bbox_to_anchor=(0, 1.16))
    written = io.BytesIO()
    figure.savefig(written, format="png")
    return written.getvalue()
