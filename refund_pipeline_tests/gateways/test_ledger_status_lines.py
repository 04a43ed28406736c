"""REFUNDS_LOG_FORMAT=json: a line for every line of the history, and for nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from refund_pipeline.domain.actions import Action
from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.domain.resolutions import Decision
from refund_pipeline.gateways.ledger.ledger import Ledger
from refund_pipeline.gateways.ledger.rows import LandedFile
from refund_pipeline.gateways.ledger.status_lines import listener
from refund_pipeline.gateways.ledger.tables import refund_event, refund_history
from refund_pipeline.orchestration.resources import LedgerResource
from refund_pipeline_tests.fakes import DAY, event, refund_id
from refund_pipeline_tests.steps.lived_in import UNMAPPED, live_the_day, surrounding

Lines = list[dict[str, object]]


@pytest.fixture
def telling(ledger_url: str) -> Iterator[Ledger]:
    """A ledger that writes lines, for one run."""
    book = Ledger(
        ledger_url, clock=surrounding().clock.now, run_id="run-1", on_change=listener("json")
    )
    yield book
    book.close()


def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    said = capsys.readouterr()
    assert said.out == ""
    for written in ("anna", "Smith", "add to the mapping"):  # actor, note, detail
        assert written not in said.err
    return [json.loads(line) for line in said.err.splitlines()]


def land(ledger: Ledger, number: int = 1) -> None:
    ledger.record_file(
        LandedFile(f"key-{number}", "etag", DAY, 1),
        events=[(1, event(number))],
        rejected=[],
        other_events={},
        lines=1,
    )


def history(ledger: Ledger) -> Lines:
    past, of = refund_history.c, refund_event.c
    with ledger._database.read() as connection:
        rows = connection.execute(
            sa.select(past, of.order_id, of.landing_day)
            .join(refund_event, of.refund_id == past.refund_id)
            .order_by(past.id)
        )
        return [
            {
                "time": row.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "event": "refund_status",
                "refund_id": row.refund_id,
                "order_id": row.order_id,
                "landing_day": row.landing_day.isoformat(),
                "from": row.from_status,
                "to": row.to_status,
                "reason": row.reason,
                "run_id": row.run_id,
            }
            for row in rows
        ]


def test_the_lines_of_a_day_are_its_history_without_what_people_wrote(
    telling: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    live_the_day(telling, surrounding())
    decision = Decision(Action.SKIP, "anna@example.com", "Mr Smith called")
    assert telling.resolve([refund_id(UNMAPPED)], decision)
    told = lines(capsys)
    assert told == history(telling)
    assert told[-1]["reason"] == "handled_by_hand"
    assert {one["to"] for one in told} >= {"landed", "held", "uncertain", "posted", "skipped"}


def test_what_is_rolled_back_is_not_told(
    telling: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    land(telling)
    assert len(lines(capsys)) == 1

    def refuse(_: object) -> None:
        raise RuntimeError("the commit fails")

    engine = telling._database._open()
    sa.event.listen(engine, "commit", refuse)
    decision = Decision(Action.SKIP, "anna", "by hand")
    with pytest.raises(RuntimeError):
        telling.resolve([refund_id(1)], decision)
    assert lines(capsys) == []
    sa.event.remove(engine, "commit", refuse)
    telling.resolve([refund_id(1)], decision)
    assert [(one["from"], one["to"]) for one in lines(capsys)] == [("landed", "skipped")]


def test_a_write_that_changes_no_status_tells_nothing(
    telling: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    land(telling)
    land(telling)
    assert len(lines(capsys)) == 1


@pytest.mark.parametrize("asked", ["", "text", " TEXT "])
def test_without_the_setting_nothing_is_written(
    asked: str, ledger_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    book = Ledger(ledger_url, clock=surrounding().clock.now, on_change=listener(asked))
    land(book)
    book.close()
    assert lines(capsys) == []


def test_another_format_is_refused() -> None:
    with pytest.raises(Misconfigured, match="REFUNDS_LOG_FORMAT"):
        listener("yaml")


def test_a_run_s_lines_carry_its_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    resource = LedgerResource(url=f"sqlite:///{tmp_path / 'ledger.db'}", log_format="json")
    for number in (7, 8):
        book = resource.open(f"run-{number}")
        land(book, number)
        resource._ledger = None
        book.close()
    assert [one["run_id"] for one in lines(capsys)] == ["run-7", "run-8"]
