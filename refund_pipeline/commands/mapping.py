"""`refund-pipeline mapping check | suggest`: is the mapping file valid, and which rows it lacks.

Whether NetSuite knows its ids is for the doctor.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from refund_pipeline.commands import environment
from refund_pipeline.commands.endings import NotAsItShouldBe, sentences

if TYPE_CHECKING:
    from refund_pipeline.domain.mapping import Mapping
    from refund_pipeline.domain.suggestions import Suggestion
    from refund_pipeline.steps.replay import Time

_DAYS = 90
_json = click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")


@click.group()
def mapping() -> None:
    """The mapping file: what finance decides (docs/mapping.md)."""


@mapping.command()
@click.argument("file", required=False)
@_json
def check(*, file: str | None, as_json: bool) -> None:
    """Say everything that is wrong with the mapping FILE (REFUNDS_MAPPING), at once.

    A path or s3://bucket/key. Exit code 0 if it is valid, 1 if not, 3 if it cannot be read from S3.
    Whether NetSuite knows its ids: refund-pipeline doctor.
    """
    with sentences():
        from refund_pipeline.domain.errors import InvalidMapping
        from refund_pipeline.gateways.mapping_file import load_mapping
        from refund_pipeline.steps.doctor_findings import Verdict
        from refund_pipeline.steps.doctor_mapping import check_mapping

        location = file or environment.required("REFUNDS_MAPPING")
        try:
            findings = list(check_mapping(load_mapping(location)))
        except InvalidMapping as invalid:
            problems: Sequence[str] = invalid.problems
            findings = []
        else:
            problems = ()
    warnings = [one for one in findings if one.verdict is not Verdict.OK]
    if as_json:
        click.echo(
            json.dumps(
                {
                    "file": location,
                    "valid": not problems,
                    "problems": list(problems),
                    "warnings": [{"what": one.what, "fix": one.fix} for one in warnings],
                },
                indent=2,
            )
        )
    else:
        for problem in problems:
            click.echo(problem)
        for one in findings:
            click.echo(one.what + (f": {one.fix}" if one.fix else ""))
    if problems:
        raise NotAsItShouldBe(f"{location} has {len(problems)} problem(s)")


@mapping.command()
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    help=f"Look at what landed on this day or later; {_DAYS} days by default.",
)
@click.option(
    "--bucket",
    is_flag=True,
    help="Look at landed files as well: currencies and reasons, before anything was read.",
)
@_json
@click.pass_obj
def suggest(clock: "Time | None", *, since: datetime | None, bucket: bool, as_json: bool) -> None:
    """Print the rows the mapping lacks for the refunds that landed, ready to paste.

    Tenders, stores, currencies and reasons seen in the ledger. Ids are placeholders like
    "<item id>": the mapping is not valid until finance has put theirs in. Without a mapping
    everything seen is printed. Exit code 0, also if nothing is missing; 1 if the mapping is not
    valid; 3 if the ledger, the bucket or the mapping cannot be read.
    """
    time = environment.clock(clock)
    today = time.now().date()
    first = since.date() if since else today - timedelta(days=_DAYS)
    with sentences():
        from refund_pipeline.domain.suggestions import suggestions
        from refund_pipeline.steps.suggestions import add_from_bucket, as_yaml, seen_in_ledger

        rules = _rules()
        with environment.ledger(time) as ledger:
            seen = seen_in_ledger(ledger, first, today + timedelta(days=1))
            if bucket:
                add_from_bucket(
                    seen,
                    environment.landing_bucket(time),
                    ledger,
                    first,
                    tenant=environment.required("REFUNDS_TENANT"),
                )
        found = suggestions(seen, rules)
        text = as_yaml(found, rules)
    if as_json:
        click.echo(json.dumps([_row(one) for one in found], indent=2))
        return
    click.echo(text or f"# the mapping has a row for everything that landed since {first}")


def _rules() -> "Mapping | None":
    """Return the mapping; None while there is none."""
    from refund_pipeline.domain.errors import InvalidMapping

    if not environment.optional("REFUNDS_MAPPING"):
        return None
    try:
        return environment.mapping().mapping
    except InvalidMapping as invalid:
        raise NotAsItShouldBe(
            f"{invalid.source} has {len(invalid.problems)} problem(s): mend them first, see"
            " refund-pipeline mapping check"
        ) from None


def _row(one: "Suggestion") -> dict[str, object]:
    return {
        "section": one.section,
        "key": one.key or None,
        **one.values,
        "refunds": one.tally.refunds,
        "amounts": {code: str(amount) for code, amount in sorted(one.tally.amounts.items())},
    }
