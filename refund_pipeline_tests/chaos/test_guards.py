"""The list of guards fits the code and the page; that each is missed is `make chaos`."""

import ast
import re

import pytest

from refund_pipeline_tests.chaos.guards import (
    PACKAGE,
    PAGE,
    REPOSITORY,
    TESTS,
    Guard,
    guards,
    page_with_section,
)

GUARDS = guards()


def names_in(file: str) -> set[str]:
    source = (REPOSITORY / TESTS / file).read_text(encoding="utf-8")
    return set(re.findall(r"^def (test_\w+)", source, re.MULTILINE))


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_stands_once_in_its_file_and_can_be_taken_away(guard: Guard) -> None:
    source = (REPOSITORY / PACKAGE / guard.file).read_text(encoding="utf-8")
    assert len(guard.places(source)) == 1, (
        f"the code has moved on: say in chaos/guard_list what {guard.name!r} is in {guard.file} now"
    )
    ast.parse(guard.taken_from(source))


def test_every_test_that_a_guard_names_exists() -> None:
    named = {tuple(test.split("[")[0].split("::")) for guard in GUARDS for test in guard.tests}
    there = {file: names_in(file) for file in {file for file, _ in named}}
    assert {(file, name) for file, name in named if name not in there[file]} == set()


def test_no_two_guards_have_one_name_and_each_has_tests() -> None:
    assert len({guard.name for guard in GUARDS}) == len(GUARDS)
    assert all(guard.tests for guard in GUARDS)


def test_the_page_shows_the_guards() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == page_with_section(page), (
        "write it anew: python -m refund_pipeline_tests.chaos.guards"
    )
