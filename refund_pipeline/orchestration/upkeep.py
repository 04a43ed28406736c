"""Jobs a person launches to look and to tidy up: `reconcile` and `prune`; neither decides."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from refund_pipeline.orchestration.failures import PermanentFailure, systemic_failures
from refund_pipeline.orchestration.launchpad import BY_A_PERSON, day_of_field, flag, text
from refund_pipeline.orchestration.pruning import finished_runs, prune_runs
from refund_pipeline.orchestration.resources import (
    Clock,
    LedgerResource,
    MappingResource,
    NetSuiteResource,
)
from refund_pipeline.orchestration.summaries import table

if TYPE_CHECKING:
    from refund_pipeline.steps.reconciliation import Reconciliation

RECONCILE, PRUNE = "reconcile", "prune"
_COMPARE, _DELETE = "compare", "delete"
"""Their ops: in Dagster an op and a job cannot have the same name."""
_LEAST_RUN_DAYS, _LEAST_SNAPSHOT_DAYS = 7, 90
_MOST_DAYS = 400


@dg.op(
    name=_COMPARE,
    description="Compares every posted refund of some landing days with the ERP, both ways.",
    config_schema={
        "first_day": text("The first landing day, like 2026-01-31."),
        "last_day": text("The last landing day; the first one if empty.", ""),
    },
)
def reconcile_op(
    context: dg.OpExecutionContext,
    clock: Clock,
    ledger: LedgerResource,
    mapping: MappingResource,
    erp: NetSuiteResource,
) -> None:
    """Fail unless ledger and ERP say the same."""
    from refund_pipeline.steps.reconciliation import reconcile

    config: Mapping[str, Any] = context.op_config
    first = day_of_field("first_day", config["first_day"])
    if first is None:
        raise PermanentFailure("first_day is empty: give a date like 2026-01-31")
    last = day_of_field("last_day", config["last_day"]) or first
    if not 0 <= (last - first).days < _MOST_DAYS:
        raise PermanentFailure(f"last_day is before first_day, or {_MOST_DAYS} days after it")
    with systemic_failures():
        book, rules = ledger.open(context.run_id), mapping.load().mapping
        gateway = erp.open(rules.custom_body_fields)
        results = {
            day: reconcile(
                day,
                ledger=book,
                erp=gateway,
                prefix=rules.external_id_prefix,
                clock=clock.now,
                everything=True,
            )
            for day in (first + timedelta(days=n) for n in range((last - first).days + 1))
        }
    metadata = {
        "compared": dg.MetadataValue.int(sum(one.checked for one in results.values())),
        "days": table(
            ("landing day", "agrees", "compared", "not visible yet", "ledger", "ERP"),
            ((day, *_cells(result)) for day, result in results.items()),
        ),
        "differences": table(
            ("landing day", "refund", "difference"),
            ((day, *problem) for day, one in results.items() for problem in one.problems),
        ),
        "unknown_to_the_ledger": table(
            ("landing day", "external id", "ERP record"),
            ((day, *extra) for day, one in results.items() for extra in one.extra),
        ),
    }
    context.add_output_metadata(metadata)
    wrong = [str(day) for day, result in results.items() if not result.agrees]
    if wrong:
        raise PermanentFailure(f"ledger and ERP disagree on {', '.join(wrong)}", metadata)


def _cells(result: "Reconciliation") -> tuple[object, ...]:
    sums = result.agreements
    return (
        "yes" if result.agrees else "no",
        result.checked,
        result.too_young,
        ", ".join(f"{one.ledger_amount} {one.currency}" for one in sums),
        ", ".join(f"{one.erp_amount} {one.currency}" for one in sums),
    )


@dg.job(
    name=RECONCILE,
    description="Reads every posted refund of some landing days back from the ERP and compares; "
    "names what the ERP has under our prefix and the ledger does not know.",
    executor_def=dg.in_process_executor,
    tags=BY_A_PERSON,
    config={"ops": {_COMPARE: {"config": {"first_day": "", "last_day": ""}}}},
)
def reconcile_job() -> None:
    """Run the one op."""
    reconcile_op()


@dg.op(
    name=_DELETE,
    description="Deletes what proves nothing and is old: runs of Dagster, order lines of posted "
    "refunds.",
    config_schema={
        "dry_run": flag("Count what would go, and delete nothing.", default=True),
        "run_days": dg.Field(
            int,
            description="Finished runs of Dagster that are older than so many days go, with their "
            "events and logs; the newest good run of each landing day and of each job stays. At "
            f"least {_LEAST_RUN_DAYS}.",
            default_value=90,
            is_required=False,
        ),
        "order_lines_days": dg.Field(
            int,
            description="Of refunds posted longer ago, and found equal in the ERP, the lines of "
            "their orders go from the ledger. Events, payments, postings, decisions and histories "
            f"stay for ever. At least {_LEAST_SNAPSHOT_DAYS}.",
            default_value=400,
            is_required=False,
        ),
    },
)
def prune_op(context: dg.OpExecutionContext, clock: Clock, ledger: LedgerResource) -> None:
    """Count, and delete unless it is a dry run."""
    config: Mapping[str, Any] = context.op_config
    run_days, order_days = config["run_days"], config["order_lines_days"]
    if run_days < _LEAST_RUN_DAYS or order_days < _LEAST_SNAPSHOT_DAYS:
        raise PermanentFailure(
            f"run_days is at least {_LEAST_RUN_DAYS}, order_lines_days {_LEAST_SNAPSHOT_DAYS}"
        )
    now, dry_run = clock.now(), config["dry_run"]
    runs = finished_runs(context.instance, before=now - timedelta(days=run_days))
    before = now - timedelta(days=order_days)
    with systemic_failures():
        book = ledger.open(context.run_id)
        orders = (
            book.orders_with_lines(posted_before=before)
            if dry_run
            else book.drop_order_lines(posted_before=before)
        )
    if not dry_run:
        prune_runs(context.instance, runs)
    context.add_output_metadata({"dry_run": dry_run, "runs": len(runs), "orders": orders})


@dg.job(
    name=PRUNE,
    description="Deletes what proves nothing and is old: finished runs of Dagster, and the order "
    "lines of refunds posted long ago. A dry run first, by default.",
    executor_def=dg.in_process_executor,
    tags=BY_A_PERSON,
    config={
        "ops": {_DELETE: {"config": {"dry_run": True, "run_days": 90, "order_lines_days": 400}}}
    },
)
def prune() -> None:
    """Run the one op."""
    prune_op()
