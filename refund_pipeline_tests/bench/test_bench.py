"""Every benchmark runs, at a tiny size, and the page has a place for each. Nothing is timed."""

import re
import shutil
from pathlib import Path

import pytest

from refund_pipeline_tests.bench.__main__ import BENCHMARKS, PAGE, benchmark, write
from refund_pipeline_tests.bench.results import Budget, Result, Settings, count
from refund_pipeline_tests.marked_page import marked


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_runs_and_fills_its_table(name: str, tmp_path: Path) -> None:
    result = benchmark(name)(Settings(7, tmp_path, "tiny"))
    assert result.rows
    assert all(len(row) == len(result.headings) for row in result.rows)
    assert all(re.search(r"\d", " ".join(map(str, row))) for row in result.rows)


def test_the_page_has_a_place_for_every_benchmark_and_keeps_what_was_not_measured(
    tmp_path: Path,
) -> None:
    page = tmp_path / "performance.md"
    shutil.copy(PAGE, page)
    for name in BENCHMARKS:
        marked(page, name)
    budgets = marked(page, "budgets").splitlines()
    met = Budget("a budget of its own", "1", "2", met=False)
    write(page, "posting", Result(("heading",), (("cell",),), (met,)), conditions="Seed 7.")
    assert marked(page, "posting").splitlines()[2:] == ["| cell |", "", "Seed 7."]
    assert set(marked(page, "budgets").splitlines()) >= {
        *budgets[2:],
        "| a budget of its own | 1 | 2 | not met |",
    }


def test_numbers_are_written_as_people_read_them() -> None:
    assert [count(one) for one in (1_000_000, 12.34, 0.5, 7)] == ["1,000,000", "12.3", "0.5", "7"]
