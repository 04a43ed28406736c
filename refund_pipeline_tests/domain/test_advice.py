"""Every status and reason has its words, and docs/operations.md says the same ones."""

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from refund_pipeline.domain.actions import Action
from refund_pipeline.domain.advice import (
    REASON_ADVICE,
    STATUS_ADVICE,
    advice,
    happens_by_itself,
    runbook,
)
from refund_pipeline.domain.reasons import REASONS
from refund_pipeline.domain.resolutions import ACTIONS
from refund_pipeline.domain.statuses import OUTSTANDING, STATUSES

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)


def normalised(text: str) -> str:
    return " ".join(text.split())


def section(heading: str) -> str:
    """Return what stands under a heading, up to the next one."""
    _, found, rest = OPERATIONS.read_text(encoding="utf-8").partition(f"\n{heading}\n")
    assert found, heading
    return normalised(re.split(r"^#", rest, maxsplit=1, flags=re.MULTILINE)[0])


def capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def test_every_reason_and_every_status_has_advice() -> None:
    assert set(REASON_ADVICE) == set(REASONS)
    assert set(STATUS_ADVICE) == set(STATUSES)


@pytest.mark.parametrize("reason", REASONS)
def test_the_documentation_has_a_section_per_reason_that_says_the_same(reason: str) -> None:
    told, said = section(f"### `{runbook(reason)}`"), REASON_ADVICE[reason]
    assert told == (
        f"{capital(said.means)}. - **Do:** {said.to_do} - **It worked when:** {said.worked}"
    )


@pytest.mark.parametrize("status", sorted(STATUSES))
def test_the_documentation_has_a_row_per_status_that_says_the_same(status: str) -> None:
    said = STATUS_ADVICE[status]
    assert f"| `{status}` | {said.means} | {said.to_do} |" in section("## Statuses")
    assert runbook(None) == "statuses"


@pytest.mark.parametrize("reason", REASONS)
def test_advice_names_only_decisions_that_fit_the_reason(reason: str) -> None:
    said = REASON_ADVICE[reason].to_do
    named = {Action(name) for name in re.findall(r"--action (\w+)", said)}
    if "refund-pipeline retry" in said:
        named.add(Action.RETRY)
    if "refund-pipeline release" in said:
        named.add(Action.RELEASE)
    assert named <= ACTIONS[reason]


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_that_waits_for_a_person_says_which_command_ends_it(reason: str) -> None:
    said = REASON_ADVICE[reason].to_do
    assert said.startswith("Nothing") or "`refund-pipeline " in said


def test_the_reason_goes_before_the_status() -> None:
    assert advice("held", "overpaid") is REASON_ADVICE["overpaid"]
    assert advice("landed", None) is STATUS_ADVICE["landed"]


def test_commands_about_a_refund_have_its_id_and_day() -> None:
    day = NOW.date()
    assert "`refund-pipeline retry r-1`" in REASON_ADVICE["overpaid"].about("r-1", day)
    assert "--day 2026-11-20" in REASON_ADVICE["daily_gate"].about("r-1", day)


@pytest.mark.parametrize(
    ("next_attempt", "says"),
    [
        (NOW + timedelta(minutes=12), "next attempt at 12:12 UTC, in 12 min"),
        (NOW, "due now, with the next run of its day"),
        (None, "with the next run of its day, which the sensor asks for within a minute"),
        (
            NOW + timedelta(days=300),
            "with the next run of its day, which the sensor asks for within a minute",
        ),
    ],
)
def test_what_is_outstanding_says_when_it_is_tried_again(
    next_attempt: datetime | None, says: str
) -> None:
    assert happens_by_itself("awaiting_payment", next_attempt, now=NOW) == says


@pytest.mark.parametrize("status", sorted(STATUSES - OUTSTANDING))
def test_nothing_happens_by_itself_to_other_refunds(status: str) -> None:
    assert happens_by_itself(status, None, now=NOW) is None
