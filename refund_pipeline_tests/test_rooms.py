"""The rooms of docs/architecture.md: each imports only what stands before it."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "refund_pipeline"
ALLOWED = {
    "domain": {"domain"},
    "gateways": {"domain", "gateways"},
    "steps": {"domain", "gateways", "steps"},
    "orchestration": {"domain", "gateways", "steps", "orchestration"},
    "commands": {"domain", "gateways", "steps", "orchestration", "receiver", "commands"},
    "receiver": {"domain", "gateways", "receiver"},
    "sandbox": {"sandbox"},
}
OUTSIDE_DOMAIN = {
    "requests",
    "boto3",
    "botocore",
    "sqlalchemy",
    "alembic",
    "yaml",
    "jwt",
    "stamina",
}
HEAVY = {"pandas", "dagster_aws", "boto3", "botocore", "jwt", "cryptography", "alembic"}
MODULES = sorted(PACKAGE.rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path, *, top_level_only: bool = False) -> Iterator[str]:
    tree = parsed(path)
    nodes = tree.body if top_level_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else "top"


def rooms_imported(path: Path) -> set[str]:
    names = (name.split(".") for name in imports(path))
    return {name[1] for name in names if name[0] == "refund_pipeline" and len(name) > 1}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_the_rooms_before_its_own(path: Path) -> None:
    allowed = ALLOWED.get(room(path))
    if allowed is not None:
        assert rooms_imported(path) <= allowed


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_dagster_is_imported_by_orchestration_and_definitions_only(path: Path) -> None:
    uses_dagster = any(name.split(".")[0] == "dagster" for name in imports(path))
    may = room(path) == "orchestration" or path.name in {"definitions.py", "demo.py"}
    assert may or not uses_dagster


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_http_is_served_by_the_receiver_and_the_sandbox_only(path: Path) -> None:
    serves = {name.split(".")[0] for name in imports(path)} & {"starlette", "uvicorn"}
    assert room(path) in {"receiver", "sandbox"} or not serves


@pytest.mark.parametrize("path", sorted((PACKAGE / "domain").glob("*.py")), ids=lambda p: p.name)
def test_the_domain_does_no_io(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports(path)} & OUTSIDE_DOMAIN


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_says_what_lives_there(path: Path) -> None:
    assert ast.get_docstring(parsed(path))


def test_importing_the_definitions_loads_nothing_heavy() -> None:
    code = (
        "import sys, refund_pipeline.definitions; "
        f"print(sorted({HEAVY!r} & {{name.split('.')[0] for name in sys.modules}}))"
    )
    found = subprocess.run(  # noqa: S603  (our own code)
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.strip() == "[]"
