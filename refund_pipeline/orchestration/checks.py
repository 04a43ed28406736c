"""The asset checks, each a sentence: green means finance has nothing to do."""

import warnings
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from refund_pipeline.domain.gates import GATE_REASONS
from refund_pipeline.domain.retry_policy import FAST_ATTEMPTS, WAITING_TOO_LONG
from refund_pipeline.domain.statuses import OUTSTANDING
from refund_pipeline.orchestration.summaries import amounts, refunds_table, table

if TYPE_CHECKING:
    from refund_pipeline.gateways.ledger.ledger import Ledger
    from refund_pipeline.gateways.ledger.rows import StatusTotal
    from refund_pipeline.steps.reconciliation import Reconciliation

NOTHING_REJECTED = "nothing_rejected"
NOTHING_HELD = "nothing_held"
NOTHING_OUTSTANDING_TOO_LONG = "nothing_outstanding_too_long"
LEDGER_AND_ERP_AGREE = "ledger_and_erp_agree"
NO_GATE_CLOSED = "no_gate_closed"
_DESCRIPTIONS = {
    NOTHING_REJECTED: "Was every line of every landed file understood? "
    "Red names the file and the line; docs/operations.md says how to land it again.",
    NOTHING_HELD: "Does any refund need a person? Red names each with its reason and what to do.",
    NOTHING_OUTSTANDING_TOO_LONG: "Is anything waiting longer than usual? Yellow is tried again by "
    "itself; red has waited for 24 hours and is worth a look.",
    LEDGER_AND_ERP_AGREE: "Is every posted refund in the ERP as it was posted, and nothing else "
    "under our prefix? Red names each difference.",
    NO_GATE_CLOSED: "Does a gate of the mapping hold refunds back? Red: look, then release them.",
}
_NAMED = 20


def specs(asset: str, partitions: dg.PartitionsDefinition, *names: str) -> list[dg.AssetCheckSpec]:
    """Declare checks of an asset, told apart by landing day: Tuesday stays red until it is not."""
    with warnings.catch_warnings():
        # A preview in Dagster 1.13: partitioned checks. Without it Monday's green hides Tuesday's
        # red. The lock pins the version, and the tests look at what becomes of it.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(
                name, asset=asset, description=_DESCRIPTIONS[name], partitions_def=partitions
            )
            for name in names
        ]


def nothing_rejected(ledger: "Ledger", day: date) -> dg.AssetCheckResult:
    """Fail while a line of the day's files could not be read, or a key does not fit the layout."""
    totals = ledger.file_totals(day)
    lines = ledger.rejected_lines(day, limit=_NAMED)
    if not totals.rejected:
        return dg.AssetCheckResult(
            check_name=NOTHING_REJECTED,
            passed=True,
            description="Every line of every landed file was understood.",
        )
    return dg.AssetCheckResult(
        check_name=NOTHING_REJECTED,
        passed=False,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{totals.rejected} landed line(s) could not be read; each is named below.",
        metadata={
            "rejected": totals.rejected,
            "lines": table(
                ("file", "line", "problems"),
                ((line.key, line.line_number, "; ".join(line.problems)) for line in lines),
            ),
        },
    )


def nothing_held(
    ledger: "Ledger", day: date, totals: Sequence["StatusTotal"]
) -> dg.AssetCheckResult:
    """Fail while a refund of the day needs a person; `totals` are the day's."""
    held = [item for item in totals if item.status == "held"]
    count = sum(item.count for item in held)
    if not count:
        return dg.AssetCheckResult(
            check_name=NOTHING_HELD, passed=True, description="No refund needs a person."
        )
    reasons = ", ".join(sorted({str(item.reason) for item in held}))
    return dg.AssetCheckResult(
        check_name=NOTHING_HELD,
        passed=False,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{count} refund(s), {amounts(held)}, wait for a person: {reasons}.",
        metadata={"held": count, "refunds": refunds_table(ledger, day, statuses=("held",))},
    )


def no_gate_closed(day: date, totals: Sequence["StatusTotal"]) -> dg.AssetCheckResult:
    """Fail while a gate of the mapping holds refunds of the day back; `totals` are the day's."""
    held = [item for item in totals if item.reason in GATE_REASONS]
    count = sum(item.count for item in held)
    if not count:
        return dg.AssetCheckResult(
            check_name=NO_GATE_CLOSED, passed=True, description="No gate holds a refund back."
        )
    reasons = ", ".join(sorted({str(item.reason) for item in held}))
    return dg.AssetCheckResult(
        check_name=NO_GATE_CLOSED,
        passed=False,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"Gates hold {count} refund(s) back, {amounts(held)}: {reasons}. Look at them, "
        f"then run `refund-pipeline release --day {day}`, and run the day again.",
        metadata={"held": count},
    )


def nothing_outstanding_too_long(
    ledger: "Ledger", day: date, *, now: datetime
) -> dg.AssetCheckResult:
    """Warn while a refund waits past its fast attempts; after 24 hours it is an error."""
    waiting = ledger.refunds(day=day, statuses=OUTSTANDING, limit=10_000)
    slow = [row for row in waiting if row.attempts >= FAST_ATTEMPTS]
    oldest = ledger.oldest_outstanding(day)
    overdue = oldest is not None and now - oldest >= WAITING_TOO_LONG
    if not slow and not overdue:
        return dg.AssetCheckResult(
            check_name=NOTHING_OUTSTANDING_TOO_LONG,
            passed=True,
            description=f"{len(waiting)} refund(s) are on their way; none has waited long.",
        )
    age = f"; the oldest has waited {_hours(now - oldest)}" if oldest is not None else ""
    return dg.AssetCheckResult(
        check_name=NOTHING_OUTSTANDING_TOO_LONG,
        passed=False,
        severity=dg.AssetCheckSeverity.ERROR if overdue else dg.AssetCheckSeverity.WARN,
        description=f"{len(waiting)} refund(s) are not posted yet and will be retried{age}.",
        metadata={
            "outstanding": len(waiting),
            "refunds": refunds_table(ledger, day, statuses=OUTSTANDING),
        },
    )


def ledger_and_erp_agree(result: "Reconciliation") -> dg.AssetCheckResult:
    """Fail while a posted refund is missing from the ERP or differs there; each is named."""
    return dg.AssetCheckResult(
        check_name=LEDGER_AND_ERP_AGREE,
        passed=result.agrees,
        severity=dg.AssetCheckSeverity.ERROR,
        description=agreement_sentence(result),
        metadata={
            "compared": result.checked,
            "not_visible_yet": result.too_young,
            "per_currency": table(
                ("currency", "ledger", "ledger amount", "ERP", "ERP amount"),
                (
                    (
                        item.currency,
                        item.ledger_count,
                        item.ledger_amount,
                        item.erp_count,
                        item.erp_amount,
                    )
                    for item in result.agreements
                ),
            ),
            "differences": table(("refund", "difference"), result.problems),
            "unknown_to_the_ledger": table(("external id", "ERP record"), result.extra),
        },
    )


def agreement_sentence(result: "Reconciliation") -> str:
    """Say in one sentence whether ledger and ERP agree."""
    if result.problems:
        names = ", ".join(refund_id for refund_id, _ in result.problems[:_NAMED])
        return f"{len(result.problems)} posted refund(s) differ from the ERP: {names}."
    if result.extra:
        names = ", ".join(erp_id for _, erp_id in result.extra[:_NAMED])
        return f"The ERP has {len(result.extra)} refund(s) unknown to the ledger: record {names}."
    if not result.agrees:
        return "Ledger and ERP differ in their sums per currency."
    return f"{result.checked} posted refund(s) were read back from the ERP and are equal."


def _hours(age: timedelta) -> str:
    return f"{age.total_seconds() / 3600:.1f} h"
