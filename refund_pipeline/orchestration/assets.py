"""The five assets of a landing day. Each runs one step over the ledger and shows what it found.

An asset passes nothing to the next one but its completion: the ledger holds the data, so that any
asset can be run again alone and a killed run loses nothing.
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import TYPE_CHECKING

import dagster as dg

from refund_pipeline.domain.retry_policy import fails_the_run
from refund_pipeline.orchestration import checks
from refund_pipeline.orchestration.columns import definition_metadata
from refund_pipeline.orchestration.day_summary import day_summary
from refund_pipeline.orchestration.failures import systemic_failures, will_be_retried
from refund_pipeline.orchestration.partitions import landing_day
from refund_pipeline.orchestration.resources import (
    Clock,
    LandingBucketResource,
    LaunchOptions,
    LedgerResource,
    MappingResource,
    NetSuiteResource,
    NewStoreResource,
    start_date,
)
from refund_pipeline.orchestration.summaries import (
    plan_metadata,
    refunds_table,
    status_metadata,
    table,
)

if TYPE_CHECKING:
    from refund_pipeline.gateways.ledger.ledger import Ledger
    from refund_pipeline.steps.posting import PostingSummary

ERP_POOL = "netsuite"
"""One posting step at a time, so that NETSUITE_CONCURRENCY holds for the whole account."""
_GROUP = "refunds"
_OWNERS = ("team:finance-integrations",)
_TAGS = {"domain": "refunds", "ledger": ""}


def _our_day(context: dg.AssetExecutionContext) -> date:
    """Return the landing day of a run; Dagster itself lets one before our first day begin."""
    with systemic_failures():
        return landing_day(context.partition_key, start=start_date())


def build_assets(partitions: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """Return the five assets, in the order data walks."""

    @dg.asset(
        partitions_def=partitions,
        group_name=_GROUP,
        owners=_OWNERS,
        tags=_TAGS,
        metadata=definition_metadata("refund_events"),
        kinds={"s3"},
        check_specs=checks.specs("refund_events", partitions, checks.NOTHING_REJECTED),
        description="Refund events of the landing day: read, parsed, told apart from duplicates.",
    )
    def refund_events(
        context: dg.AssetExecutionContext,
        ledger: LedgerResource,
        landing_bucket: LandingBucketResource,
    ) -> dg.MaterializeResult:
        from refund_pipeline.steps.landing import read_landing_day

        day = _our_day(context)
        with systemic_failures():
            book = ledger.open(context.run.run_id)
            read = read_landing_day(
                day, bucket=landing_bucket.open(), ledger=book, tenant=landing_bucket.tenant
            )
            totals = book.file_totals(day)
            return dg.MaterializeResult(
                metadata={
                    "files_read_now": read.files,
                    "files": totals.files,
                    "keys_outside_the_layout": totals.strays,
                    "files_named_for_days_to_come": read.ahead,
                    "files_changed_while_read": len(read.changed),
                    "lines": totals.lines,
                    "new_refunds": totals.events,
                    "duplicates": totals.duplicates,
                    "conflicts": totals.conflicts,
                    "rejected_lines": totals.rejected,
                    "other_events": table(("event", "count"), sorted(totals.other_events.items())),
                    "list_calls": read.list_calls,
                    **status_metadata(book.status_totals(day)),
                    "preview": refunds_table(book, day),
                },
                check_results=[checks.nothing_rejected(book, day)],
            )

    @dg.asset(
        partitions_def=partitions,
        group_name=_GROUP,
        owners=_OWNERS,
        tags=_TAGS,
        metadata=definition_metadata("order_payments"),
        deps=[refund_events],
        kinds={"graphql"},
        description="Orders and payment lines of the day's refunds; a refund counts as proven once "
        "its payment lines sum to its amount.",
    )
    def order_payments(
        context: dg.AssetExecutionContext,
        options: LaunchOptions,
        clock: Clock,
        ledger: LedgerResource,
        newstore: NewStoreResource,
        mapping: MappingResource,
    ) -> dg.MaterializeResult:
        from refund_pipeline.steps.payments import fetch_payments

        day = _our_day(context)
        with systemic_failures():
            book = ledger.open(context.run.run_id)
            fetched = fetch_payments(
                day,
                ledger=book,
                open_newstore=newstore.open,
                mapping=mapping.load().mapping,
                clock=clock.now,
                random_source=clock.random_source(),
                refund_ids=options.only,
                refresh=options.refresh,
            )
            return dg.MaterializeResult(
                metadata={
                    "looked_at": fetched.looked_at,
                    **{f"now_{name}": count for name, count in fetched.results.items()},
                    "attribution": fetched.attribution or "nothing to ask",
                    "newstore_requests": fetched.requests,
                    "newstore_requests_per_refund": round(
                        fetched.requests / max(fetched.looked_at, 1), 3
                    ),
                    **status_metadata(book.status_totals(day)),
                    "preview": refunds_table(book, day),
                }
            )

    @dg.asset(
        partitions_def=partitions,
        group_name=_GROUP,
        owners=_OWNERS,
        tags=_TAGS,
        metadata=definition_metadata("refund_transactions"),
        deps=[order_payments],
        kinds={"python"},
        check_specs=checks.specs("refund_transactions", partitions, checks.NO_GATE_CLOSED),
        description="Balanced refund transactions, built from event, order, payments, origin and "
        "mapping; what does not fit is held with the mapping row to add.",
    )
    def refund_transactions(
        context: dg.AssetExecutionContext,
        options: LaunchOptions,
        clock: Clock,
        ledger: LedgerResource,
        erp: NetSuiteResource,
        mapping: MappingResource,
    ) -> dg.MaterializeResult:
        from refund_pipeline.steps.transactions import build_transactions

        day = _our_day(context)
        with systemic_failures():
            book = ledger.open(context.run.run_id)
            loaded = mapping.load()
            built = build_transactions(
                day,
                ledger=book,
                erp=erp.open(loaded.mapping.custom_body_fields),
                mapping=loaded.mapping,
                mapping_version=loaded.version,
                clock=clock.now,
                random_source=clock.random_source(),
                refund_ids=options.only,
            )
            totals = book.status_totals(day)
            return dg.MaterializeResult(
                metadata={
                    "looked_at": built.looked_at,
                    **{f"now_{name}": count for name, count in built.results.items()},
                    "mapping_version": loaded.version,
                    "erp_requests": built.erp_requests,
                    **status_metadata(totals),
                    "preview": refunds_table(book, day),
                },
                check_results=[checks.no_gate_closed(day, totals)],
            )

    @dg.asset(
        partitions_def=partitions,
        group_name=_GROUP,
        owners=_OWNERS,
        tags=_TAGS,
        metadata=definition_metadata("erp_postings"),
        deps=[refund_transactions],
        kinds={"netsuite"},
        pool=ERP_POOL,
        description="Refund transactions written to NetSuite, each exactly once.",
    )
    def erp_postings(
        context: dg.AssetExecutionContext,
        options: LaunchOptions,
        clock: Clock,
        ledger: LedgerResource,
        erp: NetSuiteResource,
        mapping: MappingResource,
    ) -> dg.MaterializeResult:
        from refund_pipeline.steps.plan import plan_postings
        from refund_pipeline.steps.posting import Surroundings, post_refunds

        day = _our_day(context)
        with systemic_failures():
            book = ledger.open(context.run.run_id)
            gateway = erp.open(mapping.load().mapping.custom_body_fields)
            if options.dry_run:
                plan = plan_postings(book, day=day, refund_ids=options.only)
                return dg.MaterializeResult(
                    metadata={
                        **plan_metadata(plan, gateway.render),
                        **status_metadata(book.status_totals(day)),
                    }
                )
            posted = post_refunds(
                day,
                ledger=book,
                erp=gateway,
                concurrency=erp.concurrency,
                surroundings=Surroundings(
                    clock.now, clock.sleep, clock.random_source(), context.log.info
                ),
                refund_ids=options.only,
            )
            return dg.MaterializeResult(
                metadata={
                    "looked_at": posted.looked_at,
                    **{f"now_{name}": count for name, count in posted.results.items()},
                    "erp_requests": posted.erp_requests,
                    "seconds": round(posted.seconds, 3),
                    **_per_refund(posted),
                    **status_metadata(book.status_totals(day)),
                    "preview": refunds_table(book, day, pages=erp.pages),
                }
            )

    @dg.asset(
        partitions_def=partitions,
        group_name=_GROUP,
        owners=_OWNERS,
        tags=_TAGS,
        metadata=definition_metadata("refund_reconciliation"),
        deps=[erp_postings],
        kinds={"python"},
        check_specs=checks.specs(
            "refund_reconciliation",
            partitions,
            checks.NOTHING_HELD,
            checks.NOTHING_OUTSTANDING_TOO_LONG,
            checks.LEDGER_AND_ERP_AGREE,
        ),
        description="Is the ledger equal to the ERP, and what of the day is not posted yet? Fails "
        "while payment details are a few seconds late, so that Dagster tries the day again.",
    )
    def refund_reconciliation(
        context: dg.AssetExecutionContext,
        options: LaunchOptions,
        clock: Clock,
        ledger: LedgerResource,
        erp: NetSuiteResource,
        mapping: MappingResource,
    ) -> Iterator[dg.MaterializeResult]:
        from refund_pipeline.steps.reconciliation import reconcile

        day = _our_day(context)
        with systemic_failures():
            book = ledger.open(context.run.run_id)
            loaded = mapping.load().mapping
            result = reconcile(
                day,
                ledger=book,
                erp=erp.open(loaded.custom_body_fields),
                prefix=loaded.external_id_prefix,
                clock=clock.now,
                everything=options.reconcile_everything,
            )
            totals = book.status_totals(day)
            yield dg.MaterializeResult(
                metadata={
                    "summary": day_summary(book, day, totals, now=clock.now()),
                    "compared": result.checked,
                    "erp_requests": result.erp_requests,
                    "oldest_outstanding_hours": _hours_outstanding(book, day, clock.now()),
                    **status_metadata(totals),
                    "preview": refunds_table(book, day, pages=erp.pages),
                },
                check_results=[
                    checks.nothing_held(book, day, totals),
                    checks.nothing_outstanding_too_long(book, day, now=clock.now()),
                    checks.ledger_and_erp_agree(result),
                ],
            )
            waiting = book.refunds(day=day, statuses=("awaiting_payment",), limit=10_000)
        fresh = [row.refund_id for row in waiting if fails_the_run(row.attempts)]
        if fresh and not options.dry_run and will_be_retried(context.run.tags):
            raise dg.Failure(
                description=f"The payment details of {len(fresh)} refund(s) are not complete yet; "
                "everything else is done. This run fails so that Dagster tries the day again.",
                metadata={"waiting": table(("refund",), ((name,) for name in fresh))},
            )

    return [refund_events, order_payments, refund_transactions, erp_postings, refund_reconciliation]


def _per_refund(posted: "PostingSummary") -> dict[str, float]:
    """Return what a refund cost; nothing where none was looked at, so that plots stay true."""
    if not posted.looked_at:
        return {}
    return {
        "erp_requests_per_refund": round(posted.erp_requests / posted.looked_at, 3),
        "seconds_per_refund": round(posted.seconds / posted.looked_at, 3),
    }


def _hours_outstanding(ledger: "Ledger", day: date, now: datetime) -> float:
    oldest = ledger.oldest_outstanding(day)
    return round((now - oldest).total_seconds() / 3600, 2) if oldest else 0.0
