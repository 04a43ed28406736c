"""A check that breaks off is a finding too, and what it found before stays."""

import pytest

from refund_pipeline.domain.errors import Misconfigured, Unavailable
from refund_pipeline.steps.doctor_findings import Finding, Findings, NotGiven, Verdict, guarded

GOOD = Finding("x", "this is good")


def breaking_off(problem: Exception) -> Findings:
    yield GOOD
    raise problem


@pytest.mark.parametrize("problem", [Unavailable("it is down"), Misconfigured("it is down")])
def test_what_was_found_before_a_check_broke_off_stays(problem: Exception) -> None:
    first, last = guarded("x", "mend it", lambda: breaking_off(problem))
    assert first == GOOD
    assert last == Finding("x", "it is down", Verdict.ERROR, "mend it")


def test_a_setting_that_is_missing_is_named_once_as_an_error() -> None:
    _, last = guarded("x", "mend it", lambda: breaking_off(NotGiven("X must be set")))
    assert last.verdict is Verdict.WARNING
    assert last.what == "not checked: X must be set"


def test_a_defect_of_the_program_is_no_finding() -> None:
    with pytest.raises(ZeroDivisionError):
        list(guarded("x", "mend it", lambda: breaking_off(ZeroDivisionError())))
