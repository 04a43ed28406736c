"""The guards between a fault and a wrong posting, and whether a test notices each one's absence.

The guards stand in `guard_list/*.yaml`: where each is, how it is taken away, and which tests must
fail then. `python -m refund_pipeline_tests.chaos.guards` writes their table into
docs/reliability.md.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import yaml

from refund_pipeline_tests.chaos.rows import CampaignFailed, Row

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "reliability.md"
PACKAGE, TESTS = "refund_pipeline", "refund_pipeline_tests"
_LISTS = Path(__file__).with_name("guard_list")
_BEGIN, _END = "<!-- guards: begin -->", "<!-- guards: end -->"
_COPIED = (PACKAGE, TESTS, "mappings", "pyproject.toml")
_ALL_PASSED, _SOME_FAILED = 0, 1
"""Exit codes of pytest; any other one says that the tests could not be run."""
_SECONDS = 1800
_AT_ONCE = 2
_SHOWN = 4000


@dataclass(frozen=True, slots=True)
class Guard:
    """One guard. `old` stands once in `file` of the package; with `new` in its place it is gone.

    Further lines of `old` and `new` are indented from the line where `old` begins. All of `tests`,
    ids of pytest below refund_pipeline_tests, fail without the guard; `why` says what it prevents.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    why: str

    def places(self, source: str) -> list[int]:
        """Return where `old` stands in `source`."""
        return [
            found.start()
            for found in re.finditer(re.escape(self.old.split("\n")[0]), source)
            if source.startswith(_indented_as(self.old, source, found.start()), found.start())
        ]

    def taken_from(self, source: str) -> str:
        """Return the source of the guard's file without the guard."""
        (place,) = self.places(source)
        rest = source[place:].removeprefix(_indented_as(self.old, source, place))
        return source[:place] + _indented_as(self.new, source, place) + rest


def _indented_as(text: str, source: str, place: int) -> str:
    """Indent the further lines of `text` like the line of `source` that `place` is on."""
    line = source[source.rfind("\n", 0, place) + 1 :]
    width = len(line) - len(line.lstrip(" "))
    return text.replace("\n", "\n" + " " * width)


def guards_by_subject() -> Mapping[str, Sequence[Guard]]:
    """Read the lists, in the order of their files' names."""
    found = {}
    for path in sorted(_LISTS.glob("*.yaml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        found[str(document["subject"])] = [
            Guard(**{**entry, "tests": tuple(entry["tests"])}) for entry in document["guards"]
        ]
    return found


def guards() -> list[Guard]:
    """Return every guard."""
    return [guard for listed in guards_by_subject().values() for guard in listed]


# The page


def section() -> str:
    """Return the guards as Markdown: a table per subject."""
    return "\n\n".join(
        "\n".join(
            [
                f"### {subject}",
                "",
                "| guard | without it | where | fails then |",
                "| --- | --- | --- | --- |",
                *(_row(guard) for guard in listed),
            ]
        )
        for subject, listed in guards_by_subject().items()
    )


def _row(guard: Guard) -> str:
    tests = "<br>".join(f"`{test}`" for test in guard.tests)
    return f"| {guard.name} | {guard.why} | `{guard.file}` | {tests} |"


def page_with_section(page: str) -> str:
    """Return the page with the tables of guards between its two marks."""
    before, rest = page.split(_BEGIN)
    _, after = rest.split(_END)
    return f"{before}{_BEGIN}\n{section()}\n{_END}{after}"


# The campaign


def mutations(seed: int, place: Path) -> Row:
    """Take each guard away in a copy below `place`; every test it names must fail then.

    Raises:
        CampaignFailed: the tests do not pass as things are, or a guard is not missed.
    """
    started = time.monotonic()
    listed = guards()
    first, *others = (place / str(number) for number in range(_AT_ONCE))
    for name in _COPIED:
        _copy(REPOSITORY / name, first / name)
    _prove_the_tests_pass(first, listed)
    copies: SimpleQueue[Path] = SimpleQueue()
    copies.put(first)
    for copy in others:  # with the bytecode of the first
        shutil.copytree(first, copy)
        copies.put(copy)

    def _is_missed_in_a_copy(guard: Guard) -> bool | None:
        copy = copies.get()
        try:
            return _is_missed(guard, copy)
        finally:
            copies.put(copy)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        missed = list(pool.map(_is_missed_in_a_copy, listed))
    if False in missed:
        names = [
            one.name for one, is_missed in zip(listed, missed, strict=True) if is_missed is False
        ]
        raise CampaignFailed(f"guards that can be broken without a test: {'; '.join(names)}")
    tried, skipped = missed.count(True), missed.count(None)
    outcome = f"{tried} of {tried} guards missed by a test when broken"
    return Row(
        campaign="guards",
        seed=seed,
        cases=tried,
        refunds=0,
        faults="every guard taken away, one at a time",
        lost=0,
        twice=0,
        outcome=f"{outcome}; {skipped} need PostgreSQL" if skipped else outcome,
        seconds=time.monotonic() - started,
    )


def _copy(source: Path, target: Path) -> None:
    if source.is_file():
        shutil.copy2(source, target)
    else:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))


def _prove_the_tests_pass(place: Path, listed: Sequence[Guard]) -> None:
    tests = sorted({test for guard in listed for test in guard.tests})
    code, output = _pytest(place, tests, keeps_bytecode=True)
    if code != _ALL_PASSED:
        raise CampaignFailed(f"the guards' tests do not pass as things are:\n{output[-_SHOWN:]}")


def _is_missed(guard: Guard, place: Path) -> bool | None:
    """Whether every test of the guard fails while it is away; None where all are skipped."""
    path = place / PACKAGE / guard.file
    source = path.read_text(encoding="utf-8")
    path.write_text(guard.taken_from(source), encoding="utf-8")
    code, output = _pytest(place, guard.tests)
    path.write_text(source, encoding="utf-8")
    if code not in {_ALL_PASSED, _SOME_FAILED}:
        raise CampaignFailed(f"without {guard.name!r} pytest ends with {code}:\n{output[-_SHOWN:]}")
    if code == _ALL_PASSED and " passed" not in output.splitlines()[-1]:
        return None
    return set(_failed(output)).issuperset(f"{TESTS}/{test}" for test in guard.tests)


def _pytest(place: Path, tests: Sequence[str], *, keeps_bytecode: bool = False) -> tuple[int, str]:
    """Run tests of the copy in a process of their own; return its exit code and its output."""
    environment = {name: value for name, value in os.environ.items() if name != "REFUNDS_CHAOS"}
    environment["PYTHONPATH"] = str(place)
    if not keeps_bytecode:  # of a broken file it must not outlive the file
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
    process = subprocess.run(  # noqa: S603  (our own interpreter, and ids from our own list)
        [
            *(sys.executable, "-m", "pytest", "-q", "--tb=line", "-p", "no:cacheprovider"),
            *(f"{TESTS}/{test}" for test in tests),
        ],
        cwd=place,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    return process.returncode, process.stdout


def _failed(output: str) -> Iterator[str]:
    """Yield the tests that pytest's summary names as failed, with and without parameters."""
    for line in output.splitlines():
        if line.startswith("FAILED "):
            failed = line.removeprefix("FAILED ").split(" - ")[0]
            yield from (failed, failed.split("[")[0])


if __name__ == "__main__":
    PAGE.write_text(page_with_section(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
