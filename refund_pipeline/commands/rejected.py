"""`refund-pipeline rejected ...`: landed lines that are no event, and letting them go.

What releasing does is `steps/rejected_lines.py`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from refund_pipeline.commands import decisions, environment
from refund_pipeline.commands.endings import NotAsItShouldBe, sentences
from refund_pipeline.commands.wording import plain

if TYPE_CHECKING:
    from refund_pipeline.gateways.ledger.ledger import Ledger
    from refund_pipeline.gateways.ledger.rows import LineId, RejectedEntry, ReleasedAs
    from refund_pipeline.steps.rejected_lines import ReadAgain
    from refund_pipeline.steps.replay import Time

_Command = TypeVar("_Command", bound=Callable[..., Any])
_DAY = click.DateTime(["%Y-%m-%d"])
_MOST = 100_000
_LONGEST_TEXT = 4_000
_json = click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")


def _which(command: _Command) -> _Command:
    day = click.option("--day", type=_DAY, help="Of this landing day.")
    key = click.option("--file", help="Of this file.")
    line = click.option("--line", type=int, help="With --file: this line.")
    return day(key(line(command)))


@click.group()
def rejected() -> None:
    """See and let go landed lines that are no event.

    They keep the check nothing_rejected red. Their text stays in the bucket: it may hold personal
    data.
    """


@rejected.command(name="list")
@_which
@click.option("--released", is_flag=True, help="Those that were let go, too.")
@_json
@click.pass_obj
def list_lines(
    clock: "Time | None",
    *,
    day: datetime | None,
    file: str | None,
    line: int | None,
    released: bool,
    as_json: bool,
) -> None:
    """Show rejected lines with every problem found, and who let go which."""
    with sentences(), environment.ledger(environment.clock(clock)) as ledger:
        entries = _chosen(ledger, day, file, line, released=released)
    if as_json:
        click.echo(json.dumps([_row(entry) for entry in entries], indent=2))
    else:
        _print(entries)


@rejected.command()
@click.option("--file", required=True, help="The file.")
@click.option("--line", type=int, required=True, help="The line.")
@click.option(
    "--text",
    is_flag=True,
    help="The line itself, read from the bucket: it may hold personal data.",
)
@click.pass_obj
def show(clock: "Time | None", *, file: str, line: int, text: bool) -> None:
    """Show one rejected line: its problems, who let it go, and on request its text."""
    time = environment.clock(clock)
    with sentences():
        from refund_pipeline.steps.rejected_lines import text_of

        with environment.ledger(time) as ledger:
            entries = _chosen(ledger, None, file, line, released=True)
        if not entries:
            raise NotAsItShouldBe(f"no line {line} of {file} was rejected")
        bucket = environment.landing_bucket(time) if text else None
        for entry in entries:
            _print_one(entry)
            if bucket is not None:
                found = text_of(entry, bucket=bucket)
                click.echo("  the text cannot be had any more" if found is None else _safe(found))


@rejected.command()
@_which
@decisions.actor
@click.option("--note", required=True, help="Why, for those who ask later.")
@decisions.yes
@decisions.as_json
@click.pass_obj
def release(
    clock: "Time | None",
    *,
    day: datetime | None,
    file: str | None,
    line: int | None,
    actor: str,
    note: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Let rejected lines go that you have looked at: shows what happens, and asks.

    Each line is read once more before. What is an event by now is taken in; the rest is let go as
    it is. Exit code 1 if there is nothing to let go, 3 if the ledger or the bucket cannot be used.
    """
    if day is None and file is None:
        raise click.UsageError("name the lines: --day, or --file with or without --line")
    time = environment.clock(clock)
    with decisions.typed():
        from refund_pipeline.domain.actions import Action
        from refund_pipeline.domain.resolutions import Decision
        from refund_pipeline.steps import rejected_lines

        decision = Decision(Action.RELEASE, actor, note)
        with environment.ledger(time) as ledger:
            entries = _chosen(ledger, day, file, line, released=False)
            if not entries:
                raise NotAsItShouldBe("no such line waits to be let go")
            planned = rejected_lines.read_again(
                entries,
                bucket=environment.landing_bucket(time),
                tenant=environment.required("REFUNDS_TENANT"),
            )
            if not as_json:
                _print([one.entry for one in planned], [one.what for one in planned])
                if not yes:
                    click.confirm(f"Release {len(planned)} line(s), by {actor}?", abort=True)
            became = (
                rejected_lines.release(planned, decision, ledger=ledger)
                if yes or not as_json
                else None
            )
    if as_json:
        click.echo(json.dumps(_document(planned, became), indent=2))
    elif became is not None:
        click.echo(rejected_lines.sentence(became))


def _chosen(
    ledger: "Ledger", day: datetime | None, key: str | None, line: int | None, *, released: bool
) -> "list[RejectedEntry]":
    if line is not None and key is None:
        raise click.UsageError("--line is a line of a file: name it with --file")
    return ledger.rejected_entries(
        day=day.date() if day else None, key=key, line_number=line, released=released, limit=_MOST
    )


def _safe(text: bytes) -> str:
    """Show a line so that nothing in it can steer the terminal."""
    shown = "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode()
        for one in text[:_LONGEST_TEXT].decode("utf-8", errors="backslashreplace")
    )
    more = len(text) - _LONGEST_TEXT
    return f"  {shown}" + (f" ... and {more} bytes more" if more > 0 else "")


def _print(entries: "Sequence[RejectedEntry]", what: Sequence[str] = ()) -> None:
    """Print lines so that a key can be copied whole, whatever the width of the terminal."""
    for number, entry in enumerate(entries):
        _print_one(entry)
        if what:
            click.echo(f"  -> {what[number]}")
    click.echo(f"{len(entries)} line(s)")


def _print_one(entry: "RejectedEntry") -> None:
    key = plain(entry.line.key)
    click.echo(f"{entry.file.landing_day}  {key}  line {entry.line.line_number}")
    for problem in entry.line.problems:
        click.echo(f"  {problem}")
    if entry.released_at is not None:
        click.echo(
            f"  released {entry.released_at:%Y-%m-%d %H:%M} UTC by "
            + plain(f"{entry.released_by}: {entry.released_note or ''}")
        )


def _row(entry: "RejectedEntry") -> dict[str, object]:
    at = entry.released_at
    return {
        "landing_day": str(entry.file.landing_day),
        "key": entry.line.key,
        "etag": entry.line.etag,
        "line": entry.line.line_number,
        "problems": list(entry.line.problems),
        "released_at": at.isoformat() if at else None,
        "released_by": entry.released_by,
        "released_note": entry.released_note,
    }


def _document(
    planned: "Sequence[ReadAgain]", became: "Mapping[LineId, ReleasedAs] | None"
) -> dict[str, object]:
    return {
        "released": became is not None,
        "lines": [
            {
                **_row(one.entry),
                "what": one.what,
                "became": became.get(one.entry.line.id) if became is not None else None,
            }
            for one in planned
        ],
    }
