"""What the documentation names is there: pages and headings, commands and options, variables."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from refund_pipeline.cli import main

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
COMMAND = re.compile(r"refund-pipeline ((?:[a-z][\w-]*|--[a-z][\w-]*)[^`\n|]*)")
VARIABLE = re.compile(r"\b(?:REFUNDS|NEWSTORE|NETSUITE)_[A-Z0-9_]*[A-Z0-9]\b")
PICTURE = re.compile(r"!\[[^\]]+\]\(([^)\s]+)\)")
TAKEN = re.compile(r"_take\(page, \"([\w-]+)\"\)")
NAMES = [page.name for page in PAGES]


def prose(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """Make the anchors of a page as GitHub does."""
    found: set[str] = set()
    for heading in HEADING.findall(prose(page)):
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        number = 1
        while slug in found:
            slug = f"{slug.removesuffix(f'-{number - 1}')}-{number}"
            number += 1
        found.add(slug)
    return found


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(prose(page)):
        if target.startswith(("http:", "https:")):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked), target


def test_every_picture_is_shown_and_can_be_made_again() -> None:
    pictures = {path.name for path in (ROOT / "docs" / "images").iterdir()}
    shown = {Path(name).name for page in PAGES for name in PICTURE.findall(prose(page))}
    script = prose(ROOT / "refund_pipeline_tests" / "system" / "screenshots.py")
    assert pictures == shown == {f"{name}.png" for name in TAKEN.findall(script)}


def commands(page: Path) -> Iterator[list[str]]:
    for text in COMMAND.findall(prose(page)):
        words = text.split("#")[0].rstrip(" .,;:\\")
        try:
            yield shlex.split(words)
        except ValueError:
            yield words.split()


def unknown(words: list[str]) -> str | None:
    """Return the first word of a command line that is no command or option of ours."""
    command: click.Command = main
    for word in words:
        if isinstance(command, click.Group):
            if word in command.commands:
                command = command.commands[word]
                continue
            if re.fullmatch(r"[a-z][\w-]*", word):
                return word
        if word.startswith("--"):
            options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
            if word.split("=")[0] not in options | {"--help"}:
                return word
    return None


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_command_and_option_is_there(page: Path) -> None:
    for words in commands(page):
        assert unknown(words) is None, f"refund-pipeline {' '.join(words)}"


def test_an_unknown_command_or_option_would_be_seen() -> None:
    assert unknown(["reconcil", "--from", "2026-01-01"]) == "reconcil"
    assert unknown(["reconcile", "--form", "2026-01-01"]) == "--form"


@cache
def source() -> str:
    return "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("refund_pipeline", "refund_pipeline_tests")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path != Path(__file__)
    )


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_variable_is_one_the_code_reads(page: Path) -> None:
    for name in sorted(set(VARIABLE.findall(prose(page)))):
        suffix = name.removeprefix("NETSUITE_")
        assert name in source() or f"{suffix.lower()}: str" in source(), name
