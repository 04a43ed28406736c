"""Reads the scenario files beside this module and says everything that is wrong with them at once.

A file maps names to scenarios (`model.py`); a name is unique over all files.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import yaml
from pydantic import StringConstraints, TypeAdapter, ValidationError

from refund_pipeline.sandbox.scenarios.model import Scenario

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

FOLDER = Path(__file__).parent
_NAME = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=50)]


class InvalidScenarios(Exception):
    """Scenario files that cannot be used; `problems` are sentences that begin with the file."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        listed = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"the scenarios have {len(problems)} problem(s):\n{listed}")


class UnknownScenario(Exception):
    """A name that no scenario has; the message lists those there are."""


@cache
def all_scenarios() -> Mapping[str, Scenario]:
    """Return every scenario of this package by name, file by file in the files' order.

    Raises:
        InvalidScenarios: a file is wrong; every problem of every file is listed.
    """
    return read_scenarios(sorted(FOLDER.glob("*.yaml")))


def scenarios_named(names: Iterable[str]) -> Mapping[str, Scenario]:
    """Return the scenarios with these names, each once.

    Raises:
        UnknownScenario: at least one name is not known.
    """
    known = all_scenarios()
    wanted = list(dict.fromkeys(names))
    unknown = [name for name in wanted if name not in known]
    if unknown:
        listed = "\n".join(f"  {name}" for name in known)
        raise UnknownScenario(f"no such scenario: {', '.join(unknown)}; there are:\n{listed}")
    return {name: known[name] for name in wanted}


def read_scenarios(files: Sequence[Path]) -> Mapping[str, Scenario]:
    """Read scenario files.

    Raises:
        InvalidScenarios: a file is wrong; every problem of every file is listed.
    """
    found: dict[str, Scenario] = {}
    problems: list[str] = []
    for file in files:
        document, in_file = _parse(file)
        try:
            scenarios = _adapter().validate_python(document)
        except ValidationError as error:
            in_file += [_problem(detail) for detail in _own_problems(error)]
            scenarios = {}
        in_file += [f"{name}: another file has this name" for name in scenarios if name in found]
        problems += [f"{file.name}: {problem}" for problem in in_file]
        found.update(scenarios)
    if problems:
        raise InvalidScenarios(problems)
    return found


@cache
def _adapter() -> TypeAdapter[dict[str, Scenario]]:
    return TypeAdapter(dict[_NAME, Scenario])


class _Loader(yaml.SafeLoader):
    """The safe loader, which also finds keys given twice; plain YAML keeps the last one."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.problems: list[str] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                line = key.start_mark.line + 1
                self.problems.append(f"line {line}: the key {key.value} is given twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _parse(file: Path) -> tuple[object, list[str]]:
    loader = _Loader(file.read_text(encoding="utf-8"))
    try:
        return loader.get_single_data(), loader.problems
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        return {}, [f"line {line}: is not YAML, {error.problem}"]
    finally:
        loader.dispose()


def _own_problems(error: ValidationError) -> list["ErrorDetails"]:
    """Leave out a list that is too short only because its rows are wrong."""
    details = error.errors(include_url=False)
    inner = {loc[:length] for loc in (one["loc"] for one in details) for length in range(len(loc))}
    return [one for one in details if one["type"] != "too_short" or one["loc"] not in inner]


def _problem(detail: "ErrorDetails") -> str:
    where = ".".join(str(step) for step in detail["loc"] if step != "[key]")
    match detail["type"]:
        case "missing":
            what = "is missing"
        case "extra_forbidden":
            what = "is not a field of a scenario; check the spelling"
        case "value_error":
            what = str(detail.get("ctx", {}).get("error", detail["msg"]))
        case _:
            what = detail["msg"][:1].lower() + detail["msg"][1:]
    return f"{where}: {what}" if where else what
