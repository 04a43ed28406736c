"""Jobs a person launches to decide: `resolve_refund` and `release_rejected_lines`.

They do as the shell's commands do (`steps/resolution.py`, `steps/rejected_lines.py`). Dagster's UI
has no users, so who decides is a field.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dagster as dg

from refund_pipeline.domain.actions import Action
from refund_pipeline.orchestration.failures import PermanentFailure, systemic_failures
from refund_pipeline.orchestration.launchpad import (
    BY_A_PERSON,
    WHO,
    day_of_field,
    flag,
    text,
    texts,
)
from refund_pipeline.orchestration.resources import (
    Clock,
    LandingBucketResource,
    LedgerResource,
    MappingResource,
    NetSuiteResource,
)
from refund_pipeline.orchestration.summaries import table

if TYPE_CHECKING:
    from refund_pipeline.steps.resolution import Plan, Resolved

RESOLVE_REFUND, RELEASE_REJECTED_LINES = "resolve_refund", "release_rejected_lines"
_DECIDE, _LET_GO = "decide", "let_go"
"""Their ops: in Dagster an op and a job cannot have the same name."""
_WHAT = {
    Action.RETRY: "the next run looks at it anew, in NewStore and in the ERP",
    Action.STANDALONE: "posts it without the sale it refunds",
    Action.TENDER: "books it by the mapping row of another tender: fill in tenders",
    Action.SKIP: "never posts it: a person has booked or settled it",
    Action.RELEASE: "lets it through the gates of the mapping",
    Action.REOPEN: "takes back what was decided, a skip too",
}


@dg.op(
    name=_DECIDE,
    description="Decides about refunds that are held or wait, and shows what became of each.",
    config_schema={
        "action": dg.Field(
            dg.Enum(
                "RefundAction", [dg.EnumValue(one.value, description=_WHAT[one]) for one in Action]
            ),
            description="What is decided: "
            + "; ".join(f"{one.value} {_WHAT[one]}" for one in Action),
        ),
        **WHO,
        "refund_ids": texts("These refunds. Or leave it empty and give a reason."),
        "reason": text("Every refund not posted for this reason, like unmapped_tender.", ""),
        "since": text("With a reason: landed on this day or later, like 2026-01-31.", ""),
        "tenders": texts(
            "For the action tender: the tender of the mapping to book as, like credit_card/adyen; "
            "with several tenders paypal/paypal=cash."
        ),
        "dry_run": flag("Show what would happen, and decide nothing.", default=False),
    },
)
def resolve_refund_op(
    context: dg.OpExecutionContext,
    clock: Clock,
    ledger: LedgerResource,
    mapping: MappingResource,
    erp: NetSuiteResource,
) -> None:
    """Plan, show, decide."""
    from refund_pipeline.domain.resolutions import Decision
    from refund_pipeline.steps.resolution import (
        Places,
        carry_out,
        plan_resolution,
        refunds_with,
    )

    config: Mapping[str, Any] = context.op_config
    refund_ids, reason = config["refund_ids"], config["reason"].strip()
    if bool(refund_ids) == bool(reason):
        raise PermanentFailure("give either refund_ids or a reason")
    since = day_of_field("since", config["since"])
    with systemic_failures(), _typed():
        book = ledger.open(context.run_id)
        decision = Decision(Action(config["action"]), config["actor"], config["note"])
        places = Places(
            book,
            lambda: mapping.load().mapping,
            lambda: erp.open(mapping.load().mapping.custom_body_fields),
            clock.now,
        )
        chosen = refund_ids or refunds_with(book, reason=reason, since=since)
        plan = plan_resolution(chosen, decision, places=places, tenders=config["tenders"])
        resolved = None if config["dry_run"] else carry_out(plan, book)
    _show(context, plan, resolved)


@contextmanager
def _typed() -> Iterator[None]:
    """Turn what was typed wrongly into a failure that is not repeated."""
    from refund_pipeline.domain.resolutions import InvalidDecision

    try:
        yield
    except InvalidDecision as problem:
        raise PermanentFailure(str(problem)) from None


def _show(context: dg.OpExecutionContext, plan: "Plan", resolved: "Resolved | None") -> None:
    """Show every refund; fail the run if some of what was named was left as it is."""
    from refund_pipeline.steps.resolution import Verdict

    done = {item.refund_id for item in resolved.done} if resolved else set()
    left = plan.having(Verdict.IMPOSSIBLE) + list(resolved.overtaken if resolved else ())
    metadata: dict[str, dg.MetadataValue] = {
        "decided": dg.MetadataValue.int(len(done)),
        "left_as_they_are": dg.MetadataValue.int(len(left)),
        "dry_run": dg.MetadataValue.bool(resolved is None),
        "run_next": dg.MetadataValue.text(
            ", ".join(map(str, resolved.days)) if resolved and resolved.days else "nothing"
        ),
        "refunds": table(
            ("refund", "day", "amount", "stands", "what happens", "decided"),
            (
                (
                    item.refund_id,
                    item.standing.landing_day if item.standing else None,
                    f"{item.standing.amount} {item.standing.currency}" if item.standing else None,
                    _stands(item.standing.status, item.standing.reason) if item.standing else None,
                    item.what,
                    "yes" if item.refund_id in done else "no",
                )
                for item in plan.items
            ),
        ),
    }
    context.add_output_metadata(metadata)
    if not plan.items:
        raise PermanentFailure("no refund is as the configuration says; nothing was done")
    if left:
        raise PermanentFailure(
            f"{len(left)} of {len(plan.items)} refund(s) were left as they are: "
            + "; ".join(f"{item.refund_id} {item.what}" for item in left[:5]),
            metadata,
        )


def _stands(status: str, reason: str | None) -> str:
    return f"{status} ({reason})" if reason else status


@dg.job(
    name=RESOLVE_REFUND,
    description="Decides about refunds that are held or wait: look anew, post without the sale, by "
    "another tender, skip, release, take back. Who and why are kept. Posted ones stay as they are.",
    executor_def=dg.in_process_executor,
    tags=BY_A_PERSON,
    config={
        "ops": {_DECIDE: {"config": {"action": "retry", "actor": "", "note": "", "refund_ids": []}}}
    },
)
def resolve_refund() -> None:
    """Run the one op."""
    resolve_refund_op()


_MOST_LINES = 100_000


@dg.op(
    name=_LET_GO,
    description="Lets rejected lines go, and shows what became of each.",
    config_schema={
        **WHO,
        "day": text("Every rejected line of this landing day, like 2026-01-31.", ""),
        "key": text("Or every rejected line of this file: its key in the bucket.", ""),
        "lines": dg.Field(
            dg.Array(int),
            description="With a key: these lines of the file only. Empty means all.",
            default_value=[],
            is_required=False,
        ),
        "dry_run": flag("Show what would happen, and let nothing go.", default=False),
    },
)
def release_rejected_lines_op(
    context: dg.OpExecutionContext, ledger: LedgerResource, landing_bucket: LandingBucketResource
) -> None:
    """Read the lines once more, show, let go."""
    from refund_pipeline.domain.resolutions import Decision
    from refund_pipeline.steps.rejected_lines import read_again, release, sentence

    config: Mapping[str, Any] = context.op_config
    day, key = day_of_field("day", config["day"]), config["key"].strip() or None
    if (day is None) == (key is None):
        raise PermanentFailure("give either a day or a key")
    with systemic_failures(), _typed():
        book = ledger.open(context.run_id)
        decision = Decision(Action.RELEASE, config["actor"], config["note"])
        entries = [
            entry
            for entry in book.rejected_entries(day=day, key=key, limit=_MOST_LINES)
            if not config["lines"] or entry.line.line_number in config["lines"]
        ]
        planned = read_again(entries, bucket=landing_bucket.open(), tenant=landing_bucket.tenant)
        became = None if config["dry_run"] else release(planned, decision, ledger=book)
    context.add_output_metadata(
        {
            "released": "nothing: a dry run" if became is None else sentence(became),
            "lines": table(
                ("file", "line", "problems", "what happens"),
                (
                    (
                        one.entry.line.key,
                        one.entry.line.line_number,
                        "; ".join(one.entry.line.problems),
                        one.what,
                    )
                    for one in planned
                ),
            ),
        }
    )
    if not planned:
        raise PermanentFailure("no such line waits to be let go; nothing was done")


@dg.job(
    name=RELEASE_REJECTED_LINES,
    description="Lets landed lines go that are no event and that a person has looked at. Each is "
    "read once more: what is an event by now is taken in. Who and why are kept.",
    executor_def=dg.in_process_executor,
    tags=BY_A_PERSON,
    config={"ops": {_LET_GO: {"config": {"actor": "", "note": "", "day": ""}}}},
)
def release_rejected_lines() -> None:
    """Run the one op."""
    release_rejected_lines_op()
