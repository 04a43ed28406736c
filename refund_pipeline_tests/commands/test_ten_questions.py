"""The questions of docs/operations.md, each asked of a day that was really worked on."""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from refund_pipeline.cli import main
from refund_pipeline.definitions import build_definitions
from refund_pipeline.sandbox.retail import ADYEN, GIFT_CARD, PAYPAL
from refund_pipeline.sandbox.retailer import SandboxRefund
from refund_pipeline.sandbox.sandbox import Sandbox

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
SECTION = re.compile(r"### Ten questions\n(.*?)\n### ", re.DOTALL)
ROW = re.compile(r"^\| ([^|]+\?) \| .*?`([^`]+)`", re.MULTILINE)
MISSING_FILE = "a line nobody can read"


@dataclass(frozen=True)
class Worked:
    """What the sandbox's retailer gave back on the day, by name."""

    sandbox: Sandbox
    day: date
    refunds: Mapping[str, SandboxRefund]
    places: Mapping[str, str]

    def ask(self, question: str) -> tuple[str, int]:
        """Run the answer's command; return what it printed, and its exit code."""
        command = questions()[question]
        for name, value in self.places.items():
            command = re.sub(rf"\b{name}\b", value, command)
        program, *words = shlex.split(command)
        assert program == "refund-pipeline"
        result = CliRunner().invoke(main, words, env={"COLUMNS": "400"})
        return result.output, result.exit_code


def questions() -> dict[str, str]:
    (section,) = SECTION.findall(PAGE.read_text(encoding="utf-8"))
    return dict(ROW.findall(section))


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worked]:
    home = tmp_path_factory.mktemp("questions")
    now = datetime.now(timezone.utc)
    with Sandbox(state=home) as sandbox, pytest.MonkeyPatch.context() as patch:
        settings = {
            **sandbox.environment(),
            "REFUNDS_LEDGER_URL": f"sqlite:///{home / 'ledger.db'}",
            "REFUNDS_REPORTS": str(home / "reports"),
        }
        for name, value in settings.items():
            patch.setenv(name, value)
        make = sandbox.retailer.refund
        refunds = {
            "card": make(tender=ADYEN, at=now),
            "gift card": make(tender=GIFT_CARD, at=now),
            "unmapped": make(tender=PAYPAL, at=now),
            "late": make(tender=ADYEN, at=now, payments_available_at=now + timedelta(hours=5)),
        }
        sandbox.retailer.land(*refunds.values(), at=now)
        sandbox.landing.land([MISSING_FILE], at=now)
        run(now.date())
        run(now.date())
        posted = {
            record.custom["custbody_nst_refund_id"]: record.id
            for record in sandbox.netsuite.cash_refunds()
        }
        places = {
            "ORDER": refunds["card"].order_number,
            "ERP_ID": posted[refunds["gift card"].refund_id],
            "DAY": now.date().isoformat(),
        }
        yield Worked(sandbox, now.date(), refunds, places)


def run(day: date) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        job = build_definitions().resolve_job_def("sync_refunds")
        job.execute_in_process(
            instance=instance, partition_key=day.isoformat(), raise_on_error=False
        )


def test_there_are_ten_and_one() -> None:
    assert len(questions()) == 11


def test_what_needs_me_this_morning(worked: Worked) -> None:
    said, code = worked.ask("What needs me this morning?")
    assert (code, "unmapped_tender" in said) == (1, True)


def test_where_is_the_refund_of_this_order(worked: Worked) -> None:
    said, code = worked.ask("Where is the refund of this order?")
    assert code == 0
    assert worked.refunds["card"].refund_id in said
    assert "posted" in said


def test_which_refund_is_this_record(worked: Worked) -> None:
    said, code = worked.ask("Which refund is this record in NetSuite?")
    assert code == 0
    assert worked.refunds["gift card"].refund_id in said


def test_why_is_this_day_red(worked: Worked) -> None:
    said, code = worked.ask("Why is this day red?")
    assert code == 1
    assert "unmapped_tender" in said


def test_which_refunds_wait_for_a_person(worked: Worked) -> None:
    said, _ = worked.ask("Which refunds wait for a person, and for what?")
    assert worked.refunds["unmapped"].refund_id in said
    assert worked.refunds["card"].refund_id not in said


def test_what_is_not_booked_yet(worked: Worked) -> None:
    said, _ = worked.ask("What is not booked yet, oldest first?")
    assert worked.refunds["late"].refund_id in said
    assert worked.refunds["card"].refund_id not in said


def test_what_did_we_refund_in_gift_cards(worked: Worked) -> None:
    said, code = worked.ask("What did we refund in gift cards last week?")
    assert code == 0
    place = Path(said.rsplit("files: ", 1)[1].strip())
    rows = (place / "by_tender.csv").read_text(encoding="utf-8").splitlines()
    (gift,) = [row for row in rows if "gift_card" in row]
    assert str(worked.refunds["gift card"].amount) in gift


def test_is_all_of_it_in_netsuite(worked: Worked) -> None:
    said, code = worked.ask("Is all of it in NetSuite, to the last cent?")
    assert (code, "yes" in said) == (0, True)


def test_which_lines_could_nobody_read(worked: Worked) -> None:
    said, _ = worked.ask("Which lines could nobody read?")
    assert str(worked.day.year) in said or ".export" in said


def test_which_rows_does_the_mapping_lack(worked: Worked) -> None:
    said, code = worked.ask("Which rows does the mapping lack?")
    assert (code, "paypal" in said) == (0, True)


def test_a_day_can_safely_be_run_again(worked: Worked) -> None:
    assert "sync_refunds" in questions()["Can I safely run this day again?"]
    assert worked.sandbox.netsuite.audit.posts == 2
    assert len(worked.sandbox.netsuite.cash_refunds()) == 2
