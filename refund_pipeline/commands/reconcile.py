"""`refund-pipeline reconcile`: compare ledger and ERP over any range of landing days."""

import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import click

from refund_pipeline.commands import environment
from refund_pipeline.commands.endings import NotAsItShouldBe, sentences

if TYPE_CHECKING:
    from refund_pipeline.steps.reconciliation import Reconciliation
    from refund_pipeline.steps.replay import Time

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--from", "first", type=_DAY, required=True, help="The first landing day.")
@click.option("--to", "last", type=_DAY, help="The last landing day; the first one if left out.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
@click.pass_obj
def reconcile(
    clock: "Time | None", *, first: datetime, last: datetime | None, as_json: bool
) -> None:
    """Read every posted refund of some landing days back from the ERP and compare.

    Also names what the ERP has under our prefix, booked in that time, and the ledger does not know.
    Exit code 0 if both sides agree, 1 if not, 3 if the ERP, the ledger or a setting cannot be used.
    """
    last = last or first
    if last < first:
        raise click.UsageError("--to is before --from")
    time = environment.clock(clock)
    with sentences():
        from refund_pipeline.steps import reconciliation

        mapping = environment.mapping().mapping
        with (
            environment.ledger(time) as ledger,
            environment.netsuite(mapping.custom_body_fields) as erp,
        ):
            results = [
                (
                    day,
                    reconciliation.reconcile(
                        day,
                        ledger=ledger,
                        erp=erp,
                        prefix=mapping.external_id_prefix,
                        clock=time.now,
                        everything=True,
                    ),
                )
                for day in _days(first.date(), last.date())
            ]
    if as_json:
        click.echo(json.dumps([_document(day, result) for day, result in results], indent=2))
    else:
        _print(results)
    wrong = [str(day) for day, result in results if not result.agrees]
    if wrong:
        raise NotAsItShouldBe(f"ledger and ERP disagree on {', '.join(wrong)}")


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def _document(day: date, result: "Reconciliation") -> dict[str, object]:
    return {
        "landing_day": day.isoformat(),
        "agrees": result.agrees,
        "compared": result.checked,
        "not_visible_yet": result.too_young,
        "sums": [
            {
                "currency": one.currency,
                "ledger": {"count": one.ledger_count, "amount": str(one.ledger_amount)},
                "erp": {"count": one.erp_count, "amount": str(one.erp_amount)},
            }
            for one in result.agreements
        ],
        "differences": [{"refund_id": name, "what": what} for name, what in result.problems],
        "unknown_to_the_ledger": [
            {"external_id": external_id, "erp_id": erp_id} for external_id, erp_id in result.extra
        ],
    }


def _print(results: "Sequence[tuple[date, Reconciliation]]") -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("landing day", "agrees", "compared", "too young", "ledger", "ERP")
    for day, result in results:
        sums = [(one.ledger_amount, one.erp_amount, one.currency) for one in result.agreements]
        table.add_row(
            str(day),
            "yes" if result.agrees else "[red]no[/red]",
            str(result.checked),
            str(result.too_young),
            ", ".join(f"{ledger} {currency}" for ledger, _, currency in sums),
            ", ".join(f"{erp} {currency}" for _, erp, currency in sums),
        )
    console.print(table)
    for day, result in results:
        for refund_id, what in result.problems:
            console.print(f"{day}  refund {refund_id}: {what}", soft_wrap=True, markup=False)
        for external_id, erp_id in result.extra:
            console.print(
                f"{day}  record {erp_id} ({external_id}) is unknown to the ledger",
                soft_wrap=True,
                markup=False,
            )
