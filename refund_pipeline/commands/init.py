"""`refund-pipeline init`: asks for the settings, proves them as it goes, writes .env and mapping.

What is asked is `questions.py`; the checks are the doctor's.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import click

from refund_pipeline.commands import env_file, environment
from refund_pipeline.commands.endings import NotAsItShouldBe, sentences
from refund_pipeline.commands.questions import TAKEN_OVER, Check, Group, Question, groups

if TYPE_CHECKING:
    from rich.console import Console

    from refund_pipeline.domain.mapping import Mapping as RefundMapping
    from refund_pipeline.steps.doctor_findings import Finding
    from refund_pipeline.steps.replay import Time

_MOST_LOGINS = 3
"""NetSuite locks a user after five refusals in a row."""
_TEMPLATE = Path(__file__).with_name("mapping_template.yaml")
_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--directory", type=_FOLDER, default=".", help="Where .env and mapping.yaml go.")
@click.option("--defaults", is_flag=True, help="Ask nothing: answers come from the environment.")
@click.option("--mapping-from", type=_FILE, help="Begin mapping.yaml as a copy of this file.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier .env without asking.")
@click.option("--no-check", is_flag=True, help="Reach no other system.")
@click.pass_obj
def init(
    clock: "Time | None",
    *,
    directory: Path,
    defaults: bool,
    mapping_from: Path | None,
    overwrite: bool,
    no_check: bool,
) -> None:
    """Set the pipeline up: asks, proves each credential, writes .env and mapping.yaml.

    Answers that are in the environment or in an earlier .env are offered. The .env is readable by
    you alone; what it holds beside these answers is kept. A mapping.yaml that is there stays; a new
    one has placeholders for finance to fill in. Nothing is posted, and nothing written to other
    systems. Exit code 0 if all was proven, 1 if something is to be mended (the files are written),
    2 if answers are missing.
    """
    target = directory / ".env"
    if target.exists() and not overwrite:
        if defaults:
            raise NotAsItShouldBe(f"{target} exists; nothing was done: give --overwrite")
        click.confirm(f"{target} exists. Replace it at the end?", abort=True)
    with sentences():
        now = environment.clock(clock).now
        asking = _Asking(env_file.read(target), defaults=defaults)
        proving = _Proving(now, mapping_from or _TEMPLATE, no_check=no_check)
        wrong = 0
        for group in groups(now().date(), str((directory / "mapping.yaml").resolve())):
            wrong += _settle(group, asking, proving)
        asking.refuse_gaps()
        text = env_file.text_of(asking.values)
        directory.mkdir(parents=True, exist_ok=True)
        made = _mapping_file(asking.values["REFUNDS_MAPPING"], proving.template)
        env_file.write_privately(target, text)
    _tell(target, made, proving.to_fill_in)
    if wrong:
        raise NotAsItShouldBe(f"{wrong} finding(s) must be mended; refund-pipeline doctor has all")


@dataclass(slots=True)
class _Asking:
    """The answers, and where they come from."""

    before: Mapping[str, str]
    defaults: bool
    values: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        asked = {one.name for group in groups(date.min, "") for one in group.questions}
        self.values.update({name: one for name, one in self.before.items() if name not in asked})
        for name in TAKEN_OVER:
            if found := environment.optional(name):
                self.values[name] = found

    def ask(self, group: Group) -> None:
        """Ask what applies; what is not needed any more is forgotten."""
        for question in group.questions:
            earlier = self.values.pop(question.name, None)
            if question.applies(self.values):
                answer = self._answer(question, earlier)
                if answer:
                    self.values[question.name] = answer
        environment.adopt(self.values, [question.name for question in group.questions])

    def _answer(self, question: Question, earlier: str | None) -> str:
        known = earlier or environment.optional(question.name) or self.before.get(question.name)
        offered = known or self._default(question)
        if not self.defaults:
            return _prompt(question, offered, is_known=bool(known))
        if not offered and not question.is_optional:
            self.missing.append(question.name)
        return offered

    def _default(self, question: Question) -> str:
        try:
            return question.default(self.values)
        except KeyError:  # what it is made of is missing itself
            return ""

    def refuse_gaps(self) -> None:
        """Name all answers that are missing at once."""
        if self.missing:
            raise click.UsageError(f"not set in the environment: {', '.join(self.missing)}")


def _prompt(question: Question, offered: str, *, is_known: bool) -> str:
    text = question.text + (" (Enter keeps it)" if question.is_secret and is_known else "")
    answer: str = click.prompt(
        f"  {text}",
        default=offered if offered or question.is_optional else None,
        show_default=bool(offered) and not question.is_secret,
        hide_input=question.is_secret,
        type=click.Choice(question.one_of) if question.one_of else str,
    )
    return answer.strip()


@dataclass(slots=True)
class _Proving:
    """The doctor's checks, one group at a time."""

    now: Callable[[], datetime]
    template: Path
    no_check: bool
    mapping: "RefundMapping | None" = None
    to_fill_in: int = 0
    """Problems of the mapping: placeholders, mostly."""

    def findings(self, check: Check, values: Mapping[str, str]) -> "list[Finding]":
        """Return what a check finds, with the answers so far in the environment."""
        if check == "mapping":
            return list(self._mapping(values.get("REFUNDS_MAPPING", "")))
        if self.no_check:
            return []
        from refund_pipeline.orchestration.set_up import JobSetUp
        from refund_pipeline.steps import doctor

        with JobSetUp() as set_up:
            match check:
                case "ledger":
                    nowhere = not (
                        values.get("REFUNDS_LEDGER_URL") or environment.optional("DAGSTER_HOME")
                    )
                    return [] if nowhere else list(doctor.examine_ledger(set_up))
                case "landing bucket":
                    return list(doctor.examine_bucket(set_up, now=self.now))
                case "NewStore":
                    return list(doctor.examine_newstore(set_up, self.mapping, now=self.now))
                case "NetSuite":
                    return list(doctor.examine_netsuite(set_up, self.mapping, now=self.now))

    def _mapping(self, location: str) -> "Iterator[Finding]":
        from refund_pipeline.domain.errors import InvalidMapping, PipelineError
        from refund_pipeline.gateways.mapping_file import load_mapping
        from refund_pipeline.steps.doctor_findings import error, warning
        from refund_pipeline.steps.doctor_mapping import check_mapping

        self.mapping = None
        try:
            loaded = load_mapping(str(self.template) if _is_new(location) else location)
        except InvalidMapping as invalid:  # as long as finance has not filled it in
            self.to_fill_in = len(invalid.problems)
            yield warning(
                "mapping",
                f"{location} has {self.to_fill_in} place(s) to fill in",
                "refund-pipeline mapping check lists them",
            )
        except PipelineError as problem:
            yield error("mapping", str(problem), "correct REFUNDS_MAPPING")
        else:
            self.mapping, self.to_fill_in = loaded.mapping, 0
            yield from check_mapping(loaded)


def _settle(group: Group, asking: _Asking, proving: _Proving) -> int:
    """Ask and prove until it is good, or the person goes on as it is; return what stays wrong."""
    from rich.console import Console

    from refund_pipeline.commands import doctor_output

    for tries in count(1):
        if not asking.defaults:
            click.echo(f"\n{group.title}")
        asking.ask(group)
        if asking.missing:
            return 0
        findings = proving.findings(group.check, asking.values)
        if findings:
            _print(Console(), group, findings)
        wrong = doctor_output.errors_in(findings)
        if not wrong or asking.defaults or (group.check == "NetSuite" and tries == _MOST_LOGINS):
            return wrong
        if not click.confirm("Enter these again?", default=True):
            return wrong
    raise AssertionError  # it counts for ever


def _print(console: "Console", group: Group, findings: "list[Finding]") -> None:
    """Show what is worth a look; what is well is counted."""
    from refund_pipeline.commands import doctor_output
    from refund_pipeline.steps.doctor_findings import Verdict

    open_ones = [one for one in findings if one.verdict is not Verdict.OK]
    click.echo(f"  {group.check}: {len(findings) - len(open_ones)} of {len(findings)} ok")
    if open_ones:
        doctor_output.print_table(console, open_ones)


def _is_new(location: str) -> bool:
    return not location.lower().startswith("s3://") and not Path(location).expanduser().exists()


def _mapping_file(location: str, template: Path) -> Path | None:
    """Write a new mapping where there is none; return where."""
    if not _is_new(location):
        return None
    path = Path(location).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(template.read_text(encoding="utf-8"), encoding="utf-8")
    return path


def _tell(target: Path, made: Path | None, to_fill_in: int) -> None:
    click.echo(f"\nwrote {target}, readable by you alone")
    if made is not None:
        click.echo(f"wrote {made} (docs/mapping.md)")
    shown = f"refund-pipeline --env-file {target}"
    click.echo("Next:")
    if to_fill_in:
        click.echo(f"  {shown} mapping suggest --bucket   # rows for what has landed")
        click.echo(f"  {shown} mapping check              # until nothing is left")
    click.echo(f"  {shown} doctor                     # proves all of it, every id too")
