"""`refund-pipeline release`: a person lets refunds through the gates of the mapping, a day at once.

The same decision as `resolve --action release`; how it is shown and asked about is `decisions.py`.
"""

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

import click

from refund_pipeline.commands import decisions
from refund_pipeline.commands.decisions import Manner, Who, decide
from refund_pipeline.domain.actions import Action

if TYPE_CHECKING:
    from refund_pipeline.gateways.ledger.ledger import Ledger
    from refund_pipeline.steps.replay import Time

_MOST = 100_000


@click.command()
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="Everything of this landing day.")
@click.option("--refund", "refund_ids", multiple=True, metavar="ID", help="Only these refunds.")
@decisions.actor
@click.option("--note", required=True, help="Why.")
@decisions.yes
@decisions.as_json
@click.pass_obj
def release(
    clock: "Time | None",
    *,
    day: datetime | None,
    refund_ids: tuple[str, ...],
    actor: str,
    note: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Let refunds through that a gate of the mapping holds back.

    Shows what would be released, and asks. The kill switch has no release but the mapping. Exit
    code 1 if something of what was named is held by no gate, 3 if the ledger cannot be used.
    """
    if (day is None) == (not refund_ids):
        raise click.UsageError("name either a landing day with --day or refunds with --refund")

    def held(ledger: "Ledger") -> Collection[str]:
        from refund_pipeline.domain.gates import RELEASABLE

        if day is None:
            return refund_ids
        rows = ledger.refunds(day=day.date(), statuses=("held",), limit=_MOST)
        return [row.refund_id for row in rows if row.reason in RELEASABLE]

    decide(
        clock,
        held,
        Action.RELEASE,
        Who(actor, note),
        Manner(yes=yes, as_json=as_json),
    )
